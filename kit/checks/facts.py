"""What a check may look at: windows, tracks, tables, each with the evidence it was read from.

`Facts` is the seam between a case, which knows sources and evidence, and the checks, which know neither. A case
implements it over recorded answers; `FrameFacts` implements it over frames in memory.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from connectors.window import Window, utc

MINIMUM_BASELINE_BINS = 8
_LINES_KEY = re.compile(r"^(?P<service>[^/]+)/lines\[(?P<where>.*)\]\.(?P<value>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment known only as an interval: not before `earliest`, not after `latest`, both UTC."""

    earliest: datetime
    latest: datetime

    @classmethod
    def of(cls, moment: Any) -> Instant | None:
        """Which interval is this? Takes an Instant, anything with `earliest` and `latest`, one time, or None."""
        if moment is None or isinstance(moment, Instant):
            return moment
        if hasattr(moment, "earliest"):
            return cls(utc(moment.earliest), utc(moment.latest))
        return cls(utc(moment), utc(moment))


@dataclass(frozen=True, slots=True)
class Windows:
    """The stretches of time a check compares: a healthy one, the harm, all that was loaded, onset and recovery.

    `complete_until` is the watermark: nothing is concluded from later bins. `recovered` is None while it is not over
    or not known.

    >>> healthy, harm = ("2026-03-01T02:00Z", "2026-03-01T02:10Z"), ("2026-03-01T02:10Z", "2026-03-01T02:12Z")
    >>> w = Windows.of(baseline=healthy, incident=harm)
    >>> [p.incident.seconds for p in w.placebos()]
    [120.0, 120.0, 120.0]
    """

    baseline: Window
    incident: Window
    whole: Window
    onset: Instant
    recovered: Instant | None
    complete_until: datetime

    @classmethod
    def of(
        cls,
        *,
        baseline: Window | tuple[Any, Any],
        incident: Window | tuple[Any, Any],
        whole: Window | tuple[Any, Any] | None = None,
        onset: Any = None,
        recovered: Any = None,
        complete_until: Any = None,
    ) -> Windows:
        """The windows from whatever the caller has; `onset` defaults to the start of the incident window."""
        healthy, harm = _window(baseline), _window(incident)
        span = (
            _window(whole) if whole is not None else Window(min(healthy.start, harm.start), max(healthy.end, harm.end))
        )
        return cls(
            baseline=healthy,
            incident=harm,
            whole=span,
            onset=Instant.of(onset) or Instant(harm.start, harm.start),
            recovered=Instant.of(recovered),
            complete_until=utc(complete_until) if complete_until is not None else span.end,
        )

    def placebos(self, *, most: int = 3) -> tuple[Windows, ...]:
        """On which healthy stretches could the same check be run, as if the harm had begun there?

        Up to `most` stretches of the incident's length (a third of the baseline when that is shorter), cut from the
        baseline's end backwards, each with at least twice its length before it to compare with.
        """
        length = timedelta(seconds=min(self.incident.seconds, self.baseline.seconds / 3))
        if length.total_seconds() <= 0:
            return ()
        found = []
        for i in range(most):
            end = self.baseline.end - i * length
            start = end - length
            if start - self.baseline.start < 2 * length:
                break
            found.append(
                Windows(
                    Window(self.baseline.start, start),
                    Window(start, end),
                    self.baseline,
                    Instant(start, start),
                    None,
                    self.baseline.end,
                )
            )
        return tuple(found)

    def swapped(self) -> Windows:
        """The same with harm and health exchanged: on these nothing may be confirmed."""
        return Windows(
            self.incident,
            self.baseline,
            self.whole,
            Instant(self.baseline.start, self.baseline.start),
            None,
            self.complete_until,
        )


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
        return float(np.median(np.diff(_microseconds(self.values.index)))) / 1e6

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


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """Facts from frames in memory: for tests, for a notebook without a case, and as the reference for others.

    `wide` is the aligned frame (a column a signal). `logs` maps a service to LOGS rows as a frame.
    `evidence` maps "wide", "changes", "templates", "edges" and "logs:<service>" to evidence ids; a frame without is its
    own evidence. `every_s` is the bin of counted lines.

    >>> times = pd.date_range("2026-03-01T02:00Z", periods=4, freq="30s")
    >>> facts = FrameFacts(
    ...     windows=Windows.of(baseline=(times[0], times[2]), incident=(times[2], times[3])),
    ...     wide=pd.DataFrame({"nginx/requests.count": [5.0, 6, 5, 9]}, index=times),
    ...     evidence={"wide": ("ev_1",)},
    ... )
    >>> facts.series("nginx/requests.count").evidence
    ('ev_1',)
    >>> facts.series("nginx/cpu.gauge") is None
    True
    """

    windows: Windows
    wide: pd.DataFrame = field(default_factory=pd.DataFrame)
    logs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    changes_frame: pd.DataFrame | None = None
    templates_frame: pd.DataFrame | None = None
    edges_frame: pd.DataFrame | None = None
    counts: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    every_s: float = 15.0

    def series(self, key: str) -> Track | None:
        """The column of this key; None when there is none, or nothing in it."""
        if key not in self.wide.columns or self.wide[key].isna().all():
            return None
        resting = self.counts.get(key)
        counts = self.wide[resting] if resting in self.wide.columns else None
        return Track(key, self.wide[key].astype("float64"), self._ids("wide"), counts=counts)

    def signals(self) -> tuple[str, ...]:
        """The keys there are."""
        return tuple(str(c) for c in self.wide.columns)

    def lines(self, service: str, *, where: str | None = None) -> Track | None:
        """Lines per bin; None when this service's log is not here."""
        rows = self._rows(service, where)
        if rows is None:
            return None
        return Track(lines_key(service, where), self._binned(rows), self._ids(f"logs:{service}"), is_count=True)

    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None:
        """Lines per bin for every value of `by`; None when the log or the field is not here."""
        rows = self._rows(service, where)
        if rows is None or by not in rows.columns:
            return None
        ids = self._ids(f"logs:{service}")
        groups = rows.groupby(rows[by].astype("object").fillna("<missing>").astype(str), sort=True)
        return {
            str(value): Track(f"{lines_key(service, where)}|{by}={value}", self._binned(part), ids, is_count=True)
            for value, part in groups
        }

    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None:
        """A statistic of `field` per bin (mean min max sum p50 p90 p95 p99), NaN in bins without lines."""
        rows = self._rows(service, where)
        if rows is None or field not in rows.columns:
            return None
        slots, edges = self._slots(rows)
        grouped = rows[field].astype("float64").groupby(slots)
        reduced = grouped.quantile(float(stat[1:]) / 100) if stat.startswith("p") else grouped.agg(stat)
        values = reduced.reindex(range(len(edges))).to_numpy(dtype="float64")
        key = f"{service}/lines[{where or ''}].{field}.{stat}"
        return Track(key, pd.Series(values, index=edges), self._ids(f"logs:{service}"))

    def changes(self) -> Table | None:
        """The change log; None when there is none."""
        return None if self.changes_frame is None else Table(self.changes_frame, self._ids("changes"))

    def templates(self) -> Table | None:
        """The compared templates; None when they were not computed."""
        return None if self.templates_frame is None else Table(self.templates_frame, self._ids("templates"))

    def edges(self) -> Table | None:
        """Time spent per edge; None without spans."""
        return None if self.edges_frame is None else Table(self.edges_frame, self._ids("edges"))

    def _ids(self, name: str) -> tuple[str, ...]:
        return tuple(self.evidence.get(name) or (f"frame:{name}",))

    def _rows(self, service: str, where: str | None) -> pd.DataFrame | None:
        rows = self.logs.get(service)
        if rows is None or where is None or where == "":
            return rows
        import pyarrow as pa

        from connectors.where import evaluate

        fits = evaluate(where, pa.Table.from_pandas(rows, preserve_index=False))
        return rows[fits.to_numpy(zero_copy_only=False)]

    def _slots(self, rows: pd.DataFrame) -> tuple[np.ndarray, pd.DatetimeIndex]:
        step = int(self.every_s * 1e6)
        origin = _microseconds(pd.DatetimeIndex([pd.Timestamp(self.windows.whole.start)]))[0]
        total = max(1, int(np.ceil(self.windows.whole.seconds * 1e6 / step)))
        edges = pd.DatetimeIndex(pd.to_datetime(origin + step * np.arange(total), unit="us", utc=True))
        return (_microseconds(pd.DatetimeIndex(rows["time"])) - origin) // step, edges

    def _binned(self, rows: pd.DataFrame) -> pd.Series:
        slots, edges = self._slots(rows)
        weight = rows["weight"].to_numpy(dtype="float64") if "weight" in rows.columns else np.ones(len(rows))
        inside = (slots >= 0) & (slots < len(edges))
        totals = np.bincount(slots[inside].astype("int64"), weights=weight[inside], minlength=len(edges))
        return pd.Series(totals, index=edges)


