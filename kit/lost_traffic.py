"""Fewer requests come: whose are missing, and where on the way to the first hop that is seen do they end?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.base import Selection
from connectors.window import Window
from kit.path import Cut, path_edges

if TYPE_CHECKING:
    from connectors.base import LogSource

CARRIES = 0.5
"""A value stands for the loss when it carries at least this share of the missing requests."""


def whose_are_missing(
    logs: Iterable[tuple[LogSource, str | None, Sequence[str]]], *, baseline: Window, incident: Window
) -> pd.DataFrame:
    """Which values of which fields are rarer among the requests that still come than among those before?

    `logs`: request logs from the outermost hop inwards, each with the filter that keeps users' requests and the fields
    to compare; the outermost often knows least, so the first that names a value which carries half of the loss is
    taken. The columns are those of `explain_difference`, the requests of the baseline being the *bad* ones (the whole)
    and those of the incident the *good* ones (what is left); `explains` is the share of the missing requests that the
    value carries: (expected − seen) of the value over that of all, expected from the baseline's rate.

    Misleads when the mix of users changes with the hour. Empty: no log tells whose they were.
    """
    from kit.difference import explain_source_difference

    best = None
    for source, users, fields in logs:
        if not fields:
            continue
        found = explain_source_difference(
            source, bad=Selection(baseline, users), good=Selection(incident, users), fields=list(fields)
        )
        found = _with_loss(found, _count(source, baseline, users), _count(source, incident, users), baseline, incident)
        if best is None:
            best = found
        if len(found):
            return found
    return best if best is not None else pd.DataFrame(columns=["predicate", "bad_share", "good_share", "explains"])


def cut_before_entry(path: Any, entry: str | None) -> Cut:
    """Where do requests get lost that never reach the first hop that is seen? Between it and whoever calls it.

    `path` is PATH, `entry` the outermost hop whose requests are counted. Without a path, or when nobody calls the entry
    in it, the cut is before the entry, by name.
    """
    edges = path_edges(path) if path is not None else []
    callers = [e["caller"] for e in edges if e["callee"] == entry]
    outside = callers[0] if callers else "whoever calls it"
    place = f"{outside} → {entry or 'the entry'}"
    why = f"what reaches {entry or 'the entry'} is answered as before, there is only less of it: it ends before"
    return Cut(place, "between", (), (entry or "the entry",), (outside,) if callers else (), None, 0, because=(why,))


def _with_loss(found: pd.DataFrame, before: float, now: float, baseline: Window, incident: Window) -> pd.DataFrame:
    scale = incident.seconds / baseline.seconds if baseline.seconds > 0 else 0.0
    missing = before * scale - now
    if missing <= 0 or not len(found):
        return found.iloc[:0]
    carried = ((found["bad"] * scale - found["good"]) / missing).clip(lower=0.0, upper=1.0)
    kept = found.assign(explains=carried)[(found["sign"] == "more") & (carried >= CARRIES)]
    return kept.sort_values(["explains", "depth"], ascending=[False, True], kind="stable").reset_index(drop=True)


def _count(source: LogSource, window: Window, users: str | None) -> float:
    return float(sum(source.count(window, where=users).table.column("n").to_pylist()))
