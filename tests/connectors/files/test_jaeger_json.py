"""Jaeger's and Zipkin's JSON; the same trace in OTLP and Jaeger reads alike."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors.errors import BadInput

from .reading import read, rows, told

AT = datetime(2026, 11, 24, 4, 21, tzinfo=UTC)
US = 1795494060000000
JAEGER = {
    "data": [
        {
            "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
            "spans": [
                {
                    "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
                    "spanID": "e127af99e3b3e074",
                    "operationName": "GET /pay",
                    "references": [{"refType": "CHILD_OF", "spanID": "909541b92cf05311"}],
                    "startTime": US,
                    "duration": 123,
                    "tags": [
                        {"key": "span.kind", "type": "string", "value": "client"},
                        {"key": "peer.service", "type": "string", "value": "fraud-check"},
                        {"key": "error", "type": "bool", "value": True},
                        {"key": "http.status_code", "type": "int64", "value": "503"},
                    ],
                    "processID": "p1",
                }
            ],
            "processes": {"p1": {"serviceName": "payments", "tags": [{"key": "hostname", "value": "h1"}]}},
        }
    ]
}


def test_jaeger(tmp_path):
    text = orjson.dumps(JAEGER)
    assert told(tmp_path, text) == "jaeger_json"
    (row,) = rows(read(tmp_path, "jaeger_json", text))
    assert (row["start"], row["duration_s"]) == (AT, 0.000123)
    assert (row["trace_id"], row["span_id"]) == ("83a9efd15c1c98a977e0711cc93ee28b", "e127af99e3b3e074")
    assert row["parent_id"] == "909541b92cf05311"
    assert (row["service"], row["host"], row["kind"], row["peer"]) == ("payments", "h1", "client", "fraud-check")
    assert (row["status"], row["error_type"], row["http.response.status_code"]) == ("error", "503", 503)


def test_spans_as_jaeger_stores_them_a_line_each(tmp_path):
    (trace,) = JAEGER["data"]
    span = {**trace["spans"][0], "process": trace["processes"]["p1"]}
    line = orjson.dumps(span) + b"\n"
    other = orjson.dumps({**span, "spanID": "1"}) + b"\n"
    found = rows(read(tmp_path, "jaeger_json", line + other))
    assert [r["span_id"] for r in found] == ["e127af99e3b3e074", "0000000000000001"]
    assert {r["service"] for r in found} == {"payments"}


def test_the_same_span_in_otlp_reads_alike(tmp_path):
    def attr(key, value, kind="stringValue"):
        return {"key": key, "value": {kind: value}}

    span = {
        "traceId": "83a9efd15c1c98a977e0711cc93ee28b", "spanId": "e127af99e3b3e074", "parentSpanId": "909541b92cf05311",
        "name": "GET /pay", "kind": 3, "startTimeUnixNano": str(US * 1000), "endTimeUnixNano": str(US * 1000 + 123_000),
        "status": {"code": 2},
        "attributes": [attr("peer.service", "fraud-check"), attr("http.status_code", "503", "intValue")],
    }  # fmt: skip
    resource = {"attributes": [attr("service.name", "payments"), attr("host.name", "h1")]}
    otlp = orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})
    assert rows(read(tmp_path, "otlp_json", otlp, table="SPANS")) == rows(
        read(tmp_path, "jaeger_json", orjson.dumps(JAEGER))
    )


def test_zipkin_and_its_two_sides_of_one_call(tmp_path):
    base = {"traceId": "5982fe77008310cc", "id": "bd7a977555f6b982", "timestamp": US, "duration": 2000, "name": "get"}
    client = {
        **base,
        "kind": "CLIENT",
        "localEndpoint": {"serviceName": "web"},
        "remoteEndpoint": {"serviceName": "api"},
    }
    server = {
        **base,
        "kind": "SERVER",
        "shared": True,
        "localEndpoint": {"serviceName": "api"},
        "tags": {"error": "boom"},
    }
    text = orjson.dumps([client, server])
    assert told(tmp_path, text) == "jaeger_json"
    first, second = sorted(rows(read(tmp_path, "jaeger_json", text)), key=lambda r: r["kind"])
    assert (first["service"], first["peer"], first["status"]) == ("web", "api", "unset")
    assert (second["service"], second["status"], second["error_type"]) == ("api", "error", "boom")
    assert first["trace_id"] == "00000000000000005982fe77008310cc"
    assert first["duration_s"] == 0.002


def test_no_span_at_all_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="holds no span of Jaeger or Zipkin"):
        read(tmp_path, "jaeger_json", b'{"data": []}')
    with pytest.raises(BadInput, match="is not whole JSON"):
        read(tmp_path, "jaeger_json", orjson.dumps(JAEGER)[:100])
