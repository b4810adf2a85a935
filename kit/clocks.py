"""Do the clocks agree? The offset of two sources or hosts as an interval, from what both saw; nothing is shifted.

Two logs share requests, two hosts share the calls between them: what is inside began after what is around it and ended
before. Spans also say how many of them lack the parent they name, as calls whose other half was lost say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.result import Result
from kit.spantree import SpanTree, span_tree

FEWEST = 20
STRAYS = 0.01
"""The share of pairs on either side that may contradict the rest: a retried request, a rounded time."""
WIDE_S = 5.0
"""An interval wider than this says too little to compare clocks by."""
SLACK_S = 0.01
"""By so much a call's bound is not trusted: a busy host may end its span a little after its answer was read."""
PARTIAL = 0.10
"""Of more spans than this share without their parent, totals from traces are lower bounds."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far `other`'s clock is ahead of `one`'s, in seconds: between `low` and `high`, from so many pairs.

    A pair is one of the `requests` that two logs wrote down, or of the `calls` between two hosts. `low` above `high`:
    no constant offset fits, so a clock was set or drifts.
    """

    one: str
    other: str
    low: float
    high: float
    pairs: int
    shared: str = "requests"

    @property
    def agree(self) -> bool:
        """Can both be right: does the interval hold zero?"""
        return self.low <= 0 <= self.high

    @property
    def error_s(self) -> float:
        """Half the width of the interval: how well the offset is known."""
        return abs(self.high - self.low) / 2

    @property
    def text(self) -> str:
        """The offset in words."""
        if self.low > self.high:
            return f"the clocks of {self.one} and {self.other} differ by no constant offset: one was set, or drifts"
        middle = (self.low + self.high) / 2
        if self.agree:
            return f"the clocks of {self.one} and {self.other} agree within {max(-self.low, self.high):.3g} s"
        ahead, behind = (self.other, self.one) if middle > 0 else (self.one, self.other)
        return f"the clock of {ahead} is ahead of {behind}'s by {abs(middle):.3g} ± {self.error_s:.2g} s"


@dataclass(frozen=True, slots=True)
class Clocks(Result):
    """The offsets of every pair of sources or hosts that could be compared, and which could not be.

    `orphans` of so many `spans` lack the parent that they name.
    """

    offsets: tuple[Offset, ...]
    unknown: tuple[str, ...]
    because: tuple[str, ...]
    spans: int = 0
    orphans: int = 0

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        off = [o for o in self.offsets if not o.agree]
        if off:
            return f"{off[0].text[:1].upper()}{off[0].text[1:]}; nothing was shifted."
        if not self.offsets:
            return "No two sources saw the same requests, so their clocks cannot be compared."
        widest = max(max(-o.low, o.high) for o in self.offsets)
        which = f"All {len(self.offsets)} pairs of clocks agree" if len(self.offsets) > 1 else "The two clocks agree"
        return f"{which}, the least known within {widest:.3g} s."

    @property
    def gaps(self) -> tuple[str, ...]:
        """What this leaves unknown, in sentences: pairs that disagree, and traces of which much is lost."""
        off = [f"{o.text}: order within that is unknown" for o in self.offsets if not o.agree]
        if self.spans and self.orphans / self.spans > PARTIAL:
            lost = f"{self.orphans / self.spans:.0%} of {self.spans:,} spans lack the parent they name"
            off.append(f"{lost}: traces are partial, totals from them are lower bounds")
        return tuple(off)

    def to_frame(self) -> pd.DataFrame:
        """A row per pair: one, other, low, high (seconds), pairs, shared (requests or calls), agree."""
        names = ["one", "other", "low", "high", "pairs", "shared", "agree"]
        return pd.DataFrame([{n: getattr(o, n) for n in names} for o in self.offsets], columns=names)


