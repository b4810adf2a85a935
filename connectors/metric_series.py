"""The series behind signals: which of them a signal reads, when each was sampled, and where nothing was scraped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.base import SignalSpec
from connectors.increments import increments
from connectors.samples import Samples
from connectors.window import Window

_TARGET = ("job", "instance")
_GAP = 4  # a target not scraped for so many intervals is a gap


def metric_names(specs: Sequence[SignalSpec], there: Sequence[str]) -> list[str]:
    """Which of the metrics that are there do these signals read? Buckets for histograms, with _total for counters.

    >>> spec = SignalSpec("a", "latency", "duration", "rpc_seconds", "histogram")
    >>> metric_names([spec], ["rpc_seconds_bucket", "rpc_seconds_sum", "up"])
    ['rpc_seconds_bucket']
    """
    known = set(there)
    found = dict.fromkeys(
        next((name for name in _names_of(metric, spec.metric_type) if name in known), None)
        for spec in specs
        for metric in (spec.metric, spec.divide_by)
        if metric
    )
    return [name for name in found if name is not None]


def _names_of(metric: str, metric_type: str) -> tuple[str, ...]:
    wanted = {"histogram": (f"{metric}_bucket", metric), "counter": (metric, f"{metric}_total")}
    return wanted.get(metric_type, (metric,))


@dataclass(frozen=True, slots=True)
class Group:
    """The series of one signal: `by` values, and the positions of its series."""

    by: Mapping[str, str]
    series: tuple[int, ...]


class SeriesData:
    """Samples by series, in order of time, one value an instant. `known`: names to take near-misses from as well."""

    def __init__(self, samples: Samples, known: Sequence[str] = ()) -> None:
        self.series = samples.series
        self._known = known
        ids = samples.table.column("series").to_numpy()
        times = samples.table.column("time").cast(pa.int64()).to_numpy()
        values = samples.table.column("value").to_numpy()
        order = np.lexsort((times, ids))
        ids, times, values = ids[order], times[order], values[order]
        if len(ids):  # of equal times the later line counts
            last = np.concatenate([(ids[1:] != ids[:-1]) | (times[1:] != times[:-1]), [True]])
            ids, times, values = ids[last], times[last], values[last]
        edges = np.searchsorted(ids, np.arange(len(self.series) + 1))
        self._times = [times[a:b] for a, b in itertools.pairwise(edges)]
        self._values = [values[a:b] for a, b in itertools.pairwise(edges)]
        self._by_metric: dict[str, list[int]] = {}
        self._targets: dict[tuple[str, ...], list[int]] = {}
        for i, one in enumerate(self.series):
            self._by_metric.setdefault(one.metric, []).append(i)
            self._targets.setdefault(self._target(i), []).append(i)
        self._scraped: dict[tuple[Any, ...], np.ndarray] = {}

    def _target(self, i: int) -> tuple[str, ...]:
        labels = self.series[i].labels
        return tuple(labels.get(name, "") for name in _TARGET)

    def named(self, metric: str, metric_type: str) -> tuple[int, ...]:
        """The series of a metric: its buckets for a histogram, with _total for a counter."""
        for name in _names_of(metric, metric_type):
            if name in self._by_metric:
                found = tuple(self._by_metric[name])
                if metric_type != "histogram" or any("le" in self.series[i].labels for i in found):
                    return found
        return ()

    def near(self, metric: str) -> str:
        """Which names that are there may have been meant? Words to put behind the one that is not; "" for none."""
        import difflib

        near = difflib.get_close_matches(metric, list(dict.fromkeys([*self._by_metric, *self._known])), 2)
        return f" (did you mean {' or '.join(near)}?)" if near else ""

    def times(self, i: int) -> np.ndarray:
        """When was this series sampled? Microseconds since 1970, ascending."""
        return self._times[i]

    def values(self, i: int) -> np.ndarray:
        """Its value at each of those instants."""
        return self._values[i]

    def interval(self, names: Sequence[int]) -> float | None:
        """Microseconds between the samples of these series: the 10th percentile, so that holes do not count."""
        gaps = np.concatenate([np.diff(self._times[i]) for i in names]) if names else np.array([])
        return float(np.quantile(gaps, 0.1)) if len(gaps) else None

    def groups(self, spec: SignalSpec, names: Sequence[int]) -> Iterator[Group]:
        """The series that the signal is made of, of these, by the labels that it is kept apart by."""
        found: dict[tuple[str, ...], list[int]] = {}
        for i in names:
            labels = self.series[i].labels
            if all(labels.get(k, "") == v for k, v in spec.where.items()):
                found.setdefault(tuple(labels.get(k, "") for k in spec.by), []).append(i)
        if not found and not spec.by:
            found[()] = []
        for key in sorted(found):
            yield Group(dict(zip(spec.by, key, strict=True)), tuple(found[key]))

    def divisor(self, spec: SignalSpec, group: Group) -> tuple[int, ...]:
        """The series that divide a group's: those of the second metric with the same `by` values."""
        wanted = {**spec.divide_where, **{k: v for k, v in group.by.items() if self._has(spec, k)}}
        return tuple(
            i
            for i in self.named(spec.divide_by or "", spec.metric_type)
            if all(self.series[i].labels.get(k, "") == v for k, v in wanted.items())
        )

    def _has(self, spec: SignalSpec, label: str) -> bool:
        return any(label in self.series[i].labels for i in self.named(spec.divide_by or "", spec.metric_type))

    def sampled(self, names: Sequence[int], like: Sequence[int]) -> np.ndarray:
        """When was any of these series' metric scraped, at the targets that the series of `like` come from?"""
        targets = {self._target(i) for i in like}
        key = (names[0] if names else -1, frozenset(targets))
        if key not in self._scraped:
            times = [self._times[i] for i in names if not targets or self._target(i) in targets]
            self._scraped[key] = np.unique(np.concatenate(times)) if times else np.array([], np.int64)
        return self._scraped[key]

    def compared(self, names: Sequence[int], like: Sequence[int]) -> np.ndarray:
        """The same instants without each target's very first one, which has nothing to be compared with."""
        targets: dict[tuple[str, ...], list[int]] = {}
        wanted = {self._target(i) for i in like}
        for i in names:
            if not wanted or self._target(i) in wanted:
                targets.setdefault(self._target(i), []).append(i)
        times = [np.unique(np.concatenate([self._times[i] for i in members]))[1:] for members in targets.values()]
        return np.unique(np.concatenate(times)) if times else np.array([], np.int64)

    def grown(self, i: int, names: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Times and growth of one counter; from zero when it appeared while its metric was already scraped there."""
        times = self._times[i]
        if not len(times):
            return times, self._values[i]
        earlier = self.sampled(names, (i,))
        born = len(earlier) > 0 and earlier[0] < times[0]
        grown = increments(self._values[i], born_at_zero=bool(born))
        known = ~np.isnan(grown)
        return times[known], grown[known]

    def gaps(self, window: Window, apart_s: float) -> list[str]:
        """Which targets were not scraped for a while inside the window, and when?"""
        low, high = round(window.start.timestamp() * 1e6), round(window.end.timestamp() * 1e6)
        said = []
        for target, members in sorted(self._targets.items()):
            times = np.unique(np.concatenate([self._times[i] for i in members]))
            times = times[(times >= low) & (times <= high)]
            if len(times) < 4:
                continue
            apart = np.diff(times)
            usual = max(float(np.median(apart)), apart_s * 1e6)
            for at in np.flatnonzero(apart > max(_GAP * usual, 2e6)):
                name = "/".join(part for part in target if part) or "the target"
                said.append(f"nothing was scraped from {name} between {_clock(times[at])} and {_clock(times[at + 1])}")
        return said


def _clock(micros: int) -> str:
    return str(np.datetime64(int(micros) // 1_000_000, "s")) + "Z"
