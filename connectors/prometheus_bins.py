"""Signals from what the server reduced per bin, where the raw samples would be too many to move.

Counters stay exact: the value at the last sample of each bin is all that their rule needs, and the bins in which a
counter started again are read raw. A gauge comes as its mean and its maximum per bin, so that a spike survives. No
function of the server that extrapolates is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.asking import Asking
from connectors.base import SignalSpec
from connectors.metric_series import metric_names
from connectors.metric_signals import DIPS, PEAKS, Reading, read_signals
from connectors.prometheus_api import NAMES, Api, batches
from connectors.samples import SAMPLES, Samples, Series, joined
from connectors.window import Window, step_seconds


def reduced(
    api: Api,
    asking: Asking,
    counts: Mapping[str, int],
    window: Window,
    signals: Sequence[SignalSpec],
    every: str,
    lookback_s: float,
    known: Sequence[str],
) -> tuple[Reading, str]:
    """The signals per bin, and how they were reduced.

    `counts`: how many series each metric has. Several gauges as one: their means are added (or averaged), and the
    maximum is that of the sums of maxima, an upper bound, which its labels say. Rates are per second of the bin, not
    of the time between the samples in it. A gauge's first and last bin are read whole, also past the window's edges.
    """
    bins = _Bins.of(window, round(step_seconds(every) * 1000), round(lookback_s * 1000))
    gauges = metric_names([s for s in signals if s.metric_type == "gauge"], list(counts))
    grown = {name: n for name, n in counts.items() if name not in gauges}
    parts = _counters(api, asking, grown, bins)
    means = _gauges(api, asking, gauges, "avg_over_time", bins)
    apart = bins.step / 1000
    reading = read_signals(_all([*parts, *means]), signals, window, every, known=known, apart_s=apart)
    tables = [reading.table]
    for stat, kinds in (("max", PEAKS), ("min", DIPS)):
        wanted = [s for s in signals if s.metric_type == "gauge" and s.kind in kinds]
        found = read_signals(_all(_extremes(api, asking, wanted, stat, counts, bins)), wanted, window, every).table
        tables.append(_as_extremes(found, stat, counts, wanted))
    said = f"per {every} by {api.engine.name}: mean, maximum and minimum of gauges, last value of counters"
    return Reading(schema.conform(pa.concat_tables(tables).combine_chunks(), "METRICS"), reading.remarks), said


class _Bins(NamedTuple):
    """All in milliseconds: the grid's first edge in the window, its last, and how far back growth is looked for."""

    low: int
    high: int
    first: int
    last: int
    step: int
    back: int

    @classmethod
    def of(cls, window: Window, step: int, lookback: int) -> _Bins:
        low, high = round(window.start.timestamp() * 1000), round(window.end.timestamp() * 1000)
        return cls(low, high, low // step * step, -(-high // step) * step, step, -(-lookback // step) * step)


def _counters(api: Api, asking: Asking, counts: Mapping[str, int], bins: _Bins) -> list[Samples]:
    """The last sample of each bin at the bin's end; all samples of bins in which a counter began, or began again."""
    parts: list[Samples] = []
    step, first = bins.step, bins.first - bins.back
    whole = bins.high // step * step
    for some in batches(list(counts), NAMES):
        selector = api.selector(some)
        edges = [api.at_steps(asking, f"last_over_time({selector}[{_width(api, step)}ms])", first, whole, step)]
        if whole < bins.high:
            rest = _width(api, bins.high - whole)
            edges.append(api.at_steps(asking, f"last_over_time({selector}[{rest}ms])", bins.high, bins.high, step))
        again = " or ".join(f"max(resets({api.selector([name])}[{2 * step}ms]) > 0)" for name in some)
        restarts = _ends(api.at_steps(asking, again, first, bins.last, step))
        few = {name: counts[name] for name in some}
        for low, high in _stretches([*restarts, *_births(edges[0], first)], step):
            parts.append(api.raw(asking, few, (low - 2 * step) * 1000, min(high, bins.high) * 1000))
        parts += edges
    return parts


def _width(api: Api, length: int) -> int:
    """How long a range takes in the samples of a length that does not begin before it?"""
    return max(1, length - 1) if api.engine.closed else length


def _ends(samples: Samples) -> list[int]:
    return (samples.table.column("time").cast(pa.int64()).to_numpy() // 1000).tolist()


def _births(edges: Samples, first: int) -> list[int]:
    """At which edges is a series seen for the first time, after others were there?"""
    times = pa.TableGroupBy(edges.table.select(["series", "time"]), "series").aggregate([("time", "min")])
    found = times.column("time_min").cast(pa.int64()).to_numpy() // 1000
    return sorted({int(at) for at in found if at > first})


def _stretches(ends: Sequence[int], step: int) -> list[tuple[int, int]]:
    """Bins by their ends, neighbours joined, in milliseconds."""
    joined_up: list[tuple[int, int]] = []
    for at in sorted(set(ends)):
        if joined_up and at - joined_up[-1][1] <= 2 * step:
            joined_up[-1] = (joined_up[-1][0], at)
        else:
            joined_up.append((at, at))
    return joined_up


def _gauges(api: Api, asking: Asking, names: Sequence[str], function: str, bins: _Bins) -> list[Samples]:
    """The function's value over each bin [start, end), at the bin's start; the metric's name put back."""
    parts = []
    step = bins.step
    for name in names:
        expression = f"{function}({api.selector([name])}[{_width(api, step)}ms])"
        got = api.at_steps(asking, expression, bins.first + step - 1, bins.last - 1, step)
        times = got.table.column("time").cast(pa.int64()).to_numpy() - (step - 1) * 1000
        times = pa.array(np.maximum(times, bins.low * 1000)).cast(schema.TIME)
        table = got.table.set_column(0, SAMPLES.field("time"), times)
        parts.append(Samples(table, tuple(Series(name, one.labels) for one in got.series)))
    return parts


def _extremes(
    api: Api, asking: Asking, wanted: Sequence[SignalSpec], stat: str, counts: Mapping[str, int], bins: _Bins
) -> list[Samples]:
    """Each gauge's extreme, and the opposite one of what divides it: so a ratio's extreme is exact or a bound."""
    there = list(counts)
    below = metric_names([replace(s, metric=s.divide_by) for s in wanted if s.divide_by], there)
    above = [name for name in metric_names([replace(s, divide_by=None) for s in wanted], there) if name not in below]
    opposite = "min" if stat == "max" else "max"
    return [
        *_gauges(api, asking, above, f"{stat}_over_time", bins),
        *_gauges(api, asking, below, f"{opposite}_over_time", bins),
    ]


def _all(parts: Sequence[Samples]) -> Samples:
    filled = [part for part in parts if part.table.num_rows]
    return joined(filled) if filled else Samples(SAMPLES.empty_table(), ())


def _as_extremes(table: pa.Table, stat: str, counts: Mapping[str, int], specs: Sequence[SignalSpec]) -> pa.Table:
    """The rows under the keys that extremes have; those made of several series, or divided, are bounds."""
    rows = table.filter(pc.is_in(table.column("stat").cast(pa.string()), pa.array(["gauge", "ratio"])))
    exact = {f"{s.service}/{s.name}" for s in specs if not s.divide_by and (counts.get(s.metric, 0) == 1 or s.by)}
    bound = "at_most" if stat == "max" else "at_least"
    keys = [f"{key.rpartition('.')[0]}.{stat}" for key in rows.column("signal").cast(pa.string()).to_pylist()]
    labels = [
        text if _plain_key(key) in exact else _bounded(text, bound)
        for key, text in zip(keys, rows.column("labels").cast(pa.string()).to_pylist(), strict=True)
    ]
    changed: dict[str, list[str]] = {"signal": keys, "stat": [stat] * rows.num_rows, "labels": labels}
    for name, values in changed.items():
        at = rows.column_names.index(name)
        rows = rows.set_column(at, schema.METRICS.field(name), pa.array(values, pa.string()).dictionary_encode())
    return schema.conform(rows, "METRICS")


def _plain_key(key: str) -> str:
    """`api@host/depth.max` → `api/depth`."""
    service, _, name = key.rpartition(".")[0].partition("/")
    return f"{service.partition('@')[0]}/{name}"


def _bounded(labels: str, bound: str) -> str:
    return orjson.dumps({**orjson.loads(labels), "bound": bound}, option=orjson.OPT_SORT_KEYS).decode()
