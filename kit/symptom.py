"""Who is ill, since when, until when? Failures, slowness and traffic at the entry hop, and what is late behind it.

User requests are counted once, where the outermost hop saw them, at the time they *began*. Nothing is assumed about
when the fault began: baseline and incident windows come out of this module. How bins become episodes stands in
`kit.episodes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window, step_seconds
from kit.episodes.dating import bad_requests, date_fall, date_onset, date_recovery, just_before
from kit.episodes.episode import Episode, alone_part, with_windows
from kit.episodes.joining import JOIN_S, join_episodes
from kit.episodes.judging import judge_tracks, request_limits
from kit.episodes.lateness import beside_requests, late_episodes, metric_limits, told_gap, unread_objectives
from kit.episodes.reading import Reading
from kit.episodes.slowness import given_up_requests, slow_requests
from kit.episodes.tracks import Track, tracks_of_bins, tracks_of_requests
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid, micros
from kit.numerics.moments import from_us
from kit.requests import RequestArrays, request_arrays
from kit.result import Result

__all__ = ["Episode", "Reading", "Symptom", "find_symptom", "find_symptom_in_bins", "refine_symptom"]

FEWEST_REQUESTS, FEWEST_BINS = 60, 12
RESIDUAL_TOLD = 0.1
"""From this share of the excess on, what no episode carries is told."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Symptom(Result):
    """What is ill. `verdict`: incident, healthy or cannot_tell; `complete_until`: the watermark; `tested`: signals."""

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
        head = next(r for r in first.readings if r.ill).told
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
    signals: pd.DataFrame | None = None,
) -> Symptom:
    """Were users hurt, how, on which routes, from when until when?

    `requests` are the entry hop's request rows (`time` at completion, `duration_s` in seconds, `failed` or
    `http.response.status_code`, optionally `route`, `probe`, `weight`). `objectives` are mappings with `signal`
    (errors_ratio, latency_p99_s, or a column of `signals`) and `limit`; where one is set, a change that keeps within it
    is reported but not ill. `signals`: an aligned frame; its columns with an objective, and the age of waiting work
    (beyond 30 s without one), are judged as well: harm that no request shows. `every`: bin width; None chooses one that
    holds about 30 requests. `covered`: the span in which the source is known to have been writing; None: from its first
    line to its last, so silence at the edges is no data, not lost traffic.

    Method: requests binned by start; error ratio, share of slow requests (beyond 1.5 times the usual p99 of their route
    and at least a tenth of a second beyond it, or given up by their client) and loss of traffic (a fifth or more), for
    all and per route, as sums of log-likelihood ratios at the effect floors, divided by the scatter of the healthy bins
    (`excursions`); Benjamini–Hochberg over all tested, q ≤ 0.01. Assumes that most of the window is healthy. Stretches
    less than `join_s` apart are one episode, two faults that overlap are two (`join_episodes`). Each episode is then
    dated from single requests by the likelihood of the turning point. Healthy when nothing is ill; cannot_tell below 60
    requests or 12 bins. False alarms: at most 1 in 100 of what it calls ill, by design; measured, 2 of 48 healthy
    windows of five minutes of the recorded shop. Misleads when harm fills more than half of the window: then the harm
    is taken for normal; and by lost traffic when the day itself grows quiet: compare with the same time of an earlier
    day.

    >>> import pandas as pd
    >>> at = pd.date_range("2026-03-01T00:00Z", periods=1200, freq="500ms")
    >>> rows = pd.DataFrame({"time": at, "duration_s": 0.1, "http.response.status_code": 200})
    >>> rows.loc[900:1000, "http.response.status_code"] = 503
    >>> symptom = find_symptom(rows, window=Window.of("2026-03-01T00:00Z", "2026-03-01T00:10Z"))
    >>> symptom.verdict, str(symptom.episodes[0].onset)
    ('incident', '00:07:29–00:07:30 UTC')
    """
    arrays = request_arrays(requests, window=window)
    late = _late(signals, objectives, window)
    if len(arrays.start_us) < FEWEST_REQUESTS:
        return _cannot_tell(window, window.end, f"only {len(arrays.start_us)} requests, 60 are needed", late)
    seen = _seen(arrays, window, covered)
    grid = _whole_bins(seen, every or _step(arrays, seen))
    if grid.size < FEWEST_BINS:
        return _cannot_tell(window, seen.end, f"only {grid.size} bins of {grid.step_us / 1e6:g} s, 12 are needed", late)
    marked = _Marked.of(requests, arrays, request_limits(objectives).get("latency_p99_s"))
    tracks = tracks_of_requests(grid, arrays, marked.slow(None), marked.given_up, marked.routes)
    symptom = _judge(tracks, grid, window, seen.end, objectives, join_s)
    return _with_late(_refine(symptom, marked, _scatter(tracks)), late, join_s, signals, objectives)


