"""Did the traffic rise or fall by so much that it is a change of its own?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kit.derived.rows import Row, derived_row
from kit.numerics.changepoints import find_changepoints

SURGE, SLUMP = 1.5, 0.6
"""From this factor on a rise is a spike; down to this one a fall is a drop."""
FEWER = "fewer requests"
BINS = 5


def traffic_changes(counts: pd.Series, *, service: str) -> list[Row]:
    """When did the requests of this service rise by half or more, or fall by two fifths or more, and until when?

    `counts`: requests per bin, by UTC bin start. A spike's `until` is where the level came back. A fall is told as
    well: it is a symptom (who asked before, asks no more), so nobody should suspect it. Below 22 bins nothing is told;
    a slow ramp over the whole span is none.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=60, freq="10s")
    >>> surge = pd.Series([50.0, 52, 48] * 10 + [150.0, 148, 152] * 10, index=at)
    >>> [(r["summary"], str(r["time"])[11:19]) for r in traffic_changes(surge, service="edge")]
    [('requests of edge rose from 5 to 15 a second', '02:05:00')]
    """
    known = counts.dropna()
    if len(known) < 22:
        return []
    step_s = float(np.median(np.diff(known.index.as_unit("us").asi8))) / 1e6
    found = find_changepoints(known)
    starts = [pd.Timestamp(s) for s in found["start"]]
    rows = []
    for n, change in enumerate(found.itertuples(index=False)):
        start = starts[n]
        before = known[known.index < start].tail(BINS).median()
        after = known[known.index >= start].head(BINS).median()
        if not before > 0 or SLUMP * before < after < SURGE * before:
            continue
        back = _back(known, start, float(before), up=after > before)
        verb = "rose" if after > before else "fell"
        text = f"requests of {service} {verb} from {before / step_s:.3g} to {after / step_s:.3g} a second"
        if any(r["time"] <= start and (r["until"] is None or start <= r["until"]) for r in rows):
            continue  # a further step of what was told already, or its end
        rows.append(
            derived_row("traffic", _earliest(change, start), text, service=service, until=back,
                        before=f"{before / step_s:.3g}/s", after=FEWER if after < before else f"{after / step_s:.3g}/s")
        )  # fmt: skip
    return rows


def _earliest(change: object, start: pd.Timestamp) -> object:
    earliest = getattr(change, "earliest", start)
    return pd.Timestamp(earliest if isinstance(earliest, pd.Timestamp) else start).to_pydatetime()


def _back(known: pd.Series, start: pd.Timestamp, before: float, *, up: bool) -> object:
    """Where did the level first come back half the way, for three bins? None: it stays."""
    later = known[known.index >= start]
    near = (later < SURGE * before) if up else (later > SLUMP * before)
    held = near.rolling(3).sum() == 3
    if not held.any():
        return None
    return later.index[max(0, int(np.flatnonzero(held.to_numpy())[0]) - 2)].to_pydatetime()
