"""Spans at hand: who calls whom, and whole traces to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from connectors import schema
from connectors.errors import BadInput
from connectors.local_spans import LocalSpans
from connectors.window import Window

T0 = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
HOUR = Window(T0, T0 + timedelta(hours=1))


def span(trace, span_id, parent, service, kind, seconds, *, at=0, status="unset", peer=None, weight=1.0):
    return {
        "start": T0 + timedelta(seconds=at), "duration_s": seconds, "trace_id": trace, "span_id": span_id,
        "parent_id": parent, "service": service, "kind": kind, "status": status, "peer": peer, "weight": weight,
    }  # fmt: skip


def spans(*rows, **more) -> LocalSpans:
    table = pa.Table.from_pylist(list(rows)).cast(
        pa.schema(
            [
                ("start", schema.TIME), ("duration_s", pa.float64()), ("trace_id", pa.string()),
                ("span_id", pa.string()),
                ("parent_id", pa.string()), ("service", pa.string()), ("kind", pa.string()), ("status", pa.string()),
                ("peer", pa.string()), ("weight", pa.float64()),
            ]
        )
    )  # fmt: skip
    return LocalSpans("traces", schema.conform(table, "SPANS"), **more)


CALL = (
    span("t1", "a", None, "web", "server", 1.0),
    span("t1", "b", "a", "web", "client", 0.75, peer="checkout", status="error"),
    span("t1", "c", "b", "checkout", "server", 0.5),
    span("t1", "d", "c", "checkout", "client", 0.25, peer="postgres"),
)


def test_edges_are_told_from_parents_and_else_from_what_is_named():
    web, database = spans(*CALL).edges(HOUR).table.to_pylist()[::-1]
    assert (web["caller"], web["callee"], web["method"]) == ("web", "checkout", "parent_child")
    assert (web["calls"], web["errors"], web["duration_p50_s"]) == (1.0, 1.0, 0.75)
    assert (database["caller"], database["callee"], database["method"]) == ("checkout", "postgres", "peer")
    assert (database["traces"], database["traces_total"]) == (1, 1)


def test_sampled_spans_stand_for_many():
    (edge,) = spans(span("t1", "a", None, "web", "client", 0.2, peer="db", weight=10.0)).edges(HOUR).table.to_pylist()
    assert edge["calls"] == 10.0


def test_a_lost_parent_makes_no_edge_and_nor_does_a_span_outside():
    source = spans(
        span("t1", "c", "lost", "checkout", "server", 0.5), span("t2", "a", None, "web", "client", 1, at=-5, peer="x")
    )
    assert source.edges(HOUR).table.num_rows == 0


TRACES = (
    span("ok1", "a", None, "web", "server", 1.0, at=3),
    span("ok2", "a", None, "web", "server", 2.0, at=2),
    span("ok3", "a", None, "web", "server", 9.0, at=1),
    span("bad", "a", None, "web", "server", 0.5, at=4),
    span("bad", "b", "a", "web", "client", 0.1, at=4, status="error"),
)


@pytest.mark.parametrize(
    ("order", "n", "wanted", "sampled"),
    [
        ("time", 2, {"ok3", "ok2"}, "2 of 4 traces, by time"),
        ("failing", 5, {"bad"}, None),
        ("slowest", 1, {"ok3"}, "1 of 4 traces, by slowest"),
        ("typical", 1, {"ok2"}, "1 of 3 traces, by typical"),
        ("time", None, {"ok1", "ok2", "ok3", "bad"}, None),
    ],
)
def test_whole_traces_in_an_order(order, n, wanted, sampled):
    answer = spans(*TRACES).traces(HOUR, n=n, order=order)
    assert set(answer.table.column("trace_id").to_pylist()) == wanted
    assert answer.fetch.sampled == sampled
    if "bad" in wanted:
        assert answer.table.column("trace_id").to_pylist().count("bad") == 2


def test_a_filter_keeps_whole_traces():
    answer = spans(*TRACES).traces(HOUR, where="status = 'error'")
    assert answer.table.column("span_id").to_pylist() == ["a", "b"]


def test_an_order_that_does_not_exist_is_one_sentence():
    with pytest.raises(BadInput, match="'fastest' is no order of traces: ask for failing"):
        spans(*TRACES).traces(HOUR, order="fastest")


def test_what_the_files_lack_stands_in_every_answer():
    source = spans(*TRACES, missing=["half of it is gone"])
    assert source.traces(HOUR).fetch.partial == "half of it is gone"
    assert source.edges(HOUR).fetch.partial == "half of it is gone"
