"""Golden signals out of raw samples: what each `SignalSpec` reads in each bin, or at each sample.

Gauges average, counters grow by the rule of `increments`, classic histograms give quantiles of their increments, and a
second metric may divide. A bin without data has no value: nothing is carried forward and nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from connectors import schema
from connectors.base import SignalSpec
from connectors.increments import bins_after, quantile
from connectors.metric_series import Group, SeriesData
from connectors.samples import Samples
from connectors.window import Window, step_seconds

QUANTILES = {"p50": 0.5, "p99": 0.99}
PEAKS = frozenset({"saturation", "latency", "errors"})
"""Kinds of gauge whose maximum is told beside the mean where a bin holds several samples: a spike survives."""
DIPS = frozenset({"traffic"})
"""Kinds of gauge whose minimum is told likewise."""
_AVERAGED = frozenset({"1", "s", "%", "Cel"})


@dataclass(frozen=True, slots=True)
class Reading:
    """The METRICS rows, and what there is to say about them: metrics that are not there, gaps."""

    table: pa.Table
    remarks: tuple[str, ...]


def read_signals(
    samples: Samples,
    specs: Sequence[SignalSpec],
    window: Window,
    every: str | None,
    *,
    known: Sequence[str] = (),
    apart_s: float = 0.0,
) -> Reading:
    """What did each signal read in this window?

    `every` None: at each sample's own time; otherwise per bin, the bins beginning at multiples of the step since
    1970, `time` being a bin's start. Statistics: a gauge gives `gauge` (mean of the bin; where a bin holds several
    samples also `max` for latency, errors and saturation, `min` for traffic); a counter gives `delta`, or for
    saturation `rate` per second (CPU seconds to utilisation); a histogram gives `p50`, `p99`, `count`; with
    `divide_by` each gives `ratio`. Series that `by` does not keep apart are added; gauges whose unit is a ratio or a
    time are averaged.

    A value null where the metric's target was scraped without it. A quantile in the last bucket is a lower bound:
    its labels say `"bound":"at_least"`. A signal whose samples are further apart than the step is left out and named.
    Counters that appear while others of their metric were already there count from zero. `known`: names of metrics
    that the source has beyond these samples, to name near-misses from. `apart_s`: how far apart samples are usual,
    where these are fewer in some stretches than in others.
    """
    data = SeriesData(samples, known)
    build = _Rows()
    remarks: list[str] = []
    for spec in specs:
        names = data.named(spec.metric, spec.metric_type)
        if not names:
            remarks.append(
                f"there is no metric {spec.metric}{data.near(spec.metric)}, so no {spec.service}/{spec.name}"
            )
            continue
        if spec.divide_by and not data.named(spec.divide_by, spec.metric_type):
            remarks.append(
                f"there is no metric {spec.divide_by}{data.near(spec.divide_by)}, so no {spec.service}/{spec.name}"
            )
            continue
        grid = _Grid.of(window, every)
        apart = data.interval(names)
        if grid.step is not None and apart is not None and apart > grid.step * 1.05:
            remarks.append(
                f"{spec.service}/{spec.name} has a sample every {apart / 1e6:g} s, further apart than the step of "
                f"{grid.step / 1e6:g} s, and is left out"
            )
            continue
        for group in data.groups(spec, names):
            _READERS[spec.metric_type](data, spec, group, grid, build)
    remarks += data.gaps(window, apart_s)
    return Reading(build.table(), tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Grid:
    start: int
    low: int
    high: int
    step: int | None

    @classmethod
    def of(cls, window: Window, every: str | None) -> _Grid:
        low, high = round(window.start.timestamp() * 1e6), round(window.end.timestamp() * 1e6)
        step = None if every is None else round(step_seconds(every) * 1e6)
        return cls(low if step is None else low // step * step, low, high, step)

    def inside(self, times: np.ndarray) -> np.ndarray:
        """Samples of gauges: at or after the start, before the end."""
        return (times >= self.low) & (times < self.high)

    def grown(self, times: np.ndarray) -> np.ndarray:
        """Samples that growth in the window counts at: after the start, up to the end."""
        return (times > self.start) & (times <= self.high)

    def at(self, bins: np.ndarray) -> np.ndarray:
        assert self.step is not None
        return self.start + bins * self.step


class _Rows:
    def __init__(self) -> None:
        self._parts: list[dict[str, Any]] = []

    def add(
        self,
        spec: SignalSpec,
        group: Group,
        stat: str,
        times: np.ndarray,
        values: np.ndarray,
        *,
        at_least: np.ndarray | None = None,
    ) -> None:
        if len(times):
            self._parts.append(
                {"spec": spec, "group": group, "stat": stat, "times": times, "values": values, "at_least": at_least}
            )

    def table(self) -> pa.Table:
        tables = [_rows(**part) for part in self._parts]
        if not tables:
            return schema.empty("METRICS")
        return schema.conform(pa.concat_tables(tables, promote_options="permissive"), "METRICS")


def _rows(
    spec: SignalSpec,
    group: Group,
    stat: str,
    times: np.ndarray,
    values: np.ndarray,
    at_least: np.ndarray | None,
) -> pa.Table:
    n = len(times)
    unit = spec.unit
    if stat == "rate":
        unit = spec.unit if spec.unit in ("1", "%") else f"{spec.unit}/s"
    elif stat == "count":
        unit = "{request}"
    scaled = values * (1.0 if stat == "count" else spec.scale)
    plain = dict(sorted({**spec.where, **group.by}.items()))
    labels = [orjson.dumps(plain).decode()]
    which = np.zeros(n, np.int32)
    if at_least is not None and at_least.any():
        labels.append(orjson.dumps({**plain, "bound": "at_least"}, option=orjson.OPT_SORT_KEYS).decode())
        which = at_least.astype(np.int32)
    columns: dict[str, Any] = {
        "time": pa.array(times, pa.int64()).cast(schema.TIME),
        "signal": _same(key_of(spec, group.by, stat), n),
        "service": _same(spec.service, n),
        "kind": _same(spec.kind, n),
        "name": _same(spec.name, n),
        "stat": _same(stat, n),
        "value": pa.array(scaled, pa.float64(), from_pandas=True),
        "unit": _same(unit, n),
        "labels": pa.DictionaryArray.from_arrays(pa.array(which), pa.array(labels)),
    }
    for name, value in group.by.items():
        if name in schema.DIMENSIONS:
            columns[name] = _same(value, n)
    return pa.table(columns)


def key_of(spec: SignalSpec, by: Mapping[str, str], stat: str) -> str:
    """Which key does this series have? `service[@instance]/name.stat`.

    >>> key_of(SignalSpec("checkout", "saturation", "pool.usage", "m"), {"instance": "c1:9100"}, "ratio")
    'checkout@c1:9100/pool.usage.ratio'
    """
    at = ",".join(value for value in by.values() if value)
    return f"{spec.service}{'@' + at if at else ''}/{spec.name}.{stat}"


def _same(text: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))


# --- gauges ----------------------------------------------------------------------------------------------------------


def _gauge(data: SeriesData, spec: SignalSpec, group: Group, grid: _Grid, build: _Rows) -> None:
    if not group.series:
        return
    averaged = spec.unit in _AVERAGED and spec.divide_by is None
    names = data.named(spec.metric, "gauge")
    times, values = _as_of(data, group.series, averaged=averaged, names=names)
    if spec.divide_by:
        divisor = data.divisor(spec, group)
        below_times, below = _as_of(data, divisor, averaged=False, names=data.named(spec.divide_by, "gauge"))
        values = _ratio(values, _latest(below_times, below, times, data.interval(divisor)))
    stat = "ratio" if spec.divide_by else "gauge"
    inside = grid.inside(times)
    times, values = times[inside], values[inside]
    if grid.step is None:
        build.add(spec, group, stat, times, values)
        return
    bins = (times - grid.start) // grid.step
    known = ~np.isnan(values)
    scraped = data.sampled(names, group.series)
    every_bin = np.unique((scraped[grid.inside(scraped)] - grid.start) // grid.step)
    means = _reduced(bins[known], values[known], every_bin, "mean")
    build.add(spec, group, stat, grid.at(every_bin), means)
    apart = data.interval(group.series)
    if apart is None or grid.step <= apart * 1.5:
        return
    for stat, kinds in (("max", PEAKS), ("min", DIPS)):
        if spec.kind in kinds:
            extremes = _reduced(bins[known], values[known], every_bin, stat)
            build.add(spec, group, stat, grid.at(every_bin), extremes)


def _as_of(
    data: SeriesData, series: Sequence[int], *, averaged: bool, names: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Several gauges as one: at every instant that one was sampled, the latest values of all, added or averaged.

    A gauge whose last sample is older than 1.5 intervals is not there any more.
    """
    if not series:
        return np.array([], np.int64), np.array([])
    if len(series) == 1:
        return data.times(series[0]), data.values(series[0])
    times = np.unique(np.concatenate([data.times(i) for i in series]))
    interval = data.interval(names)
    total, n = np.zeros(len(times)), np.zeros(len(times))
    for i in series:
        latest = _latest(data.times(i), data.values(i), times, interval)
        known = ~np.isnan(latest)
        total[known] += latest[known]
        n[known] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return times, np.where(n > 0, total / n if averaged else total, np.nan)


