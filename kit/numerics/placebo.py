"""What would windows of this length have shown where nothing happened? Chance from the healthy stretch itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LEAST_WINDOWS = 19
"""Fewer windows than this cannot give p ≤ .05."""


def window_starts(n: int, length: int) -> np.ndarray:
    """Where windows of `length` points start in n points, a quarter of their length apart.

    >>> window_starts(10, 8).tolist()
    [0, 2]
    """
    if length < 1 or n < length:
        return np.array([], dtype=int)
    return np.arange(0, n - length + 1, max(1, length // 4))


def shift_chance(
    healthy: np.ndarray, *, length: int, away: float, location: Callable[[np.ndarray], float]
) -> tuple[float, int]:
    """How often is a healthy window's `location` this far from the median of all? Returns (p, number of windows).

    p = (1 + windows at least as far) / (1 + windows); NaN when no window fits. Neighbouring windows overlap by three
    quarters, so their number says less than it seems. It misleads when the healthy stretch holds another fault.

    >>> shift_chance(np.array([1.0, 2.0] * 10), length=4, away=5.0, location=np.median)
    (0.05555555555555555, 17)
    """
    starts = window_starts(len(healthy), length)
    if not len(starts):
        return float("nan"), 0
    middle = float(np.median(healthy))
    far = np.array([abs(location(healthy[s : s + length]) - middle) for s in starts])
    return float((1 + (far >= abs(away)).sum()) / (1 + len(starts))), len(starts)
