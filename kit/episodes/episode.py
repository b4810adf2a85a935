"""One stretch of harm, and the two windows that are compared for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from connectors.window import Window
from kit.episodes.reading import Reading
from kit.numerics.grid import micros
from kit.numerics.moments import Moment, from_us

GAP_S = 30.0
"""The baseline ends so long before the onset."""
ALONE_S = 30.0
SLOWNESS = ("slow_ratio", "latency_p99_s")


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of harm: when it began and ended, who is ill, and the windows to compare.

    `recovered` None: it still lasts where the data ends. `routes` empty: no route stands out from the rest.
    `share_of_traffic`: of the requests of the stretch, those on the ill routes (0: no request is hurt, the harm lies
    behind them); `explains`: the share of the excess that they carry. `residual`: the share of the excess of the whole
    stretch that neither this episode nor one that overlaps it carries (NaN: there is no excess of requests). `alone`:
    of an episode that another overlaps, the longest part in which no other was ill; None: none of 30 s, or no overlap.
    """

    onset: Moment
    recovered: Moment | None
    incident: Window
    baseline: Window
    readings: tuple[Reading, ...]
    routes: tuple[str, ...]
    share_of_traffic: float
    explains: float
    residual: float = 0.0
    alone: Window | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """Which signals are ill, strongest first, each once."""
        return tuple(dict.fromkeys(r.signal for r in self.readings if r.ill))

    @property
    def hurts(self) -> str:
        """What kind of harm is it foremost: failed, slow, lost (fewer requests come) or late (work behind them)?"""
        signals = self.signals
        if "errors_ratio" in signals:
            return "failed"
        if any(s in signals for s in SLOWNESS):
            return "slow"
        return "lost" if "traffic_rps" in signals else "late"

    @property
    def where(self) -> str:
        """Who is hurt, in words: the routes, all requests, or the metric behind them."""
        if self.hurts == "late":
            return f"no request; {', '.join(self.signals)}"
        return ", ".join(self.routes) if self.routes else "all user requests"


def alone_part(episode: Episode, others: Sequence[Episode]) -> Window | None:
    """The longest part of its incident in which none of the others lasts; None below 30 s, or when none overlaps it.

    What is ill then is ill by this fault: the whole's signals can be read without the other's.
    """
    beside = [e.incident for e in others if e.incident.intersect(episode.incident) is not None]
    if not beside:
        return None
    edges = sorted({episode.incident.start, episode.incident.end, *(t for w in beside for t in (w.start, w.end))})
    parts = [Window(a, b) for a, b in pairwise(edges)]
    clear = [
        p
        for p in parts
        if episode.incident.start <= p.start < p.end <= episode.incident.end
        and not any(w.start < p.end and p.start < w.end for w in beside)
    ]
    longest = max(clear, key=lambda p: p.seconds, default=None)
    return longest if longest is not None and longest.seconds >= ALONE_S else None


def with_windows(
    episode: Episode,
    window: Window,
    until: datetime,
    *,
    not_before: datetime | None,
    healthy_until: Moment | None = None,
) -> Episode:
    """The episode with its incident from onset to recovery, and a baseline four times as long (at least 5 minutes).

    The baseline ends `GAP_S` before the onset, or before `healthy_until`, the onset of an episode that overlaps it; it
    does not reach back before `not_before`, when the one before that had ended.
    """
    start = episode.onset.time
    end = episode.recovered.time if episode.recovered else max(until, start)
    incident = Window(start, max(end, start))
    first = min(episode.onset.earliest, healthy_until.earliest if healthy_until else episode.onset.earliest)
    stop = from_us(micros(first) - GAP_S * 1e6)
    floor = window.start if not_before is None else max(window.start, from_us(micros(not_before) + GAP_S * 1e6))
    stop = max(stop, floor)
    begin = max(floor, from_us(micros(stop) - max(4 * incident.seconds, 300.0) * 1e6))
    return replace(episode, incident=incident, baseline=Window(begin, stop))
