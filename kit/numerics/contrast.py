"""How sure is a difference between two groups of counts? The statistics that templates and values share.

All functions take arrays and return arrays. Counts may be fractions: those of a weighted sample are scaled to its
effective size first (`effective_size`), so that a row which stands for a hundred counts once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Z95 = 1.959963984540054


def effective_size(weights: ArrayLike) -> float:
    """How many equally weighted rows say as much as these? Kish: (Σw)² / Σw².

    >>> effective_size([1, 1, 1, 1]), effective_size([10, 1, 1])
    (4.0, 1.411764705882353)
    """
    w = np.asarray(weights, np.float64)
    squares = float(np.square(w).sum())
    return float(w.sum()) ** 2 / squares if squares else 0.0


def chi2_tail(statistic: ArrayLike) -> Floats:
    """How likely is a χ² value with one degree of freedom this large or larger?

    >>> chi2_tail([3.841458820694124]).round(6).tolist()
    [0.05]
    """
    from scipy.special import erfc

    return np.asarray(erfc(np.sqrt(np.maximum(np.asarray(statistic, np.float64), 0) / 2)), np.float64)


def g_statistic(a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike) -> Floats:
    """How badly does one common share fit a of n and b of m? The log-likelihood ratio 2·Σ O·ln(O/E) of the 2×2 table.

    >>> g_statistic([10], [100], [10], [100]).tolist()
    [0.0]
    """
    a, n, b, m = (np.asarray(x, np.float64) for x in (a, n, b, m))
    total = n + m
    hits = a + b
    with np.errstate(divide="ignore", invalid="ignore"):
        g = (
            _term(a, n * hits / total)
            + _term(b, m * hits / total)
            + _term(n - a, n * (total - hits) / total)
            + _term(m - b, m * (total - hits) / total)
        )
    return np.maximum(2 * np.nan_to_num(g), 0.0)


def rate_g(a: ArrayLike, seconds_a: float, b: ArrayLike, seconds_b: float) -> Floats:
    """How badly does one common rate fit a events in seconds_a and b events in seconds_b?"""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    share = seconds_a / (seconds_a + seconds_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        g = _term(a, (a + b) * share) + _term(b, (a + b) * (1 - share))
    return np.maximum(2 * np.nan_to_num(g), 0.0)


def risk_ratio(
    a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike, *, bad_scale: float = 1.0, good_scale: float = 1.0
) -> tuple[Floats, Floats, Floats]:
    """How many times likelier is bad with the value than without it? Ratio and 95 % interval (log-normal, Haldane ½).

    a of n bad rows and b of m good rows have the value. The scales are effective rows per counted row of each side.

    >>> [float(x[0].round(2)) for x in risk_ratio([60], [100], [50], [900])]
    [11.99, 8.49, 16.94]
    """
    a, n, b, m = (np.asarray(x, np.float64) for x in (a, n, b, m))
    a, b, c, d = a + 0.5, b + 0.5, n - a + 0.5, m - b + 0.5
    ratio = (a / (a + b)) / (c / (c + d))
    variance = (b / (a + b)) ** 2 * (1 / (a * bad_scale) + 1 / (b * good_scale))
    variance += (d / (c + d)) ** 2 * (1 / (c * bad_scale) + 1 / (d * good_scale))
    return ratio, ratio * np.exp(-Z95 * np.sqrt(variance)), ratio * np.exp(Z95 * np.sqrt(variance))


def share_ratio(a: ArrayLike, n: ArrayLike, b: ArrayLike, m: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """How many times larger is the share a/n than b/m? Ratio and 95 % interval; holds when n and m were drawn apart."""
    a, n, b, m = (np.asarray(x, np.float64) for x in (a, n, b, m))
    ratio = ((a + 0.5) / (n + 1)) / ((b + 0.5) / (m + 1))
    spread = np.sqrt(np.maximum(1 / (a + 0.5) - 1 / (n + 1) + 1 / (b + 0.5) - 1 / (m + 1), 0))
    return ratio, ratio * np.exp(-Z95 * spread), ratio * np.exp(Z95 * spread)


def benjamini_hochberg(p: ArrayLike, *, tests: int = 0) -> Floats:
    """Which false-discovery rate does each p stand for, all of them tested together? NaN stays NaN and is not counted.

    `tests`: how many tests there were at least, where those that found nothing brought no p.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan")]).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    p = np.asarray(p, np.float64)
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not len(known):
        return q
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * max(len(order), tests) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def _term(observed: Floats, expected: Floats) -> Floats:
    return np.where(observed > 0, observed * np.log(np.where(observed > 0, observed / expected, 1.0)), 0.0)