def _latest(times: np.ndarray, values: np.ndarray, at: np.ndarray, interval: float | None) -> np.ndarray:
    """The value of the last sample at or before each instant, NaN when it is older than 1.5 intervals."""
    out = np.full(len(at), np.nan)
    if not len(times):
        return out
    place = np.searchsorted(times, at, side="right") - 1
    there = place >= 0
    fresh = np.zeros(len(at), bool)
    fresh[there] = at[there] - times[place[there]] <= 1.5 * (interval or 0)
    out[fresh] = values[place[fresh]]
    return out


# --- counters --------------------------------------------------------------------------------------------------------


def _counter(data: SeriesData, spec: SignalSpec, group: Group, grid: _Grid, build: _Rows) -> None:
    at, grown, covered = _growth(data, group.series, data.named(spec.metric, "counter"), spec, group, grid)
    if spec.divide_by:
        divisor = data.divisor(spec, group)
        below_at, below, _ = _growth(data, divisor, data.named(spec.divide_by, "counter"), spec, group, grid)
        both, mine, theirs = np.intersect1d(at, below_at, assume_unique=True, return_indices=True)
        values = _ratio(grown[mine], below[theirs])
        known = ~np.isnan(values)
        build.add(spec, group, "ratio", both[known], values[known])
        return
    if spec.kind == "saturation":
        rated = covered > 0
        build.add(spec, group, "rate", at[rated], grown[rated] / (covered[rated] / 1e6))
        return
    build.add(spec, group, "delta", at, grown)


