"""Small answers of log sources on the grid: the signals that were counted where the lines are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.aligned.cells import reduce
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid


def signals_from_answers(
    *,
    window: Window,
    every: str,
    counts: Table | None = None,
    failures: Table | None = None,
    durations: Table | None = None,
    upstream: Table | None = None,
    levels: Table | None = None,
) -> pd.DataFrame:
    """The same derived signals, from small answers asked where the data lives.

    `counts`: `count(every=, by=("service",))` over requests; `failures`: the same with the failed filter;
    `durations` and `upstream`: `measure(every=, by=("service",))` of `duration_s` and `upstream.duration_s` with p50
    and p99; `levels`: `count(every=, by=("service", "level"))`. Returns an aligned frame to join with the others;
    a failed count absent where requests were counted is 0, everything else absent is NaN.
    """
    grid = Grid.of(window, every)
    found: dict[str, np.ndarray] = {}
    totals = answer_values(counts, grid, "n", "{service}/requests.count")
    found.update(totals)
    if failures is not None:
        bad = answer_values(failures, grid, "n", "{service}/requests.count")
        for key, total in totals.items():
            service = key.removesuffix("/requests.count")
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.nan_to_num(bad.get(key, np.zeros(grid.size))) / np.where(total > 0, total, np.nan)
            found[f"{service}/requests.errors_ratio"] = ratio
    for table, name in ((durations, "requests.duration"), (upstream, "upstream.duration")):
        for stat in ("p50", "p99"):
            found.update(answer_values(table, grid, stat, f"{{service}}/{name}.{stat}"))
    if levels is not None:
        present = answer_values(levels, grid, "n", "{service}")
        for key, values in answer_values(levels, grid, "n", "{service}/log.{level}.count").items():
            alive = ~np.isnan(present[key.split("/", 1)[0]])
            found[key] = np.where(alive, np.nan_to_num(values), np.nan)
    return pd.DataFrame(found, index=grid.index, copy=False)


def answer_values(answer: Table | None, grid: Grid, value: str, pattern: str) -> dict[str, np.ndarray]:
    """One column of a small answer on the grid, by signal: `pattern` names it from the answer's service and level.

    Nothing where the answer is empty or has no such column; a bin that the answer does not name is NaN.
    """
    if answer is None or not columns.length(answer) or value not in columns.names(answer):
        return {}
    bins, inside = grid.place(columns.times_us(answer))
    values = columns.numbers(answer, value)
    parts = {f: columns.texts(answer, f) for f in ("service", "level") if f"{{{f}}}" in pattern}
    found: dict[str, np.ndarray] = {}
    how = "sum" if value == "n" else "max"
    keys = np.array(
        [
            pattern.format(**{f: (v[i] or "unknown").lower() if f == "level" else v[i] for f, v in parts.items()})
            for i in range(len(values))
        ]
    )
    for key in dict.fromkeys(keys.tolist()):
        mine = (keys == key) & inside & ~np.isnan(values)
        cells = reduce(bins[mine], values[mine], how, grid.size)
        if not np.isnan(cells).all():
            found[key] = cells
    return found
