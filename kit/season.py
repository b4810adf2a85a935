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


def own_cycle(x: np.ndarray) -> int | None:
    """After how many points does the series repeat its moves? None when nothing repeats clearly, three times at least.

    The lag (4 and more) at which the moves from point to point agree best, if they correlate at .5 and more there.
    Fewer than 60 points or gaps: None, because noise of that length agrees with itself by chance.
    """
    n = len(x)
    if n < LEAST_FOR_CYCLE or np.isnan(x).any():
        return None
    moves = np.diff(x)
    moves = np.clip(moves, *np.quantile(moves, [0.02, 0.98]))
    moves = moves - moves.mean()
    spectrum = np.fft.rfft(moves, 2 * len(moves))
    agreement = np.fft.irfft(spectrum * np.conj(spectrum))[: n // 3]
    if agreement[0] <= 0:
        return None
    lag = 4 + int(np.argmax(agreement[4:]))
    return lag if agreement[lag] >= LEAST_AGREEMENT * agreement[0] else None


def without_cycle(x: np.ndarray, period: int) -> np.ndarray:
    """The series without what repeats every `period` points around its running median."""
    around = np.pad(x, (period // 2, period - period // 2 - 1), mode="edge")
    running = np.median(np.lib.stride_tricks.sliding_window_view(around, period), axis=1)
    return x - profile(x - running, period)
