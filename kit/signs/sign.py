"""One sign, and the words in which readings of the board are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kit.golden_signals import SignalBoard, SignalReading


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is so, is not so, or is not known (`held` None), in words with its numbers."""

    name: str
    held: bool | None
    says: str


def moved(name: str, readings: list[SignalReading], arrow: str, yes: str, no: str, unknown: str) -> Sign:
    """A sign that is held when a reading went this way, not held when none did, unknown when none was measured."""
    hits = [r for r in readings if r.arrow == arrow]
    if hits:
        return Sign(name, True, f"{yes}: {told(hits)}")
    known = [r for r in readings if r.arrow != "unknown"]
    return Sign(name, False, no) if known else Sign(name, None, unknown)


def readings_of_entry(board: SignalBoard, entry: str | None) -> list[SignalReading]:
    """What the board shows of the entry; where it shows nothing of it, of users' requests, then of anything."""
    mine = list(board.of(entry)) if entry is not None else []
    if mine:
        return mine
    requests = [r for r in board.readings if name_of(r).startswith("requests.")]
    return requests or list(board.readings)


def episode_of(symptom: Any) -> Any:
    """The episode of a symptom, whether a whole symptom was given or one of its episodes; None: nobody is hurt."""
    if symptom is None:
        return None
    episodes = getattr(symptom, "episodes", None)
    if episodes is None:
        return symptom
    return episodes[0] if episodes else None


def kinds_of_nodes(path: pd.DataFrame | None) -> dict[str, str]:
    """What kind of node is each callee of the path?"""
    if path is None:
        return {}
    return {str(r.callee): str(r.kind) for r in path.itertuples()}


def outermost(path: pd.DataFrame) -> list[str]:
    """Who calls and is called by nobody?"""
    callees = set(path["callee"])
    return [c for c in dict.fromkeys(path["caller"]) if c not in callees]


def tails(readings: Iterable[SignalReading]) -> list[SignalReading]:
    """The tail where there is one, else whatever there is; each call once."""
    best: dict[str, SignalReading] = {}
    for r in readings:
        key = r.signal.rsplit(".", 1)[0]
        if key not in best or r.signal.endswith("p99"):
            best[key] = r
    return list(best.values())


def name_of(reading: SignalReading) -> str:
    """A reading's name without whose it is."""
    return reading.signal.rpartition("/")[2].lower()


def told(readings: Iterable[SignalReading]) -> str:
    """The first three readings in words."""
    return ", ".join(r.text for r in list(readings)[:3])
