"""OTLP/JSON: traces, logs and metrics as collectors' file exporters write them, a request a line or one document.

Ids are hex (as the protocol says) or base64 (as generic protobuf writers make them). Durations are subtracted as whole
nanoseconds before times are cut to microseconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.columns import LINE, from_rows
from connectors.files.logs import to_logs
from connectors.files.openmetrics import MetricReading
from connectors.files.options import Options, Reading
from connectors.files.otlp_points import Points
from connectors.files.otlp_values import attributes, either, hex_id, value_of
from connectors.files.spans import SpanRows, attribute_text, peer_of, sampling_weight
from connectors.files.stream import Faults, chunks, whole

NAME = "otlp_json"
TABLES = ("SPANS", "LOGS", "METRICS")

_KINDS = {0: None, 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUSES = {0: "unset", 1: "ok", 2: "error"}
_ROOTS = (
    b'"resourceSpans"',
    b'"resourceLogs"',
    b'"resourceMetrics"',
    b'"resource_spans"',
    b'"scopeSpans"',
    b'"batches"',
)


def sniff(head: bytes, name: str) -> bool:
    """Does it begin with an OTLP export?

    >>> sniff(b'{"resourceSpans":[]}', "traces.jsonl")
    True
    """
    return head.lstrip()[:1] in (b"{", b"[") and any(root in head[:4096] for root in _ROOTS)


def table_of(head: bytes) -> str:
    """Which table do the first bytes speak of: SPANS, LOGS or METRICS?"""
    found = {name: head.find(root) for name, root in (("LOGS", _ROOTS[1]), ("METRICS", _ROOTS[2]))}
    return next((name for name, at in found.items() if 0 <= at < 4096), "SPANS")


def read(path: Path, options: Options, *, label: str | None = None) -> Reading | MetricReading:
    """Which SPANS, LOGS or metric samples (by `options.table`) does this file hold?

    Spans: resource and span attributes become columns; `error_type` is error.type, else the exception's type, else a
    status code of 500 and more; `peer` is who a client or producer span talks to, as far as it says; `weight` is 1
    over the resource's or span's sampling.rate, else over `options.sampling_rate`, else 1. A span that occurs twice is
    kept once. Raises `BadInput` when nothing in the file is an OTLP export.
    """
    faults = Faults(label or path.name)
    root = {"LOGS": "resourceLogs", "METRICS": "resourceMetrics"}.get(options.table, "resourceSpans")
    return read_exports(_exports(path, faults, root), options, faults)


def read_exports(
    exports: Iterable[tuple[dict[str, Any], int]], options: Options, faults: Faults
) -> Reading | MetricReading:
    """The exports' SPANS, LOGS or samples, by `options.table`; each export comes with its line's number."""
    if options.table == "LOGS":
        return _logs(exports, options, faults)
    if options.table == "METRICS":
        return _metrics(exports, faults)
    rows = SpanRows(options)
    for document, _ in exports:
        _spans(document, rows)
    return rows.reading(faults)


# --- documents -------------------------------------------------------------------------------------------------------


def _exports(path: Path, faults: Faults, root: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The exports in the file, each with its line; a document written over many lines is one."""
    old = re.sub(r"(?<!^)(?=[A-Z])", "_", root).lower()
    lines = good = 0
    pieces = chunks(path, faults)
    for chunk in pieces:
        rows = chunk.data.split(b"\n")[:-1]
        if lines == 0 and rows and not _json(rows[0]):
            yield from _document(path, faults, root, old)
            return
        lines += len(rows)
        for i, line in enumerate(rows):
            if not line.strip():
                continue
            found = _json(line)
            if found is None:
                torn = chunk.torn and i == len(rows) - 1
                faults.bad(chunk.first_line + i, "the last line is half-written" if torn else "not JSON")
                continue
            for one in found if isinstance(found, list) else [found]:
                if (export := _root(one, root, old)) is not None:
                    good += 1
                    yield export, chunk.first_line + i
    if lines and not good:
        raise BadInput(f"{faults.path} holds no {root}: it is not an OTLP/JSON export of this kind.")
    if not lines and not faults.missing:
        faults.notes.append(f"{faults.path} is empty")


def _document(path: Path, faults: Faults, root: str, old: str) -> Iterator[tuple[dict[str, Any], int]]:
    text = whole(path, Faults(faults.path))
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadInput(
            f"{faults.path} is not whole: its JSON document ends before it is closed, or is none; export it again."
        ) from None
    documents = found if isinstance(found, list) else [found]
    good = [export for d in documents if (export := _root(d, root, old)) is not None]
    if not good:
        raise BadInput(f"{faults.path} holds no {root}: it is not an OTLP/JSON export of this kind.")
    for one in good:
        yield one, 1


def _root(document: Any, root: str, old: str) -> dict[str, Any] | None:
    """The export's list under one name; None when the document is no export of this kind. Tempo calls it batches."""
    if not isinstance(document, dict):
        return None
    if root == "resourceSpans" and isinstance(document.get("trace"), dict):
        document = document["trace"]
    names = (root, old, "batches") if root == "resourceSpans" else (root, old)
    found = next((document[name] for name in names if name in document), None)
    return None if found is None else {root: found or []}


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


# --- traces ----------------------------------------------------------------------------------------------------------


