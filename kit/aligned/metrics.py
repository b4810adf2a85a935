"""METRICS on the grid: each statistic reduced in its own way, raw counters as what they grew."""

from __future__ import annotations

import numpy as np

from connectors.increments import bins_after, increments
from kit.aligned.cells import reduce
from kit.aligned.intervals import by_signal_and_time, refuse_finer
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid

REDUCTIONS = {
    "gauge": "mean", "rate": "mean", "ratio": "mean", "mean": "mean", "delta": "sum", "count": "sum", "bucket": "sum",
    "total": "increase", "min": "min", "max": "max", "p50": "max", "p90": "max", "p95": "max", "p99": "max",
}  # fmt: skip
"""How several values of one statistic within a bin become one.

The maximum of quantiles is an *upper bound* of the bin's.
"""


def metric_columns(metrics: Table, grid: Grid) -> dict[str, np.ndarray]:
    """Each signal's column, by its name; a raw counter's `….total` becomes `….delta`."""
    code, labels = columns.codes(metrics, "signal")
    times = columns.times_us(metrics)
    order = by_signal_and_time(code, times)
    if order is not None:
        code, times = code[order], times[order]
    values = columns.numbers(metrics, "value")
    values = values if order is None else values[order]
    refuse_finer(code, times, labels, grid)
    stats = [_stat_of(label) for label in labels]
    reduction = np.array([REDUCTIONS.get(stat, "mean") for stat in stats])
    bins, inside = grid.place(times)
    usable = inside & ~np.isnan(values) & (code >= 0)
    found: dict[str, np.ndarray] = {}
    for how in ("mean", "sum", "max", "min"):
        wanted = np.flatnonzero(reduction == how)
        if len(wanted):
            local = np.full(len(labels) + 1, -1, np.int64)
            local[wanted] = np.arange(len(wanted))
            mine = usable & (local[code] >= 0)
            key = local[code[mine]] * grid.size + bins[mine]
            cells = reduce(key, values[mine], how, len(wanted) * grid.size).reshape(len(wanted), grid.size)
            for at, signal in enumerate(wanted):
                found[labels[signal]] = cells[at]
    for signal in np.flatnonzero(reduction == "increase"):
        mine = (code == signal) & ~np.isnan(values)
        key = labels[signal].removesuffix(".total") + ".delta"
        if key not in found:
            found[key] = counter_increase(times[mine], values[mine], grid)
    return {label: found[label] for label in sorted(found) if not np.isnan(found[label]).all()}


def counter_increase(times: np.ndarray, values: np.ndarray, grid: Grid) -> np.ndarray:
    """By how much did a counter grow in each bin?

    The value at the last sample ≤ the bin's end less that at the last sample ≤ its start, resets added; so the bins sum
    to the whole. A bin without a new sample is NaN; what grew across a gap stands in the first bin after it.
    """
    grown, bins = increments(values), bins_after(times, grid.start_us, grid.step_us)
    counted = ~np.isnan(grown) & (bins >= 0) & (bins < grid.size)
    out = np.full(grid.size, np.nan)
    out[bins[counted]] = 0.0
    np.add.at(out, bins[counted], grown[counted])
    return out


def _stat_of(signal: str) -> str:
    return signal.rsplit(".", 1)[-1]
