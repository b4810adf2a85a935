"""Which golden signals could be read from what a metric source has? A proposal for `signals.toml`, to be looked over.

From the catalogue alone: metrics of the usual exporters by name (`known_metrics`), and a service's own ones by the way
their names end. The same for Prometheus and for OpenMetrics files, since both answer `catalogue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa

from connectors.base import SignalSpec
from connectors.known_metrics import PARTS, RUNTIMES, SERVERS, Known
from connectors.services import service_label

LIMIT = 200
_STATUS = ("status", "code", "status_code", "http_status_code", "http_response_status_code")
_PEERS = ("peer", "peer_service", "server_address", "upstream", "target")


class _Ending(NamedTuple):
    """How a metric's name ends, and what it then is. `divisor`: the ending of what it is a share of.

    `name`: the signal's name where the ending alone says what is measured; None: after the metric.
    """

    ends: tuple[str, ...]
    metric_type: Literal["gauge", "counter", "histogram"]
    kind: str
    unit: str
    name: str | None = None
    divisor: tuple[str, ...] = ()


_SIZE = ("_pool_size", "_pool_max", "_pool_limit")
_POOL = "db.client.connection"
_ENDINGS = (
    _Ending(("_db_operation_duration_seconds", "_db_query_duration_seconds"), "histogram", "latency", "s",
            "db.client.operation.duration"),
    _Ending(("_duration_seconds", "_latency_seconds", "_time_seconds"), "histogram", "latency", "s"),
    _Ending(("_db_pool_timeouts_total",), "counter", "errors", "{timeout}", f"{_POOL}.timeouts"),
    _Ending(("_errors_total", "_failures_total", "_failed_total", "_timeouts_total"), "counter", "errors", "{event}"),
    _Ending(("_requests_total", "_calls_total", "_processed_total"), "counter", "traffic", "{event}"),
    _Ending(("_db_pool_in_use", "_db_pool_used"), "gauge", "saturation", "1", f"{_POOL}.usage_ratio",
            tuple(f"_db{size}" for size in _SIZE)),
    _Ending(("_pool_in_use", "_pool_used"), "gauge", "saturation", "1", None, _SIZE),
    _Ending(("_db_pool_waiting", "_db_pool_pending"), "gauge", "saturation", "{request}", f"{_POOL}.pending"),
    _Ending(("_pool_waiting", "_pool_pending", "_inflight", "_in_flight"), "gauge", "saturation", "{item}"),
    _Ending(("_queue_depth", "_queue_size", "_queue_length"), "gauge", "saturation", "{message}",
            "messaging.queue.depth"),
    _Ending(("_age_seconds", "_lag_seconds"), "gauge", "latency", "s"),
)  # fmt: skip


class _Metric(NamedTuple):
    name: str
    labels: Mapping[str, Sequence[str]]


def proposed_signals(catalogue: pa.Table) -> tuple[SignalSpec, ...]:
    """Signals that this source could give, the surest first; at most 200, empty where nothing is known.

    `catalogue`: what `MetricSource.catalogue` answers. A signal is proposed per service that the labels name, per pool
    or peer where a metric is told apart by one, and per status ≥ 500 where requests are counted by status. It can
    mislead where a team uses an exporter's name for something of its own; nothing is proposed for a metric that no rule
    knows.
    """
    listed = zip(catalogue.column("metric").to_pylist(), catalogue.column("labels").to_pylist(), strict=True)
    there = {name: _Metric(name, orjson.loads(labels or "{}")) for name, labels in listed}
    found: dict[tuple[str, str, str], SignalSpec] = {}
    taken: set[str] = set()
    for known in (*SERVERS, *RUNTIMES, *PARTS):
        if (metric := _named(there, known)) is not None:
            taken.add(metric.name)
            for spec in _of_known(known, metric, there):
                found.setdefault((spec.service, spec.name, str(sorted(spec.where.items()))), spec)
    for metric in there.values():
        if metric.name not in taken:
            for spec in _of_ending(metric, there):
                found.setdefault((spec.service, spec.name, str(sorted(spec.where.items()))), spec)
    return tuple(found.values())[:LIMIT]


def signal_rows(specs: Sequence[SignalSpec]) -> list[dict[str, Any]]:
    """The signals as rows of `signals.toml`, what is usual left out.

    >>> signal_rows([SignalSpec("db", "traffic", "commits", "pg_commits", "counter", "{tx}")])
    [{'service': 'db', 'kind': 'traffic', 'name': 'commits', 'metric': 'pg_commits', 'metric_type': 'counter',
      'unit': '{tx}'}]
    """
    usual = SignalSpec("", "", "", "")
    rows = []
    for spec in specs:
        values = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
        rows.append(
            {
                name: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
                for name, value in values.items()
                if value != getattr(usual, name) or name in ("metric_type", "unit")
            }
        )
    return rows


def _named(there: Mapping[str, _Metric], known: Known) -> _Metric | None:
    metric = there.get(f"{known.metric}_bucket" if known.metric_type == "histogram" else known.metric)
    wanted = [metric.labels.get(label) for label in known.where] if metric is not None else []
    if any(values is None or text not in values for values, text in zip(wanted, known.where.values(), strict=False)):
        return None
    return metric


def _of_known(known: Known, metric: _Metric, there: Mapping[str, _Metric]) -> Iterator[SignalSpec]:
    divisor = there.get(known.divide_by) if known.divide_by else None
    spec = SignalSpec(
        service=known.service or "",
        kind=known.kind,
        name=known.name,
        metric=known.metric,
        metric_type=known.metric_type,
        unit="s" if known.unit == "ms" else known.unit,
        where=known.where,
        by=tuple(label for label in known.by if label in metric.labels),
        divide_by=known.divide_by if divisor else None,
        divide_where=known.divide_where if divisor else {},
        scale=0.001 if known.unit == "ms" else 1.0,
    )
    if known.divide_by and not divisor:
        plain = known.name.removesuffix("_ratio").removesuffix("_share")
        spec = replace(spec, name=plain, unit="By" if "bytes" in known.metric else "{event}")
    apart = known.apart if known.apart in metric.labels else None
    if known.apart == "peer":
        apart = next((label for label in _PEERS if label in metric.labels), None)
    services = [spec] if known.service else list(_per_service(spec, metric, divisor))
    for one in services:
        yield from _told_apart(one, metric, divisor, apart)
        if known.kind == "traffic" and known.metric_type == "counter":
            yield from _per_failure(one, metric)


def _of_ending(metric: _Metric, there: Mapping[str, _Metric]) -> Iterator[SignalSpec]:
    name = metric.name.removesuffix("_bucket")
    for ending in _ENDINGS:
        end = next((end for end in ending.ends if f"_{name}".endswith(end)), None)
        if end is None or (ending.metric_type == "histogram") != (name != metric.name):
            continue
        stem = f"_{name}".removesuffix(end)
        sizes = [f"{stem}{below}"[1:] for below in ending.divisor]
        divisor = next((there[size] for size in sizes if size in there), None)
        spec = SignalSpec(
            service="",
            kind=ending.kind,
            name=ending.name or name.removesuffix("_total").removesuffix("_seconds").replace("_", "."),
            metric=name,
            metric_type=ending.metric_type,
            unit=ending.unit if divisor is not None or not ending.divisor else "{item}",
            by=("instance",) if ending.kind == "saturation" and "instance" in metric.labels else (),
            divide_by=divisor.name if divisor is not None else None,
        )
        apart = next((label for label in ("pool", *_PEERS) if label in metric.labels), None)
        for one in _per_service(spec, metric, divisor):
            yield from _told_apart(one, metric, divisor, apart)
            if ending.kind == "traffic":
                yield from _per_failure(one, metric)
        return


def _per_service(spec: SignalSpec, metric: _Metric, divisor: _Metric | None) -> Iterator[SignalSpec]:
    label = service_label(metric.labels)
    if label is None:
        return
    for value in metric.labels[label]:
        if value in ("", "POD"):
            continue
        service = value.rpartition("/")[2] or value
        yield _kept(replace(spec, service=service, by=tuple(b for b in spec.by if b != label)), divisor, label, value)


def _told_apart(spec: SignalSpec, metric: _Metric, divisor: _Metric | None, label: str | None) -> Iterator[SignalSpec]:
    if label is None or label in spec.where:
        yield spec
        return
    values = metric.labels[label]
    for value in values:
        name = f"{spec.name}.{value}" if len(values) > 1 else spec.name
        yield _kept(replace(spec, name=name), divisor, label, value)


def _kept(spec: SignalSpec, divisor: _Metric | None, label: str, value: str) -> SignalSpec:
    """The signal of the series with this label; what divides it is narrowed too, where it has the label."""
    below = dict(spec.divide_where)
    if divisor is not None and value in divisor.labels.get(label, ()):
        below[label] = value
    return replace(spec, where={**spec.where, label: value}, divide_where=below)


def _per_failure(spec: SignalSpec, metric: _Metric) -> Iterator[SignalSpec]:
    """The share of each status ≥ 500 in all requests."""
    label = next((label for label in _STATUS if label in metric.labels), None)
    for status in metric.labels.get(label or "", ()):
        if status.isdigit() and 500 <= int(status) <= 599:
            yield replace(
                spec, kind="errors", name=f"{spec.name.removesuffix('.requests')}.errors.{status}", unit="1",
                where={**spec.where, str(label): status}, divide_by=spec.metric, divide_where=dict(spec.where),
            )  # fmt: skip
