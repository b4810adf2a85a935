"""Several log sources asked as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from connectors.base import Selection
from connectors.errors import BadInput, NotExpressible, UnknownField
from connectors.merged import MergedLogs
from connectors.schema import conform
from connectors.tables import Tables
from connectors.window import Window

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")


def source(name, seconds, **columns):
    n = len(seconds)
    rows = {
        "time": [START + timedelta(seconds=s) for s in seconds],
        "seq": list(range(n)),
        "weight": [1.0] * n,
        "service": [name] * n,
        **columns,
    }
    return Tables(name, table=conform(pa.table(rows), "LOGS"))


def both():
    return MergedLogs(
        "logs",
        [
            source("web", [0, 2, 4], status=[200, 503, 503], level=["INFO", "ERROR", "ERROR"]),
            source("db", [1, 3], duration_s=[0.1, 0.2], level=["INFO", "WARN"]),
        ],
    )


def test_counts_add_up():
    assert both().count(HOUR).table.to_pylist() == [{"n": 5.0}]
    by_level = both().count(HOUR, by=("level",)).table.to_pylist()
    assert {row["level"]: row["n"] for row in by_level} == {"ERROR": 2.0, "INFO": 2.0, "WARN": 1.0}


def test_groups_past_the_top_are_folded_over_all_sources():
    counted = both().count(HOUR, by=("level",), top=2).table.to_pylist()
    assert {row["level"]: row["n"] for row in counted} == {"ERROR": 2.0, "INFO": 2.0, "<other>": 1.0}


def test_a_filter_on_a_field_of_one_source_leaves_the_others_out():
    assert both().count(HOUR, where="status >= 500").table.to_pylist() == [{"n": 2.0}]
    with pytest.raises(UnknownField):
        both().count(HOUR, where="nowhere = 1")


def test_rows_come_in_order_of_time():
    rows = both().rows(HOUR, limit=4).table
    assert rows.column("service").to_pylist() == ["web", "db", "web", "db"]
    with pytest.raises(BadInput, match="need a limit"):
        both().rows(HOUR)


def test_comparisons_add_up_with_their_totals():
    answer = both().compare(["service"], bad=Selection(HOUR, "level >= 'WARN'"), good=Selection(HOUR, "level = 'INFO'"))
    rows = {row["value"]: row for row in answer.table.to_pylist()}
    assert (rows["web"]["bad"], rows["web"]["good"]) == (2.0, 1.0)
    assert (rows["db"]["bad"], rows["db"]["bad_total"], rows["db"]["good_total"]) == (1.0, 3.0, 2.0)


def test_quantiles_of_parts_are_never_averaged():
    assert both().measure(HOUR, "duration_s", stats=("p50",)).fetch.source == "db"
    twice = MergedLogs("logs", [source("a", [0], duration_s=[1.0]), source("b", [1], duration_s=[2.0])])
    with pytest.raises(NotExpressible, match="do not add up"):
        twice.measure(HOUR, "duration_s")


def test_fields_of_all_sources_are_listed_once():
    names = both().fields(HOUR).table.column("name").to_pylist()
    assert names == sorted(set(names))
    assert {"status", "duration_s", "level"} <= set(names)


def test_a_sample_keeps_the_weights():
    sample = both().sample(HOUR, 2).table
    assert sum(sample.column("weight").to_pylist()) == 5.0
