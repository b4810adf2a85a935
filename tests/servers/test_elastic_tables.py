"""Spans, metrics and changes out of Elasticsearch, as the usual agents write them."""

from __future__ import annotations

import pytest

from connectors.base import SignalSpec
from connectors.elasticsearch import Settings, open_source
from connectors.errors import BadInput
from connectors.schema import check
from connectors.settings import Place
from connectors.testing import HOUR
from tests.servers.nodes import elasticsearch, load

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def url():
    with elasticsearch() as address:
        yield address


def opened(url, index, table, folder):
    return open_source(table, Settings(kind="elasticsearch", table=table, url=url, index=index), Place(folder))


APM = [
    {
        "@timestamp": "2026-03-01T02:00:01.000Z",
        "timestamp": {"us": 1772330401000250},
        "processor": {"event": "transaction"},
        "trace": {"id": "t1"},
        "transaction": {"id": "a", "name": "GET /pay", "duration": {"us": 2000}},
        "event": {"outcome": "failure"},
        "service": {"name": "front"},
        "http": {"response": {"status_code": 503}},
    },
    {
        "@timestamp": "2026-03-01T02:00:01.001Z",
        "timestamp": {"us": 1772330401001000},
        "processor": {"event": "span"},
        "trace": {"id": "t1"},
        "transaction": {"id": "a"},
        "parent": {"id": "a"},
        "service": {"name": "front"},
        "span": {
            "id": "b",
            "name": "SELECT",
            "duration": {"us": 900},
            "destination": {"service": {"resource": "postgresql"}},
        },
        "event": {"outcome": "success"},
    },
]
OTEL = [
    {
        "@timestamp": "2026-03-01T02:00:01.000Z",
        "trace_id": "t1",
        "span_id": "a",
        "name": "GET /pay",
        "kind": "Server",
        "duration": 2_000_000,
        "status": {"code": "Error"},
        "attributes": {"http.response.status_code": 503},
        "resource": {"attributes": {"service.name": "front", "host.name": "h1"}},
    },
    {
        "@timestamp": "2026-03-01T02:00:01.001Z",
        "trace_id": "t1",
        "span_id": "b",
        "parent_span_id": "a",
        "name": "SELECT",
        "kind": "Client",
        "duration": 900_000,
        "attributes": {"db.system.name": "postgresql"},
        "resource": {"attributes": {"service.name": "front"}},
    },
]
PREPPER = [
    {
        "startTime": "2026-03-01T02:00:01.000Z",
        "traceId": "t1",
        "spanId": "a",
        "name": "GET /pay",
        "parentSpanId": "",
        "kind": "SPAN_KIND_SERVER",
        "durationInNanos": 2_000_000,
        "status": {"code": 2},
        "serviceName": "front",
        "span": {"attributes": {"http@response@status_code": 503}},
    },
    {
        "startTime": "2026-03-01T02:00:01.001Z",
        "traceId": "t1",
        "spanId": "b",
        "name": "SELECT",
        "parentSpanId": "a",
        "kind": "SPAN_KIND_CLIENT",
        "durationInNanos": 900_000,
        "status": {"code": 0},
        "serviceName": "front",
        "span": {"attributes": {"db@system@name": "postgresql"}},
    },
]
JAEGER = [
    {
        "traceID": "t1",
        "spanID": "a",
        "operationName": "GET /pay",
        "references": [],
        "startTime": 1772330401000250,
        "startTimeMillis": 1772330401000,
        "duration": 2000,
        "tags": [
            {"key": "span.kind", "type": "string", "value": "server"},
            {"key": "http.response.status_code", "type": "int64", "value": "503"},
            {"key": "error", "type": "bool", "value": "true"},
        ],
        "process": {"serviceName": "front", "tags": []},
    },
    {
        "traceID": "t1",
        "spanID": "b",
        "operationName": "SELECT",
        "references": [{"refType": "CHILD_OF", "traceID": "t1", "spanID": "a"}],
        "startTime": 1772330401001000,
        "startTimeMillis": 1772330401001,
        "duration": 900,
        "tags": [
            {"key": "span.kind", "type": "string", "value": "client"},
            {"key": "db.system.name", "type": "string", "value": "postgresql"},
        ],
        "process": {"serviceName": "front", "tags": []},
    },
]
DATED = {"prepper": "startTime", "jaeger": "startTimeMillis"}


