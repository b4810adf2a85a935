"""Spans of any format, gathered into one canonical SPANS table: dimensions, attributes, weights, duplicates once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from connectors import schema
from connectors.files.columns import tidy, to_array
from connectors.files.options import Options, Reading
from connectors.files.stream import Faults

_DIMENSIONS: Mapping[str, Sequence[str]] = {
    "service": ("service.name",),
    "host": ("host.name", "hostname", "k8s.node.name"),
    "environment": ("deployment.environment.name", "deployment.environment", "environment"),
    "region": ("cloud.region", "region"),
    "zone": ("cloud.availability_zone", "zone"),
    "version": ("service.version", "version"),
    "instance": ("service.instance.id", "k8s.pod.name", "instance"),
    "workload": ("k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name"),
    "route": ("http.route", "route"),
    "tenant": ("tenant", "tenant.id"),
    "client": ("client", "client.name"),
}
_PEERS = (
    "peer.service", "service.peer.name", "db.system.name", "db.system", "messaging.system", "rpc.service",
    "server.address", "net.peer.name", "http.host", "network.peer.address", "net.peer.ip",
)  # fmt: skip
_RENAMED = {
    "http.status_code": "http.response.status_code", "http.method": "http.request.method", "http.target": "url.path",
    "http.url": "url.full", "db.statement": "db.query.text", "db.operation": "db.operation.name",
    "db.sql.table": "db.collection.name", "db.name": "db.namespace", "db.system": "db.system.name",
}  # fmt: skip
_RATES = ("sampling.rate", "sampling.probability", "sample_rate")


def attribute_text(value: Any) -> str:
    """An attribute's value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def peer_of(attributes: Mapping[str, Any], kind: str | None) -> str | None:
    """Whom does a client or producer span talk to? The most telling name it carries; None when it says nothing.

    >>> peer_of({"db.system": "postgresql", "server.address": "10.0.0.7"}, "client")
    'postgresql'
    """
    if kind not in ("client", "producer"):
        return None
    return next((attribute_text(attributes[name]) for name in _PEERS if attributes.get(name)), None)


def sampling_weight(*carriers: Mapping[str, Any]) -> float | None:
    """How many spans does one stand for, by the rate that it or its resource carries? None when they carry none."""
    for attributes in carriers:
        for name in _RATES:
            rate = attributes.get(name)
            if isinstance(rate, str):
                try:
                    rate = float(rate)
                except ValueError:
                    continue
            if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate <= 1:
                return 1.0 / rate
        every = attributes.get("SampleRate")  # one in so many
        if isinstance(every, int) and every >= 1:
            return float(every)
    return None


class SpanRows:
    """Gathers spans; `reading` makes the table of them."""

    def __init__(self, options: Options) -> None:
        self.default_weight = 1.0 / options.sampling_rate if options.sampling_rate else 1.0
        self.service = options.service
        self.seen: set[tuple[str, str, str]] = set()
        self.twice = self.undated = 0
        self.base: dict[str, list[Any]] = {
            name: []
            for name in (
                "start", "duration_s", "trace_id", "span_id", "parent_id", "links", "name", "kind", "status",
                "error_type", "peer", "weight", *_DIMENSIONS,
            )
        }  # fmt: skip
        self.extra: dict[str, list[Any]] = {}

    def add(
        self,
        *,
        start_ns: int,
        duration_ns: int,
        trace_id: str | None,
        span_id: str | None,
        parent_id: str | None,
        links: Sequence[str],
        name: str | None,
        kind: str,
        status: str,
        error_type: str | None,
        peer: str | None,
        weight: float | None,
        resource: Mapping[str, Any],
        attributes: Mapping[str, Any],
    ) -> None:
        """One span; left out, and counted, when it has no time or ids, or was there before."""
        if not start_ns or trace_id is None or span_id is None:
            self.undated += 1
            return
        key = (trace_id, span_id, kind)  # Zipkin's client and server sides share an id
        if key in self.seen:
            self.twice += 1
            return
        self.seen.add(key)
        base = self.base
        base["start"].append(start_ns // 1000)
        base["duration_s"].append(max(duration_ns, 0) / 1e9)
        base["trace_id"].append(trace_id)
        base["span_id"].append(span_id)
        base["parent_id"].append(parent_id)
        base["links"].append(orjson.dumps(list(links)).decode() if links else None)
        base["name"].append(name)
        base["kind"].append(kind)
        base["status"].append(status)
        base["error_type"].append(error_type)
        base["peer"].append(peer)
        base["weight"].append(weight or self.default_weight)
        for dimension, names in _DIMENSIONS.items():
            found = next((attributes[n] for n in names if attributes.get(n) is not None), None)
            if found is None:
                found = next((resource[n] for n in names if resource.get(n) is not None), None)
            base[dimension].append(None if found is None else attribute_text(found))
        if base["service"][-1] is None:
            base["service"][-1] = self.service
        place = len(base["start"]) - 1
        for source in (resource, attributes):
            for key, value in source.items():
                if value is None or key in _TAKEN:
                    continue
                column = self.extra.setdefault(_RENAMED.get(key, key), [])
                if len(column) <= place:
                    column.extend([None] * (place - len(column)))
                    column.append(value)
                else:
                    column[place] = value

    def reading(self, faults: Faults) -> Reading:
        """The canonical SPANS, ordered by start."""
        n = len(self.base["start"])
        if self.undated:
            faults.missing.append(f"{self.undated:,} spans of {faults.path} without start or ids were left out")
        if self.twice:
            faults.notes.append(f"{self.twice:,} spans of {faults.path} were there twice and are counted once")
        if not n:
            return Reading(schema.empty("SPANS"), faults.sentences(), tuple(faults.notes))
        columns: dict[str, Any] = {}
        for name, values in self.base.items():
            type_ = {"start": pa.int64(), "duration_s": pa.float64(), "weight": pa.float64()}.get(name, pa.string())
            column = pa.array(values, type_)
            columns[name] = column.cast(schema.TIME) if name == "start" else column
        for name, values in self.extra.items():
            if name not in columns:
                columns[name] = to_array([*values, *[None] * (n - len(values))])
        table = schema.conform(tidy(pa.table(columns), schema.SPANS.names), "SPANS")
        return Reading(table.sort_by("start"), faults.sentences(), tuple(faults.notes))


_TAKEN = frozenset(
    [n for d, names in _DIMENSIONS.items() for n in names]
    + ["sampling.rate", "telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"]
)
