"""The Jaeger connector against a real Jaeger: the same spans as from the file that was sent to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest

from connectors import schema
from connectors.errors import BadInput, SourceUnavailable
from connectors.files.formats import reader
from connectors.files.options import Options
from connectors.http import Http
from connectors.jaeger import JaegerSpans, Settings, open_source
from connectors.local_spans import LocalSpans
from connectors.settings import Place
from connectors.window import Window
from tests.servers.tracing_nodes import jaeger

pytestmark = pytest.mark.server

START = datetime(2026, 11, 24, 4, tzinfo=UTC)
LOOK = Window(START, START + timedelta(minutes=10))
US = 1_000


def attributes(**values):
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": k.replace("__", "."), "value": {kinds[type(v)]: v}} for k, v in values.items()]


def span(trace, number, parent, start_us, duration_us, name, kind, *, failed=False, **own):
    begun = round(START.timestamp() * 1e6) * US + start_us * US
    return {
        "traceId": f"{trace:032x}", "spanId": f"{trace * 100 + number:016x}", "name": name, "kind": kind,
        "parentSpanId": f"{trace * 100 + parent:016x}" if parent else "",
        "startTimeUnixNano": str(begun), "endTimeUnixNano": str(begun + duration_us * US),
        "status": {"code": 2} if failed else {}, "attributes": attributes(**own),
    }  # fmt: skip


def exports():
    """240 traces of web → pay → a database, two a second in the middle; every tenth fails; 30 begin at one instant."""
    made = []
    for i in range(1, 241):
        at = 60_000_000 + i * 500_000 if i > 30 else 30_000_000
        bad, slow = i % 10 == 0, 1_000 * i
        web = [
            span(i, 1, 0, at, 9_000 + slow, "GET /pay", 2, failed=bad, http__route="/pay"),
            span(i, 2, 1, at + 100, 8_000 + slow, "POST pay", 3, peer__service="pay", attempt=i % 3),
        ]
        pay = [
            span(i, 3, 2, at + 900, 7_000 + slow, "pay", 2, failed=bad, error__type="PoolTimeout" if bad else ""),
            span(i, 4, 3, at + 1_000, 6_000 + slow, "SELECT", 3, db__system="postgresql", cached=i % 2 == 0),
        ]
        made += [("web", web), ("pay", pay)]
    sent = []
    for service, spans in made:
        resource = {"attributes": attributes(service__name=service, host__name=f"{service}-1", sampling__rate=0.5)}
        scopes = [{"scope": {"name": "shop"}, "spans": spans}]
        sent.append(orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}))
    return sent


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> LocalSpans:
    path = tmp_path_factory.mktemp("file") / "traces.jsonl"
    path.write_bytes(b"\n".join(exports()) + b"\n")
    return LocalSpans("jaeger", reader("otlp_json").read(path, Options(table="SPANS")).table)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with jaeger(tmp_path_factory.mktemp("node")) as found:
        found.load(exports())
        yield found


def opened(node, **options) -> JaegerSpans:
    return JaegerSpans("jaeger", Http(node.url), **options)


def spans_of(answer) -> list[dict]:
    rows = answer.table.to_pylist()
    return sorted(({k: v for k, v in r.items() if v not in (None, "")} for r in rows), key=lambda r: r["span_id"])


@pytest.mark.parametrize("page", [500, 40, 7])
def test_no_trace_is_lost_to_the_limit(node, local, page):
    """Even where more traces begin in one microsecond than an answer holds."""
    source = opened(node, page=page)
    answer = source.traces(LOOK, n=None)
    schema.check(answer.table, "SPANS")
    assert len(set(answer.table.column("trace_id").to_pylist())) == 240
    assert spans_of(answer) == spans_of(local.traces(LOOK, n=None))
    assert answer.fetch.partial is None
    assert answer.fetch.binned_by == "start"
    assert answer.fetch.round_trips == (2 if page == 500 else answer.fetch.round_trips)


def test_edges_are_those_of_the_file(node, local):
    answer, expected = opened(node).edges(LOOK), local.edges(LOOK)
    assert answer.table.to_pylist() == expected.table.to_pylist()
    assert [(r["caller"], r["callee"], r["method"]) for r in answer.table.to_pylist()] == [
        ("pay", "postgresql", "peer"), ("web", "pay", "parent_child"),
    ]  # fmt: skip
    assert answer.evidence == expected.evidence


@pytest.mark.parametrize("order", ["failing", "slowest", "typical", "time"])
@pytest.mark.parametrize("page", [500, 50])
def test_exemplars_are_those_of_the_file(node, local, order, page):
    answer, expected = (s.traces(LOOK, n=9, order=order) for s in (opened(node, page=page), local))
    assert spans_of(answer) == spans_of(expected)
    assert answer.arguments == expected.arguments


def test_the_earliest_are_read_without_the_rest(node, local):
    """Reading stops early, and says that the rest was not counted."""
    source = opened(node, page=40)
    answer = source.traces(Window(START + timedelta(seconds=60), LOOK.end), n=5)
    assert answer.fetch.truncated
    assert "not counted" in answer.fetch.sampled
    assert answer.fetch.round_trips < 20


def test_a_filter_that_demands_a_service_asks_for_it_alone(node, local):
    where = "service = 'pay' AND error_type = 'PoolTimeout'"
    answer, expected = (s.traces(LOOK, where=where, n=None) for s in (opened(node), local))
    assert spans_of(answer) == spans_of(expected) != []
    assert answer.fetch.round_trips == 1


def test_a_window_is_half_open_and_may_be_empty(node):
    instant = Window(START + timedelta(seconds=30), START + timedelta(seconds=30, microseconds=1))
    before = Window(START, START + timedelta(seconds=30))
    assert len(set(opened(node).traces(instant, n=None).table.column("trace_id").to_pylist())) == 30
    empty = opened(node).traces(before, n=None)
    assert (empty.table.num_rows, empty.fetch.partial) == (0, None)
    assert opened(node).edges(before).table.num_rows == 0


def test_what_the_budget_does_not_reach_is_said(node):
    answer = opened(node, page=20, spans=200).traces(LOOK, n=None)
    assert "then the budget was spent" in answer.fetch.partial
    assert 0 < answer.table.num_rows < 960


def test_an_unknown_service_has_no_traces(node):
    assert opened(node, services=["nobody"]).traces(LOOK).table.equals(schema.empty("SPANS"))


def test_it_opens_from_its_settings(node, tmp_path):
    settings = Settings(kind="jaeger", table="spans", url=node.url, services=["web"], ui="http://jaeger.example")
    answer = open_source("jaeger", settings, Place(tmp_path)).traces(LOOK, n=1)
    assert pa.compute.count_distinct(answer.table.column("trace_id")).as_py() == 1
    assert answer.fetch.link.startswith("http://jaeger.example/search?service=web&start=")
    with pytest.raises(BadInput, match="gives spans"):
        open_source("jaeger", settings.model_copy(update={"table": "logs"}), Place(tmp_path))


def test_it_tells_of_itself(node):
    probe = opened(node).probe()
    assert (probe.engine, probe.may_not) == ("Jaeger query API", ())
    assert abs(probe.clock_offset_s) <= probe.clock_error_s + 1


def test_nobody_there_is_said():
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        JaegerSpans("jaeger", Http("http://127.0.0.1:1", pause=lambda s: None)).edges(LOOK)
