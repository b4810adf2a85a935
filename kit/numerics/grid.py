"""Bins of equal length over a window, and quantiles per bin: what every aligned frame is built on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from connectors.window import Window, step_seconds


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins of equal length that cover a window; the first and last may reach beyond it."""

    start_us: int
    step_us: int
    size: int
    low_us: int
    high_us: int

    @classmethod
    def of(cls, window: Window, every: str | float) -> Grid:
        """Which bins cover this window? They start at multiples of the step since 1970 UTC.

        >>> Grid.of(Window.of("2026-03-01T02:00:07Z", "2026-03-01T02:01Z"), "15s").size
        4
        """
        step = round(step_seconds(every) * 1e6)
        low, high = micros(window.start), micros(window.end)
        start = low // step * step
        return cls(start, step, max(0, -(-(high - start) // step)), low, high)

    @property
    def index(self) -> pd.DatetimeIndex:
        """The left edges of the bins, in UTC."""
        edges = self.start_us + self.step_us * np.arange(self.size, dtype=np.int64)
        return pd.DatetimeIndex(edges.view("datetime64[us]"), name="time").tz_localize("UTC")

    def place(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """In which bin is each time, and which of them lie inside the window at all?"""
        inside = (times >= self.low_us) & (times < self.high_us)
        return (times - self.start_us) // self.step_us, inside


def grouped_quantiles(key: np.ndarray, values: np.ndarray, wanted: tuple[float, ...], size: int) -> list[np.ndarray]:
    """Which quantiles (linear between neighbours) have the values of each group 0 … size-1?

    NaN where a group is empty.
    """
    out = [np.full(size, np.nan) for _ in wanted]
    if not len(key):
        return out
    order = np.lexsort((values, key))
    key, values = key[order], values[order]
    first = np.concatenate([[0], np.flatnonzero(np.diff(key)) + 1])
    n = np.diff(np.concatenate([first, [len(key)]]))
    for cells, q in zip(out, wanted, strict=True):
        at = q * (n - 1)
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, n - 1)
        cells[key[first]] = values[first + low] + (at - low) * (values[first + high] - values[first + low])
    return out


def micros(time: datetime) -> int:
    """Which microsecond since 1970 UTC is this instant?"""
    return round(time.timestamp() * 1e6)
