"""What a check may look at: windows, tracks, tables, each with the evidence it was read from.

`Facts` is the seam between a case, which knows sources and evidence, and the checks, which know neither. A case
implements it over recorded answers (`case_facts`); `frame_facts` over frames in memory.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.checks.windows import Windows

MINIMUM_BASELINE_BINS = 8
_LINES_KEY = re.compile(r"^(?P<service>[^/]+)/lines\[(?P<where>.*)\]\.(?P<value>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Track:
    """One quantity over time: a value per bin, labelled by the bin's start, NaN where there is no data.

    `counts`, where known, is how many requests each bin's value rests on. `is_count` says that bins add up. `bounds`:
    of a quantile read off a histogram, the bounds of its buckets, ascending: nothing finer is known of it.
    """

    key: str
    values: pd.Series
    evidence: tuple[str, ...] = ()
    unit: str = ""
    counts: pd.Series | None = None
    is_count: bool = False
    bounds: tuple[float, ...] = ()

    @property
    def step_s(self) -> float:
        """How long is a bin, in seconds? The median distance of two labels; 0 with fewer than two."""
        if len(self.values) < 2:
            return 0.0
        return float(np.median(np.diff(microseconds(self.values.index)))) / 1e6

    def within(self, window: Window, *, until: datetime | None = None) -> pd.Series:
        """The bins that lie whole inside the window (and end by `until`), gaps included as NaN."""
        end = min(window.end, until) if until is not None else window.end
        index = self.values.index
        step = pd.Timedelta(seconds=self.step_s)
        inside = (index >= pd.Timestamp(window.start)) & (index + step <= pd.Timestamp(end))
        return self.values[inside]

    def touching(self, window: Window, *, until: datetime | None = None) -> pd.Series:
        """The bins that share any time with the window (and end by `until`): a sum over them misses nothing of it."""
        end = min(window.end, until) if until is not None else window.end
        index, step = self.values.index, pd.Timedelta(seconds=self.step_s)
        inside = (index + step > pd.Timestamp(window.start)) & (index < pd.Timestamp(end))
        return self.values[inside & (index + step <= pd.Timestamp(until))] if until is not None else self.values[inside]


@dataclass(frozen=True, slots=True)
class Table:
    """A small table with what it was read from."""

    frame: pd.DataFrame
    evidence: tuple[str, ...] = ()


@runtime_checkable
class Facts(Protocol):
    """What checks may ask. None means: not collected here, so nothing can be said about it.

    `series`: a column of the aligned wide frame, by signal key `service[@instance]/name.stat`.
    `signals`: the keys there are. `lines`: lines of a service's log that fit the portable filter, counted per bin over
    the whole window, zero where the log was there and had none, NaN where the log itself is missing. `lines_by`: the
    same per value of one field. `measured`: a statistic of a field of such lines per bin. `changes`: CHANGES.
    `templates`: template, class, service, and counts. `edges`: caller, callee (null: the caller's own time),
    before_s, during_s: mean seconds per request spent there, in baseline and incident.
    """

    windows: Windows

    def series(self, key: str) -> Track | None: ...
    def signals(self) -> tuple[str, ...]: ...
    def lines(self, service: str, *, where: str | None = None) -> Track | None: ...
    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None: ...
    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None: ...
    def changes(self) -> Table | None: ...
    def templates(self) -> Table | None: ...
    def edges(self) -> Table | None: ...


def lines_key(service: str, where: str | None = None) -> str:
    """How are lines of a log named where a signal is asked for?

    >>> lines_key("postgres", "duration_s > 0.2")
    'postgres/lines[duration_s > 0.2].count'
    """
    return f"{service}/lines[{where or ''}].count"


def tracks(facts: Facts, signal: str) -> tuple[Track, ...]:
    """Which tracks does this name stand for? Empty: not collected.

    `service/name.stat` is one signal; with `*` every signal that fits, e.g. `checkout*/*cpu*`.
    `service/lines[where].count` counts lines of a log, `service/lines[where].duration_s.p99` measures a field of them.

    >>> from kit.checks.frame_facts import FrameFacts
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=2, freq="1min")
    >>> facts = FrameFacts(Windows.of(baseline=(times[0], times[1]), incident=(times[1], times[1])),
    ...                    pd.DataFrame({"a@1/cpu.gauge": [1.0, 2], "a@2/cpu.gauge": [1.0, 2]}, index=times))
    >>> [t.key for t in tracks(facts, "a@*/cpu.gauge")]
    ['a@1/cpu.gauge', 'a@2/cpu.gauge']
    """
    named = _LINES_KEY.match(signal)
    if named:
        where = named["where"] or None
        if named["value"] == "count":
            found = [facts.lines(named["service"], where=where)]
        else:
            column, _, stat = named["value"].rpartition(".")
            found = [facts.measured(named["service"], column, stat=stat, where=where)]
    elif "*" in signal:
        found = [facts.series(key) for key in facts.signals() if fnmatch.fnmatchcase(key, _literal_brackets(signal))]
    else:
        found = [facts.series(signal)]
    return tuple(t for t in found if t is not None)


def service_of(signal: str) -> str:
    """Whose signal is it?

    >>> service_of("checkout@c1/http.server.request.duration.p99")
    'checkout'
    """
    return signal.split("/", 1)[0].split("@", 1)[0]


def _literal_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


def microseconds(index: pd.Index) -> np.ndarray:
    """These times as whole microseconds since 1970."""
    return pd.DatetimeIndex(index).as_unit("us").asi8
