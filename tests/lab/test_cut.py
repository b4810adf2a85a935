"""Does a cut hold the span's whole lines and nothing else, and does incident.toml say only what people noted?"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

from sample_incidents.lab import truth
from sample_incidents.lab.cut import _changes, _json_time, _lines, _nginx_time, _postgres_time, _told, incident
from sample_incidents.lab.scenario import parse
from tests.lab.test_scenario import GOOD

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def line(second: int) -> str:
    return json.dumps({"time": (START + timedelta(seconds=second)).isoformat(), "n": second}) + "\n"


def test_lines_from_the_start_up_to_but_not_at_the_end_are_kept(tmp_path):
    (tmp_path / "a").write_text("".join(line(s) for s in (-1, 0, 9, 10)))
    _lines(tmp_path / "a", tmp_path / "b.gz", _json_time, START, START + timedelta(seconds=10))
    with gzip.open(tmp_path / "b.gz", "rt") as file:
        assert [json.loads(x)["n"] for x in file] == [0, 9]


def test_a_line_that_is_still_being_written_is_left_out(tmp_path):
    (tmp_path / "a").write_text(line(1) + line(2)[:20])
    _lines(tmp_path / "a", tmp_path / "b.gz", _json_time, START, START + timedelta(seconds=10))
    with gzip.open(tmp_path / "b.gz", "rt") as file:
        assert [json.loads(x)["n"] for x in file] == [1]


def test_a_log_that_was_never_written_gives_an_empty_file(tmp_path):
    _changes(tmp_path / "none", tmp_path / "b", START, START + timedelta(seconds=10))
    assert (tmp_path / "b").read_text() == ""


def test_a_change_log_in_local_time_names_no_zone(tmp_path):
    (tmp_path / "a").write_text('{"time": "2026-01-01T12:00:03.000Z", "until": null, "ref": "x"}\n')
    _changes(tmp_path / "a", tmp_path / "b", START, START + timedelta(seconds=10), "Europe/Berlin")
    assert json.loads((tmp_path / "b").read_text()) == {"time": "2026-01-01 13:00:03", "until": None, "ref": "x"}


def test_each_log_tells_its_time_in_its_own_way():
    assert _nginx_time(f'{{"msec":{START.timestamp():.3f},"status":200}}') == START
    assert _postgres_time('{"timestamp":"2026-01-01 12:00:00.000 UTC","message":"x"}') == START


def test_incident_toml_has_marks_and_limits_but_not_the_injection():
    scenario = parse(GOOD | {"noticed": "13m", "mark": [{"at": "13m5s", "kind": "detected"}]}, slug="good")
    words = incident(scenario, START, START + timedelta(seconds=960))
    assert words["noticed"] == START + timedelta(minutes=13)
    assert words["mark"] == [{"kind": "detected", "time": START + timedelta(minutes=13, seconds=5)}]
    assert words["look"] == {"start": START, "end": START + timedelta(minutes=16)}
    assert str(START + timedelta(minutes=12)) not in str(words)


def test_a_scenario_may_name_another_objective():
    objective = [{"signal": "worker/messaging.message.age.gauge", "limit": 5.0}]
    assert incident(parse(GOOD | {"objective": objective}, slug="good"), START, START)["objective"] == objective


def test_an_incident_that_hurts_nobody_is_refused(tmp_path):
    began, over = START + timedelta(minutes=12), START + timedelta(minutes=14)
    told = {"episodes": [{"onset": {"earliest": began, "latest": over}, "recovered": {"latest": over}}]}
    at = [START + timedelta(seconds=s) for s in range(960)]
    well = [truth.Seen(t, 200, 0.02) for t in at]
    hurt = [truth.Seen(t, 500 if began <= t < over else 200, 0.02) for t in at]
    quiet = parse(GOOD | {"truth": GOOD["truth"] | {"shows_within_s": 20}}, slug="good")
    assert "REFUSED: nobody was hurt" in _told(parse(GOOD, slug="good"), tmp_path, well, told)
    assert "REFUSED" not in _told(parse(GOOD, slug="good"), tmp_path, hurt, told)
    assert "REFUSED" not in _told(quiet, tmp_path, well, told)
