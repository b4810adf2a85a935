"""Spans at hand, as a source: who calls whom, and whole traces to look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.base import Answer, Fetch, canonical
from connectors.errors import BadInput
from connectors.where import evaluate
from connectors.window import Window

EDGES = pa.schema(
    [
        ("caller", pa.string()),
        ("callee", pa.string()),
        ("calls", pa.float64()),
        ("errors", pa.float64()),
        ("duration_mean_s", pa.float64()),
        ("duration_p50_s", pa.float64()),
        ("duration_p99_s", pa.float64()),
        ("method", pa.string()),
        ("traces", pa.int64()),
        ("traces_total", pa.int64()),
    ]
)
ORDERS = ("failing", "slowest", "typical", "time")


class LocalSpans:
    """A span source over a canonical SPANS table; `missing` stands in every answer's `Fetch.partial`."""

    def __init__(self, name: str, table: pa.Table, *, query: str = "", missing: Sequence[str] = ()) -> None:
        schema.check(table, "SPANS")
        self.name = name
        self.table = table
        self._query = query
        self._missing = tuple(missing)

    def edges(self, window: Window) -> Answer:
        """Which service called which inside the window, how often, how long, and how often it failed?

        `parent_child`: a span whose parent belongs to another service; the time is the caller's own client span where
        there is one, the callee's otherwise. `peer`: a client span that no other service answered with a span; the
        callee is what it names. Calls and errors are weighted by `weight`; durations too. `traces` of `traces_total`
        traces have the edge. A span without its parent (it was lost, or not sampled) makes no edge.
        """
        began = time.monotonic()
        spans = self.table.filter(_inside(self.table, window))
        return self._answer("edges", {"window": window}, _edges(spans), window, began)

    def traces(
        self,
        window: Window,
        *,
        where: str | None = None,
        n: int | None = 100,
        order: Literal["failing", "slowest", "typical", "time"] = "time",
    ) -> Answer:
        """SPANS of whole traces that have a span inside the window for which `where` holds.

        `failing`: traces with an error span, the ones with most of them first; `slowest`: the longest span first;
        `typical`: without an error, nearest to the median length first; `time`: earliest first. `n` None: all.
        Ties go to the trace that began first, then to the smaller id.
        """
        if order not in ORDERS:
            raise BadInput(f"{order!r} is no order of traces: ask for {', '.join(ORDERS)}.")
        began = time.monotonic()
        keep = _inside(self.table, window)
        if where is not None:
            keep = pc.and_(keep, evaluate(where, self.table))
        picked, total = _picked(self.table, keep, order, n)
        found = self.table.filter(pc.is_in(self.table.column("trace_id"), picked))
        arguments = {"window": window, "where": where, "n": n, "order": order}
        sampled = None if len(picked) == total else f"{len(picked):,} of {total:,} traces, by {order}"
        return self._answer("traces", arguments, found, window, began, sampled=sampled)

    def _answer(
        self,
        question: str,
        arguments: dict[str, Any],
        table: pa.Table,
        window: Window,
        began: float,
        *,
        sampled: str | None = None,
    ) -> Answer:
        fetch = Fetch(
            source=self.name, question=question, query=self._query, window=window, rows=table.num_rows,
            binned_by="start", truncated=sampled is not None, sampled=sampled,
            partial="; ".join(dict.fromkeys(self._missing)) or None, took_s=time.monotonic() - began, engine="arrow",
        )  # fmt: skip
        return Answer(table, fetch, canonical(arguments))


def _inside(table: pa.Table, window: Window) -> Any:
    start, end = pa.scalar(window.start, schema.TIME), pa.scalar(window.end, schema.TIME)
    times = table.column("start")
    return pc.and_(pc.greater_equal(times, start), pc.less(times, end))


def _text(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).cast(pa.string()).to_numpy(zero_copy_only=False)


def _codes(table: pa.Table, name: str) -> tuple[np.ndarray, pa.Array]:
    coded = table.column(name).combine_chunks().cast(pa.string()).dictionary_encode()
    return coded.indices.to_numpy(zero_copy_only=False), coded.dictionary