def find_symptom_in_bins(
    bins: pd.DataFrame,
    *,
    window: Window,
    objectives: Sequence[Mapping[str, Any]] = (),
    join_s: float = JOIN_S,
    signals: pd.DataFrame | None = None,
) -> Symptom:
    """The same question asked of counts alone: a frame by `time` with `count`, `failed` and optionally `p99`, `route`.

    For data too large to move. Episodes are dated to the bin, at the time the bins speak of (often completion); ask for
    the rows in `Symptom.rows_wanted` and give them to `refine_symptom`. Method and what it assumes: as `find_symptom`;
    of slowness only `p99` speaks, of which it takes three ill bins. False alarms: measured, 5 of 145 hours of a public
    recording without an injected fault, four of which hold true failures. It misleads where requests that fail end
    late: bins by completion date them late.
    """
    times = pd.DatetimeIndex(bins.index).unique().sort_values()
    late = _late(signals, objectives, window)
    if len(times) < FEWEST_BINS:
        return _cannot_tell(window, window.end, f"only {len(times)} bins, 12 are needed", late)
    step = float(np.median(np.diff(times.as_unit("us").asi8))) / 1e6
    grid = Grid.of(window, step)
    symptom = _judge(tracks_of_bins(bins, grid, step), grid, window, window.end, objectives, join_s)
    return _with_late(symptom, late, join_s, signals, objectives)


def refine_symptom(symptom: Symptom, requests: Table, *, objectives: Sequence[Mapping[str, Any]] = ()) -> Symptom:
    """The same episodes, dated from the single requests around their begin and end.

    `requests` must hold at least what began in `symptom.rows_wanted`; the healthy share and the usual p99 are taken
    from those that began before each onset.
    """
    arrays = request_arrays(requests)
    if not symptom.episodes or not len(arrays.start_us):
        return symptom
    return _refine(symptom, _Marked.of(requests, arrays, request_limits(objectives).get("latency_p99_s")), 1.0)


@dataclass(frozen=True, slots=True)
class _Marked:
    """Requests with their routes (None: not logged), which of them their client gave up, and their objective."""

    arrays: RequestArrays
    routes: np.ndarray | None
    given_up: np.ndarray
    objective_s: float | None

    @classmethod
    def of(cls, rows: Table, arrays: RequestArrays, objective_s: float | None) -> _Marked:
        routes = columns.texts(rows, "route")[arrays.rows] if columns.has(rows, "route") else None
        return cls(arrays, routes, given_up_requests(rows, arrays), objective_s)

    def slow(self, among: np.ndarray | None) -> np.ndarray:
        """Which are slow, by the usual of these; of all when they are too few."""
        usable = among if among is not None and among.sum() >= FEWEST_REQUESTS else None
        return slow_requests(self.arrays, self.routes, self.given_up, objective_s=self.objective_s, among=usable)

    def on(self, routes: tuple[str, ...]) -> np.ndarray:
        """Which are on these routes? All when none is named."""
        if not routes or self.routes is None:
            return np.ones(len(self.arrays.start_us), bool)
        return np.isin(self.routes.astype(str), routes)