class Remembered:
    """Facts that ask each thing once: many checks look at the same few tracks, each on several windows."""

    def __init__(self, facts: Facts) -> None:
        self.windows = facts.windows
        self._facts = facts
        self._known: dict[tuple[str | None, ...], Any] = {}

    def series(self, key: str) -> Track | None:
        """As the facts say."""
        return self._once(("series", key), lambda: self._facts.series(key))

    def signals(self) -> tuple[str, ...]:
        """As the facts say."""
        return self._once(("signals",), self._facts.signals)

    def lines(self, service: str, *, where: str | None = None) -> Track | None:
        """As the facts say."""
        return self._once(("lines", service, where), lambda: self._facts.lines(service, where=where))

    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None:
        """As the facts say."""
        return self._once(("lines_by", service, by, where), lambda: self._facts.lines_by(service, by, where=where))

    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None:
        """As the facts say."""
        key = ("measured", service, field, stat, where)
        return self._once(key, lambda: self._facts.measured(service, field, stat=stat, where=where))

    def changes(self) -> Table | None:
        """As the facts say."""
        return self._once(("changes",), self._facts.changes)

    def templates(self) -> Table | None:
        """As the facts say."""
        return self._once(("templates",), self._facts.templates)

    def edges(self) -> Table | None:
        """As the facts say."""
        return self._once(("edges",), self._facts.edges)

    def _once(self, key: tuple[str | None, ...], ask: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]


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


def _window(value: Window | tuple[Any, Any]) -> Window:
    return value if isinstance(value, Window) else Window.of(*value)


def _microseconds(index: Any) -> np.ndarray:
    return pd.DatetimeIndex(index).as_unit("us").asi8
