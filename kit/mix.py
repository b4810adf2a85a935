"""Did failures rise because traffic moved, or because it got worse? Kitagawa's decomposition, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.base import MISSING
from connectors.errors import BadInput
from connectors.window import Window
from kit.numerics.contrast import chi2_tail, effective_size, g_statistic
from kit.numerics.value_codes import as_table

SURE = 0.01
MOST = 0.8


def split_rate_change(
    rows: Any,
    *,
    failed: Any,
    before: Window,
    after: Window,
    fields: Sequence[str],
    weight: str = "weight",
) -> pd.DataFrame:
    """How much of the change in the failure ratio is traffic that moved, and how much is values that got worse?

    `rows`: a pandas DataFrame or pyarrow Table with `time` (or `start`) and the `fields`; `failed`: true/false
    per row or a portable `where`. A row per field: `field`, `rate_before`, `rate_after` (0–1), `change`, `moved`
    and `worse` (they add up to `change`), `p` (G-test that the rate changed at all), `verdict` (traffic moved,
    got worse, both, no change), `value` (the one that contributes most to the larger part) and `value_part` (its
    contribution).

    Method (Kitagawa 1955): with share w and rate r of each value before (0) and after (1), moved = Σ
    (w₁−w₀)·(r₀+r₁)/2 and worse = Σ (r₁−r₀)·(w₀+w₁)/2. A value that occurs in one window only has the same rate in
    both by assumption: what it brings counts as moved. One part of four fifths or more of the change gives its
    name to the verdict.

    Assumes independent rows. False alarms: a verdict other than *no change* in at most 1 % of the cases where
    nothing changed, by design (p ≤ .01). It misleads as each field is a view of its own: one that has nothing to
    do with the failure says "got worse" for all its values alike. Raises `BadInput` when a window holds no rows.

    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-03-01T02:00Z"] * 1000 + ["2026-03-01T03:00Z"] * 1000)
    >>> zone = ["a"] * 900 + ["b"] * 100 + ["a"] * 500 + ["b"] * 500
    >>> failed = [i % 100 == 0 if z == "a" else i % 2 == 0 for i, z in enumerate(zone)]
    >>> split_rate_change(pd.DataFrame({"time": time, "zone": zone}), failed=failed, fields=["zone"],
    ...     before=Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z"),
    ...     after=Window.of("2026-03-01T03:00Z", "2026-03-01T04:00Z"))[["verdict", "value"]].values.tolist()
    [['traffic moved', 'b']]
    """
    from connectors import where as filters
    from kit.difference import choose_rows

    table = as_table(rows)
    filters.need_fields(fields, table.column_names, where="these rows")
    bad = choose_rows(failed, table, "failed").astype(float)
    time = _time(table)
    weights = table[weight].cast(pa.float64()).fill_null(1.0).to_numpy() if weight in table.column_names else None
    weights = np.ones(table.num_rows) if weights is None else weights
    sides = []
    for name, window in (("before", before), ("after", after)):
        inside = (time >= round(window.start.timestamp() * 1e6)) & (time < round(window.end.timestamp() * 1e6))
        if not inside.any():
            raise BadInput(f"The window {name} ({window}) holds no rows: choose one that does.")
        sides.append(np.flatnonzero(inside))
    return pd.DataFrame([_split(name, table[name], bad, weights, sides) for name in fields])


def _split(
    name: str, column: pa.ChunkedArray, bad: np.ndarray, weights: np.ndarray, sides: list[np.ndarray]
) -> dict[str, Any]:
    codes, values = pd.factorize(np.asarray(column.to_pandas().astype(object)), use_na_sentinel=False)
    n0, n1 = (np.bincount(codes[s], weights[s], minlength=len(values)) for s in sides)
    f0, f1 = (np.bincount(codes[s], (weights * bad)[s], minlength=len(values)) for s in sides)
    w0, w1 = n0 / n0.sum(), n1 / n1.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        r0, r1 = f0 / n0, f1 / n1
    r0, r1 = np.where(n0 > 0, r0, r1), np.where(n1 > 0, r1, r0)
    moved, worse = (w1 - w0) * (r0 + r1) / 2, (r1 - r0) * (w0 + w1) / 2
    rate0, rate1 = float(f0.sum() / n0.sum()), float(f1.sum() / n1.sum())
    size0, size1 = (effective_size(weights[s]) for s in sides)
    p = float(chi2_tail(g_statistic(rate0 * size0, size0, rate1 * size1, size1)))
    total_moved, total_worse = float(moved.sum()), float(worse.sum())
    shifted = (w1 - w0) * ((r0 + r1) / 2 - (rate0 + rate1) / 2)  # adds up to moved as well, as Σ (w₁−w₀) = 0
    parts = shifted if abs(total_moved) > abs(total_worse) else worse
    top = int(np.argmax(parts * np.sign(rate1 - rate0)))
    value = values[top]
    return {
        "field": name,
        "rate_before": rate0,
        "rate_after": rate1,
        "change": rate1 - rate0,
        "moved": total_moved,
        "worse": total_worse,
        "p": p,
        "verdict": _verdict(total_moved, total_worse, p),
        "value": MISSING if pd.isna(value) else str(value),
        "value_part": float(parts[top]),
    }


def _verdict(moved: float, worse: float, p: float) -> str:
    change = moved + worse
    if p > SURE:
        return "no change"
    if moved / change >= MOST:
        return "traffic moved"
    return "got worse" if worse / change >= MOST else "both"


def _time(table: pa.Table) -> np.ndarray:
    name = next((n for n in ("time", "start") if n in table.column_names), None)
    if name is None:
        raise BadInput("These rows have no column time or start: give canonical rows.")
    type_ = table.schema.field(name).type
    if not pa.types.is_timestamp(type_) or type_.tz is None:
        raise BadInput(f"The column {name} is {type_}, not a time with a zone: give canonical rows.")
    return table[name].cast(pa.timestamp("us", type_.tz), safe=False).cast(pa.int64()).to_numpy()
