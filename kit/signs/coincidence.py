"""What happened just then: a change that took effect right before, a job that ran just as long?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from connectors.window import utc
from kit.golden_signals import SignalBoard
from kit.numerics.moments import as_moment, clock
from kit.signs.sign import Sign

CLOSE_S = 120.0
"""A change lines up when it took effect no longer than this before the onset (or within its uncertainty)."""
EXPECTED = 0.3
"""Above this chance of coincidence, that a change is near says nothing."""


def change_signs(suspects: Any, episode: Any, board: SignalBoard) -> list[Sign]:
    """Did a change take effect right before the onset, by less than chance would have it?"""
    if suspects is None:
        return [Sign("change_lines_up", None, "the changes were not looked at")]
    frame = suspects.to_frame() if hasattr(suspects, "to_frame") else suspects
    onset = as_moment(episode.onset) if episode is not None else None
    onset_at = onset.latest if onset else board.incident.start
    near = []
    for row in frame.itertuples():
        if str(row.kind) not in ("deploy", "config", "flag", "schema") or row.relation == "after":
            continue
        effect = getattr(row, "effect", None)
        effect = row.time if effect is None or pd.isna(effect) else effect
        p = row.p_coincidence
        if (onset_at - utc(effect)).total_seconds() <= CLOSE_S and not (p == p and p > EXPECTED):
            near.append(row)
    if not near:
        return [Sign("change_lines_up", False, "no change took effect right before")]
    top = near[0]
    return [Sign("change_lines_up", True, f"{top.summary or top.ref} ({top.kind}, {clock(top.time)}) lines up")]


def job_signs(jobs: pd.DataFrame | None, episode: Any) -> list[Sign]:
    """Did a job run just as long as the harm, did a certificate expire just then?"""
    due = Sign("certificate_due", None, "no certificate's expiry is known")
    if jobs is None or episode is None:
        return [Sign("job_spans", None, "no job's run is known"), due]
    certificates = jobs[jobs["kind"].astype(str) == "certificate"]
    runs = jobs[(jobs["kind"].astype(str) == "job") & jobs["until"].notna()]
    onset, end = as_moment(episode.onset), as_moment(episode.recovered)
    slack = timedelta(seconds=30)
    spans = [
        r
        for r in runs.itertuples()
        if onset.earliest - 4 * slack <= utc(r.time) <= onset.latest
        and end is not None
        and end.earliest - slack <= utc(r.until) + slack
        and utc(r.until) <= end.latest + slack
    ]
    if len(certificates):
        at = [r for r in certificates.itertuples() if abs((utc(r.time) - onset.time).total_seconds()) <= 300]
        due = Sign("certificate_due", bool(at), at[0].summary if at else "no certificate expired then")
    return [
        Sign(
            "job_spans",
            bool(spans),
            f"{spans[0].summary} ran from {clock(spans[0].time)} to {clock(spans[0].until)}"
            if spans
            else "no job ran just as long",
        ),
        due,
    ]
