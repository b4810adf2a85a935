"""A folder of logs as people have them: any size, any mixture; each kind of mess has one behaviour."""

import bz2
import gzip
import io
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from connectors.errors import BadInput, OverBudget
from connectors.folder import opened as opened_module
from connectors.folder.logs import FolderLogs
from connectors.folder.opening import open_folder
from connectors.folder.texts import Unpacked
from connectors.progress import Cancelled, watched
from connectors.window import Window

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def line(second: float, text: str = "served", level: str = "info") -> str:
    at = (START + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f'{{"time":"{at}","level":"{level}","message":"{text} {second:g}"}}\n'


def window(a: float, b: float) -> Window:
    return Window(START + timedelta(seconds=a), START + timedelta(seconds=b))


EVER = window(-86400, 400 * 86400)


def total(logs, span=EVER, **asked) -> float:
    return sum(logs.count(span, **asked).table.column("n").to_pylist())


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """60,000 lines in two files, four a second each: more than is read at once below, of 8 MB."""
    folder = tmp_path_factory.mktemp("large")
    for name, level in (("web.log", "info"), ("pay.log", "error")):
        lines = [line(s / 4, "x" * (60 + s % 7), level) for s in range(30_000)]
        (folder / name).write_text("".join(lines))
    return folder


@pytest.fixture
def logs(large, monkeypatch):
    monkeypatch.setattr("connectors.folder.logs.ALL_AT_ONCE", 1_000)
    monkeypatch.setattr("connectors.folder.glance.QUICK_LINES", 1_000)
    monkeypatch.setattr("connectors.folder.glance.SAMPLE_LINES", 4_000)
    monkeypatch.setattr("connectors.folder.drawn.BLOCKS", 40)
    return open_folder(large)[0]


# --- a folder that is not read whole ---------------------------------------------------------------------------------


def test_the_span_is_told_by_heads_and_tails(logs, monkeypatch):
    assert logs.window == Window(START, START + timedelta(seconds=7499.75, microseconds=1))
    assert 0.9 < logs.lines_in(logs.window) / 60_000 < 1.1


def test_opening_reads_little(large, monkeypatch):
    read = []
    whole = opened_module.Text.read

    def counted(self, start, end):
        data = whole(self, start, end)
        read.append(len(data))
        return data

    monkeypatch.setattr(opened_module.Text, "read", counted)
    open_folder(large)
    assert sum(read) < 1_500_000


def test_a_window_is_answered_from_its_own_bytes(logs):
    span = window(3600, 3610)
    assert total(logs.glance, span) == 80
    assert logs.glance.count(span).fetch.sampled is None
    low, high = logs.texts[0].ranges(*[round(t.timestamp() * 1e6) for t in (span.start, span.end)])[0]
    assert high - low < 60_000


def test_lines_come_in_order_from_all_files(logs):
    times = logs.rows(window(100, 7000), limit=10).answer().table.column("time").to_pylist()
    assert times == sorted(times)
    assert times[0] == START + timedelta(seconds=100)
    last = logs.rows(window(100, 7000), limit=3, order="-time").answer().table.column("time").to_pylist()
    assert last[0] == START + timedelta(seconds=6999.75)


def test_ids_name_the_file_and_where_in_it(logs):
    found = logs.rows(window(0, 1), limit=4).answer().table
    assert set(found.column("id").to_pylist()) == {"web.log:1", "web.log:2", "pay.log:1", "pay.log:2"}
    assert set(found.column("log.file.path").to_pylist()) == {"web.log", "pay.log"}
    assert set(found.column("service").to_pylist()) == {"web", "pay"}


def test_a_sample_says_so_and_its_weights_add_up(logs):
    answer = logs.glance.count(logs.window, by=("level",))
    assert "blocks at random places of 2 files" in answer.fetch.sampled
    counts = dict(zip(*(answer.table.column(c).to_pylist() for c in ("level", "n")), strict=True))
    assert counts["INFO"] == pytest.approx(30_000, rel=0.03)
    assert counts["ERROR"] == pytest.approx(30_000, rel=0.03)


def test_a_sampled_volume_is_spread_over_each_files_time(logs):
    answer = logs.glance.count(logs.window, every="300s", where="level = 'ERROR'")
    assert answer.fetch.sampled
    counts = answer.table.column("n").to_pylist()
    assert len(counts) == 25
    assert all(count == pytest.approx(1_200, rel=0.15) for count in counts)


def test_all_lines_are_counted_by_their_times(logs):
    answer = logs.count(logs.window, every="300s")
    assert answer.table.column("n").to_pylist() == [2_400.0] * 25
    assert answer.fetch.sampled is None
    assert logs.held(logs.window) is None


def test_a_long_count_says_how_far_it_is_and_can_be_called_off(logs):
    shares = []
    with watched(lambda share: shares.append(share) is None):
        logs.count(logs.window, every="60s")
    assert shares
    with pytest.raises(Cancelled), watched(lambda share: False):
        logs.count(logs.window, every="30s")
    assert total(logs, every="300s") == 60_000


def test_more_lines_than_the_budget_are_counted_in_a_stream_and_not_held(large, monkeypatch):
    monkeypatch.setattr("connectors.folder.logs.ALL_AT_ONCE", 1_000)
    monkeypatch.setattr("connectors.folder.logs.STREAM_LINES", 20_000)
    logs = FolderLogs("large", open_folder(large)[0].texts, rows=10_000)
    table = logs.count(logs.window, by=("level",), where="level = 'ERROR'").table
    assert table.to_pylist() == [{"level": "ERROR", "n": 30_000.0}]
    with pytest.raises(OverBudget, match="ask a part of it"):
        logs.compare(["level"], bad=_all(logs), good=_all(logs))


def _all(logs):
    from connectors.base import Selection

    return Selection(logs.window, None)


def test_a_filter_that_few_lines_fit_is_searched_to_the_end(logs):
    found = logs.rows(logs.window, where="has(message, '7499.75')", limit=5).answer().table
    assert found.num_rows == 2


# --- archives and compressed files, in place --------------------------------------------------------------------------


def test_archives_and_compressed_files_are_read_in_place(tmp_path):
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress("".join(line(s) for s in range(10)).encode()))
    (tmp_path / "a.log.1.zst").write_bytes(zstandard.compress("".join(line(s) for s in range(10, 20)).encode()))
    (tmp_path / "a.log").write_text("".join(line(s) for s in range(20, 30)))
    (tmp_path / "b.log.bz2").write_bytes(bz2.compress("".join(line(s, "b") for s in range(5)).encode()))
    with zipfile.ZipFile(tmp_path / "old.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/c.log", "".join(line(s, "c") for s in range(7)))
    for name, mode in (("d.tar", "w"), ("e.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            data = "".join(line(s, name) for s in range(6)).encode()
            info = tarfile.TarInfo("in/app.log")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    before = sorted(p.name for p in tmp_path.iterdir())
    logs, left_out = open_folder(tmp_path)
    assert left_out == ()
    assert total(logs) == 30 + 5 + 7 + 6 + 6
    assert {"old.zip!/in/c.log", "d.tar!/in/app.log", "e.tgz!/in/app.log"} <= set(logs.files)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_what_is_too_large_to_unpack_is_read_when_it_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("connectors.folder.opening.HEAD_BYTES", 1024)
    monkeypatch.setattr("connectors.folder.opening.Unpacked", lambda: Unpacked(0))
    monkeypatch.setattr("connectors.folder.logs.ALL_AT_ONCE", 100)
    (tmp_path / "a.log.gz").write_bytes(
        b"".join(gzip.compress("".join(line(s) for s in range(n, n + 20_000)).encode()) for n in (0, 20_000, 40_000))
    )
    logs, _ = open_folder(tmp_path)
    assert any("their end is estimated" in said for said in logs.remarks)
    assert total(logs) == 60_000


def test_a_damaged_archive_is_left_out_and_said(tmp_path):
    (tmp_path / "a.log").write_text(line(1))
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    logs, left_out = open_folder(tmp_path)
    assert total(logs) == 1
    assert any("bad.zip" in said for said in left_out)


def test_a_compressed_file_that_breaks_off_gives_what_is_there_and_says_so(tmp_path):
    whole = gzip.compress("".join(line(s) for s in range(2_000)).encode())
    (tmp_path / "a.log.gz").write_bytes(whole[: len(whole) // 2])
    answer = open_folder(tmp_path)[0].count(EVER)
    assert 0 < answer.table.column("n")[0].as_py() < 2_000
    assert "cut off" in answer.fetch.partial


# --- the mess of real folders -----------------------------------------------------------------------------------------


def test_each_file_has_its_own_format_whatever_its_name(tmp_path):
    (tmp_path / "app").write_text(line(1) + line(2))
    (tmp_path / "plain").write_text("2026-03-01T02:00:03Z ERROR pool is full\n")
    (tmp_path / "access").write_text(
        '10.0.0.1 - - [01/Mar/2026:02:00:04 +0000] "GET /pay HTTP/1.1" 503 12 "-" "curl/8"\n'
    )
    (tmp_path / "logfmt.txt").write_text('ts=2026-03-01T02:00:05Z level=warn msg="slow"\n')
    logs, _ = open_folder(tmp_path)
    assert [t.format for t in logs.texts] == ["combined", "json_lines", "text", "text"]
    assert total(logs) == 5
    assert total(logs, where="level = 'ERROR'") == 1


def test_junk_and_empty_files_are_left_out_and_said(tmp_path):
    (tmp_path / "a.log").write_text(line(1))
    (tmp_path / "core.123").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty.log").write_text("")
    (tmp_path / ".hidden").write_text(line(2))
    logs, left_out = open_folder(tmp_path)
    assert total(logs) == 1
    assert any("1 file is empty: empty.log" in said for said in left_out)
    assert any("core.123" in said for said in left_out)
    with pytest.raises(BadInput, match="no log that can be read"):
        open_folder(tmp_path / "empty.log")


def test_a_copy_is_read_once_and_so_is_what_two_rotations_share(tmp_path):
    lines = [line(s) for s in range(400)]
    (tmp_path / "app.log.1").write_text("".join(lines[:300]))
    (tmp_path / "app.log").write_text("".join(lines[250:]))
    (tmp_path / "copy.log").write_text("".join(lines[:120]))
    logs, _ = open_folder(tmp_path)
    assert total(logs) == 400
    said = " ".join(logs.remarks)
    assert "copy.log holds the same lines as app.log.1" in said
    assert "app.log.1 ends with the" in said


def test_rotations_that_follow_each_other_are_all_read(tmp_path):
    (tmp_path / "app.log.1").write_text("".join(line(s) for s in range(100)))
    (tmp_path / "app.log").write_text("".join(line(s) for s in range(100, 200)))
    logs, _ = open_folder(tmp_path)
    assert total(logs) == 200
    assert logs.remarks == ()


def test_a_file_out_of_order_is_read_from_end_to_end_and_said(tmp_path):
    halves = [*range(2_000, 4_000), *range(2_000)]
    (tmp_path / "app.log").write_text("".join(line(s, "x" * 60) for s in halves))
    logs, _ = open_folder(tmp_path)
    assert any("not in order of time" in said for said in logs.remarks)
    assert total(logs, window(100, 200)) == 100
    assert logs.window.start == START


def test_lines_without_a_time_belong_to_the_line_before(tmp_path):
    text = "2026-03-01T02:00:01Z ERROR failed\nTraceback:\n  File x\n2026-03-01T02:00:02Z INFO fine\n"
    (tmp_path / "app.log").write_text(text * 2)
    rows = open_folder(tmp_path)[0].rows(EVER, limit=10).answer().table
    assert rows.column("message").to_pylist().count("ERROR failed\nTraceback:\n  File x") == 2


def test_lines_that_are_not_of_the_format_are_counted_and_said(tmp_path):
    (tmp_path / "app.log").write_text(line(1) + "not json at all\n" + line(2))
    answer = open_folder(tmp_path)[0].count(EVER, where="level = 'INFO'")
    assert answer.table.column("n").to_pylist() == [2.0]
    assert "1 line was left out of app.log" in answer.fetch.partial


def test_offsets_are_read_and_a_zone_is_asked_for_where_none_is_written(tmp_path):
    (tmp_path / "tokyo.log").write_text("2026-03-01T11:00:01+09:00 INFO one\n")
    (tmp_path / "db.log").write_text("2026-03-01 03:00:02 INFO two\n")
    logs, left_out = open_folder(tmp_path)
    assert logs.window.start == START + timedelta(seconds=1)
    assert any("db.log" in said and "no zone" in said for said in left_out)
    both, _ = open_folder(tmp_path, tz={"db*": "Europe/Berlin"})
    assert total(both, window(0, 10)) == 2


def test_a_year_that_is_not_written_is_the_files_own(tmp_path):
    import os

    path = tmp_path / "syslog"
    path.write_text("Mar  1 02:00:01 host app[1]: one\n")
    os.utime(path, (START.timestamp() + 60,) * 2)
    logs, _ = open_folder(tmp_path, tz="UTC")
    assert logs.window.start == START + timedelta(seconds=1)
    assert any("names no year: 2026" in said for said in logs.remarks)


def test_utf16_and_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / "wide.log").write_bytes(b"\xff\xfe" + line(1).encode("utf-16-le"))
    (tmp_path / "marked.log").write_bytes(b"\xef\xbb\xbf" + line(2).encode())
    logs, left_out = open_folder(tmp_path)
    assert left_out == ()
    assert total(logs) == 2


def test_a_line_of_a_megabyte_and_one_of_many_fields_are_lines(tmp_path):
    fields = ",".join(f'"f{i}":{i}' for i in range(10_000))
    wide = f'{{"time":"2026-03-01T02:00:03Z",{fields}}}\n'
    (tmp_path / "a.log").write_text(line(1) + line(2, "y" * 1_000_000) + wide)
    (tmp_path / "b.log").write_text(wide + line(4))
    logs, left_out = open_folder(tmp_path)
    assert left_out == ()
    assert total(logs) == 5
    assert logs.rows(EVER, limit=9).answer().table.num_rows == 5
