"""By how much did a counter grow, and which quantile do a histogram's increments have?

The rule for a bin: the value at the last sample ≤ its end less the value at the last sample ≤ its start, resets added.
So bins sum to the whole; a bin without a sample has no value, and what grew meanwhile stands in the next bin that has
one. (`increase` of Prometheus extrapolates to the bin's edges instead, and misses what grew between two bins.)
"""

from __future__ import annotations

import numpy as np


def increments(values: np.ndarray, *, born_at_zero: bool = False) -> np.ndarray:
    """How much did the counter grow up to each sample since the one before? NaN at the first: nothing is before it.

    A value lower than the one before it is a restart from zero. `born_at_zero`: the counter is known to have been
    zero (not yet there) before its first sample, so the first value is growth as well.

    >>> increments(np.array([5.0, 7.0, 1.0])).tolist(), increments(np.array([5.0, 7.0]), born_at_zero=True).tolist()
    ([nan, 2.0, 1.0], [5.0, 2.0])
    """
    grown = np.empty_like(values, dtype=np.float64)
    if not len(values):
        return grown
    grown[0] = values[0] if born_at_zero else np.nan
    step = np.diff(values)
    grown[1:] = np.where(step < 0, values[1:], step)
    return grown


def bins_after(times: np.ndarray, start: int, step: int) -> np.ndarray:
    """In which bin does growth up to each of these times count? A sample on a bin's end counts in that bin.

    >>> bins_after(np.array([0, 1, 10, 11]), start=0, step=10).tolist()
    [-1, 0, 0, 1]
    """
    return -(-(times - start) // step) - 1


def quantile(bounds: np.ndarray, cumulative: np.ndarray, q: float) -> tuple[float, bool]:
    """Which value has the share `q` of a histogram's increments below it, and is it only a lower bound?

    `bounds` ascending, the last one infinite; `cumulative` the growth of each bucket. Linear within a bucket, the
    lowest one beginning at 0, as `histogram_quantile` of Prometheus does. When it falls into the last bucket the
    highest finite bound is given, and True: the value is at least that. NaN when nothing was counted.

    >>> quantile(np.array([0.1, 0.5, np.inf]), np.array([50.0, 100.0, 100.0]), 0.75)
    (0.3..., False)
    >>> quantile(np.array([0.1, 0.5, np.inf]), np.array([50.0, 60.0, 100.0]), 0.99)
    (0.5, True)
    """
    total = cumulative[-1]
    if len(bounds) < 2 or not np.isinf(bounds[-1]) or not total > 0:
        return float("nan"), False
    cumulative = np.maximum.accumulate(cumulative)
    rank = q * total
    at = int(np.searchsorted(cumulative, rank, side="left"))
    at = min(at, len(bounds) - 1)
    if at == len(bounds) - 1:
        return float(bounds[-2]), True
    upper = float(bounds[at])
    if at == 0 and upper <= 0:
        return upper, False
    lower = 0.0 if at == 0 else float(bounds[at - 1])
    below = 0.0 if at == 0 else float(cumulative[at - 1])
    inside = float(cumulative[at]) - below
    return float(lower + (upper - lower) * ((rank - below) / inside if inside else 0.0)), False
