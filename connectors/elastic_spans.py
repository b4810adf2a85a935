"""Spans in Elasticsearch or OpenSearch: of Elastic APM, OpenTelemetry, Data Prepper and Jaeger's own storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from connectors.asking import Asking
from connectors.base import Answer, canonical
from connectors.elastic_documents import Documents, flat
from connectors.elastic_server import Server
from connectors.errors import BadInput
from connectors.files.jaeger_json import add_document
from connectors.files.options import Options
from connectors.files.spans import SpanRows, peer_of, sampling_weight
from connectors.files.stream import Faults
from connectors.kept import Kept
from connectors.local_spans import ORDERS, LocalSpans
from connectors.settings import Budget
from connectors.window import Window

TIMES = ("startTime", "@timestamp", "startTimeMillis", "timestamp")
AROUND_S = 60.0
"""Spans of a trace are looked for so long before and after the window."""
KEPT = 2
_KINDS = ("server", "client", "producer", "consumer", "internal")
_PREFIXES = ("resource.attributes.", "span.attributes.", "attributes.", "labels.", "numeric_labels.")
_NOT_ATTRIBUTES = (
    "@timestamp", "timestamp.", "trace.", "span.", "transaction.", "parent.", "processor.", "observer.", "agent.",
    "event.", "ecs.", "data_stream.", "trace_id", "traceId", "span_id", "spanId", "parent_span_id", "parentSpanId",
    "name", "kind", "duration", "startTime", "endTime", "status.", "traceGroup", "links", "events", "dropped_",
    "resource.dropped", "resource.schema", "scope.", "serviceName", "durationInNanos", "traceState", "trace_state",
)  # fmt: skip


class ElasticSpans:
    """A span source over the indices that `index` names.

    The spans of a window are read within the budget of rows (`OverBudget` names the window that fits) and asked here,
    where parents and children are told apart; the last two windows are kept.
    """

    def __init__(
        self, name: str, server: Server, *, fields: Mapping[str, str] | None = None, budget: Budget | None = None
    ) -> None:
        self.name = name
        self._server = server
        self._documents = Documents(server, fields=fields or {}, times=TIMES, budget=budget or Budget())
        self._kept: Kept[Window, tuple[LocalSpans, Asking]] = Kept(KEPT)

    def edges(self, window: Window) -> Answer:
        """See `LocalSpans.edges`."""
        spans, asking = self._spans(window)
        return self._told(spans.edges(window), asking)

    def traces(
        self,
        window: Window,
        *,
        where: str | None = None,
        n: int | None = 100,
        order: Literal["failing", "slowest", "typical", "time"] = "time",
    ) -> Answer:
        """See `LocalSpans.traces`. Of a trace, the spans up to a minute outside of the window come along."""
        if order not in ORDERS:
            raise BadInput(f"{order!r} is no order of traces: ask for {', '.join(ORDERS)}.")
        spans, asking = self._spans(window)
        return self._told(spans.traces(window, where=where, n=n, order=order), asking)

    def close(self) -> None:
        """Gives the connections back."""
        self._server.http.close()

    def _spans(self, window: Window) -> tuple[LocalSpans, Asking]:
        return self._kept.get(window, lambda: self._read(window))

    def _read(self, window: Window) -> tuple[LocalSpans, Asking]:
        around = window.widen(before_s=AROUND_S, after_s=AROUND_S)
        asking = Asking(self.name, "traces", canonical({"window": window}), self._server.engine, around)
        rows = SpanRows(Options(table="SPANS"))
        for _, ns, document in self._documents.read(asking, around):
            add_span(document, ns, rows)
        faults = Faults(f"index {self._server.index}")
        reading = rows.reading(faults)
        spans = LocalSpans(self.name, reading.table, missing=[*asking.missing, *reading.faults])
        return spans, asking

    def _told(self, answer: Answer, asking: Asking) -> Answer:
        got = asking.fetch(answer.table.num_rows)
        told = replace(
            answer.fetch, query=got.query, round_trips=got.round_trips, engine=asking.engine, cost=got.cost,
            took_s=got.took_s,
        )  # fmt: skip
        return replace(answer, fetch=told)


def add_span(document: Mapping[str, Any], ns: int, rows: SpanRows) -> None:
    """One stored span, whoever wrote it. `ns` is its time in the index, for writers that keep no finer one."""
    if "traceID" in document and "spanID" in document:
        add_document(document, rows)
        return
    values = flat(document)
    resource, own = _attributes(values)
    kind = _kind(values)
    status = _status(values)
    error_type = own.get("error.type") or own.get("exception.type")
    code = own.get("http.response.status_code", own.get("http.status_code"))
    if error_type is None and code is not None and (status == "error" or (isinstance(code, int) and code >= 500)):
        error_type = str(code)
    if "service.name" not in resource and "serviceName" in values:
        resource["service.name"] = values["serviceName"]
    rows.add(
        start_ns=int(values["timestamp.us"]) * 1000 if "timestamp.us" in values else ns,
        duration_ns=_duration(values),
        trace_id=_first(values, "trace.id", "trace_id", "traceId"),
        span_id=_first(values, "span.id", "transaction.id", "span_id", "spanId"),
        parent_id=_first(values, "parent.id", "parent_span_id", "parentSpanId"),
        links=[link["span_id"] for link in document.get("links") or [] if isinstance(link, dict) and "span_id" in link],
        name=_first(values, "span.name", "transaction.name", "name"),
        kind=kind,
        status=status,
        error_type=error_type,
        peer=_first(values, "service.target.name", "span.destination.service.resource") or peer_of(own, kind),
        weight=_weight(values) or sampling_weight(own, resource),
        resource=resource,
        attributes=own,
    )


def _attributes(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The resource's attributes and the span's own. Data Prepper writes @ for the dots in their names."""
    resource: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in values.items():
        prefix = next((p for p in _PREFIXES if name.startswith(p)), None)
        if prefix is None and name.startswith(_NOT_ATTRIBUTES):
            continue
        bare = name.removeprefix(prefix or "").replace("@", ".")
        bare = bare.removeprefix("resource.attributes.")
        into = resource if "resource.attributes." in name or bare.startswith(("service.", "host.", "cloud.")) else own
        into[bare] = value if not isinstance(value, list | dict) else str(value)
    return resource, own


def _kind(values: Mapping[str, Any]) -> str:
    told = str(_first(values, "span.kind", "kind") or "").lower().removeprefix("span_kind_")
    if told in _KINDS:
        return told
    if values.get("processor.event") == "transaction":
        return "consumer" if values.get("transaction.type") == "messaging" else "server"
    if _first(values, "span.destination.service.resource", "service.target.name"):
        return "producer" if values.get("span.type") == "messaging" else "client"
    return "internal"


def _status(values: Mapping[str, Any]) -> str:
    told = str(_first(values, "status.code", "event.outcome") or "").lower().removeprefix("status_code_")
    return {"error": "error", "failure": "error", "2": "error", "ok": "ok", "success": "ok", "1": "ok"}.get(
        told, "unset"
    )


def _duration(values: Mapping[str, Any]) -> int:
    for name, worth in (
        ("span.duration.us", 1000), ("transaction.duration.us", 1000), ("durationInNanos", 1), ("duration", 1),
        ("event.duration", 1),
    ):  # fmt: skip
        if isinstance(values.get(name), int | float):
            return int(values[name] * worth)
    return 0


def _weight(values: Mapping[str, Any]) -> float | None:
    told = _first(values, "span.representative_count", "transaction.representative_count")
    return float(told) if isinstance(told, int | float) and told > 0 else None


def _first(values: Mapping[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)