def _picked(table: pa.Table, keep: Any, order: str, n: int | None) -> tuple[pa.Array, int]:
    """The ids of the traces that are given, and of how many."""
    codes, names = _codes(table, "trace_id")
    seen = np.unique(codes[np.asarray(keep)])
    duration = table.column("duration_s").to_numpy()
    failed = pc.fill_null(pc.equal(table.column("status").cast(pa.string()), "error"), False).to_numpy()
    errors = np.bincount(codes, weights=failed, minlength=len(names))[seen]
    longest = np.zeros(len(names))
    np.maximum.at(longest, codes, duration)
    longest = longest[seen]
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, table.column("start").cast(pa.int64()).to_numpy())
    first = first[seen]
    by_id = np.empty(len(names), np.int64)
    by_id[pc.sort_indices(names).to_numpy()] = np.arange(len(names))
    by_id = by_id[seen]  # ties go to the smaller id, whatever order a source gives its spans in
    if order == "failing":
        chosen = np.flatnonzero(errors > 0)
        ranked = chosen[np.lexsort((by_id[chosen], first[chosen], -errors[chosen]))]
    elif order == "slowest":
        ranked = np.lexsort((by_id, first, -longest))
    elif order == "typical":
        chosen = np.flatnonzero(errors == 0)
        middle = np.median(longest[chosen]) if len(chosen) else 0.0
        nearest = np.abs(longest[chosen] - middle)
        ranked = chosen[np.lexsort((by_id[chosen], first[chosen], nearest))]
    else:
        ranked = np.lexsort((by_id, first))
    total = len(ranked)
    ranked = ranked if n is None else ranked[:n]
    return names.take(pa.array(seen[ranked])), total


def _edges(spans: pa.Table) -> pa.Table:
    if not spans.num_rows:
        return EDGES.empty_table()
    place = _parents(spans)
    service, peer, kind = _text(spans, "service"), _text(spans, "peer"), _text(spans, "kind")
    duration, weight = spans.column("duration_s").to_numpy(), spans.column("weight").to_numpy()
    failed = pc.fill_null(pc.equal(spans.column("status").cast(pa.string()), "error"), False).to_numpy()
    traces, _ = _codes(spans, "trace_id")
    child = np.flatnonzero(place >= 0)
    parent = place[child]
    pairs = zip(service[parent], service[child], strict=True)
    across = np.array([a is not None and b is not None and a != b for a, b in pairs], bool)
    child, parent = child[across], parent[across]
    by_client = np.isin(kind[parent], ("client", "producer"))
    measured = np.where(by_client, parent, child)
    answered = np.zeros(len(service), bool)
    answered[parent] = True
    outward = np.flatnonzero(
        np.isin(kind, ("client", "producer"))
        & ~answered
        & np.array([p is not None and s is not None for p, s in zip(peer, service, strict=True)], bool)
    )
    rows: dict[tuple[str, str, str], list[int]] = {}
    for a, b, at in zip(service[parent], service[child], measured, strict=True):
        rows.setdefault((a, b, "parent_child"), []).append(at)
    for a, b, at in zip(service[outward], peer[outward], outward, strict=True):
        rows.setdefault((a, b, "peer"), []).append(int(at))
    total = len(np.unique(traces))
    found = []
    for (caller, callee, method), members in sorted(rows.items()):
        at = np.array(members)
        w = weight[at]
        p50, p99 = weighted_quantiles(duration[at], w, (0.5, 0.99))
        found.append(
            {
                "caller": caller, "callee": callee, "calls": float(w.sum()), "errors": float(w[failed[at]].sum()),
                "duration_mean_s": float(np.average(duration[at], weights=w)), "duration_p50_s": p50,
                "duration_p99_s": p99, "method": method, "traces": len(np.unique(traces[at])), "traces_total": total,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(found, schema=EDGES)


def _parents(spans: pa.Table) -> np.ndarray:
    """The row of each span's parent, -1 where it is a root or its parent is not there."""
    n = spans.num_rows
    mine = pc.binary_join_element_wise(spans.column("trace_id"), spans.column("span_id"), "/").combine_chunks()
    theirs = pc.binary_join_element_wise(spans.column("trace_id"), spans.column("parent_id"), "/").combine_chunks()
    found = pc.index_in(theirs, mine)
    return np.where(np.asarray(found.is_valid()), found.fill_null(0).to_numpy(), -1)[:n]


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, wanted: Sequence[float]) -> list[float]:
    """Quantiles of values repeated by their weights: the smallest value that so much of the weight is at or below.

    >>> weighted_quantiles(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 8.0]), (0.5, 0.1))
    [3.0, 1.0]
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array(wanted) * reached[-1] * (1 - 1e-12), side="left")
    return [float(values[order][min(p, len(values) - 1)]) for p in places]
