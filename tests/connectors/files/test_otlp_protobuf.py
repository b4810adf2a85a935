"""OTLP in protobuf reads as OTLP/JSON does, however it is framed; a half-written file gives its whole part."""

from __future__ import annotations

import gzip
import itertools
import struct
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
import zstandard

from connectors.errors import BadInput
from connectors.files.formats import reader, sniff
from connectors.files.options import Options

from .reading import read, rows, told

NS = 1795494060000000000


def varint(value: int) -> bytes:
    out = b""
    value &= (1 << 64) - 1
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes | str | int | float, *, fixed: bool = False) -> bytes:
    if isinstance(value, int):
        if fixed:
            return varint(number << 3 | 1) + struct.pack("<Q", value)
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def pair(key: str, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


def request(resource: bytes, items: list[bytes]) -> bytes:
    scope = field(1, field(1, "shop")) + b"".join(field(2, item) for item in items)
    return field(1, field(1, resource) + field(2, scope))


RESOURCE = field(1, pair("service.name", field(1, "pay"))) + field(1, pair("sampling.rate", field(4, 0.5)))


def span(number: int) -> bytes:
    event = field(2, "exception") + field(3, pair("exception.type", field(1, "PoolTimeout")))
    return (
        field(1, bytes.fromhex("83a9efd15c1c98a977e0711cc93ee28b")) + field(2, struct.pack(">Q", number))
        + field(4, bytes.fromhex("909541b92cf05311")) + field(5, "GET /pay") + field(6, 3)
        + field(7, NS + number * 1000, fixed=True) + field(8, NS + number * 1000 + 123_000, fixed=True)
        + field(9, pair("peer.service", field(1, "fraud"))) + field(9, pair("shift", field(3, -7)))
        + field(9, pair("cached", field(2, 1))) + field(9, pair("tags", field(5, field(1, field(1, "a")))))
        + field(11, event) + field(13, field(2, struct.pack(">Q", 99))) + field(15, field(3, 2))
        + varint(99 << 3 | 5) + b"\1\2\3\4"  # a field of a later version
    )  # fmt: skip


TRACES = [request(RESOURCE, [span(1), span(2)]), request(RESOURCE, [span(3)])]
JSON = {
    "resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "pay"}},
                                    {"key": "sampling.rate", "value": {"doubleValue": 0.5}}]},
        "scopeSpans": [{"scope": {"name": "shop"}, "spans": [
            {"traceId": "83a9efd15c1c98a977e0711cc93ee28b", "spanId": f"{n:016x}", "parentSpanId": "909541b92cf05311",
             "name": "GET /pay", "kind": 3, "startTimeUnixNano": str(NS + n * 1000),
             "endTimeUnixNano": str(NS + n * 1000 + 123_000),
             "attributes": [{"key": "peer.service", "value": {"stringValue": "fraud"}},
                            {"key": "shift", "value": {"intValue": "-7"}},
                            {"key": "cached", "value": {"boolValue": True}},
                            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}}],
             "events": [{"name": "exception",
                         "attributes": [{"key": "exception.type", "value": {"stringValue": "PoolTimeout"}}]}],
             "links": [{"spanId": f"{99:016x}"}], "status": {"code": 2}} for n in (1, 2, 3)]}]}],
}  # fmt: skip


