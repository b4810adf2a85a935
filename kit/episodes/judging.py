"""Which stretches of which signals are ill: beyond chance, beyond the effect floor, over the objective if any?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from connectors.window import Window
from kit.episodes.reading import Reading
from kit.episodes.slowness import SLOW_FACTOR
from kit.episodes.tracks import ERRORS_FLOOR, FACTOR, REMAINS, SLOW_FLOOR, Track
from kit.numerics.contrast import benjamini_hochberg
from kit.numerics.excursions import Excursion
from kit.numerics.grid import Grid
from kit.numerics.moments import from_us

Q_LIMIT = 0.01
MIN_EXCESS = 8.0
"""Fewer bad requests than this beyond the usual are no episode."""


def judge_tracks(tracks: Sequence[Track], grid: Grid, limits: Mapping[str, float]) -> list[Reading]:
    """Which signals moved, in which stretches, and which of them are ill?

    Benjamini–Hochberg over all stretches of all tracks, q ≤ 0.01; then the effect floors; a move that keeps within its
    objective in `limits` is kept and not ill.
    """
    found = [(track, stretch) for track in tracks for stretch in track.evidence.stretches()]
    q = benjamini_hochberg(np.array([stretch.p for _, stretch in found]), tests=len(tracks))
    healthy = np.ones(grid.size, bool)
    for (_, stretch), value in zip(found, q, strict=True):
        if value <= Q_LIMIT:
            healthy[stretch.first : stretch.last + 1] = False
    readings = [
        _reading(track, stretch, float(value), grid, healthy, limits)
        for (track, stretch), value in zip(found, q, strict=True)
        if value <= Q_LIMIT
    ]
    return [r for r in readings if r is not None]


def request_limits(objectives: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The limits that objectives set for signals of requests; a latency objective also says what is slow."""
    limits = {str(o["signal"]): float(o["limit"]) for o in objectives if "signal" in o and "limit" in o}
    if "latency_p99_s" in limits:
        limits["slow_ratio"] = limits["latency_p99_s"]
    return limits


def bins_window(grid: Grid, first: int, last: int) -> Window:
    """The time of the bins first … last, both included."""
    return Window(from_us(grid.start_us + grid.step_us * first), from_us(grid.start_us + grid.step_us * (last + 1)))


def _reading(
    track: Track, stretch: Excursion, q: float, grid: Grid, healthy: np.ndarray, limits: Mapping[str, float]
) -> Reading | None:
    inside = np.zeros(grid.size, bool)
    inside[stretch.first : stretch.last + 1] = True
    rest = healthy if healthy.any() else ~inside
    before, now = track.value(rest), track.value(inside)
    if np.isnan(now):
        return None
    before = 0.0 if np.isnan(before) else before
    count = track.bottom[inside].sum()
    if track.signal == "traffic_rps":
        excess = (before - now) * count
        enough = now <= REMAINS * before and excess >= MIN_EXCESS
    elif track.signal == "latency_p99_s":
        excess = float("nan")
        enough = now >= SLOW_FACTOR * before
    else:
        excess = (now - before) * count
        floor = ERRORS_FLOOR if track.signal == "errors_ratio" else SLOW_FLOOR
        enough = now - before >= floor and now >= FACTOR * before and excess >= MIN_EXCESS
    if not enough:
        return None
    breaks = _breaks(track, inside, now, limits)
    window = bins_window(grid, stretch.first, stretch.last)
    return Reading(track.signal, track.route, window, before, now, float(excess), q, breaks, breaks is not False)


def _breaks(track: Track, inside: np.ndarray, now: float, limits: Mapping[str, float]) -> bool | None:
    """Did it break its objective within the stretch? None where there is none."""
    limit = limits.get(track.signal)
    if limit is None:
        return None
    if track.signal == "errors_ratio":
        return now > limit
    if track.signal == "traffic_rps":
        return now < limit
    known = track.p99[inside][~np.isnan(track.p99[inside])] if track.p99 is not None else np.array([])
    return bool(len(known) and np.median(known) > limit)
