"""Who is ill at the entry hop, since when, until when: error ratio, slowness and traffic, tested together.

User requests are counted once, where the outermost hop saw them, at the time they *began*. Nothing is assumed about
when the fault began: baseline and incident windows come out of this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window, step_seconds
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.excursions import Evidence, Excursion, drop_evidence, level_evidence, ratio_evidence
from kit.numerics.grid import Grid, grouped_quantiles, micros
from kit.numerics.moments import Moment, clock, from_us, length
from kit.requests import RequestArrays, request_arrays
from kit.result import Result

Q_LIMIT = 0.01
ERRORS_FLOOR, SLOW_FLOOR, FACTOR = 0.005, 0.02, 2.0
"""A ratio is ill when it rises by this much and to at least so many times the healthy one."""
REMAINS = 0.6
"""Traffic is lost when no more than this share of the usual remains."""
SLOW_FACTOR = 1.5
"""A request is slow beyond so many times the usual p99 of its route."""
MIN_EXCESS = 8.0
"""Fewer bad requests than this beyond the usual are no episode."""
JOIN_S = 60.0
"""Ill stretches closer than this are one episode (flapping)."""
GAP_S = 30.0
"""The baseline ends so long before the onset."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Reading:
    """One tested signal over one stretch: its value before and in it, the evidence, and whether it counts as ill.

    `signal`: errors_ratio, slow_ratio, latency_p99_s or traffic_rps. `route` None: all. `q` is corrected for all that
    was tested. `breaks`: an objective was broken (None: no objective is set for it).
    """

    signal: str
    route: str | None
    window: Window
    before: float
    now: float
    excess: float
    q: float
    breaks: bool | None
    ill: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of harm: when it began and ended, who is ill, and the windows to compare.

    `recovered` None: it still lasts where the data ends. `routes` empty: no route stands out from the rest.
    """

    onset: Moment
    recovered: Moment | None
    incident: Window
    baseline: Window
    readings: tuple[Reading, ...]
    routes: tuple[str, ...]
    share_of_traffic: float
    explains: float

    @property
    def signals(self) -> tuple[str, ...]:
        """Which signals are ill, strongest first, each once."""
        return tuple(dict.fromkeys(r.signal for r in self.readings if r.ill))


@dataclass(frozen=True, slots=True)
class Symptom(Result):
    """What is ill at the entry hop. `verdict`: incident, healthy or cannot_tell; `complete_until`: the watermark."""

    verdict: str
    episodes: tuple[Episode, ...]
    readings: tuple[Reading, ...]
    window: Window
    every_s: float
    complete_until: datetime
    tested: int
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.verdict == "cannot_tell":
            return "The entry hop cannot tell whether users were hurt."
        if not self.episodes:
            return f"Nothing is wrong at the entry hop: {self.tested} signals tested, none ill."
        first = self.episodes[0]
        head = _told(next(r for r in first.readings if r.ill))
        where = f" on {', '.join(first.routes)}" if first.routes else ""
        until = f"until {first.recovered}" if first.recovered else "and still does where the data ends"
        more = f" ({len(self.episodes)} episodes)" if len(self.episodes) > 1 else ""
        return f"{head}{where} from {first.onset} {until}{more}."

    @property
    def rows_wanted(self) -> tuple[Window, ...]:
        """Whose raw rows would date the episodes to the second? For `refine_symptom`."""
        wanted = []
        for episode in self.episodes:
            for moment in (episode.onset, episode.recovered):
                if moment is not None:
                    near = Window(moment.earliest, moment.latest).widen(before_s=180, after_s=180)
                    wanted.append(near.intersect(self.window) or near)
        return tuple(wanted)

    def to_frame(self) -> pd.DataFrame:
        """One row per tested signal that moved: signal, route, start, end, before, now, excess, q, breaks, ill."""
        rows = [
            {
                "signal": r.signal, "route": r.route, "start": r.window.start, "end": r.window.end, "before": r.before,
                "now": r.now, "excess": r.excess, "q": r.q, "breaks_objective": r.breaks, "ill": r.ill,
            }
            for r in self.readings
        ]  # fmt: skip
        names = ["signal", "route", "start", "end", "before", "now", "excess", "q", "breaks_objective", "ill"]
        return pd.DataFrame(rows, columns=names)


def find_symptom(
    requests: Table,
    *,
    window: Window,
    objectives: Sequence[Mapping[str, Any]] = (),
    every: str | None = None,
    covered: Window | None = None,
    join_s: float = JOIN_S,
) -> Symptom:
    """Were users hurt, how, on which routes, from when until when?

    `requests` are the entry hop's request rows (`time` at completion, `duration_s` in seconds, `failed` or
    `http.response.status_code`, optionally `route`, `probe`, `weight`). `objectives` are mappings with `signal`
    (errors_ratio, latency_p99_s) and `limit`; where one is set, a change that keeps within it is reported but not ill.
    `every`: bin width; None chooses one that holds about 30 requests. `covered`: the span in which the source is known
    to have been writing; None: from its first line to its last, so silence at the edges is no data, not lost traffic.

    Method: requests binned by start; error ratio, share of slow requests (beyond 1.5 times the usual p99 of their
    route) and loss of traffic, for all and per route, as sums of log-likelihood ratios at the effect floors
    (`excursions`); Benjamini–Hochberg over all tested, q ≤ 0.01. Stretches less than `join_s` apart are one episode.
    Each episode is then dated from single requests by the likelihood of the turning point. Healthy when nothing is
    ill; cannot_tell below 60 requests or 12 bins. Misleads when harm fills more than half of the window: then the
    harm is taken for normal.

    >>> import pandas as pd
    >>> at = pd.date_range("2026-03-01T00:00Z", periods=1200, freq="500ms")
    >>> rows = pd.DataFrame({"time": at, "duration_s": 0.1, "http.response.status_code": 200})
    >>> rows.loc[900:1000, "http.response.status_code"] = 503
    >>> symptom = find_symptom(rows, window=Window.of("2026-03-01T00:00Z", "2026-03-01T00:10Z"))
    >>> symptom.verdict, str(symptom.episodes[0].onset)
    ('incident', '00:07:29–00:07:30 UTC')
    """
    arrays = request_arrays(requests, window=window)
    routes = columns.texts(requests, "route")[arrays.rows] if columns.has(requests, "route") else None
    if len(arrays.start_us) < 60:
        return _cannot_tell(window, window.end, f"only {len(arrays.start_us)} requests, 60 are needed")
    seen = _seen(arrays, window, covered)
    until = seen.end
    grid = _whole_bins(seen, every or _step(arrays, seen))
    if grid.size < 12:
        return _cannot_tell(window, until, f"only {grid.size} bins of {grid.step_us / 1e6:g} s, 12 are needed")
    slow = arrays.duration_s > _slow_limits(arrays, routes)
    tracks = _tracks(grid, arrays, slow, routes)
    symptom = _judge(tracks, grid, window, until, _limits(objectives), join_s)
    return _refine(symptom, arrays, slow, routes)


def find_symptom_in_bins(
    bins: pd.DataFrame, *, window: Window, objectives: Sequence[Mapping[str, Any]] = (), join_s: float = JOIN_S
) -> Symptom:
    """The same question asked of counts alone: a frame by `time` with `count`, `failed` and optionally `p99`, `route`.

    For data too large to move. Episodes are dated to the bin, at the time the bins speak of (often completion); ask for
    the rows in `Symptom.rows_wanted` and give them to `refine_symptom`.
    """
    times = pd.DatetimeIndex(bins.index).unique().sort_values()
    if len(times) < 12:
        return _cannot_tell(window, window.end, f"only {len(times)} bins, 12 are needed")
    step = float(np.median(np.diff(times.as_unit("us").asi8))) / 1e6
    grid = Grid.of(window, step)
    tracks = []
    groups = [(None, bins)] if "route" not in bins else list(bins.groupby("route", sort=True))
    if "route" in bins:
        whole = bins.groupby(level=0)[["count", "failed"]].sum()
        groups.insert(0, (None, whole))
    for route, part in groups:
        part = part[~part.index.duplicated()].reindex(grid.index)
        count = part["count"].to_numpy(float, na_value=0.0)
        failed = part["failed"].to_numpy(float, na_value=0.0)
        tracks.append(_Track.ratio("errors_ratio", route, failed, count, ERRORS_FLOOR))
        if "p99" in part and part["p99"].notna().sum() >= 12:
            tracks.append(_Track.level("latency_p99_s", route, part["p99"].to_numpy(float), count))
        if route is None:
            tracks.append(_Track.traffic(count, step))
    return _judge(tracks, grid, window, window.end, _limits(objectives), join_s)


def refine_symptom(symptom: Symptom, requests: Table) -> Symptom:
    """The same episodes, dated from the single requests around their begin and end.

    `requests` must hold at least what began in `symptom.rows_wanted`; the healthy share and the usual p99 are taken
    from those that began before each onset.
    """
    arrays = request_arrays(requests)
    if not symptom.episodes or not len(arrays.start_us):
        return symptom
    routes = columns.texts(requests, "route")[arrays.rows] if columns.has(requests, "route") else None
    before = arrays.start_us < micros(symptom.episodes[0].onset.earliest)
    slow = arrays.duration_s > _slow_limits(arrays, routes, among=before if before.sum() >= 60 else None)
    return _refine(symptom, arrays, slow, routes)


# --- tracks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Track:
    """One signal of one route, bin by bin, with the evidence of each bin."""

    signal: str
    route: str | None
    evidence: Evidence
    top: np.ndarray
    bottom: np.ndarray
    p99: np.ndarray | None = None

    @classmethod
    def ratio(
        cls,
        signal: str,
        route: str | None,
        bad: np.ndarray,
        count: np.ndarray,
        floor: float,
        p99: np.ndarray | None = None,
    ) -> _Track:
        return cls(signal, route, ratio_evidence(bad, count, floor=floor, factor=FACTOR), bad, count, p99)

    @classmethod
    def level(cls, signal: str, route: str | None, values: np.ndarray, count: np.ndarray) -> _Track:
        return cls(signal, route, level_evidence(values, factor=SLOW_FACTOR), values, count, values)

    @classmethod
    def traffic(cls, count: np.ndarray, step_s: float) -> _Track:
        return cls("traffic_rps", None, drop_evidence(count, remains=REMAINS), count, np.full(len(count), step_s))

    def value(self, bins: np.ndarray) -> float:
        """What does it read over these bins?"""
        if self.signal == "latency_p99_s":
            known = self.top[bins][~np.isnan(self.top[bins])]
            return float(np.median(known)) if len(known) else float("nan")
        total = self.bottom[bins].sum()
        return float(self.top[bins].sum() / total) if total > 0 else float("nan")


def _tracks(grid: Grid, arrays: RequestArrays, slow: np.ndarray, routes: np.ndarray | None) -> list[_Track]:
    bins, _ = grid.place(arrays.start_us)
    inside = (bins >= 0) & (bins < grid.size)
    tracks = []
    groups: list[tuple[str | None, np.ndarray]] = [(None, inside)]
    if routes is not None:
        found, n = np.unique(routes[inside].astype(str), return_counts=True)
        top = [r for r, _ in sorted(zip(found, n, strict=True), key=lambda x: -x[1]) if r != "None"][:50]
        groups += [
            (str(r), inside & (routes == r)) for r in top if (routes[inside] == r).sum() >= 60 and len(found) > 1
        ]
    for route, mine in groups:
        at, weight = bins[mine], arrays.weight[mine]
        count = np.bincount(at, weights=weight, minlength=grid.size)
        failed = np.bincount(at, weights=weight * arrays.failed[mine], minlength=grid.size)
        late = np.bincount(at, weights=weight * slow[mine], minlength=grid.size)
        (p99,) = grouped_quantiles(at, arrays.duration_s[mine], (0.99,), grid.size)
        tracks.append(_Track.ratio("errors_ratio", route, failed, count, ERRORS_FLOOR))
        tracks.append(_Track.ratio("slow_ratio", route, late, count, SLOW_FLOOR, p99))
        if route is None:
            tracks.append(_Track.traffic(count, grid.step_us / 1e6))
    return tracks


def _slow_limits(arrays: RequestArrays, routes: np.ndarray | None, *, among: np.ndarray | None = None) -> np.ndarray:
    """Beyond which duration is each request slow?

    1.5 times the usual p99 of its route, by the middle of its minutes.
    """
    limits = np.full(len(arrays.start_us), np.inf)
    group = routes.astype(str) if routes is not None else np.full(len(limits), "")
    chunk = arrays.start_us // 60_000_000
    for route in np.unique(group):
        mine = group == route
        healthy = mine & ~arrays.failed if among is None else mine & among & ~arrays.failed
        if healthy.sum() < 20:
            continue
        at = chunk[healthy] - chunk[healthy].min()
        (p99,) = grouped_quantiles(at, arrays.duration_s[healthy], (0.99,), int(at.max()) + 1)
        limits[mine] = SLOW_FACTOR * float(np.nanmedian(p99))
    return limits


def _seen(arrays: RequestArrays, window: Window, covered: Window | None) -> Window:
    """Between which instants are the counts complete?

    From the first line on; until so long before the last as the slowest requests take: what began later may still
    have been running when the data ended.
    """
    ends = arrays.start_us + np.round(arrays.duration_s * 1e6).astype(np.int64)
    known = covered or Window(from_us(ends.min()), from_us(ends.max() + 1))
    seen = window.intersect(known) or window
    longest = float(np.quantile(arrays.duration_s[ends >= ends.max() - 120_000_000], 0.999))
    return Window(seen.start, max(seen.start, from_us(micros(seen.end) - longest * 1e6)))


def _whole_bins(seen: Window, every: str) -> Grid:
    """The bins that lie wholly inside."""
    step = round(step_seconds(every) * 1e6)
    start, end = -(-micros(seen.start) // step) * step, micros(seen.end) // step * step
    return Grid.of(Window(from_us(start), from_us(max(start, end))), every)


def _step(arrays: RequestArrays, window: Window) -> str:
    per_second = len(arrays.start_us) / max(1.0, window.seconds)
    wanted = max(30 / per_second, window.seconds / 2000)
    fits = [s for s in _STEPS if s >= wanted and window.seconds / s >= 24]
    return f"{fits[0] if fits else max([s for s in _STEPS if window.seconds / s >= 24], default=1)}s"


def _limits(objectives: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    limits = {str(o["signal"]): float(o["limit"]) for o in objectives if "signal" in o and "limit" in o}
    if "latency_p99_s" in limits:
        limits["slow_ratio"] = limits["latency_p99_s"]
    return limits


# --- episodes ------------------------------------------------------------------------------------------------------


def _judge(
    tracks: list[_Track], grid: Grid, window: Window, until: datetime, limits: Mapping[str, float], join_s: float
) -> Symptom:
    found: list[tuple[_Track, Excursion]] = []
    p = []
    for track in tracks:
        stretches = track.evidence.stretches()
        found += [(track, s) for s in stretches]
        p += [s.p for s in stretches]
    q = _benjamini_hochberg(np.array(p), tests=max(len(tracks), 1))
    healthy = np.ones(grid.size, bool)
    for (_, stretch), value in zip(found, q, strict=True):
        if value <= Q_LIMIT:
            healthy[stretch.first : stretch.last + 1] = False
    readings = [
        _reading(track, stretch, float(value), grid, healthy, limits)
        for (track, stretch), value in zip(found, q, strict=True)
        if value <= Q_LIMIT
    ]
    readings = [r for r in readings if r is not None]
    ill = sorted((r for r in readings if r.ill), key=lambda r: r.window.start)
    episodes = []
    for group in _joined(ill, join_s):
        episodes.append(_episode(group, tracks, grid, window, until, episodes[-1] if episodes else None))
    verdict = "incident" if episodes else "healthy"
    because = [_told(r) for r in sorted(readings, key=lambda r: (not r.ill, r.q))[:6]]
    if not readings:
        because.append(f"error ratio, slowness and traffic of {len(tracks)} signals moved no more than chance allows")
    return Symptom(
        verdict, tuple(episodes), tuple(readings), window, grid.step_us / 1e6, until, len(tracks), tuple(because)
    )


def _reading(
    track: _Track, stretch: Excursion, q: float, grid: Grid, healthy: np.ndarray, limits: Mapping[str, float]
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
        enough = now <= REMAINS * 1.1 * before and excess >= MIN_EXCESS
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
    window = Window(grid.index[stretch.first].to_pydatetime(), _end(grid, stretch.last))
    return Reading(track.signal, track.route, window, before, now, float(excess), q, breaks, breaks is not False)


def _breaks(track: _Track, inside: np.ndarray, now: float, limits: Mapping[str, float]) -> bool | None:
    """Did it break its objective within the stretch? None where there is none."""
    limit = limits.get(track.signal)
    if limit is None:
        return None
    if track.signal == "errors_ratio":
        return now > limit
    known = track.p99[inside][~np.isnan(track.p99[inside])] if track.p99 is not None else np.array([])
    return bool(len(known) and np.median(known) > limit)


def _joined(ill: list[Reading], join_s: float) -> list[list[Reading]]:
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


def _episode(
    ill: list[Reading], tracks: list[_Track], grid: Grid, window: Window, until: datetime, previous: Episode | None
) -> Episode:
    start, end = min(r.window.start for r in ill), max(r.window.end for r in ill)
    step = grid.step_us / 1e6
    lasting = (until - end).total_seconds() < 2 * step
    censored = (start - window.start).total_seconds() < 2 * step
    onset = Moment.of_us(micros(start) - step * 1e6, micros(start), micros(start) + step * 1e6, censored=censored)
    recovered = None if lasting else Moment.of_us(micros(end) - step * 1e6, micros(end), micros(end) + step * 1e6)
    routes, share, explains = _scope(ill, tracks, grid, start, end)
    ill = sorted(ill, key=lambda r: (r.q, -r.excess if r.excess == r.excess else 0.0))
    ill.sort(key=lambda r: (r.route is not None, ("errors_ratio", "slow_ratio").count(r.signal) == 0))
    episode = Episode(onset, recovered, Window(start, end), Window(start, start), tuple(ill), routes, share, explains)
    return _with_windows(episode, window, until, previous.incident.end if previous else None)


def _scope(
    ill: list[Reading], tracks: list[_Track], grid: Grid, start: datetime, end: datetime
) -> tuple[tuple[str, ...], float, float]:
    """Which routes stand out, which share of the traffic are they, and how much of the excess do they carry?"""
    ill_routes = tuple(dict.fromkeys(r.route for r in ill if r.route is not None))
    known = [t for t in tracks if t.signal in ("errors_ratio", "slow_ratio")]
    every_route = {t.route for t in known if t.route is not None}
    signal = "errors_ratio" if any(r.signal == "errors_ratio" for r in ill) else "slow_ratio"
    inside = (grid.index >= start) & (grid.index < end)
    excess = {
        t.route: t.top[inside].sum() - t.top[~inside].sum() / max(1.0, t.bottom[~inside].sum()) * t.bottom[inside].sum()
        for t in known
        if t.signal == signal
    }
    traffic = {t.route: t.bottom[inside].sum() for t in known if t.signal == signal}
    whole, total = excess.get(None, 0.0), traffic.get(None, 0.0)
    if not ill_routes or not total or len(ill_routes) == len(every_route):
        return (), 1.0, 1.0
    share = float(sum(traffic.get(r, 0.0) for r in ill_routes) / total)
    explains = float(min(1.0, sum(excess.get(r, 0.0) for r in ill_routes) / whole)) if whole > 0 else float("nan")
    return (ill_routes, share, explains) if share < 0.8 else ((), 1.0, 1.0)


def _with_windows(episode: Episode, window: Window, until: datetime, not_before: datetime | None) -> Episode:
    """The incident from onset to recovery.

    The baseline 4 times as long (at least 5 minutes), ending before the onset.
    """
    start = episode.onset.time
    end = episode.recovered.time if episode.recovered else max(until, start)
    incident = Window(start, max(end, start))
    stop = from_us(micros(episode.onset.earliest) - GAP_S * 1e6)
    floor = window.start if not_before is None else max(window.start, from_us(micros(not_before) + GAP_S * 1e6))
    stop = max(stop, floor)
    begin = max(floor, from_us(micros(stop) - max(4 * incident.seconds, 300.0) * 1e6))
    return replace(episode, incident=incident, baseline=Window(begin, stop))


# --- dating --------------------------------------------------------------------------------------------------------


def _refine(symptom: Symptom, arrays: RequestArrays, slow: np.ndarray, routes: np.ndarray | None) -> Symptom:
    refined: list[Episode] = []
    for episode in symptom.episodes:
        just_before = _just_before(arrays.start_us, episode)
        if just_before.sum() >= 60:
            slow = arrays.duration_s > _slow_limits(arrays, routes, among=just_before)
        bad = _bad(episode, arrays, slow)
        mine = np.ones(len(bad), bool)
        if episode.routes and routes is not None:
            mine = np.isin(routes.astype(str), episode.routes)
        onset, recovered = episode.onset, episode.recovered
        if bad is not None and mine.sum() >= 20:
            start, duration, ill = arrays.start_us[mine], arrays.duration_s[mine], bad[mine]
            if not onset.censored:
                onset = _turn(start, duration, ill, episode, falling=False) or onset
            if recovered is not None:
                recovered = _turn(start, duration, ill, episode, falling=True) or recovered
        previous = refined[-1].incident.end if refined else None
        dated = replace(episode, onset=onset, recovered=recovered)
        refined.append(_with_windows(dated, symptom.window, symptom.complete_until, previous))
    return replace(symptom, episodes=tuple(refined))


def _bad(episode: Episode, arrays: RequestArrays, slow: np.ndarray) -> np.ndarray:
    bad = np.zeros(len(slow), bool)
    if "errors_ratio" in episode.signals:
        bad |= arrays.failed
    if "slow_ratio" in episode.signals or "latency_p99_s" in episode.signals:
        bad |= slow
    return bad


def _turn(
    start: np.ndarray, duration: np.ndarray, bad: np.ndarray, episode: Episode, *, falling: bool
) -> Moment | None:
    """Between which requests did it turn? The interval of likelihood within 1.92 of the best (95 %), in whole seconds.

    A request can only be hit while it runs, so the onset's end is extended by the usual duration.
    """
    moment = episode.recovered if falling else episode.onset
    if moment is None:
        return None
    reach = max(90e6, 3 * moment.width_s * 1e6)
    low, high = micros(moment.earliest) - reach, micros(moment.latest) + reach
    if falling:
        low = max(low, micros(episode.incident.start))
    else:
        high = min(high, micros(episode.incident.end) + 5e6)
    near = np.flatnonzero((start >= low) & (start <= high))
    before = _just_before(start, episode)
    if len(near) < 10 or not bad[near].any():
        return None
    usual = float((bad[before].sum() + 0.5) / (before.sum() + 1.0)) if before.sum() >= 20 else 0.01
    usual = min(max(usual, 0.001), 0.5)
    edge = micros(episode.incident.end if falling else episode.incident.start)
    ill_part = (start >= edge - 30e6) & (start < edge) if falling else (start >= edge) & (start < edge + 30e6)
    ill = float(bad[ill_part].mean()) if ill_part.sum() >= 5 else 0.5
    ill = min(max(ill, 3 * usual, usual + 0.05), 0.95)
    gain = np.where(bad[near], np.log(ill / usual), np.log((1 - ill) / (1 - usual)))
    if falling:
        gain = -gain
    # score[k]: the turn lies just before request k; everything from k on is in the new state
    score = np.concatenate([np.cumsum(gain[::-1])[::-1], [0.0]])
    best = int(np.argmax(score))
    fits = np.flatnonzero(score >= score[best] - 1.92)
    fits = _around(fits, best)
    times = start[near]
    before_turn = times[max(0, fits[0] - 1)]
    after_turn = times[min(len(times) - 1, fits[-1])]
    middle = times[min(len(times) - 1, best)]
    usual_s = float(np.quantile(duration[before], 0.99)) if before.sum() >= 20 else 0.0
    slack = 0.0 if falling else min(10.0, usual_s)
    earliest = np.floor(before_turn / 1e6) * 1e6
    latest = np.ceil(after_turn / 1e6 + slack) * 1e6
    if falling:
        # what began before the turn ends later: recovery is over when the last bad request has ended
        middle = times[max(0, best - 1)]
    return Moment.of_us(earliest, min(max(middle, earliest), latest), latest)


def _just_before(start: np.ndarray, episode: Episode) -> np.ndarray:
    """Which requests began in the ten minutes before the onset (less the gap)? Not all before: so that the dating does
    not depend on where the data happens to begin."""
    end = micros(episode.onset.earliest) - GAP_S * 1e6
    return (start >= end - 600e6) & (start < end)


def _around(fits: np.ndarray, best: int) -> np.ndarray:
    """The run of fitting positions that holds the best one, across holes of up to three."""
    cut = np.flatnonzero(np.diff(fits) > 3)
    edges = np.concatenate([[0], cut + 1, [len(fits)]])
    for first, last in pairwise(edges):
        if fits[first] <= best <= fits[last - 1]:
            return fits[first:last]
    return np.array([best])


# --- small ---------------------------------------------------------------------------------------------------------


def _benjamini_hochberg(p: np.ndarray, *, tests: int) -> np.ndarray:
    if not len(p):
        return p
    m = max(len(p), tests)
    order = np.argsort(p)
    scaled = p[order] * m / (np.arange(len(p)) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return q


def _cannot_tell(window: Window, until: datetime, why: str) -> Symptom:
    return Symptom("cannot_tell", (), (), window, 0.0, until, 0, (f"Too little to judge by: {why}.",))


def _end(grid: Grid, last: int) -> datetime:
    return from_us(grid.start_us + grid.step_us * (last + 1))


def _told(reading: Reading) -> str:
    before, now = reading.before, reading.now
    if reading.signal == "traffic_rps":
        text = f"Traffic fell from {before:.3g} to {now:.3g} requests a second"
    elif reading.signal == "errors_ratio":
        text = f"Failed requests rose from {before:.2%} to {now:.1%}"
    elif reading.signal == "slow_ratio":
        text = f"Slow requests rose from {before:.2%} to {now:.1%}"
    else:
        text = f"The slowest 1 % rose from {before:.3g} s to {now:.3g} s"
    where = f" on {reading.route}" if reading.route else ""
    kept = " but kept within the objective" if reading.breaks is False else ""
    return f"{text}{where}{kept}"


def _span(window: Window) -> str:
    return f"{clock(window.start)} for {length(window.seconds)}"
