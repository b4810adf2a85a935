"""Which ill readings are one episode? Those near in time, unless two faults overlap that begin and end apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from connectors.window import Window
from kit.episodes.episode import Episode, with_windows
from kit.episodes.reading import Reading
from kit.episodes.tracks import Track
from kit.numerics.grid import Grid, micros
from kit.numerics.moments import Moment

JOIN_S = 60.0
"""Ill stretches closer than this are one episode (flapping)."""
APART_S = 30.0
"""Signals of one fault begin together or end together, to so many seconds; two faults do neither."""
RATIOS = ("errors_ratio", "slow_ratio")


def join_episodes(
    ill: Sequence[Reading], tracks: Sequence[Track], grid: Grid, *, window: Window, until: datetime, join_s: float
) -> list[Episode]:
    """Which episodes do these readings make, in order of onset?

    Stretches less than `join_s` apart are one, however often they flap. Of those, signals that begin more than 30 s
    apart, end more than 30 s apart and overlap by as much are told as two faults: what one fault does to others begins
    later and ends with it, or begins with it and ends later.
    """
    episodes: list[Episode] = []
    for group in _near(sorted(ill, key=lambda r: r.window.start), join_s):
        before = max((e.incident.end for e in episodes), default=None)
        faults = _faults(group)
        edges = [[r for r in fault if r.route is not None] if len(faults) > 1 else fault for fault in faults]
        parts = [_episode(*pair, tracks, grid, window, until) for pair in zip(faults, edges, strict=True)]
        parts.sort(key=lambda e: e.onset.time)
        rest = _rest([e for e in parts if e.hurts in ("failed", "slow")], tracks, grid)
        first = parts[0].onset if len(parts) > 1 else None
        episodes += [
            with_windows(replace(e, residual=rest), window, until, not_before=before, healthy_until=first)
            for e in parts
        ]
    return episodes


def _near(ill: Sequence[Reading], join_s: float) -> list[list[Reading]]:
    groups: list[list[Reading]] = []
    end: datetime | None = None
    for reading in ill:
        if groups and end is not None and (reading.window.start - end).total_seconds() < join_s:
            groups[-1].append(reading)
            end = max(end, reading.window.end)
        else:
            groups.append([reading])
            end = reading.window.end
    return groups


@dataclass
class _Extent:
    """From when to when the readings of one signal of one route are ill."""

    readings: list[Reading]

    @property
    def start(self) -> datetime:
        return min(r.window.start for r in self.readings)

    @property
    def end(self) -> datetime:
        return max(r.window.end for r in self.readings)

    def apart(self, other: _Extent) -> float:
        """By how many seconds do both edges differ: the lesser of the two. 0 where they do not overlap by as much."""
        shared = (min(self.end, other.end) - max(self.start, other.start)).total_seconds()
        edges = (self.start - other.start, self.end - other.end)
        return min(abs(edge.total_seconds()) for edge in edges) if shared > APART_S else 0.0


def _faults(group: list[Reading]) -> list[list[Reading]]:
    """The readings of each fault. Routes tell faults apart; readings of all requests go with the nearest."""
    by_track: dict[tuple[str, str | None], _Extent] = {}
    for r in group:
        by_track.setdefault((r.signal, r.route), _Extent([])).readings.append(r)
    routed = [extent for (_, route), extent in by_track.items() if route is not None]
    faults: list[list[_Extent]] = []
    for extent in routed:
        same = [f for f in faults if any(extent.apart(other) <= APART_S for other in f)]
        faults = [f for f in faults if f not in same] + [[extent, *(e for f in same for e in f)]]
    routes = [{r.route for e in f for r in e.readings} for f in faults]
    if len(faults) < 2 or any(a & b for n, a in enumerate(routes) for b in routes[n + 1 :]):
        return [group]
    for (_, route), extent in by_track.items():
        if route is None:
            signals = {r.signal for r in extent.readings}
            alike = [f for f in faults if any(r.signal in signals for e in f for r in e.readings)] or faults
            min(alike, key=lambda f: min(extent.apart(e) for e in f)).append(extent)
    return [[r for extent in fault for r in extent.readings] for fault in faults]


def _episode(
    ill: list[Reading], edges: list[Reading], tracks: Sequence[Track], grid: Grid, window: Window, until: datetime
) -> Episode:
    """The episode of these readings; `edges` are those that say when it began and ended."""
    start, end = min(r.window.start for r in edges), max(r.window.end for r in edges)
    step = grid.step_us / 1e6
    lasting = (until - end).total_seconds() < 2 * step
    censored = (start - window.start).total_seconds() < 2 * step
    onset = Moment.of_us(micros(start) - step * 1e6, micros(start), micros(start) + step * 1e6, censored=censored)
    recovered = None if lasting else Moment.of_us(micros(end) - step * 1e6, micros(end), micros(end) + step * 1e6)
    routes, share, explains = _scope(ill, tracks, grid, start, end)
    ill = sorted(ill, key=lambda r: (r.q, -r.excess if r.excess == r.excess else 0.0))
    ill.sort(key=lambda r: (r.route is not None, RATIOS.count(r.signal) == 0))
    return Episode(onset, recovered, Window(start, end), Window(start, start), tuple(ill), routes, share, explains)


def _scope(
    ill: list[Reading], tracks: Sequence[Track], grid: Grid, start: datetime, end: datetime
) -> tuple[tuple[str, ...], float, float]:
    """Which routes stand out, which share of the traffic are they, and how much of the excess do they carry?"""
    ill_routes = tuple(dict.fromkeys(r.route for r in ill if r.route is not None))
    signal = "errors_ratio" if any(r.signal == "errors_ratio" for r in ill) else "slow_ratio"
    every_route = {t.route for t in tracks if t.signal in RATIOS and t.route is not None}
    inside = (grid.index >= start) & (grid.index < end)
    excess = {t.route: _excess(t, inside) for t in tracks if t.signal == signal}
    traffic = {t.route: t.bottom[inside].sum() for t in tracks if t.signal == signal}
    whole, total = excess.get(None, 0.0), traffic.get(None, 0.0)
    if not ill_routes or not total or len(ill_routes) == len(every_route):
        return (), 1.0, 1.0
    share = float(sum(traffic.get(r, 0.0) for r in ill_routes) / total)
    explains = float(min(1.0, sum(excess.get(r, 0.0) for r in ill_routes) / whole)) if whole > 0 else float("nan")
    return (ill_routes, share, explains) if share < 0.8 else ((), 1.0, 1.0)


def _rest(episodes: Sequence[Episode], tracks: Sequence[Track], grid: Grid) -> float:
    """Of the excess of bad requests while any of these lasts: which share do their routes and times not carry?"""
    whole = carried = 0.0
    for signal in RATIOS:
        mine = [e for e in episodes if signal in e.signals]
        spans = [_bins(e, grid) for e in mine]
        if not mine:
            continue
        ever = np.logical_or.reduce(spans)
        whole += sum(max(0.0, _excess(t, ever)) for t in tracks if t.signal == signal and t.route is None)
        for episode, span in zip(mine, spans, strict=True):
            routes = episode.routes or (None,)
            carried += sum(max(0.0, _excess(t, span)) for t in tracks if t.signal == signal and t.route in routes)
    return float(max(0.0, 1 - carried / whole)) if whole > 0 else float("nan")


def _bins(episode: Episode, grid: Grid) -> np.ndarray:
    return np.asarray((grid.index >= episode.incident.start) & (grid.index < episode.incident.end))


def _excess(track: Track, inside: np.ndarray) -> float:
    """Bad requests in these bins beyond the healthy ratio."""
    return float(track.top[inside].sum() - track.evidence.usual * track.bottom[inside].sum())
