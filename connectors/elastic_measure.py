"""What numbers are like, per bin and group, on the server: percentiles from t-digests, with the error they may have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import OTHER
from connectors.elastic_counts import Groups, Search, instant
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query
from connectors.questions import PERCENTILES
from connectors.window import Window

BESIDE = (0.0005, 0.002, 0.008, 0.03, 0.12)
"""How far beside a percentile's rank its neighbours are asked for, to bound its error."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The statistics of one field: what to ask for in each bucket, and how to read it.

    `error` of a row is the largest relative error that a percentile of it may have: a t-digest misplaces a value's rank
    by at most about 2·sqrt(q(1−q))/compression, and by one row; the values at the nearest ranks asked for beyond that
    bound the percentile.
    """

    column: Column
    stats: Sequence[str]
    weight: str | None
    compression: int

    def aggregations(self) -> dict[str, Any]:
        """What stands in every bucket."""
        field = {"field": self.column.grouped}
        wanted = set(self.stats)
        aggs: dict[str, Any] = {}
        if self.weight:
            aggs["n"] = {"sum": {"field": self.weight}}
            if wanted & {"sum", "mean"}:
                aggs["mean"] = {"weighted_avg": {"value": field, "weight": {"field": self.weight}}}
        if wanted & {"sum", "mean", "min", "max"}:
            aggs["s"] = {"stats": field}
        if self._shares():
            digest = {"compression": self.compression}
            aggs["p"] = {"percentiles": {**field, "percents": self._percents(), "keyed": False, "tdigest": digest}}
        return aggs

    def row(self, bucket: Mapping[str, Any], scale: float) -> tuple[float | None, ...]:
        """The statistics in their order and the error; empty buckets have none but their 0 rows."""
        count = bucket["doc_count"]
        n = float(bucket["n"]["value"]) if self.weight else float(count)
        values: dict[str, float | None] = {"n": n, "count": float(count)}
        if "s" in bucket and count:
            found = bucket["s"]
            mean = bucket["mean"]["value"] if "mean" in bucket else found["avg"]
            total = mean * n if self.weight else found["sum"]
            values |= {"mean": _steady(mean * scale), "sum": _steady(total * scale)}
            values |= {"min": found["min"] * scale, "max": found["max"] * scale}
        error = 0.0
        if "p" in bucket and count:
            at = {round(part["key"], 6): part["value"] for part in bucket["p"]["values"]}
            for name, share in self._shares().items():
                values[name] = at[round(100 * share, 6)] * scale
                error = max(error, self._error(at, share, count))
        return (*(values.get(stat) for stat in self.stats), error)

    def _shares(self) -> dict[str, float]:
        return {name: share for name, share in PERCENTILES.items() if name in self.stats}

    def _percents(self) -> list[float]:
        ranks = {0.0, 1.0}
        for share in self._shares().values():
            ranks |= {share, *(min(max(share + d * side, 0.0), 1.0) for d in BESIDE for side in (-1, 1))}
        return sorted(round(100 * rank, 6) for rank in ranks)

    def _error(self, at: Mapping[float, float], share: float, count: int) -> float:
        misplaced = 2 * math.sqrt(share * (1 - share)) / self.compression + 1.5 / count
        beside = next((d for d in BESIDE if d >= misplaced), 1.0)
        low, value, high = (at[round(100 * min(max(share + d, 0.0), 1.0), 6)] for d in (-beside, 0.0, beside))
        if high == low:
            return 0.0
        nearest = min(abs(low), abs(value), abs(high))
        return max(value - low, high - value) / nearest if nearest and (low > 0) == (high > 0) else math.inf


def measured_rows(
    search: Search,
    groups: Groups,
    measures: Measures,
    query: Query,
    window: Window,
    *,
    step_ms: int | None,
    by: Sequence[str],
    top: int,
) -> list[tuple[Any, ...]]:
    """Rows of `measure`; `query` keeps the rows that have the field."""
    scale = measures.column.scale
    tally = groups.tally(search, query, by) if by else {}
    if by and not tally:
        return []
    named = groups.named(tally, by, top) if by else None
    inner = measures.aggregations()
    aggs = {"g": {**named.aggregation, **({"aggs": inner} if inner else {})}} if named else inner

    def cells(bucket: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        if named is None:
            yield measures.row(bucket, scale)
            return
        parts = bucket["g"]["buckets"]
        labels = [*named.labels, (OTHER,) * len(by)]
        for at, label in enumerate(labels):
            part = parts[f"g{at}" if at < len(named.labels) else "_rest"]
            if part["doc_count"]:
                yield (*label, *measures.row(part, scale))

    if step_ms is not None:
        buckets = 1 + (2 + len(named.labels) if named else 0)
        return [
            (instant(bucket["key"]), *cell)
            for bucket in groups.binned(search, query, window, step_ms, aggs, buckets=buckets)
            for cell in cells(bucket)
        ]
    found = search({"size": 0, "track_total_hits": True, "query": query, **({"aggs": aggs} if aggs else {})})
    return list(cells({"doc_count": found["hits"]["total"]["value"], **found.get("aggregations", {})}))


def _steady(value: float) -> float:
    """To 12 digits: the last few depend on the order in which a server adds."""
    return float(f"{value:.12g}")
