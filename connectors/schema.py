"""The canonical tables, as pyarrow schemas whose field metadata carries unit and meaning.

Whatever a source speaks, what leaves `connectors` has one of these shapes. Times are `timestamp[us, UTC]`, durations
seconds, sizes bytes, ratios 0–1. Attribute names follow OpenTelemetry; every attribute beyond the columns below is a
typed column of its own, and past the 300 best filled the rest goes to `attributes_rest` (JSON).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from connectors.errors import BadInput

TIME = pa.timestamp("us", tz="UTC")
TEXT = pa.string()
LABEL = pa.dictionary(pa.int32(), pa.string())

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
SIGNAL_KINDS = ("latency", "traffic", "errors", "saturation", "other")
STATS = (
    "gauge", "total", "delta", "rate", "ratio", "count", "mean", "min", "max", "p50", "p90", "p95", "p99", "bucket",
)  # fmt: skip
SPAN_KINDS = ("server", "client", "producer", "consumer", "internal")
SPAN_STATUSES = ("unset", "ok", "error")
CHANGE_KINDS = (
    "deploy", "config", "flag", "schema", "scale", "restart", "node", "traffic", "dependency", "certificate", "disk",
    "job", "mitigation", "other",
)  # fmt: skip
TAKES_EFFECT = ("now", "restart", "schedule", "expiry")
NODE_KINDS = ("client", "cdn", "lb", "service", "database", "queue", "worker", "third_party")
DIMENSIONS = ("environment", "region", "zone", "version", "instance", "workload", "route", "tenant", "client")
ATTRIBUTE_LIMIT = 300
REST = "attributes_rest"


def _field(name: str, type_: pa.DataType, meaning: str, *, unit: str = "", required: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=not required, metadata={"meaning": meaning, "unit": unit})


_DIMENSIONS = [_field(name, LABEL, f"the {name} it belongs to") for name in DIMENSIONS]

METRICS = pa.schema(
    [
        _field("time", TIME, "start of the bin, or the instant of a gauge sample", required=True),
        _field("signal", LABEL, "key of the series: service[@instance]/name.stat", required=True),
        _field("service", LABEL, "service that is measured"),
        _field("kind", LABEL, f"one of {' '.join(SIGNAL_KINDS)}", required=True),
        _field("name", LABEL, "name of the signal, OpenTelemetry's where there is one", required=True),
        _field("stat", LABEL, f"one of {' '.join(STATS)}", required=True),
        _field("value", pa.float64(), "the measured value, in `unit`"),
        _field("unit", LABEL, "UCUM unit: s, By, 1, {request}/s"),
        _field("labels", LABEL, "the source's labels: JSON with sorted keys"),
        *_DIMENSIONS,
    ],
    metadata={"table": "METRICS"},
)

LOGS = pa.schema(
    [
        _field("time", TIME, "when the line was written, i.e. completion for a request's line", required=True),
        _field("seq", pa.int64(), "the source's own order among equal times", required=True),
        _field("service", LABEL, "service that wrote the line"),
        _field("host", LABEL, "host that wrote it"),
        _field("level", LABEL, f"one of {' '.join(LEVELS)}; null: unknown"),
        _field("message", TEXT, "the text of the line"),
        _field("trace_id", TEXT, "32 hex digits"),
        _field("span_id", TEXT, "16 hex digits"),
        _field("id", TEXT, "the source's own id; in files path:line"),
        _field("weight", pa.float64(), "how many lines this one stands for", required=True),
        *_DIMENSIONS,
    ],
    metadata={"table": "LOGS"},
)

SPANS = pa.schema(
    [
        _field("start", TIME, "start of the span", required=True),
        _field("duration_s", pa.float64(), "its length", unit="s", required=True),
        _field("trace_id", TEXT, "32 hex digits", required=True),
        _field("span_id", TEXT, "16 hex digits", required=True),
        _field("parent_id", TEXT, "span id of the parent; null: a root"),
        _field("links", TEXT, "JSON list of linked span ids"),
        _field("service", LABEL, "service that made the span"),
        _field("host", LABEL, "host that made it"),
        _field("name", LABEL, "name of the operation"),
        _field("kind", LABEL, f"one of {' '.join(SPAN_KINDS)}"),
        _field("status", LABEL, f"one of {' '.join(SPAN_STATUSES)}"),
        _field("error_type", LABEL, "class of the error, or the status code as text"),
        _field("peer", LABEL, "the other side of a client or producer span"),
        _field("weight", pa.float64(), "how many spans this one stands for (1 / sampling rate)", required=True),
        *_DIMENSIONS,
    ],
    metadata={"table": "SPANS"},
)

CHANGES = pa.schema(
    [
        _field("id", TEXT, "the source's own id", required=True),
        _field("time", TIME, "when it began", required=True),
        _field("until", TIME, "when it was complete; null: at once"),
        _field("kind", LABEL, f"one of {' '.join(CHANGE_KINDS)}", required=True),
        _field("service", LABEL, "service it touches; null: unknown or all"),
        _field("summary", TEXT, "what was changed, in one line", required=True),
        _field("ref", TEXT, "what names it elsewhere: commit, tag, migration, flag"),
        _field("before", TEXT, "the value, version or state before"),
        _field("after", TEXT, "the value, version or state after"),
        _field("fraction", pa.float64(), "share of the instances or users that has it", unit="1"),
        _field("takes_effect", LABEL, f"one of {' '.join(TAKES_EFFECT)}"),
        _field("reverts", TEXT, "id or ref of the change that this one undoes"),
        _field("derived", pa.bool_(), "computed from other data, not reported by anybody"),
        _field("url", TEXT, "where to read more"),
        *_DIMENSIONS,
    ],
    metadata={"table": "CHANGES"},
)

ALERTS = pa.schema(
    [
        _field("id", TEXT, "the source's own id", required=True),
        _field("time", TIME, "when it began to fire", required=True),
        _field("until", TIME, "when it stopped; null: still firing or unknown"),
        _field("name", TEXT, "name of the alert", required=True),
        _field("severity", LABEL, "the source's own word"),
        _field("service", LABEL, "service it is about"),
        _field("state", LABEL, "the source's own word: firing, resolved, acknowledged"),
        _field("url", TEXT, "where to read more"),
    ],
    metadata={"table": "ALERTS"},
)

PATH = pa.schema(
    [
        _field("caller", TEXT, "who asks", required=True),
        _field("callee", TEXT, "who answers", required=True),
        _field("kind", LABEL, f"what the callee is: one of {' '.join(NODE_KINDS)}", required=True),
        _field("route", TEXT, "the route that takes this edge; null: all"),
        _field("mode", LABEL, "sync or async", required=True),
        _field("arrives", pa.list_(TEXT), "signals of the call as the callee measures it on its way in"),
        _field("leaves", pa.list_(TEXT), "signals of the call as the caller measures it on its way out"),
    ],
    metadata={"table": "PATH"},
)

TABLES: Mapping[str, pa.Schema] = {
    "METRICS": METRICS, "LOGS": LOGS, "SPANS": SPANS, "CHANGES": CHANGES, "ALERTS": ALERTS, "PATH": PATH,
}  # fmt: skip
TIME_COLUMN: Mapping[str, str] = {
    "METRICS": "time", "LOGS": "time", "SPANS": "start", "CHANGES": "time", "ALERTS": "time",
}  # fmt: skip
OPEN_TABLES = frozenset({"LOGS", "SPANS"})
"""The tables that may carry attributes, a typed column each, beyond their own columns."""


def conform(table: pa.Table, name: str) -> pa.Table:
    """Which canonical table is this? Adds missing nullable columns, casts types and orders the columns.

    Attributes of LOGS and SPANS follow the canonical columns in the order given. Time units other than microseconds
    are cut; naive times are refused. Raises `BadInput` listing every fault that cannot be mended.

    >>> import pyarrow as pa
    >>> times = pa.array([0], pa.timestamp("ns", "UTC"))
    >>> rows = pa.table({"time": times, "seq": [0], "weight": [1.0], "message": ["hi"]})
    >>> conform(rows, "LOGS").schema.field("time").type
    TimestampType(timestamp[us, tz=UTC])
    """
    schema = TABLES[name]
    columns: list[pa.ChunkedArray | pa.Array] = []
    fields: list[pa.Field] = []
    faults: list[str] = []
    for field in schema:
        if field.name not in table.column_names:
            if not field.nullable:
                faults.append(f"column {field.name} is missing")
                continue
            columns.append(pa.nulls(table.num_rows, field.type))
        else:
            try:
                columns.append(_cast(table.column(field.name), field.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, BadInput) as error:
                faults.append(f"column {field.name}: {error}")
                continue
        fields.append(field)
    extra = [c for c in table.column_names if c not in schema.names]
    if extra and name not in OPEN_TABLES:
        faults.append(f"columns not of this table: {', '.join(extra)}")
    if faults:
        raise BadInput(f"This is not a {name} table: {'; '.join(faults)}.")
    for column in extra:
        columns.append(table.column(column))
        fields.append(table.schema.field(column))
    return pa.table(columns, schema=pa.schema(fields, metadata=schema.metadata))


def check(table: pa.Table, name: str) -> None:
    """Is this exactly a canonical table? Raises `BadInput` with all faults at once, not only the first."""
    schema = TABLES[name]
    faults = []
    for field in schema:
        if field.name not in table.column_names:
            faults.append(f"column {field.name} is missing")
            continue
        found = table.schema.field(field.name).type
        if found != field.type:
            faults.append(f"column {field.name} is {found}, not {field.type}")
        elif not field.nullable and table.column(field.name).null_count:
            faults.append(f"column {field.name} has {table.column(field.name).null_count} nulls")
    extra = [c for c in table.column_names if c not in schema.names]
    if extra and name not in OPEN_TABLES:
        faults.append(f"columns not of this table: {', '.join(extra)}")
    if faults:
        raise BadInput(f"This is not a {name} table: {'; '.join(faults)}.")


def empty(name: str) -> pa.Table:
    """The canonical table with no rows: what *nothing found* looks like."""
    return TABLES[name].empty_table()


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if column.type == type_:
        return column
    if pa.types.is_timestamp(type_):
        if not pa.types.is_timestamp(column.type):
            raise BadInput(f"is {column.type}, not a timestamp")
        if column.type.tz is None:
            raise BadInput('its times have no zone: name the zone with the option tz = "Europe/Berlin"')
        return column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(type_)
    if pa.types.is_dictionary(type_):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.cast(pa.string()).dictionary_encode().cast(type_)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(type_)
