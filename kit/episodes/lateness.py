"""Is something over its limit that no request shows: a metric with an objective, or work that waits in a queue?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.episodes.episode import Episode, with_windows
from kit.episodes.judging import Q_LIMIT, bins_window
from kit.episodes.reading import Reading
from kit.numerics.excursions import ratio_evidence
from kit.numerics.grid import Grid
from kit.numerics.moments import Moment, from_us
from kit.numerics.segments import robust_spread

AGE = re.compile(r"message\.age|\.age(\.|$)|age_s(econds)?(\.|$)|consumer.*lag.*(time|seconds)", re.I)
AGE_LIMIT_S = 30.0
"""Without an objective, work that waits longer than this is late."""
FLOOR = 0.25
"""A metric is ill where more than this share of the samples is over the limit, and twice the usual share."""
DEPARTED = 5.0
"""A sample has left its usual when it is this many robust standard deviations, and a tenth of the limit, above it."""
FEWEST = 12


@dataclass(frozen=True, slots=True)
class Limit:
    """What a metric must not exceed, in its own unit; `stated`: by an objective of the case."""

    signal: str
    limit: float
    stated: bool


def metric_limits(wide: pd.DataFrame | None, objectives: Sequence[Mapping[str, Any]]) -> tuple[Limit, ...]:
    """Which columns of the aligned frame have a limit: by an objective, or because they are the age of waiting work?

    >>> wide = pd.DataFrame(columns=["w@1/messaging.message.age.gauge", "w/cpu.usage.ratio"])
    >>> [(m.signal, m.limit) for m in metric_limits(wide, ())]
    [('w@1/messaging.message.age.gauge', 30.0)]
    """
    if wide is None:
        return ()
    stated: dict[str, float] = {}
    for objective in objectives:
        wanted = str(objective["signal"])
        stated |= {c: float(objective["limit"]) for c in wide.columns if _is(c, wanted)}
    ages = [c for c in wide.columns if c not in stated and AGE.search(c.rpartition("/")[2])]
    return (*(Limit(c, v, True) for c, v in stated.items()), *(Limit(c, AGE_LIMIT_S, False) for c in ages))


def unread_objectives(wide: pd.DataFrame | None, objectives: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Which objectives are about a metric that is not there?"""
    about = [str(o["signal"]) for o in objectives if "/" in str(o["signal"])]
    columns = [] if wide is None else list(wide.columns)
    return tuple(s for s in about if not any(_is(c, s) for c in columns))


def late_episodes(wide: pd.DataFrame, limits: Sequence[Limit], *, window: Window) -> list[Episode]:
    """When was a metric over its limit for longer than chance and a stray sample explain? One episode per stretch.

    Evidence is the share of samples over the limit, as for failed requests. Harm is dated from the first sample that
    left its usual on its way over the limit: what waits five seconds has been waiting for five seconds. The interval is
    two samples wide, since between them nobody looked.
    """
    if len(wide) < FEWEST:
        return []
    step = float(np.median(np.diff(wide.index.as_unit("us").asi8))) / 1e6
    grid = Grid.of(Window(wide.index[0].to_pydatetime(), from_us(int(wide.index.as_unit("us").asi8[-1]) + 1)), step)
    found = []
    for limit in limits:
        values = wide[limit.signal].to_numpy(float)
        known = np.isfinite(values)
        if known.sum() < FEWEST:
            continue
        over = known & (np.nan_to_num(values) > limit.limit)
        evidence = ratio_evidence(over.astype(float), known.astype(float), floor=FLOOR, factor=2.0)
        for stretch in evidence.stretches():
            if stretch.p * len(limits) <= Q_LIMIT:
                found.append(_episode(limit, values, over, stretch.first, stretch.last, stretch.p, grid, window))
    return _joined(sorted(found, key=lambda e: e.onset.time))


def _episode(
    limit: Limit, values: np.ndarray, over: np.ndarray, first: int, last: int, p: float, grid: Grid, window: Window
) -> Episode:
    rest = np.isfinite(values) & ~over
    usual = float(np.median(values[rest])) if rest.any() else 0.0
    spread = robust_spread(values[rest] - usual) if rest.sum() >= FEWEST else 0.0
    left = usual + max(DEPARTED * spread, 0.1 * limit.limit)
    begin, end = first, last
    while begin > 0 and values[begin - 1] > left:
        begin -= 1
    until = bins_window(grid, len(values) - 1, len(values) - 1).end
    edge = bins_window(grid, max(begin - 1, 0), begin).start, bins_window(grid, first, first)
    onset = Moment(edge[0], bins_window(grid, begin, begin).start, edge[1].end, censored=begin == 0)
    back = bins_window(grid, end, min(end + 1, len(values) - 1))
    recovered = None if end >= len(values) - 2 else Moment(back.start, bins_window(grid, end, end).end, back.end)
    inside = values[first : last + 1]
    before, now = usual, float(np.nanmax(inside))
    stretch = bins_window(grid, first, last)
    reading = Reading(limit.signal, None, stretch, before, now, float("nan"), p, True if limit.stated else None, True)
    episode = Episode(onset, recovered, stretch, stretch, (reading,), (), 0.0, float("nan"), float("nan"))
    return with_windows(episode, window, until, not_before=None)


def _joined(episodes: list[Episode]) -> list[Episode]:
    """Those that overlap are one: several metrics of the same work."""
    joined: list[Episode] = []
    for episode in episodes:
        last = joined[-1] if joined else None
        if last is not None and (last.recovered is None or episode.onset.earliest <= last.recovered.latest):
            ends = [e.recovered for e in (last, episode)]
            recovered = None if any(e is None for e in ends) else max(ends, key=lambda m: m.time)  # type: ignore[union-attr]
            end = max(last.incident.end, episode.incident.end)
            joined[-1] = replace(
                last, recovered=recovered, incident=Window(last.incident.start, end),
                readings=(*last.readings, *episode.readings),
            )  # fmt: skip
        else:
            joined.append(episode)
    return joined


def beside_requests(episodes: Sequence[Episode], late: Sequence[Episode], *, join_s: float) -> list[Episode]:
    """The episodes of requests with what was late meanwhile, and the lateness that no request episode is near to."""
    found, alone = list(episodes), []
    for other in late:
        near = next((n for n, e in enumerate(found) if _gap_s(e.incident, other.incident) < join_s), None)
        if near is None:
            alone.append(other)
        else:
            found[near] = replace(found[near], readings=(*found[near].readings, *other.readings))
    return sorted([*found, *alone], key=lambda e: e.onset.time)


def _gap_s(a: Window, b: Window) -> float:
    return max((b.start - a.end).total_seconds(), (a.start - b.end).total_seconds())


def _is(column: str, wanted: str) -> bool:
    """Is this column the wanted signal, of whatever instance?"""
    owner, _, name = column.partition("/")
    service, _, signal = wanted.partition("/")
    return bool(signal) and name == signal and (owner == service or owner.split("@", 1)[0] == service)


def told_gap(signal: str) -> str:
    """What an objective about a metric that is not there leaves unsaid."""
    return f"the objective for {signal} cannot be judged: there is no such signal"
