"""Which changes are suspected, and why: the result of ranking them against the onset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from kit.numerics.moments import Moment, clock, length
from kit.result import Result


@dataclass(frozen=True, slots=True)
class Suspect:
    """One change as seen from the onset.

    `relation`: before, within_uncertainty, after (a response or consequence). `effect`: when it took effect (None:
    not yet, or not known). `derived`: nobody reported it, the data shows it.
    `p_coincidence`: chance of a change like it so near to the onset; NaN: base rate unknown.
    `by_time`: time alone makes it stand out. `over`: it was undone or replaced before the onset. `rank` None: listed,
    not suspected. `score` 0–1 orders them, no probability.
    """

    id: str
    rank: int | None
    relation: str
    p_coincidence: float
    ref: str | None
    kind: str
    service: str | None
    time: datetime
    summary: str
    because: tuple[str, ...]
    score: float
    effect: datetime | None
    by_time: bool
    scope: str
    reverted_by: str | None
    reverts: str | None
    fraction: float
    after: str | None = None
    brings: tuple[str, ...] = ()
    derived: bool = False
    over: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suspects(Result):
    """Every change, suspects first by rank. `enough_to_act`: the first stands out by time and scope, or by content."""

    suspects: tuple[Suspect, ...]
    onset: Moment | None
    because: tuple[str, ...]
    second: bool = False

    @property
    def ranked(self) -> tuple[Suspect, ...]:
        """Those that are suspected, best first."""
        return tuple(s for s in self.suspects if s.rank is not None)

    @property
    def responses(self) -> tuple[Suspect, ...]:
        """Those after the onset, in order of time."""
        return tuple(sorted((s for s in self.suspects if s.relation == "after"), key=lambda s: s.time))

    @property
    def enough_to_act(self) -> bool:
        """Does the first suspect stand out enough to undo it, if that is safe? Never enough to conclude."""
        ranked = self.ranked
        if not ranked or (len(ranked) > 1 and ranked[1].score > 0.8 * ranked[0].score):
            return False
        return ranked[0].score >= 0.5 and ranked[0].by_time

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.onset is None:
            return f"{len(self.suspects)} changes and no onset to compare them with."
        ranked = self.ranked
        if not ranked:
            said = f"None of {len(self.suspects)} changes is a suspect"
            return f"{said}: {self.because[0]}." if self.because else f"{said}."
        first = ranked[0]
        chance = "base rate unknown" if np.isnan(first.p_coincidence) else f"{first.p_coincidence:.0%} by chance"
        when = told_when(first, self.onset)
        return f"{first.summary} ({clock(first.time)}, {when}; {chance}) is the first of {len(ranked)} suspects."

    def to_frame(self) -> pd.DataFrame:
        """A row per change: id, rank, relation, p_coincidence, ref, kind, service, time, summary, because, …"""
        names = [
            "id",
            "rank",
            "relation",
            "p_coincidence",
            "ref",
            "kind",
            "service",
            "time",
            "summary",
            "because",
            "score",
            "effect",
            "scope",
            "by_time",
            "reverted_by",
            "derived",
            "over",
        ]
        rows = [{n: getattr(s, n) for n in names} | {"because": "; ".join(s.because)} for s in self.suspects]
        frame = pd.DataFrame(rows, columns=names)
        frame["rank"] = frame["rank"].astype("Int64")
        frame["time"] = pd.to_datetime(frame["time"], utc=True)
        frame["effect"] = pd.to_datetime(frame["effect"], utc=True)
        return frame


def told_when(s: Suspect, onset: Moment) -> str:
    """When was it, seen from the onset, in words?"""
    at = s.effect or s.time
    ahead = (onset.earliest - at).total_seconds()
    if s.relation == "after":
        return f"{length((at - onset.latest).total_seconds())} after the onset"
    if s.relation == "within_uncertainty":
        return "within the onset's uncertainty"
    return f"{length(ahead)} before the onset"
