"""Where did a series turn, how often, and into what? Change points with intervals and a calibrated p."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from kit.numerics import segments
from kit.numerics.season import calendar_periods, own_cycles, without_cycle, without_season, without_season_each

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ["start", "earliest", "latest", "end", "kind", "direction", "size", "p"]
LEAST_POINTS = 8
_CHUNK = 128


def find_changepoints(series: pd.Series) -> pd.DataFrame:
    """At which points did the series change, and what kind of change was each?

    Columns, a row a change in order: `start` (label of the first point of the new regime), `earliest` and `latest`
    (labels between which it lies in about 90 % of cases), `end` (label of the regime's last point), `kind` (step ramp
    spike dip variance), `direction` (up down), `size` (level after minus level before, in the series' unit; for
    variance the change of the standard deviation), `p`. The index may be of any type as long as it increases; NaN is
    no data and is never filled. No row: nothing changed that noise would not do. Fewer than 8 points give no row.

    Method: six looks share a 5 % risk: one step in the whole series (√F of the two-level fit, discounted by the
    residuals' autocorrelation), stretches, steps at several window lengths (each against the spread of the same
    difference elsewhere in the series), the spread (whole and local) and lone points. Their null distributions were
    simulated on AR(1) noise and are looked up by length and estimated ρ. Days and weeks that repeat at least twice are
    taken off first; without times, a cycle that the moves themselves repeat three times. Positions are refined and
    pruned by the fit between neighbours; what the series does all the time is no change.

    Assumes noise that is roughly AR(1) with few outliers. False alarms: any row with p ≤ .05 in at most 7 % of AR(1)
    series with ρ from 0 to 0.9. Where the points are worth fewer than 20 independent ones, n(1−ρ)/(1+ρ) by the
    estimated ρ, the p of a step or stretch is NaN: too short to say. A step is told so where it is beyond the simulated
    noise or its two sides hardly overlap; in series truly worth fewer than 20, noise is told so in up to a quarter of
    them. It misleads on slowly wandering series (a random walk has levels but no cause), on seasons seen less than
    twice, and where a change lasts fewer than 3 points.

    >>> import pandas as pd
    >>> flat = [5.0, 6.0] * 15
    >>> raised = [25.0, 26.0] * 8
    >>> find_changepoints(pd.Series(flat + raised))[["start", "end", "kind", "direction", "size"]]
       start  end  kind direction  size
    0     30   45  step        up  20.0
    """
    values, kept, index = _observed(series)
    if len(values) < LEAST_POINTS:
        return pd.DataFrame({c: [] for c in COLUMNS})
    values = _deseasoned(values, kept, index)
    looks = segments.look(values[None, :])
    changes = segments.changes_of(values, looks, 0)
    return _table(changes, index[kept] if len(kept) != len(index) else index)


def find_changepoints_each(wide: pd.DataFrame) -> pd.DataFrame:
    """At which points did each column change? As `find_changepoints`, with the column's name in `signal` first.

    All complete columns are looked at together, which is many times faster than one by one; the answers are the same.
    """
    complete = wide.columns[wide.notna().all().to_numpy()]
    tables = []
    index = wide.index
    values = np.ascontiguousarray(wide[complete].to_numpy(dtype=float).T)
    if not index.is_monotonic_increasing:
        raise BadInput("The frame's index must increase: sort it first (wide.sort_index()).")
    periods = _periods(index)
    if len(index) >= LEAST_POINTS:
        for from_ in range(0, len(complete), _CHUNK):
            rows = values[from_ : from_ + _CHUNK]
            if periods:
                rows = without_season_each(rows, periods)
            elif not isinstance(index, pd.DatetimeIndex):
                rows = _without_cycles(rows)
            looks = segments.look(rows)
            worth = _worth_a_closer_look(looks)
            for i in np.flatnonzero(worth):
                tables += [(complete[from_ + i], c) for c in segments.changes_of(rows[i], looks, int(i))]
        rest = wide.columns.difference(complete, sort=False)
    else:
        rest = wide.columns
    out = _table([c for _, c in tables], index)
    out.insert(0, "signal", [s for s, _ in tables])
    singles = [find_changepoints(wide[c]).assign(signal=c) for c in rest]
    return pd.concat([out, *[s for s in singles if len(s)]], ignore_index=True)[["signal", *COLUMNS]]


def _worth_a_closer_look(looks: segments.Looks) -> np.ndarray:
    return (np.nan_to_num(looks.least_p, nan=0.0) <= segments.ALPHA) | np.isnan(looks.p["step"])


def _observed(series: pd.Series) -> tuple[np.ndarray, np.ndarray, pd.Index]:
    index = series.index
    if not index.is_monotonic_increasing:
        raise BadInput("The series' index must increase: sort it first (series.sort_index()).")
    values = series.to_numpy(dtype=float, na_value=np.nan)
    kept = np.flatnonzero(np.isfinite(values))
    return values[kept], kept, index


def _deseasoned(values: np.ndarray, kept: np.ndarray, index: pd.Index) -> np.ndarray:
    periods = _periods(index)
    if not periods:
        gaps = isinstance(index, pd.DatetimeIndex) or len(kept) != len(index)
        return values if gaps else _without_cycles(values[None, :])[0]
    whole = np.full(len(index), np.nan)
    whole[kept] = values
    return without_season(whole, periods)[0][kept]


def _without_cycles(rows: np.ndarray) -> np.ndarray:
    cycles = own_cycles(rows)
    if all(c is None for c in cycles):
        return rows
    return np.array([row if c is None else without_cycle(row, c) for row, c in zip(rows, cycles, strict=True)])


def _periods(index: pd.Index) -> list[int]:
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2 * segments.noise.LEAST_POINTS:
        return []
    step = float(np.median(np.diff(index.as_unit("ns").asi8))) / 1e9
    return calendar_periods(step, len(index)) if step > 0 else []


def _table(changes: Iterable[segments.Change], index: pd.Index) -> pd.DataFrame:
    changes = list(changes)
    columns: dict[str, object] = {
        name: index.take([getattr(c, name) for c in changes]) for name in ("start", "earliest", "latest", "end")
    }
    for name in ("kind", "direction", "size", "p"):
        columns[name] = [getattr(c, name) for c in changes]
    return pd.DataFrame(columns, columns=COLUMNS)
