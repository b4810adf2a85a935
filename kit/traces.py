"""What do the traces say? Self time, critical path, where errors originate, time between caller and callee.

Every function takes SPANS (pandas or pyarrow) and leaves it as it is. Durations are compared only within one host's
clock: nothing here is shifted for clock skew, which `kit.clocks` reports.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kit.cohorts import TraceDifference, compare_traces
from kit.critical_path import CriticalPath, critical_path, path_seconds
from kit.span_places import category, is_kind, place, trace_weight
from kit.spantree import covered_by_children, span_tree

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
            "service": category(tree.service),
            "name": category(tree.name),
            "kind": category(tree.kind),
            "duration_s": tree.duration_s,
            "self_s": own,
        }
    )


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
    weight = trace_weight(tree)
    failing = float(weight[np.unique(tree.trace[tree.error])].sum())
    frame = pd.DataFrame(
        {
            "where": place(tree)[rows],
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
    server = np.flatnonzero(tree.remote() & is_kind(tree, ("server", "consumer"), or_null=True))
    server = server[is_kind(tree, ("client", "producer"))[tree.parent[server]]]
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
    alone = np.flatnonzero(is_kind(tree, ("client", "producer")) & ~has_remote_child & (tree.peer.codes >= 0))
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


def _plain(spans: Any, name: str) -> Any:
    return spans[name].to_numpy() if isinstance(spans, pd.DataFrame) else spans.column(name).to_pandas()
