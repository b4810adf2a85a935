"""Do the clocks of two sources agree? The offset as an interval, from requests that both saw; nothing is shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.result import Result

FEWEST = 20
STRAYS = 0.01
"""The share of pairs on either side that may contradict the rest: a retried request, a rounded time."""
WIDE_S = 5.0
"""An interval wider than this says too little to compare clocks by."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far `other`'s clock is ahead of `one`'s, in seconds: between `low` and `high`, from so many shared requests.

    `low` above `high`: no constant offset fits, so a clock was set or drifts.
    """

    one: str
    other: str
    low: float
    high: float
    pairs: int

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
    """The offsets of every pair of sources that could be compared, and which could not be."""

    offsets: tuple[Offset, ...]
    unknown: tuple[str, ...]
    because: tuple[str, ...]

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
        """What this leaves unknown: pairs that disagree, in sentences."""
        return tuple(f"{o.text}: order within that is unknown" for o in self.offsets if not o.agree)

    def to_frame(self) -> pd.DataFrame:
        """A row per pair: one, other, low, high (seconds), pairs, agree."""
        names = ["one", "other", "low", "high", "pairs", "agree"]
        return pd.DataFrame([{n: getattr(o, n) for n in names} for o in self.offsets], columns=names)


def compare_clocks(calls: Sequence[tuple[str, pd.DataFrame, str, pd.DataFrame]]) -> Clocks:
    """How far do the clocks of a caller and its callee differ?

    `calls`: (caller, its rows, callee, its rows); rows have `trace_id` (or any id that both wrote), `time` (UTC, at
    completion) and `duration_s`. An inner request begins after the outer one began and ends before it ended, so each
    pair bounds the offset from both sides; a hundredth of the pairs may stray. At least 20 pairs. Network time widens
    the interval and never shifts it. An id that several requests of one side share (a retry) is left out.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=30, freq="1s")
    >>> outer = pd.DataFrame({"trace_id": range(30), "time": at, "duration_s": 0.1})
    >>> inner = pd.DataFrame({"trace_id": range(30), "time": at + pd.Timedelta("1.95s"), "duration_s": 0.04})
    >>> compare_clocks([("web", outer, "db", inner)]).headline
    "The clock of db is ahead of web's by 1.98 ± 0.03 s; nothing was shifted."
    """
    return told([_offset(one, outer, other, inner) for one, outer, other, inner in calls])


def bounded(
    one: str, other: str, *, least: np.ndarray, most: np.ndarray, what: str, slack_s: float = 0.0
) -> Offset | str:
    """The offset that the bounds of every shared call leave, or in words why it stays unknown.

    `least` and `most`: by how many seconds `other` is ahead at least and at most, a value a call; a hundredth of them
    may stray. Each bound is trusted only to `slack_s`.
    """
    if len(least) < FEWEST:
        return f"{one} and {other} share fewer than {FEWEST} {what}"
    low = float(np.quantile(least, 1 - STRAYS)) - slack_s
    high = float(np.quantile(most, STRAYS)) + slack_s
    if high - low > WIDE_S:
        return f"{one} and {other} bound each other's clock only within {high - low:.0f} s"
    return Offset(one, other, low, high, len(least))


def told(found: Sequence[Offset | str], *, because: Sequence[str] = ()) -> Clocks:
    """The pairs that could be compared and those that could not, as one answer."""
    offsets = tuple(f for f in found if isinstance(f, Offset))
    unknown = tuple(f for f in found if isinstance(f, str))
    return Clocks(offsets, unknown, (*because, *(o.text for o in offsets), *unknown))


def _offset(one: str, outer: pd.DataFrame, other: str, inner: pd.DataFrame) -> Offset | str:
    sides = [_once(side) for side in (outer, inner)]
    pairs = sides[0].add_suffix("_outer").join(sides[1].add_suffix("_inner"), how="inner")
    return bounded(
        one, other, what="requests",
        least=(pairs["end_inner"] - pairs["end_outer"]).to_numpy(),
        most=(pairs["start_inner"] - pairs["start_outer"]).to_numpy(),
    )  # fmt: skip


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    """Begin and end in seconds of each request whose id stands on one row only."""
    known = rows.dropna(subset=["trace_id", "time", "duration_s"])
    known = known[~known["trace_id"].duplicated(keep=False)]
    end = pd.DatetimeIndex(known["time"]).as_unit("us").asi8 / 1e6
    start = end - known["duration_s"].to_numpy(dtype="float64")
    return pd.DataFrame({"start": start, "end": end}, index=known["trace_id"].astype(str).to_numpy())
