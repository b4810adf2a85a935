"""Which spans did the answer wait for? The critical path of every trace, in parts that add up to its duration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.result import Result
from kit.span_places import category, part_of_time, place, trace_weight
from kit.spantree import SpanTree, span_tree


@dataclass(frozen=True)
class CriticalPath(Result):
    """Where the end-to-end time went, in parts that add up.

    `parts`: `where` (a service, or `caller → callee` for time on the way to it), `name`, `part`, `seconds` (weighted
    mean per trace), `share`, `traces` (share of traces in which it occurs). `part` is *self* (at work), *between*
    (client span minus what its server span explains: network, queue, pool) or *peer* (a client span whose server was
    not traced: its time is the peer's or on the way there). `total_s` is the mean end-to-end time; `residual_s` what no
    span of the path accounts for (traces without their root).
    """

    parts: pd.DataFrame
    per_trace: pd.DataFrame
    total_s: float
    residual_s: float
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        if self.parts.empty:
            return "No trace has a path to add up."
        top = self.parts.iloc[0]
        return f"{top['share']:.0%} of {self.total_s:.3g} s end to end is {top['part']} time at {top['where']}"

    def to_frame(self) -> pd.DataFrame:
        return self.parts


def critical_path(spans: Any) -> CriticalPath:
    """Which spans did the answer wait for, and how long for each?

    Method: from each trace's end the walk goes back to the child that ended last before the cursor, then on from that
    child's start; what no child covers is the span's own. Children are cut to their parent's interval first, so the
    parts of a trace with a root add up to its duration exactly. Traces whose root is missing are measured from the
    first start to the last end of the spans present, and what lies between their parts is the residual. Two children
    that really ran in parallel: only the later one counts, the other could be faster for nothing. Assumes that a parent
    waits for its children, and clocks that agree within a trace; it misleads where they do not. Nothing is tested, so
    there is no false-alarm rate. Work that outlives its parent (asynchronous) is not on the path. Source: the usual
    critical-path walk, as in Uber's CRISP, over arrays.

    >>> import pandas as pd
    >>> t, s = pd.Timestamp("2026-01-01T00:00:00Z"), pd.Timedelta("1s")
    >>> spans = pd.DataFrame({"start": [t, t + s], "duration_s": [3.0, 1.5], "trace_id": ["t", "t"],
    ...     "span_id": ["a", "b"], "parent_id": [None, "a"], "service": ["web", "db"], "name": ["GET", "SELECT"]})
    >>> critical_path(spans).parts[["where", "seconds"]].values.tolist()
    [['web', 1.5], ['db', 1.5]]
    """
    tree = span_tree(spans)
    low, high = _clipped(tree)
    on_path, spent = _walk_back(tree, low, high)
    total, rootless = _extents(tree, low, high)
    weight = trace_weight(tree)
    path_us = np.bincount(tree.trace[on_path], weights=spent[on_path], minlength=tree.traces)
    per_trace = pd.DataFrame(
        {
            "trace_id": list(tree.trace_ids.values),
            "total_s": total / 1e6,
            "path_s": path_us / 1e6,
            "residual_s": (total - path_us) / 1e6,
            "root": ~rootless,
        }
    )
    whole = float(weight.sum()) or 1.0
    total_s = float((per_trace["total_s"] * weight).sum() / whole)
    parts = _path_parts(tree, on_path, spent, weight, total_s)
    because = [f"mean of {tree.traces:,} traces; the parts add up to {parts['seconds'].sum():.4g} of {total_s:.4g} s"]
    if rootless.any():
        because.append(f"{int(rootless.sum()):,} traces lack their root: their gaps are the residual")
    return CriticalPath(parts, per_trace, total_s, total_s - float(parts["seconds"].sum()), tuple(because))


def path_seconds(spans: Any) -> np.ndarray:
    """How many seconds of each span did the answer itself wait for? An entry a row of SPANS; NaN: not on the path.

    The same walk as `critical_path`, told span by span: 0 is on the path and only waited for its children.

    >>> import pandas as pd
    >>> t, s = pd.Timestamp("2026-01-01T00:00:00Z"), pd.Timedelta("1s")
    >>> spans = pd.DataFrame({"start": [t, t + s], "duration_s": [3.0, 1.5], "trace_id": ["t", "t"],
    ...     "span_id": ["a", "b"], "parent_id": [None, "a"], "service": ["web", "db"], "name": ["GET", "SELECT"]})
    >>> path_seconds(spans).tolist()
    [1.5, 1.5]
    """
    tree = span_tree(spans)
    on_path, spent = _walk_back(tree, *_clipped(tree))
    return np.where(on_path, spent / 1e6, np.nan)


def _clipped(tree: SpanTree) -> tuple[np.ndarray, np.ndarray]:
    """Each span's interval cut to its parent's (already cut) interval, level by level."""
    low, high = tree.start.copy(), tree.end.copy()
    for rows in tree.rows_by_depth()[1:]:
        parent = tree.parent[rows]
        low[rows] = np.clip(low[rows], low[parent], high[parent])
        high[rows] = np.clip(high[rows], low[rows], high[parent])
    return low, high


def _walk_back(tree: SpanTree, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which spans are on the path, and how many microseconds are each one's own?

    Children of a parent stand in order of their end; each points to the last one that ended by its start. The ones
    reached from the last child form the chain; pointer doubling marks them all in log₂(longest chain) rounds.
    """
    child = np.flatnonzero((tree.parent >= 0) & (high > low))
    spent = (high - low).astype(np.int64)
    chained = np.zeros(len(tree), dtype=bool)
    if len(child):
        parent = tree.parent[child]
        rank = np.cumsum(np.bincount(parent, minlength=len(tree)) > 0) - 1
        block = int((high - low)[parent].max()) + 2
        base = rank[parent] * block
        end_key = base + (high[child] - low[parent]) + 1
        order = np.argsort(end_key)
        child, parent, end_key, base = child[order], parent[order], end_key[order], base[order]
        start_key = base + (low[child] - low[parent]) + 1
        before = np.searchsorted(end_key, start_key, side="right") - 1
        before = np.where((before >= 0) & (parent[np.maximum(before, 0)] == parent), before, -1)
        marked = np.ones(len(child), dtype=bool)
        marked[:-1] = parent[1:] != parent[:-1]  # the last to end of each parent
        jump = before
        while (reach := np.flatnonzero(jump >= 0)).size:
            marked[jump[reach[marked[reach]]]] = True
            jump = np.where(jump >= 0, jump[np.maximum(jump, 0)], -1)
        chained[child[marked]] = True
        taken = child[marked]
        spent -= np.bincount(tree.parent[taken], weights=(high - low)[taken], minlength=len(tree)).astype(np.int64)
    on_path = _tops(tree)
    for rows in tree.rows_by_depth()[1:]:
        on_path[rows] = chained[rows] & on_path[tree.parent[rows]]
    return on_path, spent


def _tops(tree: SpanTree) -> np.ndarray:
    """Where the walk may begin: the longest root of each trace, or every top where the trace has no root."""
    top = np.flatnonzero(tree.parent < 0)
    root = top[~tree.orphan[top]]
    begins = np.zeros(len(tree), dtype=bool)
    if len(root):
        longest = root[np.lexsort((-(tree.end - tree.start)[root], tree.trace[root]))]
        first = np.ones(len(longest), dtype=bool)
        first[1:] = tree.trace[longest][1:] != tree.trace[longest][:-1]
        begins[longest[first]] = True
    rooted = np.zeros(tree.traces, dtype=bool)
    rooted[tree.trace[root]] = True
    part = top[~rooted[tree.trace[top]]]
    begins[part[_disjoint(tree, part)]] = True
    return begins


def _disjoint(tree: SpanTree, part: np.ndarray) -> np.ndarray:
    """Of the tops of rootless traces, those that do not overlap one that ended later: their times may be added."""
    keep = np.zeros(len(part), dtype=bool)
    cursor: dict[int, int] = {}
    for at in np.argsort(-tree.end[part], kind="stable"):
        row, trace = part[at], int(tree.trace[part[at]])
        if tree.end[row] <= cursor.get(trace, int(tree.end[row])):
            keep[at] = True
            cursor[trace] = int(tree.start[row])
    return keep


def _extents(tree: SpanTree, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """End-to-end microseconds of each trace: its root's, or from first start to last end where the root is missing."""
    rooted = np.zeros(tree.traces, dtype=bool)
    root = np.flatnonzero((tree.parent < 0) & ~tree.orphan)
    rooted[tree.trace[root]] = True
    total = np.zeros(tree.traces)
    np.maximum.at(total, tree.trace[root], (tree.end - tree.start)[root])
    top = np.flatnonzero((tree.parent < 0) & ~rooted[tree.trace])
    first, last = np.full(tree.traces, np.inf), np.full(tree.traces, -np.inf)
    np.minimum.at(first, tree.trace[top], low[top])
    np.maximum.at(last, tree.trace[top], high[top])
    return np.where(rooted, total, np.where(np.isfinite(first), last - first, 0.0)), ~rooted


def _path_parts(
    tree: SpanTree, on_path: np.ndarray, spent: np.ndarray, weight: np.ndarray, total_s: float
) -> pd.DataFrame:
    rows = np.flatnonzero(on_path)
    where, part = place(tree, rows), part_of_time(tree)[rows]
    where = np.where(part == "self", tree.service.texts(rows), where)
    frame = pd.DataFrame({"where": where, "name": category(tree.name, rows), "part": part, "trace": tree.trace[rows]})
    frame["seconds"] = spent[rows] / 1e6 * weight[frame["trace"]]
    grouped = frame.groupby(["where", "name", "part"], sort=False, dropna=False, observed=True)
    out = grouped.agg(seconds=("seconds", "sum"), traces=("trace", "nunique")).reset_index()
    out["seconds"] /= float(weight.sum()) or 1.0
    out["share"] = out["seconds"] / total_s if total_s else 0.0
    out["traces"] = out["traces"] / max(tree.traces, 1)
    out["name"] = out["name"].astype(object)
    out = out.sort_values("seconds", ascending=False, kind="stable").reset_index(drop=True)
    return out[["where", "name", "part", "seconds", "share", "traces"]]
