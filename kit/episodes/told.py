"""All episodes of a case, each with its own class, first suspect and break, and what none of them carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kit.episodes.episode import Episode
from kit.result import Result

RESIDUAL = 0.1
"""From this share of the excess on, the rest is worth another walk."""


@dataclass(frozen=True, slots=True)
class ToldEpisode:
    """One episode as its own walk tells it. `values`: what it contributes to the findings; empty for the main one."""

    episode: Episode
    failure: str
    suspect: str | None
    between: str | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Episodes(Result):
    """Every episode, in order of onset. `main`: the position of the one that the other notebooks investigate."""

    told: tuple[ToldEpisode, ...]
    main: int
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if not self.told:
            return "There is no episode of harm."
        rest = self.residual
        tail = f"; {rest:.0%} of the excess is carried by none of them" if rest > RESIDUAL else ""
        if len(self.told) == 1:
            return f"One episode carries the harm{tail.replace('none of them', 'its routes and times not')}."
        cuts = [t.between or "not located" for t in self.told]
        return f"{len(self.told)} episodes, with breaks at {' and '.join(cuts)}{tail}."

    @property
    def residual(self) -> float:
        """The share of the excess that no episode carries; 0 where there is no excess of requests."""
        known = [t.episode.residual for t in self.told if t.episode.residual == t.episode.residual]
        return max(known, default=0.0)

    def to_frame(self) -> pd.DataFrame:
        """A row per episode: onset, recovered, where, share_of_traffic, failure, suspect, between, residual."""
        rows = [
            {
                "onset": str(t.episode.onset), "recovered": str(t.episode.recovered or "lasts"),
                "where": t.episode.where, "share_of_traffic": t.episode.share_of_traffic, "failure": t.failure,
                "suspect": t.suspect, "between": t.between, "residual": t.episode.residual,
            }
            for t in self.told
        ]  # fmt: skip
        names = ["onset", "recovered", "where", "share_of_traffic", "failure", "suspect", "between", "residual"]
        return pd.DataFrame(rows, columns=names)