def _judge(
    tracks: list[Track],
    grid: Grid,
    window: Window,
    until: datetime,
    objectives: Sequence[Mapping[str, Any]],
    join_s: float,
) -> Symptom:
    readings = judge_tracks(tracks, grid, request_limits(objectives))
    ill = [r for r in readings if r.ill]
    episodes = join_episodes(ill, tracks, grid, window=window, until=until, join_s=join_s)
    because = [r.told for r in sorted(readings, key=lambda r: (not r.ill, r.q))[:6]]
    if not readings:
        because.append(f"error ratio, slowness and traffic of {len(tracks)} signals moved no more than chance allows")
    for rest in sorted({e.residual for e in episodes if e.residual > RESIDUAL_TOLD}):
        because.append(f"{rest:.0%} of the excess lies outside of these episodes")
    verdict = "incident" if episodes else "healthy"
    return Symptom(
        verdict, tuple(episodes), tuple(readings), window, grid.step_us / 1e6, until, len(tracks), tuple(because)
    )


def _refine(symptom: Symptom, marked: _Marked, scatter: float) -> Symptom:
    """The same episodes dated to the second, each from the requests of its own routes."""
    dated = [_dated(e, marked, scatter) for e in symptom.episodes]
    refined = []
    for episode in dated:
        ended = [e.incident.end for e in refined if e.incident.end <= episode.onset.earliest]
        beside = [e.onset for e in dated if e is not episode and _overlap(e, episode)]
        first = min(beside, key=lambda m: m.earliest, default=None)
        refined.append(
            with_windows(episode, symptom.window, symptom.complete_until,
                         not_before=max(ended, default=None), healthy_until=first)
        )  # fmt: skip
    parted = [replace(e, alone=alone_part(e, [o for o in refined if o is not e])) for e in refined]
    return replace(symptom, episodes=tuple(parted))


def _dated(episode: Episode, marked: _Marked, scatter: float) -> Episode:
    mine = marked.on(episode.routes)
    start, duration = marked.arrays.start_us[mine], marked.arrays.duration_s[mine]
    if mine.sum() < 20:
        return episode
    onset, recovered = episode.onset, episode.recovered
    if episode.hurts == "lost":
        fell, rose = date_fall(start, episode, scatter=scatter)
    else:
        slow = marked.slow(just_before(marked.arrays.start_us, episode))
        bad = bad_requests(episode, marked.arrays, slow)[mine]
        fell, rose = date_onset(start, duration, bad, episode), date_recovery(start, bad, episode)
    if fell is not None and not onset.censored:
        onset = fell
    if rose is not None and recovered is not None:
        recovered = rose
    return replace(episode, onset=onset, recovered=recovered)


def _overlap(a: Episode, b: Episode) -> bool:
    return a.incident.start < b.incident.end and b.incident.start < a.incident.end


def _scatter(tracks: Sequence[Track]) -> float:
    return next((t.evidence.scatter for t in tracks if t.signal == "traffic_rps"), 1.0)


def _late(signals: pd.DataFrame | None, objectives: Sequence[Mapping[str, Any]], window: Window) -> list[Episode]:
    limits = metric_limits(signals, objectives)
    return late_episodes(signals, limits, window=window) if signals is not None and limits else []


def _with_late(
    symptom: Symptom,
    late: list[Episode],
    join_s: float,
    signals: pd.DataFrame | None,
    objectives: Sequence[Mapping[str, Any]],
) -> Symptom:
    """The symptom with the lateness behind the requests, and with the objectives that could not be judged."""
    limits = metric_limits(signals, objectives)
    unread = tuple(told_gap(s) for s in unread_objectives(signals, objectives))
    symptom = replace(symptom, tested=symptom.tested + len(limits), because=(*symptom.because, *unread))
    if not late:
        return symptom
    readings = tuple(r for e in late for r in e.readings)
    return replace(
        symptom,
        verdict="incident",
        episodes=tuple(beside_requests(symptom.episodes, late, join_s=join_s)),
        readings=(*symptom.readings, *readings),
        because=(*(r.told for r in readings), *symptom.because),
    )


def _cannot_tell(window: Window, until: datetime, why: str, late: list[Episode]) -> Symptom:
    """Too little of requests to judge by; a metric over its limit is an answer all the same."""
    because = (f"Too little to judge by: {why}.",)
    if not late:
        return Symptom("cannot_tell", (), (), window, 0.0, until, 0, because)
    readings = tuple(r for e in late for r in e.readings)
    told = (*(r.told for r in readings), *because)
    return Symptom("incident", tuple(late), readings, window, 0.0, until, len(readings), told)


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
