"""OTLP/JSON: spans, logs and metrics."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors.errors import BadInput

from .reading import read, rows, told

T0 = 1795494060_000_000_000


def attr(**values):
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": k.replace("__", "."), "value": {kinds[type(v)]: str(v) if type(v) is int else v}}
        for k, v in values.items()
    ]


def span(span_id, parent="", *, kind=2, start=T0, ns=5_000_000, **more):
    return {
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": span_id, "parentSpanId": parent, "name": "GET /pay",
        "kind": kind, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + ns), **more,
    }  # fmt: skip


def export(*spans, resource=None) -> bytes:
    resource = resource or attr(service__name="checkout", service__version="4.7", host__name="h1")
    return orjson.dumps(
        {
            "resourceSpans": [
                {"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}]}
            ]
        }
    )


def spans(tmp_path, text, **options):
    return read(tmp_path, "otlp_json", text, table="SPANS", **options)


def test_a_span_becomes_canonical(tmp_path):
    text = export(
        span("eee19b7ec3c1b174"),
        span(
            "eee19b7ec3c1b175", "eee19b7ec3c1b174", kind="SPAN_KIND_CLIENT", start=T0 + 1_000_499, ns=2_000_600,
            status={"code": 2},
            attributes=attr(db__system="postgresql", error__type="timeout", db__statement="select 1"),
        ),
    )  # fmt: skip
    assert told(tmp_path, text) == "otlp_json"
    server, client = rows(spans(tmp_path, text))
    assert server["start"] == datetime(2026, 11, 24, 4, 21, tzinfo=UTC)
    assert server["duration_s"] == 0.005
    assert server["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert "parent_id" not in server
    assert (server["service"], server["version"], server["host"], server["kind"]) == ("checkout", "4.7", "h1", "server")
    assert client["parent_id"] == server["span_id"] == "eee19b7ec3c1b174"
    assert (client["status"], client["error_type"], client["peer"]) == ("error", "timeout", "postgresql")
    assert client["db.query.text"] == "select 1"
    assert server["weight"] == client["weight"] == 1.0


def test_durations_are_subtracted_before_times_are_cut(tmp_path):
    (row,) = rows(spans(tmp_path, export(span("eee19b7ec3c1b174", start=T0 + 999, ns=1_500))))
    assert row["duration_s"] == 1.5e-6
    assert row["start"].microsecond == 0


def test_base64_ids_are_hex_ids(tmp_path):
    one = span("7uGbfsPBsXQ=", traceId="W47/95gDgQPSabYzgT/GDA==", parentSpanId="AAAAAAAAAAA=")
    (row,) = rows(spans(tmp_path, export(one)))
    assert (row["trace_id"], row["span_id"]) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert "parent_id" not in row


@pytest.mark.parametrize(
    ("carried", "option", "weight"),
    [({"sampling__rate": 0.1}, None, 10.0), ({}, 0.25, 4.0), ({"sampling__rate": 0.5}, 0.1, 2.0), ({}, None, 1.0)],
)
def test_weight_is_one_over_the_sampling_rate(tmp_path, carried, option, weight):
    text = export(span("eee19b7ec3c1b174"), resource=attr(service__name="a", **carried))
    assert rows(spans(tmp_path, text, sampling_rate=option))[0]["weight"] == weight


def test_errors_are_told_from_exceptions_and_status_codes(tmp_path):
    event = {"name": "exception", "attributes": attr(exception__type="PoolTimeout")}
    text = export(
        span("0000000000000001", status={"code": 2}, events=[event]),
        span("0000000000000002", attributes=attr(http__response__status_code=503)),
        span("0000000000000003", attributes=attr(http__response__status_code=404)),
    )
    first, second, third = rows(spans(tmp_path, text))
    assert first["error_type"] == "PoolTimeout"
    assert (second["error_type"], second["http.response.status_code"]) == ("503", 503)
    assert "error_type" not in third


def test_links_are_a_json_list(tmp_path):
    one = span(
        "0000000000000001", links=[{"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "00000000000000FF"}]
    )
    assert rows(spans(tmp_path, export(one)))[0]["links"] == '["00000000000000ff"]'


def test_lines_and_one_indented_document_read_alike(tmp_path):
    text = export(span("0000000000000001"))
    indented = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2)
    assert told(tmp_path, indented) == "otlp_json"
    assert rows(spans(tmp_path, text + b"\n")) == rows(spans(tmp_path, indented))


def test_tempo_calls_them_batches(tmp_path):
    text = export(span("0000000000000001"))
    batches = {"batches": orjson.loads(text)["resourceSpans"]}
    assert told(tmp_path, orjson.dumps(batches)) == "otlp_json"
    for tempo in (batches, {"trace": orjson.loads(text)}):
        assert rows(spans(tmp_path, orjson.dumps(tempo))) == rows(spans(tmp_path, text))


def test_a_span_that_came_twice_is_counted_once_and_noted(tmp_path):
    text = export(span("0000000000000001"))
    reading = spans(tmp_path, text + b"\n" + text + b"\n")
    assert reading.table.num_rows == 1
    assert reading.notes == ("1 spans of a.log were there twice and are counted once",)
    assert reading.faults == ()


def test_half_an_export_is_said(tmp_path):
    text = export(span("0000000000000001"))
    reading = spans(tmp_path, text + b"\n" + text[:100])
    assert reading.table.num_rows == 1
    assert reading.faults == ("1 line was left out of a.log, the first at line 2 (the last line is half-written)",)
    indented = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2)
    with pytest.raises(BadInput, match=r"a\.log is not whole"):
        spans(tmp_path, indented[:200])


def test_logs_where_spans_were_meant_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="holds no resourceSpans"):
        spans(tmp_path, b'{"resourceLogs":[]}\n')


def test_log_records(tmp_path):
    record = {
        "timeUnixNano": str(T0), "severityNumber": 17, "severityText": "Error", "body": {"stringValue": "pool is full"},
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
        "attributes": attr(pool="reads", size=5),
    }  # fmt: skip
    text = orjson.dumps(
        {
            "resourceLogs": [
                {"resource": {"attributes": attr(service__name="checkout")}, "scopeLogs": [{"logRecords": [record]}]}
            ]
        }
    )
    (row,) = rows(read(tmp_path, "otlp_json", text, table="LOGS"))
    assert (row["service"], row["level"], row["message"]) == ("checkout", "ERROR", "pool is full")
    assert row["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert (row["pool"], row["size"]) == ("reads", 5)


def test_delta_sums_become_running_totals(tmp_path):
    def point(at, value):
        return {"asInt": str(value), "startTimeUnixNano": str(at - 10**10), "timeUnixNano": str(at)}

    points = [point(T0, 5), point(T0 + 10**10, 7)]
    metric = {"name": "orders", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}}
    text = orjson.dumps({"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [metric]}]}]})
    samples = read(tmp_path, "otlp_json", text, table="METRICS").samples
    assert samples.table.column("value").to_pylist() == [0.0, 5.0, 12.0]
    assert samples.series[0].kind == "counter"
