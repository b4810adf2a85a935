"""From when until when was a change in effect? What woke it, what undid it, what took its place before the onset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kit.numerics.moments import Moment, clock

LINGERS_S = 120.0
"""A change that ended this long before the onset, or longer, is not what the harm began with."""
SLOW_KINDS = ("certificate", "disk", "job")
"""Kinds whose effect may come a day later: a nightly job, a disk that fills, a certificate that ran out."""
_WAKING = ("restart", "deploy", "scale", "node")
_SET_ANEW = ("flag", "config", "job")

Row = Mapping[str, Any]


def effect_of(row: Row, rows: Sequence[Row], onset: Moment) -> tuple[datetime | None, str | None]:
    """When did it take effect, and what woke it? None: nothing has, before the onset ended, or it is not known."""
    takes = row["takes_effect"] or "now"
    if takes == "restart":
        wakers = [
            r
            for r in rows
            if r["kind"] in _WAKING
            and r["time"] >= row["time"]
            and r["id"] != row["id"]
            and (row["service"] is None or r["service"] in (None, row["service"]))
            and r["time"] <= onset.latest
        ]
        if not wakers:
            return None, "nothing restarted after it, so it had not taken effect"
        # of several restarts since, the one next to the onset brought the harm, if any did
        waker = max(wakers, key=lambda r: r["time"])
        return waker["time"], f"woken by {waker['summary']} at {clock(waker['time'])}"
    if takes == "schedule" and row["kind"] == "job":
        return row["time"], None  # it acts from its start on; `until` is its end
    if takes in ("schedule", "expiry"):
        if row["until"] is not None:
            return row["until"], f"takes effect on {takes}, at {clock(row['until'])}"
        if row["kind"] in SLOW_KINDS:
            return row["time"], None
        return None, f"takes effect on {takes}; when is not recorded"
    return row["time"], None


def acts_slowly(row: Row) -> bool:
    """May its effect come a day later? A certificate that was put in place by somebody acts at once."""
    by_hand = row["kind"] == "certificate" and (row["takes_effect"] or "now") == "now" and not row["derived"]
    return row["kind"] in SLOW_KINDS and not by_hand


def undoing_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """What undid it, the first time after it was made; None: nothing that says so."""
    names = (row["id"], row["ref"])
    undoing = [r for r in rows if r["reverts"] and r["reverts"] in names and r["id"] != row["id"]]
    return min((r for r in undoing if r["time"] > row["time"]), key=lambda r: r["time"], default=None)


def over_before(row: Row, rows: Sequence[Row], onset: Moment) -> str | None:
    """Why was it no longer in effect when the harm began? None: it was, as far as is known.

    Undone, or replaced: by a later scaling of the same service, a later state of the same flag or setting, a later run
    of the same job. A later deploy replaces nothing: it brings what the earlier one brought. What ended within two
    minutes before the onset may still have begun the harm.
    """
    if row["derived"]:
        return None
    limit = onset.earliest - timedelta(seconds=LINGERS_S)
    undoing = undoing_of(row, rows)
    if undoing is not None and undoing["time"] <= limit:
        return f"undone at {clock(undoing['time'])}, before the onset"
    later = [r for r in rows if _replaces(r, row) and row["time"] < r["time"] <= limit]
    if later:
        last = max(later, key=lambda r: r["time"])
        return f"replaced by {last['summary']} at {clock(last['time'])}, before the onset"
    return None


def _replaces(other: Row, row: Row) -> bool:
    """Does the other set the same thing anew?"""
    if other["kind"] != row["kind"] or row["service"] is None or other["service"] != row["service"] or other["derived"]:
        return False
    return row["kind"] == "scale" or (
        row["kind"] in _SET_ANEW and row["ref"] is not None and other["ref"] == row["ref"]
    )
