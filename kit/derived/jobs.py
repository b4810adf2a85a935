"""What happens again and again at a fixed distance? Periods in the instants of a log line, or in a signal's bursts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from kit.derived.rows import Row, derived_row
from kit.numerics.moments import length

FEWEST = 4
REGULAR = 0.1
"""The spread of the distances between two runs, as a share of the period, up to which they are a job's."""
BURST = 6.0
"""A burst is so many robust standard deviations above the usual."""


def find_period(times: Sequence[datetime] | pd.DatetimeIndex, *, slack_s: float = 1.0) -> float | None:
    """At which distance, in seconds, do these instants follow each other? None: not regularly, or fewer than four.

    Regular: each distance lies within a tenth of the median one (or `slack_s`, the width of a bin, if that is more).

    >>> find_period(pd.date_range("2026-03-01T02:00Z", periods=5, freq="5min"))
    300.0
    """
    at = np.sort(pd.DatetimeIndex(times).as_unit("us").asi8) / 1e6
    if len(at) < FEWEST:
        return None
    gaps = np.diff(at)
    period = float(np.median(gaps))
    if period <= 2 * slack_s or np.abs(gaps - period).max() > max(REGULAR * period, 1.5 * slack_s):
        return None
    return period


def recurring_bursts(series: pd.Series, *, service: str, what: str) -> list[Row]:
    """Which runs of a periodic job does this signal show: bursts above the usual, at a fixed distance?

    `series`: one signal by UTC bin start. A row per burst with its end, all of them carrying the period. At least four
    bursts, none longer than the period; a signal that is high most of the time has none.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=100, freq="15s")
    >>> load = pd.Series(0.1 + 0.01 * (np.arange(100) % 3), index=at)
    >>> load[(np.arange(100) % 20) < 2] = 0.9
    >>> [r["summary"] for r in recurring_bursts(load, service="db", what="cpu")][:1]
    ['job on db: cpu bursts about every 5 min']
    """
    known = series.dropna()
    if len(known) < 22:
        return []
    values = known.to_numpy(dtype="float64")
    usual = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - usual)))
    high = values > usual + max(BURST * spread, 0.5 * abs(usual))
    if not high.any() or high.mean() > 0.34:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    step_s = float(np.median(np.diff(known.index.as_unit("us").asi8))) / 1e6
    period = find_period(known.index[starts], slack_s=step_s)
    if period is None or (ends - starts).max() * step_s > period:
        return []
    step = pd.Timedelta(seconds=step_s)
    text = f"job on {service}: {what} bursts about every {length(period)}"
    return [
        derived_row(
            "job", known.index[a].to_pydatetime(), text, service=service,
            until=(known.index[b - 1] + step).to_pydatetime(), takes_effect="schedule",
        )
        for a, b in zip(starts, ends, strict=True)
    ]  # fmt: skip
