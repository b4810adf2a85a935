"""Fewer requests come: whose are missing, and where on the way to the first hop that is seen do they end?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.where import equals
from connectors.window import Window
from kit.difference import COLUMNS
from kit.path import Cut, path_edges

if TYPE_CHECKING:
    from connectors.base import LogSource

CARRIES = 0.5
"""A value stands for the loss when it carries at least this share of the missing requests."""
SPARED = 1.25
CHANCE = 0.001


def whose_are_missing(
    logs: Iterable[tuple[LogSource, str | None, Sequence[str]]], *, baseline: Window, incident: Window
) -> pd.DataFrame:
    """Which values of which fields are rarer among the requests that still come than among those before?

    `logs`: request logs from the outermost hop inwards, each with the filter that keeps users' requests and the fields
    to compare; the outermost often knows least, so the first that names a value which carries half of the loss is
    taken. The columns are those of `explain_difference`, the requests of the baseline being the *bad* ones (the whole)
    and those of the incident the *good* ones (what is left); `explains` is the share of the missing requests that the
    value carries: expected from the baseline's rate less seen, over that of all.

    Kept are values that carry half of the loss and of which no more than four fifths remain of what remains of the
    others, beyond chance (G-test of the two shares, p ≤ .001, all values of all fields counted). Misleads when the mix
    of users changes with the hour. Empty: no log tells whose they were.
    """
    for source, users, fields in logs:
        rows = [r for f in fields for r in _missing_by(source, users, f, baseline, incident)]
        kept = [r for r in rows if r["p"] * len(rows) <= CHANCE and r["explains"] >= CARRIES and r["lift"] >= SPARED]
        if kept:
            frame = pd.DataFrame(kept).sort_values("explains", ascending=False, kind="stable")
            return frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    return pd.DataFrame(columns=list(COLUMNS))


def _missing_by(
    source: LogSource, users: str | None, field: str, baseline: Window, incident: Window
) -> list[dict[str, Any]]:
    """A row per value of the field: how many there were, how many are left, and which share of the loss that is."""
    from scipy.stats import chi2_contingency

    before, now = (
        dict(zip(a.table.column(field).to_pylist(), a.table.column("n").to_pylist(), strict=True))
        for a in (source.count(w, by=(field,), where=users) for w in (baseline, incident))
    )
    scale = incident.seconds / baseline.seconds if baseline.seconds > 0 else 0.0
    n, m = float(sum(before.values())), float(sum(now.values()))
    missing = n * scale - m
    if missing <= 0 or len(before) < 2:
        return []
    rows = []
    for value, was in before.items():
        left = float(now.get(value, 0))
        table = [[was, n - was], [left, m - left]]
        p = float(chi2_contingency(table, correction=False).pvalue) if 0 < was < n and m > 0 else 1.0
        shares = was / n, (left / m if m else 0.0)
        lift = shares[0] / shares[1] if shares[1] > 0 else float("inf")
        carried = min(1.0, max(0.0, (was * scale - left) / missing))
        why = f"{field} {value}: {was * scale:,.0f} were to be expected, {left:,.0f} came"
        rows.append(
            {
                "predicate": equals(field, value), "depth": 1, "sign": "more", "fields": (field,),
                "values": (value,), "bad": float(was), "good": left, "bad_share": shares[0], "good_share": shares[1],
                "lift": lift, "p": p, "q": p, "explains": carried, "aliases": (), "because": why,
            }
        )  # fmt: skip
    return rows


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
