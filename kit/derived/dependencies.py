"""Which dependency was slow for a while and is not any more? What began a harm may be gone while the harm goes on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.derived.rows import Row, derived_row

TIMES = 3.0
"""Slow is beyond so many times the usual."""
AT_LEAST_S = 0.05
OUTLIVED_S = 30.0
"""The harm went on at least so long after the dependency was fast again."""


def passing_slowness(
    wide: pd.DataFrame, calls: Iterable[tuple[str, str]], *, baseline: Window, incident: Window
) -> list[Row]:
    """Which callee was slow at the onset and fast again long before the harm was over?

    `wide`: the aligned frame; `calls`: (callee, signal) where the signal is a latency in seconds as the caller measures
    it. Slow: beyond three times the baseline's median and 50 ms more. Only the first stretch counts, and it must begin
    no later than three bins after the onset. A dependency that stays slow as long as the harm is no passing trigger.
    """
    rows = []
    for callee, signal in calls:
        if signal not in wide:
            continue
        values = wide[signal].dropna()
        before = values[(values.index >= baseline.start) & (values.index < baseline.end)]
        if len(before) < 8:
            continue
        usual = float(before.median())
        step = pd.Timedelta(np.median(np.diff(values.index.as_unit("us").asi8)), "us")
        near = values[(values.index >= incident.start - 3 * step) & (values.index < incident.end)]
        slow = near > max(TIMES * usual, usual + AT_LEAST_S)
        if not slow.any():
            continue
        start = slow.idxmax()
        later = slow[slow.index > start]
        end = later.index[~later.to_numpy()].min() if (~later).any() else None
        if start > incident.start + 3 * step or end is None or pd.isna(end):
            continue
        if (pd.Timestamp(incident.end) - end).total_seconds() < max(OUTLIVED_S, 0.25 * incident.seconds):
            continue
        lasted = about((end - start).total_seconds())
        rows.append(
            derived_row(
                "dependency", start.to_pydatetime(), f"{callee} was slow for {lasted}", service=callee,
                until=end.to_pydatetime(), before=f"{usual:.3g} s", after=f"{float(near[start:end].max()):.3g} s",
            )
        )  # fmt: skip
    return rows


def about(seconds: float) -> str:
    """A length of time as people say it.

    >>> about(8), about(31), about(70), about(290)
    ('8 seconds', 'half a minute', 'a minute', '5 minutes')
    """
    if seconds < 20:
        return f"{seconds:.0f} seconds"
    if seconds < 45:
        return "half a minute"
    return "a minute" if seconds < 90 else f"{seconds / 60:.0f} minutes"
