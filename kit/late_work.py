"""Harm that no request shows: for how long was a metric over its limit, how far, and how much work waited at most?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.episodes.lateness import metric_limits
from kit.numerics.moments import length
from kit.signal_names import shown

DEPTH = re.compile(r"(queue|backlog).*(depth|length|size|messages)|(messages|jobs|tasks).*(waiting|ready)", re.I)


@dataclass(frozen=True, slots=True)
class LateWork:
    """A metric that was over its limit: the limit and the worst value in its own unit, for how many minutes.

    `waiting`: pieces of work in the longest queue at its longest, None: no queue is measured. It is the greatest value
    that was sampled: between two samples it may have been longer.
    """

    signal: str
    limit: float
    worst: float
    minutes: float
    waiting: float | None

    def __str__(self) -> str:
        queue = f", {self.waiting:,.0f} waiting at most" if self.waiting is not None else ""
        over = f"over {shown(self.limit, self.signal)} for {length(self.minutes * 60)}"
        return f"{self.signal} was {over} (up to {shown(self.worst, self.signal)}{queue})"


def measure_late_work(
    signals: pd.DataFrame | None, *, incident: Window, objectives: Sequence[Mapping[str, Any]] = ()
) -> tuple[LateWork, ...]:
    """Which metrics were over their limit in the incident, how long and how far; the longest first.

    `signals` is an aligned frame; limits are objectives about its columns, and 30 s for the age of waiting work without
    one. Bins without data do not count, so that over a gap the minutes are a lower bound.

    >>> times = pd.date_range("2026-03-01T02:00Z", periods=4, freq="30s", name="time")
    >>> wide = pd.DataFrame({"w/message.age.gauge": [0, 6, 9, 0], "q/queue.depth.gauge": [0, 40, 70, 0]}, index=times)
    >>> window = Window.of("2026-03-01T02:00Z", "2026-03-01T02:02Z")
    >>> print(measure_late_work(wide, incident=window, objectives=[{"signal": "w/message.age.gauge", "limit": 5.0}])[0])
    w/message.age.gauge was over 5 s for 1 min (up to 9 s, 70 waiting at most)
    """
    if signals is None or len(signals) < 2:
        return ()
    step_s = float(np.median(np.diff(signals.index.as_unit("us").asi8))) / 1e6
    inside = (signals.index >= pd.Timestamp(incident.start).floor(f"{step_s}s")) & (signals.index < incident.end)
    during = signals[inside]
    depths = [c for c in during.columns if DEPTH.search(c.rpartition("/")[2]) and during[c].notna().any()]
    waiting = float(max(during[c].max() for c in depths)) if depths else None
    found = []
    for limit in metric_limits(signals, objectives):
        over = during[limit.signal] > limit.limit
        if over.any():
            worst = float(during[limit.signal].max())
            found.append(LateWork(limit.signal, limit.limit, worst, float(over.sum()) * step_s / 60, waiting))
    return tuple(sorted(found, key=lambda w: -w.minutes))
