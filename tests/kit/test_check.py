"""What each source of a case answers when it is asked something cheap, and what none of them can tell."""

from __future__ import annotations

import httpx
import pytest

from connectors.errors import SourceUnavailable
from connectors.http import Http
from connectors.probe import clock_by_date
from kit.case import Case
from kit.check import check_sources, pillar_gaps

INCIDENT = """
id = "c"
title = "c"
services = ["web", "db"]
[look]
start = 2026-03-01T02:00:00Z
end = 2026-03-01T02:10:00Z
"""
SOURCES = """
[sources.web]
kind = "files"
table = "logs"
path = "raw/web.jsonl"
service = "web"
[sources.metrics]
kind = "files"
table = "metrics"
path = "raw/m.om"
[sources.gone]
kind = "files"
table = "changes"
path = "raw/nowhere.jsonl"
"""
SIGNALS = """
[[signal]]
service = "db"
kind = "saturation"
name = "connections"
metric = "db_connections"
"""


@pytest.fixture
def case(tmp_path):
    (tmp_path / "raw").mkdir()
    for name, text in (("incident.toml", INCIDENT), ("sources.toml", SOURCES), ("signals.toml", SIGNALS)):
        (tmp_path / name).write_text(text)
    lines = [f'{{"time":"2026-03-01T02:0{i}:00Z","message":"hi","user":"u{i}"}}\n' for i in range(5)]
    (tmp_path / "raw/web.jsonl").write_text("".join(lines))
    scrapes = [f"db_connections{{}} {i} {1772330400 + 15 * i}\n" for i in range(8)]
    (tmp_path / "raw/m.om").write_text("".join(scrapes))
    return Case(tmp_path)


def test_each_source_says_what_it_has_or_why_it_cannot_be_asked(case):
    web, metrics, gone = check_sources(case)
    assert (web.reached, metrics.reached, gone.reached) == (True, True, False)
    assert web.says.startswith("5 lines in ")
    assert "user" in web.fields
    assert web.services == ("web",)
    assert metrics.says.startswith("1 metrics in ")
    assert metrics.fields == ("db_connections",)
    assert gone.says.startswith("could not be asked: ")
    assert web.clock_offset_s is None  # files have no clock


def test_what_no_source_can_tell_is_named_per_service_and_as_a_whole(case):
    assert pillar_gaps(case, check_sources(case)) == [
        "web: no metrics",
        "db: no logs",
        "no source answers for traces, changes and alerts: add one to sources.toml if there is one",
    ]


def test_nothing_is_asked_of_anybody_offline(case):
    rows = check_sources(Case(case.folder, offline=True))
    assert [row.reached for row in rows] == [False, False, False]
    assert all("never recorded" in row.says for row in rows)


def test_a_clock_is_read_from_the_date_of_any_reply():
    def late(request):
        return httpx.Response(401, headers={"date": "Sun, 01 Mar 2020 02:00:00 GMT"})

    offset, error = clock_by_date(Http("http://x.example", transport=httpx.MockTransport(late)), "")
    assert offset < -86_400 * 365 * 5
    assert 0.5 <= error < 5


def test_a_server_that_tells_no_time_is_said():
    http = Http("http://x.example", transport=httpx.MockTransport(lambda r: httpx.Response(200)))
    with pytest.raises(SourceUnavailable, match="tells no time"):
        clock_by_date(http, "")