def compare_clocks(calls: Sequence[tuple[str, pd.DataFrame, str, pd.DataFrame]] = (), *, spans: Any = None) -> Clocks:
    """How far do the clocks of a caller and its callee differ: of two logs, and of two hosts that made spans?

    `calls`: (caller, its rows, callee, its rows); rows have `trace_id` (or any id that both wrote), `time` (UTC, at
    completion) and `duration_s`. An inner request begins after the outer one began and ends before it ended, so each
    pair bounds the offset from both sides; a hundredth of the pairs may stray. At least 20 pairs. Network time widens
    the interval and never shifts it. An id that several requests of one side share (a retry) is left out.

    `spans`: SPANS, whose client and server spans bound the clocks of their hosts in the same way, calls either way
    together; each bound is 10 ms wider than it was seen, since servers end their spans a little late. Calls that failed
    (a caller that gave up ends before its server), messages and children within one host say nothing. Known only within
    more than 5 s is unknown. It can mislead where every call waits on one side only (a queue before the server): the
    interval is then wide, not wrong.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=30, freq="1s")
    >>> outer = pd.DataFrame({"trace_id": range(30), "time": at, "duration_s": 0.1})
    >>> inner = pd.DataFrame({"trace_id": range(30), "time": at + pd.Timedelta("1.95s"), "duration_s": 0.04})
    >>> compare_clocks([("web", outer, "db", inner)]).headline
    "The clock of db is ahead of web's by 1.98 ± 0.03 s; nothing was shifted."
    """
    tree = span_tree(spans) if spans is not None and len(spans) else None
    found = [_by_requests(one, outer, other, inner) for one, outer, other, inner in calls]
    found += _by_calls(tree) if tree is not None else ()
    offsets = tuple(f for f in found if isinstance(f, Offset))
    unknown = tuple(f for f in found if isinstance(f, str))
    size, orphans = (len(tree), int(tree.orphan.sum())) if tree is not None else (0, 0)
    lost = [f"{orphans:,} of {size:,} spans lack the parent they name"] if size else []
    return Clocks(offsets, unknown, (*lost, *(o.text for o in offsets), *unknown), size, orphans)


def _bounded(one: str, other: str, least: np.ndarray, most: np.ndarray, shared: str, slack_s: float) -> Offset | str:
    """The offset that the bounds of every shared call leave, or in words why it stays unknown.

    `least` and `most`: by how many seconds `other` is ahead at least and at most, a value a call; a hundredth of them
    may stray. Each bound is trusted only to `slack_s`.
    """
    if len(least) < FEWEST:
        return f"{one} and {other} share fewer than {FEWEST} {shared}"
    low = float(np.quantile(least, 1 - STRAYS)) - slack_s
    high = float(np.quantile(most, STRAYS)) + slack_s
    if high - low > WIDE_S:
        return f"{one} and {other} bound each other's clock only within {high - low:.0f} s"
    return Offset(one, other, low, high, len(least), shared)


def _by_requests(one: str, outer: pd.DataFrame, other: str, inner: pd.DataFrame) -> Offset | str:
    sides = [_once(side) for side in (outer, inner)]
    pairs = sides[0].add_suffix("_outer").join(sides[1].add_suffix("_inner"), how="inner")
    least = (pairs["end_inner"] - pairs["end_outer"]).to_numpy()
    most = (pairs["start_inner"] - pairs["start_outer"]).to_numpy()
    return _bounded(one, other, least, most, "requests", 0.0)


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    """Begin and end in seconds of each request whose id stands on one row only."""
    known = rows.dropna(subset=["trace_id", "time", "duration_s"])
    known = known[~known["trace_id"].duplicated(keep=False)]
    end = pd.DatetimeIndex(known["time"]).as_unit("us").asi8 / 1e6
    start = end - known["duration_s"].to_numpy(dtype="float64")
    return pd.DataFrame({"start": start, "end": end}, index=known["trace_id"].astype(str).to_numpy())


def _by_calls(tree: SpanTree) -> Iterator[Offset | str]:
    """Each two hosts that call each other, in the order of their names."""
    low, high, one, other = _bounds(tree)
    names = tree.host.values
    for a, b in sorted(set(zip(one.tolist(), other.tolist(), strict=True)), key=lambda p: (names[p[0]], names[p[1]])):
        these = (one == a) & (other == b)
        yield _bounded(names[a], names[b], low[these], high[these], "calls", SLACK_S)


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
