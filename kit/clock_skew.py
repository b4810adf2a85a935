"""Do the clocks of the hosts agree that made these spans? Each pair's offset as an interval; nothing is shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.clocks import Clocks, bounded, told
from kit.spantree import SpanTree, span_tree

SLACK_S = 0.01
"""By so much a bound is not trusted: a server's span of a busy host may end a little after its answer was read."""


def compare_span_clocks(spans: Any) -> Clocks:
    """How far do the clocks of each two hosts differ that call each other?

    Takes SPANS. A server's span begins after its caller's client span began and ends before that ended, so every call
    bounds the offset from both sides, and calls the other way round bound it once more; a hundredth of them may stray,
    and each bound is 10 ms wider than it was seen, since servers end their spans a little late. Pairs with fewer than
    20 calls, or known only within more than 5 s, are unknown. Calls that failed (a caller that gave up ends before its
    server), messages and children within one host say nothing. `because` begins with the share of spans that lack the
    parent they name: calls whose other half was lost are not compared. Offsets are in seconds, of `other` ahead of
    `one`.

    It can mislead where every call waits on one side only (a queue before the server): the interval is then wide, not
    wrong. A clock that was set in between shows as low above high.

    >>> import pandas as pd
    >>> at = pd.date_range("2026-03-01T02:00Z", periods=30, freq="1s")
    >>> def made(host, kind, late, length, span, parent):
    ...     return pd.DataFrame({"start": at + pd.Timedelta(late), "duration_s": length, "host": host, "kind": kind,
    ...         "trace_id": [f"t{i}" for i in range(30)], "span_id": span, "parent_id": parent, "service": host})
    >>> spans = pd.concat([made("web-1", "client", "0s", 0.1, "a", None), made("db-1", "server", "2s", 0.04, "b", "a")])
    >>> compare_span_clocks(spans).headline
    "The clock of db-1 is ahead of web-1's by 1.97 ± 0.04 s; nothing was shifted."
    """
    tree = span_tree(spans)
    low, high, one, other = _bounds(tree)
    names = tree.host.values
    found = []
    for a, b in sorted(set(zip(one.tolist(), other.tolist(), strict=True)), key=lambda p: (names[p[0]], names[p[1]])):
        these = (one == a) & (other == b)
        found.append(bounded(names[a], names[b], least=low[these], most=high[these], what="calls", slack_s=SLACK_S))
    return told(found, because=_orphans(tree))


def _bounds(tree: SpanTree) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each call between hosts: the least and the most by which the second host's clock can be ahead, in seconds, and
    the two hosts, the one first that is met first in the alphabet."""
    child = np.flatnonzero(tree.parent >= 0)
    parent = tree.parent[child]
    theirs, ours = tree.host.codes[parent], tree.host.codes[child]
    calling, serving = (tree.kind.code(kind) for kind in ("client", "server"))
    called = (tree.kind.codes[parent] == calling) & (tree.kind.codes[child] == serving)
    apart = called & ~tree.error[parent] & (theirs >= 0) & (ours >= 0) & (theirs != ours)
    child, parent, theirs, ours = child[apart], parent[apart], theirs[apart], ours[apart]
    late_end = (tree.end[child] - tree.end[parent]) / 1e6
    late_start = (tree.start[child] - tree.start[parent]) / 1e6
    rank = np.empty(len(tree.host.values), dtype=np.int64)
    rank[np.argsort(np.array(tree.host.values, dtype=object))] = np.arange(len(tree.host.values))
    forward = rank[theirs] < rank[ours]
    low, high = np.where(forward, late_end, -late_start), np.where(forward, late_start, -late_end)
    return low, high, np.where(forward, theirs, ours), np.where(forward, ours, theirs)


def _orphans(tree: SpanTree) -> tuple[str, ...]:
    share = float(tree.orphan.mean()) if len(tree) else 0.0
    return (f"{share:.1%} of {len(tree):,} spans lack the parent they name",) if share else ()
