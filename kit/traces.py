"""What do the traces say? Self time, critical path, where errors originate, time between caller and callee.

Every function takes SPANS (pandas or pyarrow) and leaves it as it is. Durations are compared only within one host's
clock: nothing here is shifted for clock skew, which `kit.clocks` reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.cohorts import TraceDifference, compare_traces
from kit.result import Result
from kit.spantree import SpanTree, covered_by_children, span_tree

__all__ = [
    "CriticalPath",
    "TraceDifference",
    "compare_traces",
    "critical_path",
    "edges_of",
    "error_origins",
    "gaps",
    "path_seconds",
    "self_time",
]

"""Above this share of spans without their parent, results that need whole traces are marked."""


def self_time(spans: Any) -> pd.DataFrame:
    """How long was each span itself at work, its children taken off?

    A row per span, in the order given: `trace_id`, `span_id`, `service`, `name`, `kind`, `duration_s`, `self_s`
    (seconds). Method: the union of the children's intervals, cut to the parent's, taken off its duration; children that
    overlap are counted once. Assumes parent and child on clocks that agree, or nearly. No test is made, so there is no
    false-alarm rate. A span without its children's spans (sampled away, not instrumented) looks busy itself: that is
    how this misleads; `kit.clocks` says how many parents are missing. Threads that work beside waiting count as
    waiting.

    >>> import pandas as pd
    >>> t = pd.Timestamp("2026-01-01T00:00:00Z")
    >>> spans = pd.DataFrame({"start": [t, t + pd.Timedelta("1s")], "duration_s": [3.0, 1.5], "trace_id": ["t", "t"],
    ...     "span_id": ["a", "b"], "parent_id": [None, "a"], "service": ["web", "db"], "name": ["GET", "SELECT"]})
    >>> self_time(spans)["self_s"].tolist()
    [1.5, 1.5]
    """
    tree = span_tree(spans)
    own = np.maximum(tree.duration_s - covered_by_children(tree) / 1e6, 0.0)
    return pd.DataFrame(
        {
            "trace_id": _plain(spans, "trace_id"),
            "span_id": _plain(spans, "span_id"),
            "service": _category(tree.service),
            "name": _category(tree.name),
            "kind": _category(tree.kind),
            "duration_s": tree.duration_s,
            "self_s": own,
        }
    )


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
    weight = _trace_weight(tree)
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


def error_origins(spans: Any) -> pd.DataFrame:
    """Where do errors begin? An erroring span with no erroring child is an origin; its ancestors pass it on.

    `where` (a service, or `caller → peer` when a client span failed and its server did not or was not traced),
    `service`, `name`, `error_type`, `spans`, `traces` and `share` of the failing traces (weighted). A service that
    answers an error out of its callee's success is its own origin; an error swallowed on the way up
    counts.

    >>> import pandas as pd
    >>> t = pd.Timestamp("2026-01-01T00:00:00Z")
    >>> spans = pd.DataFrame({"start": [t, t], "duration_s": [1.0, 0.5], "trace_id": ["t", "t"], "span_id": ["a", "b"],
    ...     "parent_id": [None, "a"], "service": ["web", "db"], "name": ["GET", "SELECT"], "status": "error"})
    >>> error_origins(spans)["where"].tolist()
    ['db']
    """
    tree = span_tree(spans)
    passes_on = np.zeros(len(tree), dtype=bool)
    erring_child = np.flatnonzero(tree.error & (tree.parent >= 0))
    passes_on[tree.parent[erring_child]] = True
    rows = np.flatnonzero(tree.error & ~passes_on)
    columns = ["where", "service", "name", "error_type", "spans", "traces", "share"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    weight = _trace_weight(tree)
    failing = float(weight[np.unique(tree.trace[tree.error])].sum())
    frame = pd.DataFrame(
        {
            "where": _where(tree)[rows],
            "service": tree.service.texts(rows),
            "name": tree.name.texts(rows),
            "error_type": tree.error_type.texts(rows),
            "trace": tree.trace[rows],
        }
    )
    frame["weight"] = weight[frame["trace"]]
    keys = ["where", "service", "name", "error_type"]
    once = (
        frame.drop_duplicates([*keys, "trace"]).groupby(keys, dropna=False, sort=False)["weight"].agg(["size", "sum"])
    )
    count = frame.groupby(keys, dropna=False, sort=False).size()
    out = once.assign(spans=count).reset_index().rename(columns={"size": "traces", "sum": "share"})
    out["share"] = out["share"] / failing
    return out.sort_values(["share", "spans"], ascending=False, kind="stable")[columns].reset_index(drop=True)


def gaps(spans: Any) -> pd.DataFrame:
    """How much time passes between the client's clock and the server's, per call edge? Network, queue and pool.

    A row per `caller`, `callee`: `calls`, `client_p50_s`, `server_p50_s`, `gap_p50_s`, `gap_p95_s`, `gap_mean_s`. Only
    durations are subtracted, so clocks that disagree do not matter. Needs the client span and its server span; edges
    without both are absent, not zero. Retries inside one client span appear as one call per server span.
    """
    tree = span_tree(spans)
    server = np.flatnonzero(tree.remote() & _is(tree, ("server", "consumer"), or_null=True))
    server = server[_is(tree, ("client", "producer"))[tree.parent[server]]]
    client = tree.parent[server]
    frame = pd.DataFrame(
        {
            "caller": tree.service.texts(client),
            "callee": tree.service.texts(server),
            "client_s": tree.duration_s[client],
            "server_s": tree.duration_s[server],
        }
    )
    frame["gap_s"] = frame["client_s"] - frame["server_s"]
    grouped = frame.groupby(["caller", "callee"], sort=True)
    return grouped.agg(
        calls=("gap_s", "size"),
        client_p50_s=("client_s", "median"),
        server_p50_s=("server_s", "median"),
        gap_p50_s=("gap_s", "median"),
        gap_p95_s=("gap_s", lambda g: g.quantile(0.95)),
        gap_mean_s=("gap_s", "mean"),
    ).reset_index()


def edges_of(spans: Any) -> pd.DataFrame:
    """Who calls whom, as far as these spans show?

    A row per `caller`, `callee`: `calls`, `errors` (weighted), `duration_mean_s`, `duration_p50_s`, `duration_p99_s`,
    `method` (*parent_child*: both sides traced, durations as the callee measures them; *peer*: the caller's side alone,
    from the span's peer), `traces` that show the edge of `traces_total`. Calls inside one service are not edges.
    """
    tree = span_tree(spans)
    called = np.flatnonzero(tree.remote())
    has_remote_child = np.zeros(len(tree), dtype=bool)
    has_remote_child[tree.parent[called]] = True
    alone = np.flatnonzero(_is(tree, ("client", "producer")) & ~has_remote_child & (tree.peer.codes >= 0))
    rows = np.concatenate([called, alone])
    frame = pd.DataFrame(
        {
            "caller": np.concatenate([tree.service.texts(tree.parent[called]), tree.service.texts(alone)]),
            "callee": np.concatenate([tree.service.texts(called), tree.peer.texts(alone)]),
            "method": np.repeat(["parent_child", "peer"], [len(called), len(alone)]),
            "trace": tree.trace[rows],
            "duration_s": tree.duration_s[rows],
            "calls": tree.weight[rows],
            "errors": tree.weight[rows] * tree.error[rows],
        }
    )
    grouped = frame.groupby(["caller", "callee", "method"], sort=True)
    out = grouped.agg(
        calls=("calls", "sum"),
        errors=("errors", "sum"),
        duration_mean_s=("duration_s", "mean"),
        duration_p50_s=("duration_s", "median"),
        duration_p99_s=("duration_s", lambda d: d.quantile(0.99)),
        traces=("trace", "nunique"),
    ).reset_index()
    out["traces_total"] = tree.traces
    order = ["caller", "callee", "calls", "errors", "duration_mean_s", "duration_p50_s", "duration_p99_s", "method"]
    return out[[*order, "traces", "traces_total"]]


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


def _trace_weight(tree: SpanTree) -> np.ndarray:
    """How many traces each one stands for: the mean weight of its spans."""
    count = np.bincount(tree.trace, minlength=tree.traces)
    return np.bincount(tree.trace, weights=tree.weight, minlength=tree.traces) / np.maximum(count, 1)


def _path_parts(
    tree: SpanTree, on_path: np.ndarray, spent: np.ndarray, weight: np.ndarray, total_s: float
) -> pd.DataFrame:
    rows = np.flatnonzero(on_path)
    where, part = _where(tree, rows), _part(tree)[rows]
    where = np.where(part == "self", tree.service.texts(rows), where)
    frame = pd.DataFrame({"where": where, "name": _category(tree.name, rows), "part": part, "trace": tree.trace[rows]})
    frame["seconds"] = spent[rows] / 1e6 * weight[frame["trace"]]
    grouped = frame.groupby(["where", "name", "part"], sort=False, dropna=False, observed=True)
    out = grouped.agg(seconds=("seconds", "sum"), traces=("trace", "nunique")).reset_index()
    out["seconds"] /= float(weight.sum()) or 1.0
    out["share"] = out["seconds"] / total_s if total_s else 0.0
    out["traces"] = out["traces"] / max(tree.traces, 1)
    out["name"] = out["name"].astype(object)
    out = out.sort_values("seconds", ascending=False, kind="stable").reset_index(drop=True)
    return out[["where", "name", "part", "seconds", "share", "traces"]]


def _part(tree: SpanTree) -> np.ndarray:
    """*self*, *between* (client with its server traced) or *peer* (client whose server is not) of each span."""
    has_remote_child = np.zeros(len(tree), dtype=bool)
    has_remote_child[tree.parent[np.flatnonzero(tree.remote())]] = True
    client = _is(tree, ("client", "producer"))
    return np.select([client & has_remote_child, client], ["between", "peer"], "self")


def _where(tree: SpanTree, rows: np.ndarray | None = None) -> np.ndarray:
    """A span's place: its service, or `caller → callee` for a client span (the callee traced, else its peer)."""
    rows = np.arange(len(tree)) if rows is None else rows
    callee = tree.peer.texts(rows)
    remote = np.flatnonzero(tree.remote())
    child_of = np.full(len(tree), -1, dtype=np.int64)
    child_of[tree.parent[remote]] = remote
    traced = child_of[rows] >= 0
    callee[traced] = tree.service.texts(child_of[rows][traced])
    service = tree.service.texts(rows)
    client = _is(tree, ("client", "producer"))[rows] & np.array([c is not None for c in callee], dtype=bool)
    service[client] = [f"{a} → {b}" for a, b in zip(service[client], callee[client], strict=True)]
    return service


def _is(tree: SpanTree, kinds: tuple[str, ...], *, or_null: bool = False) -> np.ndarray:
    found = np.isin(tree.kind.codes, [tree.kind.code(kind) for kind in kinds])
    return found | (tree.kind.codes < 0) if or_null else found


def _plain(spans: Any, name: str) -> Any:
    return spans[name].to_numpy() if isinstance(spans, pd.DataFrame) else spans.column(name).to_pandas()


def _category(labels: Any, rows: np.ndarray | None = None) -> pd.Categorical:
    codes = labels.codes if rows is None else labels.codes[rows]
    values = pd.Index(labels.values)
    if not values.is_unique:
        return pd.Categorical(labels.texts(rows))
    return pd.Categorical.from_codes(codes, categories=values)