def _spans(document: dict[str, Any], rows: SpanRows) -> None:
    for resource_spans in document["resourceSpans"] or ():
        resource = attributes((resource_spans.get("resource") or {}).get("attributes"))
        scopes = (
            either(resource_spans, "scopeSpans", "scope_spans")
            or either(resource_spans, "instrumentationLibrarySpans", "instrumentation_library_spans")
            or ()
        )
        for scope_spans in scopes:
            library = (scope_spans.get("scope") or scope_spans.get("instrumentationLibrary") or {}).get("name")
            for span in scope_spans.get("spans") or ():
                own = attributes(span.get("attributes"))
                if library:
                    own["otel.scope.name"] = library
                kind = span.get("kind", 0)
                kind = _KINDS.get(kind) if isinstance(kind, int) else str(kind).removeprefix("SPAN_KIND_").lower()
                status = (span.get("status") or {}).get("code", 0)
                status = _STATUSES.get(status, "unset") if isinstance(status, int) else _status(str(status))
                start = int(either(span, "startTimeUnixNano", "start_time_unix_nano") or 0)
                end = int(either(span, "endTimeUnixNano", "end_time_unix_nano") or start)
                links = [hex_id(either(link, "spanId", "span_id"), 16) for link in span.get("links") or ()]
                rows.add(
                    start_ns=start,
                    duration_ns=end - start,
                    trace_id=hex_id(either(span, "traceId", "trace_id"), 32),
                    span_id=hex_id(either(span, "spanId", "span_id"), 16),
                    parent_id=hex_id(either(span, "parentSpanId", "parent_span_id"), 16),
                    links=[link for link in links if link],
                    name=span.get("name"),
                    kind=kind or "internal",
                    status=status,
                    error_type=_error_type(own, span, status),
                    peer=peer_of(own, kind),
                    weight=sampling_weight(own, resource),
                    resource=resource,
                    attributes=own,
                )


def _status(text: str) -> str:
    word = text.removeprefix("STATUS_CODE_").lower()
    return word if word in schema.SPAN_STATUSES else "unset"


def _error_type(own: Mapping[str, Any], span: Mapping[str, Any], status: str) -> str | None:
    if own.get("error.type"):
        return attribute_text(own["error.type"])
    for event in span.get("events") or ():
        if event.get("name") == "exception":
            kind = attributes(event.get("attributes")).get("exception.type")
            if kind:
                return attribute_text(kind)
    code = own.get("http.response.status_code", own.get("http.status_code"))
    if status == "error" or (isinstance(code, int) and code >= 500):
        return str(code) if code is not None else (span.get("status") or {}).get("message") or None
    return None


# --- logs ------------------------------------------------------------------------------------------------------------


def _logs(exports: Iterable[tuple[dict[str, Any], int]], options: Options, faults: Faults) -> Reading:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for document, line in exports:
        for resource_logs in document["resourceLogs"] or ():
            resource = attributes((resource_logs.get("resource") or {}).get("attributes"))
            for scope in either(resource_logs, "scopeLogs", "scope_logs") or ():
                for record in either(scope, "logRecords", "log_records") or ():
                    rows.append(_record(record, resource))
                    lines.append(line)
    if not rows:
        return Reading(schema.empty("LOGS"), faults.sentences(), tuple(faults.notes))
    table = from_rows(rows).append_column(LINE, pa.array(range(len(rows)), pa.int64()))
    logs = to_logs(table, options, faults)
    ids = _record_ids(faults.path, lines)
    own = pa.array([ids[at] for at in logs.column("seq").to_pylist()], pa.string())
    logs = logs.set_column(
        logs.column_names.index("id"), schema.LOGS.field("id"), own.cast(schema.LOGS.field("id").type)
    )
    return Reading(logs, faults.sentences(), tuple(faults.notes))


def _record_ids(path: str, lines: Sequence[int]) -> list[str]:
    """Each record's id: its line, and its place there where one line holds several.

    >>> _record_ids("a.jsonl", [1, 2, 2])
    ['a.jsonl:1', 'a.jsonl:2.1', 'a.jsonl:2.2']
    """
    many, place = Counter(lines), Counter[int]()
    ids = []
    for line in lines:
        place[line] += 1
        ids.append(f"{path}:{line}.{place[line]}" if many[line] > 1 else f"{path}:{line}")
    return ids


def _record(record: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
    time = either(record, "timeUnixNano", "time_unix_nano") or either(
        record, "observedTimeUnixNano", "observed_time_unix_nano"
    )
    severity = either(record, "severityText", "severity_text")
    number = either(record, "severityNumber", "severity_number")
    row: dict[str, Any] = {"time": int(time) if time else None}
    if isinstance(number, int) and number:
        row["severityNumber"] = number
        if severity:
            row["log.severity.text"] = severity
    elif severity:
        row["severityText"] = severity
    body = value_of(record.get("body"))
    row["message"] = None if body is None else attribute_text(body)
    row["trace_id"] = hex_id(either(record, "traceId", "trace_id"), 32)
    row["span_id"] = hex_id(either(record, "spanId", "span_id"), 16)
    if name := either(record, "eventName", "event_name"):
        row["event.name"] = name
    return {**resource, **attributes(record.get("attributes")), **row}


# --- metrics ---------------------------------------------------------------------------------------------------------


def _metrics(exports: Iterable[tuple[dict[str, Any], int]], faults: Faults) -> MetricReading:
    build = Points()
    for document, _ in exports:
        for resource_metrics in document["resourceMetrics"] or ():
            resource = attributes((resource_metrics.get("resource") or {}).get("attributes"))
            for scope in either(resource_metrics, "scopeMetrics", "scope_metrics") or ():
                for metric in scope.get("metrics") or ():
                    build.metric(metric, resource)
    if build.unread:
        named = ", ".join(f"{name} ({kind})" for name, kind in sorted(build.unread.items()))
        faults.missing.append(f"metrics of a kind that is not read were left out of {faults.path}: {named}")
    return MetricReading(build.samples(), faults.sentences(), tuple(faults.notes))


__all__ = ["NAME", "TABLES", "read", "read_exports", "sniff", "table_of"]
