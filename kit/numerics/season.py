"""What does this hour usually look like? A repeating profile taken off a series, when it really repeats."""

from __future__ import annotations

from functools import cache

import numpy as np

CALENDAR_S = (3600.0, 86_400.0, 604_800.0)
"""Periods that people and their jobs keep: an hour, a day, a week."""
LEAST_PERIODS = 2
LEAST_AGREEMENT = 0.5
LEAST_FOR_CYCLE = 60


def calendar_periods(step_s: float, n: int) -> list[int]:
    """Which calendar periods, in points, fit at least twice into n points of `step_s` seconds?"""
    periods = [round(s / step_s) for s in CALENDAR_S]
    return [p for p in periods if p >= 6 and n >= LEAST_PERIODS * p]


def repeats(x: np.ndarray, period: int) -> bool:
    """Does the series agree with itself one period earlier, clearly more than half a period earlier?

    Agreement is the correlation of the middle 98 % of values. A level that merely lasts agrees at every lag and does
    not count. NaN points are left out.
    """
    return _agreement(x, period) >= max(LEAST_AGREEMENT, _agreement(x, period // 2) + 0.2)


def profile(x: np.ndarray, period: int) -> np.ndarray:
    """The usual value at each point of the period: the median over the periods, 0 on average, tiled over the series."""
    n = len(x)
    rows = -(-n // period)
    folded = np.full(rows * period, np.nan)
    folded[:n] = x
    folded = folded.reshape(rows, period)
    empty = np.isnan(folded).all(axis=0)
    usual = np.zeros(period)
    usual[~empty] = np.nanmedian(folded[:, ~empty], axis=0)
    usual[~empty] -= np.median(usual[~empty])
    return np.tile(usual, rows)[:n]


def without_season(x: np.ndarray, periods: list[int]) -> tuple[np.ndarray, list[int]]:
    """The series without its repeating profiles, and the periods that were taken off. NaN stays NaN.

    The shortest period goes first. With only two periods the profile is their mean: a change in one of them leaves
    half its mirror image in the other, so three or more are better.
    """
    taken = []
    for period in sorted(periods):
        if len(x) >= LEAST_PERIODS * period and repeats(x, period):
            x = x - profile(x, period)
            taken.append(period)
    return x, taken


def without_season_each(rows: np.ndarray, periods: list[int]) -> np.ndarray:
    """The same for many rows without gaps at once."""
    for period in sorted(periods):
        if rows.shape[1] < LEAST_PERIODS * period:
            continue
        whole, half = (_correlations(rows[:, lag:], rows[:, :-lag]) for lag in (period, period // 2))
        again = np.flatnonzero(whole >= np.maximum(LEAST_AGREEMENT, half + 0.2))
        if len(again):
            rows = rows.copy()
            rows[again] = [row - profile(row, period) for row in rows[again]]
    return rows


def _agreement(x: np.ndarray, lag: int) -> float:
    a, b = x[lag:], x[:-lag]
    known = ~(np.isnan(a) | np.isnan(b))
    return float(_correlations(a[known][None, :], b[known][None, :])[0]) if known.sum() >= 12 else 0.0


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How do the rows of a and b correlate, without the outermost percent of their values on either side?"""
    both = np.concatenate([a, b], axis=1)
    low, high = int(0.01 * (both.shape[1] - 1)), int(0.99 * (both.shape[1] - 1))
    ordered = np.partition(both, (low, high), axis=1)
    both = np.clip(both, ordered[:, low : low + 1], ordered[:, high : high + 1])
    a, b = both[:, : a.shape[1]], both[:, a.shape[1] :]
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    return np.einsum("ij,ij->i", a, b) / np.where(norm > 0, norm, np.inf)


def own_cycles(rows: np.ndarray) -> list[int | None]:
    """After how many points does each row repeat its moves? None when nothing repeats clearly, three times at least.

    The lag (4 and more) at which the moves from point to point agree best, if they correlate at .5 and more there.
    Rows have no gaps; fewer than 60 points: None, because noise of that length agrees with itself by chance.
    """
    n = rows.shape[1]
    if n < LEAST_FOR_CYCLE:
        return [None] * len(rows)
    moves = np.diff(rows, axis=1).astype(np.float32)
    low, high = int(0.02 * (n - 2)), int(0.98 * (n - 2))
    ordered = np.partition(moves, (low, high), axis=1)
    moves = np.clip(moves, ordered[:, low : low + 1], ordered[:, high : high + 1])
    moves -= moves.mean(axis=1, keepdims=True)
    length = _fast_length(n + n // 3)  # zeros enough that no lag asked for wraps around
    spectrum = np.fft.rfft(moves, length, axis=1)
    agreement = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, length, axis=1)[:, : n // 3]
    lags = 4 + agreement[:, 4:].argmax(axis=1)
    clear = agreement[np.arange(len(rows)), lags] >= LEAST_AGREEMENT * np.maximum(agreement[:, 0], 1e-12)
    return [int(lag) if yes else None for lag, yes in zip(lags, clear, strict=True)]


@cache
def _fast_length(least: int) -> int:
    """The smallest even product of 2, 3 and 5 that is not below `least`: transforms of such lengths are quick."""
    lengths = (2**a * 3**b * 5**c for a in range(1, 25) for b in range(4) for c in range(4))
    return min(m for m in lengths if m >= least)


def without_cycle(x: np.ndarray, period: int) -> np.ndarray:
    """The series without what repeats every `period` points around its running median."""
    around = np.pad(x, (period // 2, period - period // 2 - 1), mode="edge")
    running = np.median(np.lib.stride_tricks.sliding_window_view(around, period), axis=1)
    return x - profile(x - running, period)
