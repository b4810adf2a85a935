"""Which fields have the messages of OTLP (opentelemetry-proto 1.x), by their numbers?"""

from __future__ import annotations

from typing import Any, NamedTuple


class Field(NamedTuple):
    """One field of a message: its name in OTLP/JSON, its kind, whether it repeats, and the fields of a message."""

    name: str
    kind: str  # text hex base64 int sfixed64 fixed64 double bool message doubles fixed64s
    many: bool = False
    inner: Any = None


_ANY: dict[int, Field] = {}
_PAIR = {1: Field("key", "text"), 2: Field("value", "message", inner=_ANY)}
_PAIRS = {1: Field("values", "message", many=True, inner=_PAIR)}
_VALUES = {1: Field("values", "message", many=True, inner=_ANY)}
_ANY |= {
    1: Field("stringValue", "text"), 2: Field("boolValue", "bool"), 3: Field("intValue", "int"),
    4: Field("doubleValue", "double"), 5: Field("arrayValue", "message", inner=_VALUES),
    6: Field("kvlistValue", "message", inner=_PAIRS), 7: Field("bytesValue", "base64"),
}  # fmt: skip
_ATTRIBUTES = Field("attributes", "message", many=True, inner=_PAIR)
_RESOURCE = Field("resource", "message", inner={1: _ATTRIBUTES})
_SCOPE = Field("scope", "message", inner={1: Field("name", "text"), 2: Field("version", "text"), 3: _ATTRIBUTES})
_EVENT = {1: Field("timeUnixNano", "fixed64"), 2: Field("name", "text"), 3: _ATTRIBUTES}
_LINK = {1: Field("traceId", "hex"), 2: Field("spanId", "hex"), 4: _ATTRIBUTES}
_SPAN = {
    1: Field("traceId", "hex"), 2: Field("spanId", "hex"), 4: Field("parentSpanId", "hex"),
    5: Field("name", "text"), 6: Field("kind", "int"), 7: Field("startTimeUnixNano", "fixed64"),
    8: Field("endTimeUnixNano", "fixed64"), 9: _ATTRIBUTES, 11: Field("events", "message", many=True, inner=_EVENT),
    13: Field("links", "message", many=True, inner=_LINK),
    15: Field("status", "message", inner={2: Field("message", "text"), 3: Field("code", "int")}),
}  # fmt: skip
_RECORD = {
    1: Field("timeUnixNano", "fixed64"), 2: Field("severityNumber", "int"), 3: Field("severityText", "text"),
    5: Field("body", "message", inner=_ANY), 6: _ATTRIBUTES, 9: Field("traceId", "hex"), 10: Field("spanId", "hex"),
    11: Field("observedTimeUnixNano", "fixed64"), 12: Field("eventName", "text"),
}  # fmt: skip
_NUMBER = {
    2: Field("startTimeUnixNano", "fixed64"), 3: Field("timeUnixNano", "fixed64"), 4: Field("asDouble", "double"),
    6: Field("asInt", "sfixed64"), 7: _ATTRIBUTES,
}  # fmt: skip
_HISTOGRAM = {
    2: Field("startTimeUnixNano", "fixed64"), 3: Field("timeUnixNano", "fixed64"), 4: Field("count", "fixed64"),
    5: Field("sum", "double"), 6: Field("bucketCounts", "fixed64s"), 7: Field("explicitBounds", "doubles"),
    9: _ATTRIBUTES,
}  # fmt: skip
_POINTS = Field("dataPoints", "message", many=True, inner=_NUMBER)
_SUM = {1: _POINTS, 2: Field("aggregationTemporality", "int"), 3: Field("isMonotonic", "bool")}
_HISTOGRAMS = {
    1: Field("dataPoints", "message", many=True, inner=_HISTOGRAM), 2: Field("aggregationTemporality", "int")
}  # fmt: skip
_METRIC = {
    1: Field("name", "text"), 3: Field("unit", "text"), 5: Field("gauge", "message", inner={1: _POINTS}),
    7: Field("sum", "message", inner=_SUM), 9: Field("histogram", "message", inner=_HISTOGRAMS),
    10: Field("exponentialHistogram", "message", inner={}), 11: Field("summary", "message", inner={}),
}  # fmt: skip


def _request(root: str, scopes: str, items: str, item: dict[int, Field]) -> dict[int, Field]:
    scope = {1: _SCOPE, 2: Field(items, "message", many=True, inner=item)}
    resource = {1: _RESOURCE, 2: Field(scopes, "message", many=True, inner=scope)}
    return {1: Field(root, "message", many=True, inner=resource)}


REQUESTS = {
    "SPANS": _request("resourceSpans", "scopeSpans", "spans", _SPAN),
    "LOGS": _request("resourceLogs", "scopeLogs", "logRecords", _RECORD),
    "METRICS": _request("resourceMetrics", "scopeMetrics", "metrics", _METRIC),
}
"""The fields of a request, by the table that it holds."""
