"""How is what a check saw told: a level with its unit, a filter in words, one signal out of several?

What a quantile read off a histogram is known to lie in is told, not the value interpolated within the bucket.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from kit.checks.facts import Track
from kit.signal_names import is_share, shown

_HAS = re.compile(r"^has\((?P<field>[\w.]+), '(?P<text>(?:[^']|'')*)'\)$")
_IS = re.compile(r"^(?P<field>[\w.]+) = '(?P<text>(?:[^']|'')*)'$")
_LONGER = re.compile(r"^duration_s > (\d+(?:\.\d+)?)$")
_LINES = re.compile(r"^(?P<service>[^/]+)/lines\[(?P<where>.+)\]\.count$", re.DOTALL)
PHRASES_SHOWN = 2


def shown_level(track: Track, value: float) -> str:
    """A level of this track as a reader wants it: its unit, the bounds where that is all that is known.

    >>> import pandas as pd
    >>> none = pd.Series(dtype="float64")
    >>> shown_level(Track("a/calls.duration.p99", none, bounds=(0.1, 1.0, 2.5)), 2.48)
    'between 1 s and 2.5 s'
    >>> shown_level(Track("a/calls.duration.p99", none), 0.0425)
    '42.5 ms'
    """
    if track.bounds and value > 0:
        at = bisect_left(track.bounds, value)
        if at == len(track.bounds):
            return f"above {shown(track.bounds[-1], track.key)}"
        low = shown(track.bounds[at - 1], track.key) if at else "0"
        return f"between {low} and {shown(track.bounds[at], track.key)}"
    per = f" per {track.step_s:g} s" if track.is_count and track.step_s else ""
    unit = f" {track.unit}" if track.unit and track.unit not in ("1", "s") else ""
    return f"{shown(value, track.key)}{unit}{per}"


def moved_from(track: Track, before: float, during: float) -> str:
    """That a level went from one to another, with what the level is: a share of all, or the median of its bins."""
    share = is_share(track.key) and track.counts is not None
    what = " of all requests" if share else f" (median of its {track.step_s:g} s bins)" if track.step_s else ""
    return f"{track.key} went from {shown_level(track, before)} to {shown_level(track, during)}{what}"


def named(signal: str) -> str:
    """How is a signal called in a sentence? Lines of a log by what they are; any other by its name.

    >>> named("postgres/lines[duration_s > 0.2].count"), named("a/pool.ratio")
    ('the count of log lines of postgres of what took more than 200 ms', 'a/pool.ratio')
    """
    lines = _LINES.match(signal)
    return f"the count of log lines of {lines['service']} {kind_of_line(lines['where'])}" if lines else signal


def of_several(sentence: str, alike: int, among: int) -> str:
    """The sentence of one signal, and of how many like it the same is true.

    >>> of_several("a@1/pool was full.", 2, 3)
    'a@1/pool was full; the check says the same of 2 of 3 such signals.'
    """
    if among < 2:
        return sentence
    many = "all" if alike == among else f"{alike} of"
    return f"{sentence.rstrip('.')}; the check says the same of {many} {among} such signals."


def kind_of_line(where: str, *, most: int = 80) -> str:
    """Which lines does a filter of the playbooks keep, in words? One it does not know stands as it is, cut.

    >>> kind_of_line("has(message, 'pool timeout') OR has(message, 'no free connection') OR has(message, 'x')")
    'that speak of “pool timeout”, “no free connection” or the like'
    >>> kind_of_line("duration_s > 0"), kind_of_line("db.query.summary = 'SELECT 1'"), kind_of_line("a IS NULL")
    ('that give a duration', '(one statement may write several) of SELECT 1', 'with a IS NULL')
    """
    if where == "duration_s > 0":
        return "that give a duration"
    longer = _LONGER.match(where)
    if longer:
        return f"of what took more than {shown(float(longer[1]), 'duration')}"
    parts = [_HAS.match(p) for p in where.split(" OR ")]
    if all(parts):
        texts = [p["text"].replace("''", "'") for p in parts if p]
        if len(texts) == 1 and parts[0] and parts[0]["field"] == "postgresql.plan":
            return f"whose plan holds a “{texts[0]}”"
        told = ", ".join(f"“{t}”" for t in texts[:PHRASES_SHOWN])
        return f"that speak of {told}{' or the like' if len(texts) > PHRASES_SHOWN else ''}"
    same = _IS.match(where)
    if same and same["field"] == "db.query.summary":
        return f"(one statement may write several) of {same['text']}"
    return f"with {where if len(where) <= most else f'{where[:most]}…'}"
