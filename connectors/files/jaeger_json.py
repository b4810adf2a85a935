"""Jaeger's JSON (its API and UI download, and spans as it stores them) and Zipkin's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import BadInput
from connectors.files.json_rows import documents
from connectors.files.options import Options, Reading
from connectors.files.spans import SpanRows, attribute_text, peer_of, sampling_weight
from connectors.files.stream import Faults

NAME = "jaeger_json"
TABLES = ("SPANS",)

_KINDS = ("server", "client", "producer", "consumer", "internal")


def sniff(head: bytes, name: str) -> bool:
    """Is it a Jaeger or Zipkin trace?

    >>> sniff(b'{"data":[{"traceID":"1","spans":[{"spanID":"2","operationName":"a"}]}]}', "trace.json")
    True
    """
    jaeger = b'"traceID"' in head and b'"spanID"' in head and b'"operationName"' in head
    return jaeger or (b'"traceId"' in head and b'"localEndpoint"' in head)


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which SPANS does this file hold? Ids padded to 32 and 16 hex digits; times are whole microseconds there.

    An error is a tag `error` that is true, or an OpenTelemetry status of ERROR. Raises `BadInput` when it holds no
    span.
    """
    faults = Faults(label or path.name)
    rows = SpanRows(options)
    seen = 0
    for document in documents(path, faults):
        seen += add_document(document, rows)
    if not seen and not faults.notes:
        raise BadInput(f"{faults.path} holds no span of Jaeger or Zipkin: download the trace as JSON again.")
    return rows.reading(faults)


def add_document(document: Any, rows: SpanRows) -> int:
    """Puts the spans of one document (a trace, a list of them, an API answer) into `rows`; how many it holds."""
    seen = 0
    for span, process in _spans(document, {}):
        seen += 1
        (_zipkin if "traceId" in span and "id" in span else _jaeger)(span, process, rows)
    return seen


def _spans(document: Any, processes: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    if isinstance(document, list):
        for one in document:
            yield from _spans(one, processes)
    elif isinstance(document, dict):
        if isinstance(document.get("data"), list | dict):
            yield from _spans(document["data"], processes)
        elif isinstance(document.get("spans"), list):
            yield from _spans(document["spans"], document.get("processes") or processes)
        elif "spanID" in document or ("traceId" in document and "id" in document):
            yield document, document.get("process") or processes.get(str(document.get("processID"))) or {}


def _tags(listed: Any) -> dict[str, Any]:
    """Jaeger's typed tags as a dictionary: whole numbers, numbers and truth values also where they came as text."""
    found: dict[str, Any] = {}
    for tag in listed if isinstance(listed, list) else ():
        if isinstance(tag, dict) and "key" in tag:
            value, kind = tag.get("value"), str(tag.get("type", "")).lower()
            if isinstance(value, str) and kind in ("int64", "float64", "bool"):
                value = _typed(value, kind)
            found[tag["key"]] = value
    return found


def _typed(text: str, kind: str) -> Any:
    try:
        return text.lower() == "true" if kind == "bool" else int(text) if kind == "int64" else float(text)
    except ValueError:
        return text


def _jaeger(span: Mapping[str, Any], process: Mapping[str, Any], rows: SpanRows) -> None:
    own = _tags(span.get("tags"))
    resource = {**_tags(process.get("tags")), "service.name": process.get("serviceName")}
    references = [r for r in span.get("references") or () if isinstance(r, dict)]
    parent = next((r.get("spanID") for r in references if r.get("refType", "CHILD_OF") == "CHILD_OF"), None)
    parent = parent or span.get("parentSpanID")
    links = [_padded(r.get("spanID"), 16) for r in references if r.get("refType") == "FOLLOWS_FROM"]
    kind = str(own.pop("span.kind", "internal")).lower()
    _as_in_otlp(own, span)
    _add(
        rows, own, resource, span, trace_id=span.get("traceID"), span_id=span.get("spanID"), parent_id=parent,
        links=[link for link in links if link], name=span.get("operationName"), kind=kind,
        start_us=span.get("startTime"),
    )  # fmt: skip


def _as_in_otlp(own: dict[str, Any], span: Mapping[str, Any]) -> None:
    """Puts back what a collector turned into tags of Jaeger's: the scope's name and the exception's type."""
    scope = own.pop("otel.library.name", None)
    if scope is not None:
        own.setdefault("otel.scope.name", scope)
    for name in ("otel.library.version", "otel.scope.version", "internal.span.format", "w3c.tracestate"):
        own.pop(name, None)
    if own.get("error.type"):
        return
    for log in span.get("logs") or ():
        fields = _tags(log.get("fields") if isinstance(log, dict) else None)
        if fields.get("event") == "exception" and fields.get("exception.type"):
            own["exception.type"] = fields["exception.type"]
            return


def _zipkin(span: Mapping[str, Any], process: Mapping[str, Any], rows: SpanRows) -> None:
    own = dict(span.get("tags") or {})
    remote = (span.get("remoteEndpoint") or {}).get("serviceName")
    if remote:
        own.setdefault("peer.service", remote)
    code = own.get("http.status_code")
    if isinstance(code, str) and code.isdigit():
        own["http.status_code"] = int(code)
    _add(
        rows, own, {"service.name": (span.get("localEndpoint") or {}).get("serviceName")}, span,
        trace_id=span.get("traceId"), span_id=span.get("id"), parent_id=span.get("parentId"), links=[],
        name=span.get("name"), kind=str(span.get("kind") or "internal").lower(), start_us=span.get("timestamp"),
    )  # fmt: skip


def _add(
    rows: SpanRows,
    own: dict[str, Any],
    resource: Mapping[str, Any],
    span: Mapping[str, Any],
    *,
    trace_id: Any,
    span_id: Any,
    parent_id: Any,
    links: list[str],
    name: Any,
    kind: str,
    start_us: Any,
) -> None:
    said = own.pop("error", None)
    failed = said is not None and str(said).lower() != "false"
    code, described = own.pop("otel.status_code", None), own.pop("otel.status_description", None)
    status = "error" if failed or code == "ERROR" else "ok" if code == "OK" else "unset"
    kind = kind if kind in _KINDS else "internal"
    http = own.get("http.response.status_code", own.get("http.status_code"))
    error_type = own.get("error.type") or own.pop("exception.type", None)
    if error_type is None and (status == "error" or (isinstance(http, int) and http >= 500)):
        word = str(said) if failed and str(said).lower() != "true" else None
        error_type = http if http is not None else word or described
    rows.add(
        start_ns=_whole(start_us) * 1000, duration_ns=_whole(span.get("duration")) * 1000,
        trace_id=_padded(trace_id, 32), span_id=_padded(span_id, 16), parent_id=_padded(parent_id, 16), links=links,
        name=None if name is None else str(name), kind=kind, status=status,
        error_type=None if error_type is None else attribute_text(error_type), peer=peer_of(own, kind),
        weight=sampling_weight(own, resource), resource=resource, attributes=own,
    )  # fmt: skip


def _whole(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


def _padded(text: Any, digits: int) -> str | None:
    if not isinstance(text, str) or not text.strip("0"):
        return None
    return text.lower().rjust(digits, "0")
