"""CHANGES on the grid: what was active in each bin, and since when."""

from __future__ import annotations

import numpy as np

from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid

_STATES = {"on": 1.0, "true": 1.0, "enabled": 1.0, "off": 0.0, "false": 0.0, "disabled": 0.0}


def change_columns(changes: Table, grid: Grid) -> dict[str, np.ndarray]:
    """What was active at each bin's start: seconds since the last change, its fraction, its version as an ordinal."""
    times = columns.times_us(changes)
    service, kind = columns.texts(changes, "service"), columns.texts(changes, "kind")
    after = columns.texts(changes, "after")
    fraction = columns.numbers(changes, "fraction") if columns.has(changes, "fraction") else np.full(len(times), np.nan)
    starts = grid.start_us + grid.step_us * np.arange(grid.size, dtype=np.int64)
    found: dict[str, np.ndarray] = {}
    for who, what in sorted({(str(s or "all"), str(k)) for s, k in zip(service, kind, strict=True)}):
        mine = np.flatnonzero([str(s or "all") == who and str(k) == what for s, k in zip(service, kind, strict=True)])
        mine = mine[np.argsort(times[mine], kind="stable")]
        last = np.searchsorted(times[mine], starts + grid.step_us - 1, side="right") - 1
        known = last >= 0
        at = mine[np.maximum(last, 0)]
        prefix = f"{who}/change.{what}"
        since = np.maximum(0.0, (starts - times[at]) / 1e6)
        found[f"{prefix}.since_s"] = np.where(known, since, np.nan)
        if not np.isnan(fraction[mine]).all():
            found[f"{prefix}.fraction"] = np.where(known, fraction[at], np.nan)
        state = _states([after[i] for i in mine], flag=what == "flag")
        if state is not None:
            found[f"{prefix}.{'state' if what == 'flag' else 'version'}"] = np.where(
                known, state[np.maximum(last, 0)], np.nan
            )
    return {key: values for key, values in found.items() if not np.isnan(values).all()}


def _states(after: list[str | None], *, flag: bool) -> np.ndarray | None:
    """A number for each value after a change: on and off for flags, else an ordinal in order of appearance."""
    if all(a is None for a in after):
        return None
    if flag:
        return np.array([_STATES.get(str(a).lower(), _number(a)) for a in after])
    order = {value: float(n + 1) for n, value in enumerate(dict.fromkeys(a for a in after if a is not None))}
    return np.array([order.get(a, np.nan) for a in after])


def _number(text: str | None) -> float:
    try:
        return float(str(text).rstrip("%"))
    except ValueError:
        return float("nan")
