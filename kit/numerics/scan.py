"""Where does a series step, and how far does each candidate stand out? The scans under onset and change points.

Everything here works on a matrix of complete series (a row a series, no gaps) and is vectorised over rows, so that
thousands of series cost one pass. What a statistic is worth is decided in `kit.numerics.noise`, which
simulated the same functions on noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

MARGIN = 3
"""Fewest points on each side of a step; fewer are a spike."""
CLIP = 3.0
"""Robust standard deviations beyond which a point counts no more."""
CLIP_RUN = 4.0
RHO_MAX = 0.98
LEVEL_MIN = 2
MOVES_MIN = 16
LOCAL_SHARE = 16
"""Local contrasts use windows of at most a sixteenth of the series."""
_SAMPLE = 256


@dataclass(frozen=True)
class StepScan:
    """The best single step of each row: index of the first point after it, statistic, autocorrelation about it."""

    at: np.ndarray
    statistic: np.ndarray
    rho: np.ndarray


def standardize(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far is each point from its row's median, in robust standard deviations? Returns (z, median, scale).

    The scale is the first of IQR/1.349, the central 90 % and 98 % ranges and the standard deviation that is not 0, so
    a series that is nearly always 0 still has one; a constant row has scale 1.
    """
    n = x.shape[1]
    ordered = np.sort(x, axis=1)
    median = 0.5 * (ordered[:, (n - 1) // 2] + ordered[:, n // 2])
    scale = np.zeros(len(x))
    for low, width in ((0.25, 1.349), (0.05, 3.29), (0.01, 4.653)):
        cut = int(low * (n - 1))
        spread = (ordered[:, n - 1 - cut] - ordered[:, cut]) / width
        scale = np.where(scale > 0, scale, spread)
    if (scale <= 0).any():
        scale = np.where(scale > 0, scale, x.std(axis=1))
    scale = np.where(scale > 0, scale, 1.0)
    return (x - median[:, None]) / scale[:, None], median, scale


def scan_step(z: np.ndarray, *, margin: int = MARGIN, first: int = 0) -> StepScan:
    """Which single step, at `first` or later, fits each row best, and how clear is it given its autocorrelation?

    The statistic is √F of the two-level fit, maximised over positions, shrunk by √((1−ρ)/(1+ρ)) with ρ the lag-1
    autocorrelation of the residuals (corrected for its bias); negative ρ counts as 0. Points are clipped first.
    """
    rows, n = z.shape
    y = np.clip(z, -CLIP, CLIP)
    y = y - y.mean(axis=1, keepdims=True)
    total = np.einsum("ij,ij->i", y, y)
    sums = np.cumsum(y, axis=1)
    first = min(max(margin, first), n - margin)
    k = np.arange(first, n - margin + 1)
    gain = sums[:, first - 1 : n - margin] ** 2
    gain *= n / (k * (n - k))
    best = gain.argmax(axis=1)
    at = best + first
    row = np.arange(rows)
    gained = gain[row, best]
    before = sums[row, at - 1] / at
    after = -sums[row, at - 1] / (n - at)
    lag0 = np.maximum(total - gained, 1e-12 * np.maximum(total, 1.0))
    residual = y - np.where(np.arange(n) < at[:, None], before[:, None], after[:, None])
    lag1 = np.einsum("ij,ij->i", residual[:, 1:], residual[:, :-1])
    rho = lag1 / lag0
    rho = np.clip(rho + (1 + 4 * np.clip(rho, 0, 1)) / n, 0.0, RHO_MAX)
    statistic = np.sqrt(gained / lag0 * (n - 2) * (1 - rho) / (1 + rho))
    return StepScan(at, statistic, rho)


@dataclass(frozen=True)
class RunScan:
    """The stretch of each row that differs most from the rest: start, length, statistic, autocorrelation about it."""

    at: np.ndarray
    length: np.ndarray
    statistic: np.ndarray
    rho: np.ndarray


def scan_run(z: np.ndarray, *, margin: int = MARGIN) -> RunScan:
    """Which stretch, of any length up to two fifths, differs most from the rest of its row?

    A fault that was cured is a run: up and down again, which a single step hardly sees. The statistic is the
    difference of means over its standard error for AR(1) noise of the residuals' ρ, the largest over lengths 3, 4, 6,
    8, 12 … and starts a quarter of the length apart.
    """
    rows, n = z.shape
    y = np.clip(z, -CLIP_RUN, CLIP_RUN)
    y = y - y.mean(axis=1, keepdims=True)
    total = np.einsum("ij,ij->i", y, y)
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(y, axis=1)], axis=1)
    row = np.arange(rows)
    tops = []
    for length in run_lengths(n, margin):
        stride = max(1, length // 4)
        inside = sums[:, length::stride] - sums[:, : n - length + 1 : stride]
        top = np.abs(inside).argmax(axis=1)
        tops.append((length, top * stride, inside[row, top]))
    gains = np.array([s * s * n / (length * (n - length)) for length, _, s in tops])
    best = gains.argmax(axis=0)
    lengths = np.array([t[0] for t in tops])[best]
    starts = np.array([t[1] for t in tops])[best, row]
    inside = np.array([t[2] for t in tops])[best, row]
    t = np.arange(n)
    within = (t >= starts[:, None]) & (t < (starts + lengths)[:, None])
    fitted = np.where(within, (inside / lengths)[:, None], (-inside / (n - lengths))[:, None])
    residual = y - fitted
    lag0 = np.maximum(np.einsum("ij,ij->i", residual, residual), 1e-12 * np.maximum(total, 1.0))
    rho = np.einsum("ij,ij->i", residual[:, 1:], residual[:, :-1]) / lag0
    rho = np.clip(rho + (1 + 4 * np.clip(rho, 0, 1)) / n, 0.0, RHO_MAX)
    scores = np.array([
        g / (lag0 / (n - 3)) / mean_inflation(length, rho) for (length, _, _), g in zip(tops, gains, strict=True)
    ])  # fmt: skip
    best = scores.argmax(axis=0)
    return RunScan(
        np.array([t[1] for t in tops])[best, row], np.array([t[0] for t in tops])[best],
        np.sqrt(scores[best, row]), rho,
    )  # fmt: skip


def run_lengths(n: int, margin: int = MARGIN) -> list[int]:
    """Lengths 3, 4, 6, 8, 12, 16 … up to two fifths of n points."""
    lengths, a, b = [], 3, 4
    while a <= max(margin, int(0.4 * n)):
        lengths.append(a)
        a, b = b, 2 * a
    return lengths


def mean_inflation(length: int, rho: np.ndarray) -> np.ndarray:
    """How many times the independent variance has the mean of `length` AR(1) points?"""
    return (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**length) / (length * (1 - rho) ** 2)


def despike(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which points leave their neighbours for one or two steps only?

    Returns (rows without them, distance of every point, the rows' usual distance). A point's distance is 0 between the
    middle two of its four neighbours, which one outlier beside it cannot move, and beyond them it is measured from the
    nearer one; so neither side of a step is lone. The two points at each end stay as they are: what begins there may
    last. The usual distance is 0 where most points never leave their neighbours.
    """
    lone = np.zeros_like(z)
    if z.shape[1] >= 5:
        a, b, c, d = z[:, :-4], z[:, 1:-3], z[:, 3:-1], z[:, 4:]
        upper = np.minimum(np.maximum(a, b), np.maximum(c, d))
        lower = np.maximum(np.minimum(a, b), np.minimum(c, d))
        inner = z[:, 2:-2]
        middle = np.maximum(np.minimum(upper, lower), np.minimum(np.maximum(upper, lower), inner))
        np.subtract(inner, middle, out=lone[:, 2:-2])
    usual = _quantile_scale(np.abs(_thinned(lone)))
    limit = 4.0 * np.maximum(usual, 1e-9)
    clean = np.where(np.abs(lone) > limit[:, None], z - lone, z)
    return clean, lone, usual


def lone_size(lone: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How far does the loneliest point of each row stand out, in the row's usual distances (in sd where that is 0)?"""
    return np.abs(lone).max(axis=1) / np.where(usual > 1e-9, usual, 1.0)


def level_contrasts(clean: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """By how much does the level change at each point, at window lengths 2, 4, 8 … a sixteenth of the row?"""
    return _contrasts(clean, LEVEL_MIN)


def move_contrasts(clean: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """By how much does the size of the moves from point to point change, at window lengths 16, 32 …?"""
    n = clean.shape[1]
    if n < MOVES_MIN * LOCAL_SHARE:
        return iter(())
    moves = np.abs(np.diff(clean, axis=1, prepend=clean[:, :1]))
    cap = np.partition(_thinned(moves), int(0.99 * (_thinned(moves).shape[1] - 1)), axis=1)
    cap = cap[:, int(0.99 * (cap.shape[1] - 1))]
    return _contrasts(np.minimum(moves, np.where(cap > 0, cap, np.inf)[:, None]), MOVES_MIN)


def _contrasts(rows: np.ndarray, shortest: int) -> Iterator[tuple[int, np.ndarray]]:
    """(L, contrast) per length: the mean of the L points from k on minus the mean of the L before, in its own spread.

    The spread is the robust one of that same difference over the whole row: every other position is a placebo, so
    autocorrelation of any form at that length is in it. Column j belongs to k = L + j.
    """
    n = rows.shape[1]
    sums = np.zeros((len(rows), n + 1), dtype=rows.dtype)
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    length = shortest
    while length <= n // LOCAL_SHARE:
        contrast = sums[:, 2 * length :] + sums[:, : -2 * length]
        contrast -= 2 * sums[:, length:-length]
        spread = _quantile_scale(np.abs(_thinned(contrast)))
        contrast /= np.where(spread > 1e-9, spread, np.sqrt(2.0 * length))[:, None]
        yield length, contrast
        length *= 2


def largest(contrasts: Iterable[tuple[int, np.ndarray]], rows: int) -> np.ndarray:
    """How large is the largest contrast of each row, at any length? 0 where the rows are too short for any."""
    best = np.zeros(rows)
    for _, contrast in contrasts:
        np.maximum(best, contrast.max(axis=1), out=best)
        np.maximum(best, -contrast.min(axis=1), out=best)
    return best


def spread_margin(n: int) -> int:
    """Fewest points on each side of a change of spread: 8, or a third of a short row."""
    return max(MARGIN, min(8, n // 3))


def step_sizes(clean: np.ndarray) -> np.ndarray:
    """How large is each move from point to point, in the row's usual moves? A change of spread is a step in these."""
    return standardize(np.abs(np.diff(clean, axis=1)))[0]


def _thinned(values: np.ndarray) -> np.ndarray:
    return values[:, :: max(1, values.shape[1] // _SAMPLE)]


def _quantile_scale(size: np.ndarray) -> np.ndarray:
    """The standard deviation of a normal with these absolute values' 50, 75 or 90 % quantile, whichever is largest."""
    m = size.shape[1]
    places = [int(q * (m - 1)) for q in (0.5, 0.75, 0.9)]
    ordered = np.partition(size, places, axis=1)
    return np.maximum.reduce([ordered[:, p] / w for p, w in zip(places, (0.6745, 1.1503, 1.6449), strict=True)])
