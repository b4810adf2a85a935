"""What moved that nobody reported: changes derived from the data, joined to those that a change log holds.

Each kind has a module of its own in `kit.derived`. A derived row that says what a reported one says already is folded
into it, as its content; only what no change log holds stands as a change of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import pandas as pd

from kit.derived.rows import Row, as_changes

ALIKE = {
    "schema": frozenset({"schema", "deploy"}),
    "restart": frozenset({"restart", "deploy", "node", "scale", "mitigation"}),
    "scale": frozenset({"scale", "deploy", "node", "mitigation"}),
    "deploy": frozenset({"deploy"}),
    "config": frozenset({"config", "flag", "deploy", "mitigation"}),
    "job": frozenset({"job"}),
    "certificate": frozenset({"certificate"}),
    "traffic": frozenset({"traffic"}),
    "disk": frozenset({"disk"}),
    "dependency": frozenset({"dependency"}),
}
"""Which reported kinds may be what a derived kind shows."""
SLACK = timedelta(seconds=5)
BINNED = timedelta(seconds=15)
"""What is seen in bins is dated by its bin's beginning, so much before it may have been."""
AFTERMATH = timedelta(seconds=60)
"""Restarts, versions, instances and what is read anew show this long after the report of what brought them."""
SHOWS_LATER = frozenset({"restart", "scale", "deploy", "config"})


def join_changes(reported: pd.DataFrame, derived: Iterable[Row]) -> pd.DataFrame:
    """All changes in order of time: the reported ones as they are, and the derived ones that none of them reports.

    `reported`: CHANGES; `derived`: rows of `kit.derived`. A certificate's end and its renewal are two changes, however
    near. Of a reported row only an empty `fraction` is filled, with the share of its version that the data shows.

    >>> from connectors.window import utc
    >>> from kit.derived.rows import derived_row
    >>> log = pd.DataFrame({"id": ["m1"], "time": pd.to_datetime(["2026-03-01T02:14:00Z"]), "kind": "schema",
    ...     "service": "postgres", "summary": "migration 42", "until": pd.NaT})
    >>> rows = [derived_row("schema", utc("2026-03-01T02:14:01Z"), "DROP INDEX a", service="postgres"),
    ...         derived_row("schema", utc("2026-03-01T02:20:00Z"), "DROP INDEX b", service="postgres")]
    >>> join_changes(log, rows)["summary"].tolist(), contents_of(log, rows)
    (['migration 42', 'DROP INDEX b'], {'m1': 'DROP INDEX a'})
    """
    pairs = [(row, _reporting(reported, row)) for row in derived]
    kept = [row for row, change in pairs if change is None]
    reported = _with_fractions(reported, {c: row["fraction"] for row, c in pairs if c and row["kind"] == "deploy"})
    if not kept:
        return reported
    extra = as_changes(kept)
    if not len(reported):
        return extra
    joined = pd.concat([reported, extra.dropna(axis=1, how="all")], ignore_index=True)
    return joined.sort_values("time", kind="stable").reset_index(drop=True)


def contents_of(reported: pd.DataFrame, derived: Sequence[Row]) -> dict[str, str]:
    """What does the data show of each reported change? By its id: the words of the derived rows folded into it."""
    found: dict[str, str] = {}
    for row in derived:
        change = _reporting(reported, row)
        if change is not None:
            found[change] = "; ".join(filter(None, [found.get(change), str(row["summary"])]))
    return found


def _same_end(reported: pd.DataFrame, row: Row) -> str | None:
    """The reported end of the same thing, up to a day before it was noticed; a renewal is none."""
    if "takes_effect" not in reported:
        return None
    ends = reported[(reported["takes_effect"].astype(str) == "expiry") & (reported["kind"].astype(str) == row["kind"])]
    ends = ends[ends["service"].astype(str) == str(row["service"])]
    at = pd.Timestamp(row["time"])
    near = ends[(ends["time"] <= at + SLACK) & (ends["time"] >= at - timedelta(days=1))]
    return str(near.iloc[-1]["id"]) if len(near) else None


def _with_fractions(reported: pd.DataFrame, shares: Mapping[str, float]) -> pd.DataFrame:
    if not shares or "fraction" not in reported:
        return reported
    shown = reported["id"].map(shares).astype("float64")
    return reported.assign(fraction=reported["fraction"].astype("float64").fillna(shown))


def _reporting(reported: pd.DataFrame, row: Row) -> str | None:
    """Which reported change, by id, says the same as this derived one? The nearest in time; None: no one does."""
    if not len(reported):
        return None
    if row["takes_effect"] == "expiry":
        return _same_end(reported, row)
    kinds = ALIKE.get(str(row["kind"]), frozenset({str(row["kind"])}))
    same = reported[reported["kind"].astype(str).isin(kinds)]
    service = same["service"].astype(object).where(same["service"].notna(), None)
    same = same[[row["service"] is None or s is None or s == row["service"] for s in service]]
    if not len(same):
        return None
    at = pd.Timestamp(row["time"])
    until = same["until"] if "until" in same else pd.Series(pd.NaT, index=same.index)
    ends = pd.to_datetime(until, utc=True).fillna(same["time"])
    later = AFTERMATH if row["kind"] in SHOWS_LATER else SLACK
    early = BINNED if row["kind"] in SHOWS_LATER else SLACK
    near = same[(same["time"] - early <= at) & (at <= ends + later)]
    if not len(near):
        return None
    return str(near.loc[(near["time"] - at).abs().idxmin(), "id"])
