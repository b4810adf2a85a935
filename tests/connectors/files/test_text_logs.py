"""Access logs in combined format, plain text, syslog, logfmt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.errors import BadInput, NaiveTime

from .reading import read, rows, told

AT = datetime(2026, 11, 24, 4, 21, tzinfo=UTC)
COMBINED = (
    '10.0.0.1 - ann [24/Nov/2026:05:21:00 +0100] "GET /cart/7?x=1 HTTP/1.1" 200 203 "http://s/" "Mozilla/5.0 (X11)"\n'
    '10.0.0.2 - - [24/Nov/2026:04:21:01 +0000] "POST /pay HTTP/1.1" 503 - "-" "curl/8"\n'
)


def test_combined_lines_become_requests(tmp_path):
    assert told(tmp_path, COMBINED) == "combined"
    first, second = rows(read(tmp_path, "combined", COMBINED, service="web"))
    assert first["time"] == AT
    assert first["http.request.method"] == "GET"
    assert (first["url.path"], first["route"]) == ("/cart/7", "/cart/{id}")
    assert first["http.response.status_code"] == 200
    assert first["http.response.body.size"] == 203
    assert first["user_agent.original"] == "Mozilla/5.0 (X11)"
    assert first["client.address"] == "10.0.0.1"
    assert first["user.name"] == "ann"
    assert "http.response.body.size" not in second
    assert "http.request.header.referer" not in second
    assert "duration_s" not in second


def test_common_lines_without_agent(tmp_path):
    text = '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET / HTTP/1.0" 404 10\n'
    (row,) = rows(read(tmp_path, "combined", text))
    assert row["http.response.status_code"] == 404


def test_what_was_appended_is_read_too(tmp_path):
    text = (
        '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x" rt=0.250 urt="0.1, 0.1" '
        'ua="10.0.0.7:80, 10.0.0.8:80" us="502, 200" 77\n'
    )
    (row,) = rows(read(tmp_path, "combined", text))
    assert row["duration_s"] == 0.25
    assert row["upstream.duration_s"] == pytest.approx(0.2)
    assert row["attempts"] == 2
    assert row["extra.5"] == 77


BARE = (
    '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x" 0.250\n'
    '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET /a HTTP/1.1" 304 0 "-" "x" 1.000\n'
)


@pytest.mark.parametrize("broken", ["", "garbage\n"], ids=["fast", "careful"])
def test_a_bare_number_with_decimals_on_every_line_is_the_requests_time(tmp_path, broken):
    reading = read(tmp_path, "combined", BARE + broken)
    assert [row["duration_s"] for row in rows(reading)] == [0.25, 1.0]
    assert "(extra.1) is taken for how long a request took" in reading.notes[0]


def test_of_two_bare_times_the_longer_is_the_requests_whatever_their_order(tmp_path):
    text = BARE.replace(" 0.250\n", " 0.100, 0.100 0.250\n").replace(" 1.000\n", " - 1.000\n")
    first, second = rows(read(tmp_path, "combined", text))
    assert (first["duration_s"], first["upstream.duration_s"]) == (0.25, 0.2)
    assert second["duration_s"] == 1.0
    assert "upstream.duration_s" not in second


@pytest.mark.parametrize(
    "numbers", [("0.250", "1"), ("0.250", "-"), ("250", "1000")], ids=["one is whole", "one is none", "microseconds"]
)
def test_numbers_that_may_be_something_else_are_no_times(tmp_path, numbers):
    text = BARE.replace("0.250", numbers[0]).replace("1.000", numbers[1])
    reading = read(tmp_path, "combined", text)
    assert "duration_s" not in reading.table.column_names
    assert reading.notes == ()


def test_a_bare_number_that_was_named_or_stands_beside_a_named_time_is_not_guessed_at(tmp_path):
    reading = read(tmp_path, "combined", BARE, fields={"gzip_ratio": "extra.1"})
    assert [row["gzip_ratio"] for row in rows(reading)] == [0.25, 1.0]
    assert (reading.notes, "duration_s" in reading.table.column_names) == ((), False)
    named = read(tmp_path, "combined", BARE.replace('"x"', '"x" rt=7.500'))
    assert [(row["duration_s"], row["extra.2"]) for row in rows(named)] == [(7.5, 0.25), (7.5, 1.0)]
    chosen = read(tmp_path, "combined", BARE.replace("1.000", "1"), fields={"duration_s": "extra.1"})
    assert [row["duration_s"] for row in rows(chosen)] == [0.25, 1.0]


def test_escapes_are_undone_alike_by_the_fast_and_the_careful_reading(tmp_path):
    line = '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET /caf\\xC3\\xA9 HTTP/1.1" 200 5 "-" "a\\x22b\\x5C"\n'
    for text in (line, line + "garbage\n"):
        (row,) = rows(read(tmp_path, "combined", text))
        assert (row["url.path"], row["user_agent.original"]) == ("/café", 'a"b\\')


def test_odd_requests_and_agents_do_not_break_the_line(tmp_path):
    text = (
        '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "\\x16\\x03\\x01" 400 0 "-" "-"\n'
        '10.0.0.1 - - [24/Nov/2026:04:21:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "say \\"hi\\" 5 [x]"\n'
        "garbage\n"
    )
    reading = read(tmp_path, "combined", text)
    bad, fine = rows(reading)
    assert bad["http.response.status_code"] == 400
    assert "url.path" not in bad
    assert fine["user_agent.original"] == 'say "hi" 5 [x]'
    assert reading.faults == ("1 line was left out of a.log, the first at line 3 (not an access-log line)",)


def test_fast_and_careful_reading_agree(tmp_path):
    plain = COMBINED * 20
    fast = read(tmp_path, "combined", plain).table
    careful = read(tmp_path, "combined", plain + "garbage\n").table
    assert fast.to_pylist() == careful.select(fast.column_names).to_pylist()


def test_what_is_no_access_log_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="none of its 1 lines fits"):
        read(tmp_path, "combined", "hello\n")


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ("2026-11-24T04:21:00Z INFO started", "INFO", "INFO started"),
        ("[2026-11-24 04:21:00.000 +0000] [error] 1#1: no", "ERROR", "[error] 1#1: no"),
        ("2026-11-24 04:21:00,000 UTC - app - WARNING - slow", "WARN", "- app - WARNING - slow"),
        ("2026/11/24 04:21:00 +0000 informed nobody", None, "informed nobody"),
        ("1795494060 ERROR x", "ERROR", "ERROR x"),
    ],
)
def test_a_line_that_begins_with_a_time(tmp_path, line, level, message):
    (row,) = rows(read(tmp_path, "text", line + "\n"))
    assert row["time"] == AT
    assert row.get("level") == level
    assert row["message"] == message


def test_a_stack_trace_belongs_to_its_line(tmp_path):
    text = (
        "2026-11-24T04:21:00Z ERROR boom\nTraceback (most recent call last):\n  File x\nValueError: 7\n"
        "2026-11-24T04:21:01Z INFO on\n"
    )
    first, second = rows(read(tmp_path, "text", text))
    assert first["message"] == "ERROR boom\nTraceback (most recent call last):\n  File x\nValueError: 7"
    assert (first["id"], second["id"]) == ("a.log:1", "a.log:5")


def test_syslog_without_year_or_zone_needs_both(tmp_path):
    text = "<11>Nov 24 05:21:00 web-1 sshd[77]: failed login\n"
    assert told(tmp_path, text) == "text"
    with pytest.raises(NaiveTime, match="year = 2026"):
        read(tmp_path, "text", text)
    with pytest.raises(NaiveTime, match='tz = "Europe/Berlin"'):
        read(tmp_path, "text", text, year=2026)
    (row,) = rows(read(tmp_path, "text", text, year=2026, tz="Europe/Berlin"))
    assert row["time"] == AT
    assert (row["host"], row["program"], row["pid"], row["level"]) == ("web-1", "sshd", 77, "ERROR")
    assert row["message"] == "failed login"


def test_syslog_of_rfc_5424(tmp_path):
    text = '<165>1 2026-11-24T04:21:00.000Z web-1 app 42 ID47 [x@1 a="b"] it happened\n'
    (row,) = rows(read(tmp_path, "text", text))
    assert row["time"] == AT
    assert (row["host"], row["program"], row["pid"], row["message"]) == ("web-1", "app", 42, "it happened")
    assert row["level"] == "INFO"


def test_logfmt_gives_typed_columns(tmp_path):
    text = 'time=2026-11-24T04:21:00Z level=warn msg="pool is \\"full\\"" in_use=5 wait_s=0.25 path=/pay/7\n'
    (row,) = rows(read(tmp_path, "text", text))
    assert row["time"] == AT
    assert (row["level"], row["message"]) == ("WARN", 'pool is "full"')
    assert (row["in_use"], row["wait_s"]) == (5, 0.25)
    assert row["route"] == "/pay/{id}"


def test_lines_before_the_first_time_are_said(tmp_path):
    reading = read(tmp_path, "text", "banner\n2026-11-24T04:21:00Z INFO on\n")
    assert reading.faults == ("1 line was left out of a.log, the first at line 1 (no time at its start)",)


def test_text_without_any_time_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"No line of a\.log begins with a time"):
        read(tmp_path, "text", "hello\nworld\n")


def test_no_format_at_all_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="has no format that is known"):
        told(tmp_path, "hello world\n")
    with pytest.raises(BadInput, match="is empty"):
        told(tmp_path, "")