def big(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def delimited(message: bytes) -> bytes:
    return varint(len(message)) + message


FRAMINGS = {
    "big": b"".join(map(big, TRACES)),
    "varint": b"".join(map(delimited, TRACES)),
    "one request": b"".join(TRACES),  # fields of two requests after each other are one request
    "gzip": gzip.compress(b"".join(map(big, TRACES))),
    "zstd messages": b"".join(big(zstandard.compress(m)) for m in TRACES),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_spans_are_those_of_the_json(tmp_path, framing):
    expected = rows(read(tmp_path, "otlp_json", orjson.dumps(JSON), table="SPANS"))
    data = FRAMINGS[framing]
    assert told(tmp_path, data) == "otlp_protobuf"
    reading = read(tmp_path, "otlp_protobuf", data, table="SPANS")
    assert rows(reading) == expected
    assert (len(expected), expected[0]["error_type"], expected[0]["weight"]) == (3, "PoolTimeout", 2.0)
    assert reading.faults == ()


def test_logs(tmp_path):
    record = (
        field(1, NS, fixed=True) + field(2, 17) + field(3, "ERROR") + field(5, field(1, "pool timeout"))
        + field(6, pair("http.response.status_code", field(3, 503)))
        + field(9, bytes.fromhex("83a9efd15c1c98a977e0711cc93ee28b")) + field(10, struct.pack(">Q", 7))
    )  # fmt: skip
    data = big(request(RESOURCE, [record]))
    assert told(tmp_path, data) == "otlp_protobuf"
    (row,) = rows(read(tmp_path, "otlp_protobuf", data, table="LOGS"))
    assert (row["service"], row["level"], row["message"]) == ("pay", "ERROR", "pool timeout")
    assert (row["http.response.status_code"], row["span_id"]) == (503, "0000000000000007")


def test_metrics(tmp_path):
    point = field(3, NS, fixed=True) + field(6, 5, fixed=True) + field(7, pair("route", field(1, "/pay")))
    total = field(1, "requests") + field(3, "1") + field(7, field(1, point) + field(2, 2) + field(3, 1))
    buckets = field(6, struct.pack("<QQ", 3, 1)) + field(7, struct.pack("<d", 0.5))
    histogram = field(1, "latency") + field(9, field(1, field(3, NS, fixed=True) + buckets) + field(2, 2))
    data = delimited(request(RESOURCE, [total, histogram]))
    assert told(tmp_path, data) == "otlp_protobuf"
    reading = read(tmp_path, "otlp_protobuf", data, table="METRICS")
    table = reading.samples.table.to_pylist()
    named = {(s.metric, s.labels.get("le")): i for i, s in enumerate(reading.samples.series)}
    values = {key: next(r["value"] for r in table if r["series"] == at) for key, at in named.items()}
    assert values == {("requests", None): 5.0, ("latency_bucket", "0.5"): 3.0, ("latency_bucket", "+Inf"): 4.0}


@pytest.mark.parametrize("cut", [3, 40])
def test_a_half_written_file_gives_what_is_whole(tmp_path, cut):
    reading = read(tmp_path, "otlp_protobuf", FRAMINGS["big"][:-cut], table="SPANS")
    assert [r["span_id"] for r in rows(reading)] == ["0000000000000001", "0000000000000002"]
    assert reading.faults == ("a.log is cut off: it ends inside its message 2",)


def test_a_half_written_request_gives_its_whole_resources(tmp_path):
    reading = read(tmp_path, "otlp_protobuf", FRAMINGS["one request"][:-5], table="SPANS")
    assert len(rows(reading)) == 2
    assert "cut off" in reading.faults[0]


def test_a_broken_message_is_left_out_and_said(tmp_path):
    broken = bytes([*TRACES[1][:30], 0xFF, 0xFF]) + TRACES[1][32:]
    reading = read(tmp_path, "otlp_protobuf", big(TRACES[0]) + big(broken) + big(TRACES[1]), table="SPANS")
    assert len(rows(reading)) == 3
    assert "1 line was left out" in reading.faults[0]


def test_the_wrong_table_and_no_otlp_are_refused(tmp_path):
    with pytest.raises(BadInput, match="holds spans in OTLP, not logs"):
        read(tmp_path, "otlp_protobuf", FRAMINGS["big"], table="LOGS")
    with pytest.raises(BadInput, match="not OTLP in protobuf"):
        read(tmp_path, "otlp_protobuf", b"\0\0\0\5hello", table="SPANS")
    assert read(tmp_path, "otlp_protobuf", b"", table="SPANS").notes == ("a.log is empty",)


@pytest.mark.parametrize("table", ["SPANS", "LOGS", "METRICS"])
def test_noise_is_never_taken_for_it(table):
    import random

    seeded = random.Random(table)
    for _ in range(300):
        assert reader("otlp_protobuf").table_of(seeded.randbytes(200)) is None


SDK = Path(__file__).parent / "otlp_sdk"
SAID = orjson.loads((SDK / "said.json").read_bytes())


def sdk(table):
    path = SDK / f"{ {'SPANS': 'traces'}.get(table, table.lower()) }.pb"
    assert reader(sniff(path)).NAME == "otlp_protobuf"
    return reader("otlp_protobuf").read(path, Options(table=table))


def test_spans_that_an_sdk_sent_are_what_it_says_of_them():
    found = {row["span_id"]: row for row in rows(sdk("SPANS"))}
    assert len(found) == len(SAID["spans"]) == 3
    for said in SAID["spans"]:
        row = found[said["context"]["span_id"][2:]]
        begun, ended = (datetime.fromisoformat(said[key]) for key in ("start_time", "end_time"))
        assert abs(row["start"] - begun) < timedelta(microseconds=2)
        assert row["duration_s"] == pytest.approx((ended - begun).total_seconds(), abs=2e-6)
        assert row["trace_id"] == said["context"]["trace_id"][2:]
        assert row.get("parent_id") == (said["parent_id"][2:] if said["parent_id"] else None)
        assert row["kind"] == said["kind"].removeprefix("SpanKind.").lower()
        assert row["status"] == said["status"]["status_code"].lower()
        assert (row["name"], row["service"], row["version"]) == (said["name"], "pay", "4.7")
        linked = [link["context"]["span_id"][2:] for link in said["links"]]
        assert orjson.loads(row.get("links", "[]")) == linked
    select, charge = (next(row for row in found.values() if row["name"] == name) for name in ("SELECT", "charge"))
    assert (select["rows"], select["share"], select["cached"], select["tags"]) == (7, 0.25, False, '["a","b"]')
    assert (charge["error_type"], charge["peer"]) == ("TimeoutError", "bank")


def test_log_records_that_an_sdk_sent_are_what_it_says_of_them():
    found = rows(sdk("LOGS"))
    assert [row["id"] for row in found] == ["logs.pb:1.1", "logs.pb:1.2"]
    for row, said in zip(found, SAID["logs"], strict=True):
        assert abs(row["time"] - datetime.fromisoformat(said["timestamp"])) < timedelta(microseconds=2)
        assert (row["message"], row["level"]) == (said["body"], said["severity_text"])
        assert (row["trace_id"], row["span_id"]) == (said["trace_id"][2:], said["span_id"][2:])
        assert row.get("in_use") == said["attributes"].get("in_use")


def test_points_that_an_sdk_sent_are_what_it_says_of_them():
    reading = sdk("METRICS")
    values = reading.samples.table.to_pylist()
    found = {}
    for at, one in enumerate(reading.samples.series):
        key = (one.metric, one.labels.get("http.response.status_code"), one.labels.get("le"))
        found[key] = next(row["value"] for row in values if row["series"] == at)
    expected = {}
    for metric in SAID["metrics"]["resource_metrics"][0]["scope_metrics"][0]["metrics"]:
        for point in metric["data"]["data_points"]:
            status = point["attributes"].get("http.response.status_code")
            if "value" in point:
                expected[(metric["name"], str(status) if status else None, None)] = point["value"]
            elif "explicit_bounds" in point:
                running = list(itertools.accumulate(point["bucket_counts"]))
                bounds = [*(repr(float(b)) for b in point["explicit_bounds"]), "+Inf"]
                expected |= {("duration_bucket", None, le): n for le, n in zip(bounds, running, strict=True)}
                expected[("duration_sum", None, None)] = point["sum"]
    assert found == expected
    assert reading.faults == (
        "metrics of a kind that is not read were left out of metrics.pb: payload (exponential histogram)",
    )
