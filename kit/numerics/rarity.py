"""How often does a series do that by itself? The tail of its own extremes, so that a habit is not called a change."""

from __future__ import annotations

import numpy as np

OFTEN = 6.0
"""What the series' own tail expects more often than this in its whole length is a habit, not a change."""
LONE_RATE = 1.5e-3
"""Lone points are a habit at this many a point already: short series have few that are not."""
LEAST_BLOCKS = 20
_TOP = 0.1
_SHAPES = np.linspace(0.02, 2.0, 100)
_RATIOS = (10.0**_SHAPES - 1) / (2.0**_SHAPES - 1)


def block_maxima(size: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each block that is not 0, and where it stands."""
    count = len(size) // block
    folded = size[: count * block].reshape(count, block)
    at = folded.argmax(axis=1) + np.arange(count) * block
    value = size[at]
    return value[value > 1e-9], at[value > 1e-9]


def expected_count(maxima: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many blocks as extreme as each value does the tail of these block maxima expect?

    A generalised Pareto tail over the top tenth (15 at least), its shape and scale from the excesses' 50 and 90 %
    quantiles, so that a few true changes among them do not make themselves usual. Below the tail's start: the number of
    blocks there. Fewer than 20 blocks cannot tell: 0.
    """
    if len(maxima) < LEAST_BLOCKS:
        return np.zeros(len(values))
    ordered = np.sort(maxima)[::-1]
    top = max(int(_TOP * len(ordered)), 15)
    start = ordered[top]
    excess = ordered[:top] - start
    half, tenth = _quantile(excess, 0.5), _quantile(excess, 0.9)
    shape = float(np.interp(tenth / max(half, 1e-12), _RATIOS, _SHAPES))
    scale = max(half * shape / (2.0**shape - 1), 1e-12)
    beyond = np.maximum(values - start, 0.0)
    return np.where(values > start, top * (1 + shape * beyond / scale) ** (-1 / shape), float(top))


def _quantile(descending: np.ndarray, share: float) -> float:
    place = (1 - share) * (len(descending) - 1)
    low = int(place)
    high = min(low + 1, len(descending) - 1)
    return float(descending[low] + (place - low) * (descending[high] - descending[low]))