@pytest.mark.parametrize(
    ("index", "documents"), [("apm", APM), ("otel", OTEL), ("prepper", PREPPER), ("jaeger", JAEGER)]
)
def test_spans_of_the_usual_writers_are_the_same_spans(url, tmp_path, index, documents):
    mappings = {"properties": {DATED.get(index, "@timestamp"): {"type": "date"}}}
    load(url, f"spans-{index}", mappings, [(str(at), document) for at, document in enumerate(documents)])
    source = opened(url, f"spans-{index}", "spans", tmp_path)
    answer = source.traces(HOUR, order="failing")
    check(answer.table, "SPANS")
    outer, inner = answer.table.to_pylist()
    assert (outer["name"], outer["service"], outer["kind"], outer["status"]) == ("GET /pay", "front", "server", "error")
    assert (outer["duration_s"], outer["error_type"], outer["parent_id"]) == (0.002, "503", None)
    assert (inner["parent_id"], inner["kind"], inner["peer"]) == (outer["span_id"], "client", "postgresql")
    (edge,) = source.edges(HOUR).table.to_pylist()
    assert (edge["caller"], edge["callee"], edge["calls"]) == ("front", "postgresql", 1.0)
    assert outer["start"].microsecond == (250 if index in ("apm", "jaeger") else 0)


def test_numbers_of_metric_documents_are_signals(url, tmp_path):
    documents = [
        (
            f"{host}-{second}",
            {
                "@timestamp": f"2026-03-01T02:00:{second:02d}Z",
                "host": {"name": host},
                "system": {"cpu": {"total": {"pct": value}}},
                "requests": 10 * second,
            },
        )
        for host, value in (("h1", 0.2), ("h2", 0.6))
        for second in (0, 10, 20, 30)
    ]
    load(url, "metricbeat", {"properties": {"@timestamp": {"type": "date"}}}, documents)
    source = opened(url, "metricbeat", "metrics", tmp_path)
    cpu = SignalSpec("shop", "saturation", "cpu", "system.cpu.total.pct", where={"host.name": "h2"}, unit="1")
    asked = SignalSpec("shop", "traffic", "requests", "requests", metric_type="counter", where={"host.name": "h1"})
    answer = source.metrics(HOUR, signals=[cpu, asked], every="10s")
    check(answer.table, "METRICS")
    rows = [(r["name"], r["stat"], r["value"]) for r in answer.table.to_pylist()]
    assert rows.count(("cpu", "gauge", 0.6)) == 4
    assert rows.count(("requests", "delta", 100.0)) == 3
    listed = {row["metric"]: row["series"] for row in source.catalogue(HOUR).table.to_pylist()}
    assert listed == {"requests": 2, "system.cpu.total.pct": 2}


def test_annotations_are_changes(url, tmp_path):
    documents = [
        (
            "d1",
            {
                "@timestamp": "2026-03-01T02:10:00Z",
                "annotation": {"type": "deployment"},
                "message": "deploy pay 1.3",
                "service": {"name": "pay", "version": "1.3"},
                "event": {"start": "2026-03-01T02:10:00Z", "end": "2026-03-01T02:12:00Z"},
            },
        ),
        ("d2", {"@timestamp": "2026-02-27T02:10:00Z", "annotation": {"type": "deployment"}, "message": "old"}),
    ]
    load(url, "annotations", {"properties": {"@timestamp": {"type": "date"}}}, documents)
    answer = opened(url, "annotations", "changes", tmp_path).changes(HOUR)
    check(answer.table, "CHANGES")
    (row,) = answer.table.to_pylist()
    assert (row["id"], row["kind"], row["service"], row["after"], row["summary"]) == (
        "d1", "deploy", "pay", "1.3", "deploy pay 1.3",
    )  # fmt: skip
    assert row["until"].minute == 12


def test_a_table_that_is_not_kept_there_is_said(url, tmp_path):
    with pytest.raises(BadInput, match="gives logs, spans, metrics and changes, not alerts"):
        opened(url, "x", "alerts", tmp_path)
