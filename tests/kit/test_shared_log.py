"""One log that several services share: their lines are read and their requests counted as from logs of their own."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from kit import questions
from kit.case import Case
from tests.incidents.small_case import HOSTILE_FIELD, SIGNALS, SOURCES, START, make_case, requests


def lines():
    """A worker that speaks, and a proxy that only says what it answered."""
    for i in range(20):
        at = (START + timedelta(minutes=i)).isoformat()
        yield {"time": at, "service": "worker", "level": "INFO", "message": f"receipt {i} sent"}
        yield {"time": at, "service": "proxy", "message": "GET /pay", "http.response.status_code": 200, "duration_s": 1}


@pytest.fixture
def shared(tmp_path) -> Case:
    folder = make_case(tmp_path / "case")
    rows = [{name: value for name, value in row.items() if name != HOSTILE_FIELD} for row in requests()]
    rows = sorted([*rows, *lines()], key=lambda row: row["time"])
    (folder / "raw" / "edge.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (folder / "sources.toml").write_text(SOURCES.replace('service = "edge"\n', "", 1))
    (folder / "signals.toml").write_text(SIGNALS + "where = \"service = 'edge'\"\n")
    return Case(folder)


def test_the_lines_of_others_are_read_and_requests_are_not(shared):
    where = questions.spoken_lines(shared)
    assert where["edge"] is not None
    read = questions.lines(shared, shared.look, n=1_000, where=where)
    assert set(read["service"]) == {"worker"}
    assert len(read) == 20


def test_requests_are_counted_for_every_service(shared):
    wide = questions.derived_signals(shared)
    assert wide["edge/requests.count"].sum() == 2_400
    assert wide["proxy/requests.count"].sum() == 20
    assert not any(name.startswith("worker/requests") for name in wide.columns)


def test_a_log_of_requests_alone_is_counted_and_not_read(tmp_path):
    case = Case(make_case(tmp_path / "case"))
    assert questions.spoken_lines(case) == {}
    wide = questions.derived_signals(case)
    assert {name.partition("/")[0] for name in wide.columns} == {"edge"}