def _growth(
    data: SeriesData, series: Sequence[int], names: Sequence[int], spec: SignalSpec, group: Group, grid: _Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per bin (or instant): the growth of these counters, and the microseconds that it covers.

    Zero where the metric was scraped at the targets and none of these counters grew or was there; absent where it was
    not scraped, and at its very first scrape.
    """
    like = [i for i in names if all(data.series[i].labels.get(k, v) == v for k, v in group.by.items())]
    if spec.where and not series:
        same = {k: v for k, v in spec.where.items() if k in ("service", "job", "instance")}
        like = [i for i in like if all(data.series[i].labels.get(k, v) == v for k, v in same.items())]
    scraped = data.sampled(names, series or like)
    if len(scraped) < 2:
        return np.array([], np.int64), np.array([]), np.array([])
    since = np.concatenate([[0], np.diff(scraped)])
    after = grid.grown(scraped) & np.isin(scraped, data.compared(names, series or like))
    when, since = scraped[after], since[after]
    if grid.step is None:
        keys, slots = np.unique(when, return_inverse=True)
        at = keys
    else:
        keys, slots = np.unique(bins_after(when, grid.start, grid.step), return_inverse=True)
        at = grid.at(keys)
    covered = np.bincount(slots, weights=since, minlength=len(keys))
    grown = np.zeros(len(keys))
    for i in series:
        times, growth = data.grown(i, names)
        mine = grid.grown(times)
        where = times[mine] if grid.step is None else bins_after(times[mine], grid.start, grid.step)
        slot = np.searchsorted(keys, where)
        np.add.at(grown, slot, growth[mine])
    return at, grown, covered


# --- histograms ------------------------------------------------------------------------------------------------------


def _histogram(data: SeriesData, spec: SignalSpec, group: Group, grid: _Grid, build: _Rows) -> None:
    names = data.named(spec.metric, "histogram")
    buckets: dict[float, list[int]] = {}
    for i in group.series:
        if (bound := _bound(data.series[i].labels.get("le"))) is not None:
            buckets.setdefault(bound, []).append(i)
    if len(buckets) < 2:
        return
    bounds = np.array(sorted(buckets))
    at = np.array([], np.int64)
    columns = []
    for bound in bounds:
        at, grown, _ = _growth(data, buckets[float(bound)], names, spec, group, grid)
        columns.append((at, grown))
    at = columns[-1][0]
    growth = np.zeros((len(at), len(bounds)))
    for b, (times, grown) in enumerate(columns):
        growth[np.searchsorted(at, times[np.isin(times, at)]), b] = grown[np.isin(times, at)]
    build.add(spec, group, "count", at, growth[:, -1])
    for stat, q in QUANTILES.items():
        found = [quantile(bounds, row, q) for row in growth]
        values = np.array([value for value, _ in found], np.float64)
        open_ended = np.array([bound for _, bound in found], bool)
        known = ~np.isnan(values)
        build.add(spec, group, stat, at[known], values[known], at_least=open_ended[known])


def _bound(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _reduced(bins: np.ndarray, values: np.ndarray, wanted: np.ndarray, how: str) -> np.ndarray:
    """One value per wanted bin; NaN where a bin holds none."""
    out = np.full(len(wanted), np.nan)
    slot = np.searchsorted(wanted, bins)
    if how == "mean":
        n = np.bincount(slot, minlength=len(wanted))
        total = np.bincount(slot, weights=values, minlength=len(wanted))
        out[n > 0] = total[n > 0] / n[n > 0]
        return out
    (np.fmax if how == "max" else np.fmin).at(out, slot, values)
    return out


_READERS = {"gauge": _gauge, "counter": _counter, "histogram": _histogram}
