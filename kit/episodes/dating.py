"""When did it turn, to the second? From the single requests, by the time they began."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kit.episodes.episode import GAP_S, SLOWNESS, Episode
from kit.numerics.grid import micros
from kit.numerics.moments import Moment
from kit.requests import RequestArrays

NEAR = 1.92
"""Log-likelihoods so near to the best one are within the 95 % interval."""
HICCUP_US = 1e6
NEAR_TURN = 3.68
"""The same for the turn of a rate, whose likelihood is a walk on both sides: (1 − exp(−3.68))² = 95 % (Siegmund)."""
EARLY = 0.005
"""Bad requests before the turn belong to it when chance would have brought as many no more often than this."""


OF_THE_WHOLE = 0.5
"""Beside the edge at least this share of the whole ratio is ill: a hiccup joined to the harm is not its beginning."""


def bad_requests(episode: Episode, arrays: RequestArrays, slow: np.ndarray) -> np.ndarray:
    """Which requests are ill in the way this episode is?"""
    bad = np.zeros(len(slow), bool)
    if "errors_ratio" in episode.signals:
        bad |= arrays.failed
    if any(signal in episode.signals for signal in SLOWNESS):
        bad |= slow
    return bad


def just_before(start: np.ndarray, episode: Episode) -> np.ndarray:
    """Which requests began in the ten minutes before the onset (less the gap)? Not all before: so that the dating does
    not depend on where the data happens to begin."""
    end = micros(episode.onset.earliest) - GAP_S * 1e6
    return (start >= end - 600e6) & (start < end)


def date_onset(start: np.ndarray, duration: np.ndarray, bad: np.ndarray, episode: Episode) -> Moment | None:
    """Between which requests did it begin? None: too few to say, the bins' own interval stands.

    The turn of highest likelihood and all within 1.92 of it (95 %), in whole seconds. Harm that builds up begins before
    the step that fits it best: bad requests right before belong to it when chance would not bring as many. A request
    can only be hit while it runs, so the end is extended by the usual duration.
    """
    near, score, usual = _scores(start, bad, episode, episode.onset, falling=False)
    if score is None:
        return None
    times, best = start[near], int(np.argmax(score))
    fits = _around(np.flatnonzero(score >= score[best] - NEAR), best)
    first = _first_of_cluster(bad[near], int(fits[0]), usual, times)
    early = times[max(0, min(int(fits[0]), first) - 1)]
    late = times[min(len(times) - 1, int(fits[-1]))]
    middle = times[min(len(times) - 1, best)]
    before = just_before(start, episode)
    usual_s = float(np.quantile(duration[before], 0.99)) if before.sum() >= 20 else 0.0
    earliest, latest = np.floor(early / 1e6) * 1e6, np.ceil(late / 1e6 + min(10.0, usual_s)) * 1e6
    return Moment.of_us(earliest, min(max(middle, earliest), latest), latest)


def date_recovery(start: np.ndarray, bad: np.ndarray, episode: Episode) -> Moment | None:
    """Between which requests did it end? None: too few to say. What began before the turn ends later."""
    if episode.recovered is None:
        return None
    near, score, _ = _scores(start, bad, episode, episode.recovered, falling=True)
    if score is None:
        return None
    times, best = start[near], int(np.argmax(score))
    fits = _around(np.flatnonzero(score >= score[best] - NEAR), best)
    early, late = times[max(0, int(fits[0]) - 1)], times[min(len(times) - 1, int(fits[-1]))]
    earliest, latest = np.floor(early / 1e6) * 1e6, np.ceil(late / 1e6) * 1e6
    return Moment.of_us(earliest, min(max(times[max(0, best - 1)], earliest), latest), latest)


def date_fall(start: np.ndarray, episode: Episode, *, scatter: float) -> tuple[Moment | None, Moment | None]:
    """Since when, and until when, did fewer requests begin? None: too few to say.

    By the likelihood of a Poisson process whose rate turns once near each edge; `scatter` is how many times more the
    counts scatter than chance alone, by which the interval widens.
    """
    before, inside = just_before(start, episode), _inside(start, episode)
    length = (micros(episode.incident.end) - micros(episode.incident.start)) / 1e6
    span = (start[before][-1] - start[before][0]) / 1e6 if before.sum() >= 20 else 0.0
    if span <= 0 or length <= 0:
        return None, None
    usual, now = before.sum() / span, max(inside.sum(), 0.5) / length
    if now >= usual:
        return None, None
    onset = _turn_of_rate(start, episode.onset, usual, now, scatter)
    recovered = _turn_of_rate(start, episode.recovered, now, usual, scatter) if episode.recovered else None
    return onset, recovered


def _turn_of_rate(start: np.ndarray, edge: Moment, first: float, then: float, scatter: float) -> Moment | None:
    low, high = micros(edge.earliest) - 30e6, micros(edge.latest) + 30e6
    times = start[(start >= low) & (start <= high)]
    if len(times) < 10:
        return None
    at = np.arange(len(times) + 1)
    turn = np.concatenate([times, [high]])
    score = at * np.log(first) + (len(times) - at) * np.log(then) - (first * (turn - low) + then * (high - turn)) / 1e6
    best = int(np.argmax(score))
    fits = np.flatnonzero(score >= score[best] - NEAR_TURN * scatter)
    earliest = np.floor(times[max(0, int(fits[0]) - 1)] / 1e6) * 1e6
    latest = np.ceil(turn[int(fits[-1])] / 1e6) * 1e6
    return Moment.of_us(earliest, min(max(float(turn[best]), earliest), latest), latest)


def _inside(start: np.ndarray, episode: Episode) -> np.ndarray:
    return (start >= micros(episode.incident.start)) & (start < micros(episode.incident.end))


def _scores(
    start: np.ndarray, bad: np.ndarray, episode: Episode, edge: Moment, *, falling: bool
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Per request near the edge: how well a turn just before it fits. None: too few requests, or no bad one."""
    reach = max(90e6, 3 * edge.width_s * 1e6)
    low, high = micros(edge.earliest) - reach, micros(edge.latest) + reach
    if falling:
        low = max(low, micros(episode.incident.start))
    else:
        high = min(high, micros(episode.incident.end) + 5e6)
    near = np.flatnonzero((start >= low) & (start <= high))
    if len(near) < 10 or not bad[near].any():
        return near, None, 0.0
    before = just_before(start, episode)
    usual = float((bad[before].sum() + 0.5) / (before.sum() + 1.0)) if before.sum() >= 20 else 0.01
    usual = min(max(usual, 0.001), 0.5)
    at = micros(episode.incident.end if falling else episode.incident.start)
    ill_part = (start >= at - 30e6) & (start < at) if falling else (start >= at) & (start < at + 30e6)
    ill = float(bad[ill_part].mean()) if ill_part.sum() >= 5 else 0.5
    whole = bad[_inside(start, episode)]
    ill = max(ill, OF_THE_WHOLE * float(whole.mean())) if len(whole) else ill
    ill = min(max(ill, 3 * usual, usual + 0.05), 0.95)
    gain = np.where(bad[near], np.log(ill / usual), np.log((1 - ill) / (1 - usual)))
    # score[k]: the turn lies just before request k; everything from k on is in the new state
    score = np.concatenate([np.cumsum((-gain if falling else gain)[::-1])[::-1], [0.0]])
    return near, score, usual


def _first_of_cluster(bad: np.ndarray, turn: int, usual: float, times: np.ndarray) -> int:
    """The first of the bad requests right before the turn that are too many, too close, for chance; else the turn.

    Those that began within a second of each other are one mishap: a hiccup that hits five requests at once is one.
    """
    from scipy.stats import binom

    earlier = np.flatnonzero(bad[:turn])[::-1][:20]
    first, many, last = turn, 0, np.inf
    for at in earlier:
        many += last - times[at] > HICCUP_US
        last = times[at]
        if binom.sf(many - 1, turn - at, usual) < EARLY:
            first = int(at)
    return first


def _around(fits: np.ndarray, best: int) -> np.ndarray:
    """The run of fitting positions that holds the best one, across holes of up to three."""
    cut = np.flatnonzero(np.diff(fits) > 3)
    edges = np.concatenate([[0], cut + 1, [len(fits)]])
    for first, last in pairwise(edges):
        if fits[first] <= best <= fits[last - 1]:
            return fits[first:last]
    return np.array([best])
