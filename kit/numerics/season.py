"""What does this hour usually look like? A repeating profile taken off a series, when it really repeats."""

from __future__ import annotations

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


def _agreement(x: np.ndarray, lag: int) -> float:
    a, b = x[lag:], x[:-lag]
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < 12:
        return 0.0
    a, b = a[known], b[known]
    low, high = np.quantile(np.concatenate([a, b]), [0.01, 0.99])
    a, b = np.clip(a, low, high), np.clip(b, low, high)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def own_cycles(rows: np.ndarray) -> list[int | None]:
    """After how many points does each row repeat its moves? None when nothing repeats clearly, three times at least.

    The lag (4 and more) at which the moves from point to point agree best, if they correlate at .5 and more there.
    Rows have no gaps; fewer than 60 points: None, because noise of that length agrees with itself by chance.
    """
    n = rows.shape[1]
    if n < LEAST_FOR_CYCLE:
        return [None] * len(rows)
    moves = np.diff(rows, axis=1)
    low, high = int(0.02 * (n - 2)), int(0.98 * (n - 2))
    ordered = np.partition(moves, (low, high), axis=1)
    moves = np.clip(moves, ordered[:, low : low + 1], ordered[:, high : high + 1])
    moves -= moves.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(moves, 1 << (2 * n - 3).bit_length(), axis=1)
    agreement = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, : n // 3]
    lags = 4 + agreement[:, 4:].argmax(axis=1)
    clear = agreement[np.arange(len(rows)), lags] >= LEAST_AGREEMENT * np.maximum(agreement[:, 0], 1e-12)
    return [int(lag) if yes else None for lag, yes in zip(lags, clear, strict=True)]


def without_cycle(x: np.ndarray, period: int) -> np.ndarray:
    """The series without what repeats every `period` points around its running median."""
    around = np.pad(x, (period // 2, period - period // 2 - 1), mode="edge")
    running = np.median(np.lib.stride_tricks.sliding_window_view(around, period), axis=1)
    return x - profile(x - running, period)
