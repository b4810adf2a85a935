"""How often is `explain_difference` wrong, how often does it find a planted combination, and how fast is it?

`python -m tests.benchmarks.difference [--runs N] [--rows N]`. All is simulated with fixed seeds; no data is needed.
The speed is compared in the same run with what users write: `pandas.crosstab` and a χ² test per field.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from kit.difference import explain_difference
from tests.benchmarks.pairs import HEAD, by_turns

CARDINALITY = (2, 3, 5, 8, 20, 50, 200)
THEIR_FIELDS = 5


def noise(rng: np.random.Generator, rows: int, fields: int) -> dict[str, pa.Array]:
    """Fields that have nothing to do with anything: skewed text, numbers, one in three with a tenth missing."""
    columns = {}
    for i in range(fields):
        k = CARDINALITY[i % len(CARDINALITY)]
        missing = rng.random(rows) < 0.1 if i % 3 == 0 else None
        if i % 10 == 9:
            columns[f"number{i}"] = pa.array(rng.lognormal(0, 1, rows), mask=missing)
            continue
        share = 1 / np.arange(1, k + 1)
        codes = rng.choice(k, rows, p=share / share.sum()).astype(np.int32)
        names = pa.array([f"v{j}" for j in range(k)])
        columns[f"field{i}"] = pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing), names)
    return columns


def false_alarms(*, runs: int, rows: int = 10_000, fields: int = 20) -> tuple[int, int]:
    """In how many of `runs` tables without any difference is something claimed?"""
    hits = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        table = pa.table(noise(rng, rows, fields))
        bad_share = (0.005, 0.02, 0.1, 0.5)[seed % 4]
        hits += not explain_difference(table, bad=rng.random(rows) < bad_share).empty
    return hits, runs


def planted(*, runs: int, rows: int, fields: int = 20, traffic: float = 0.05, errors: float = 0.6) -> tuple[int, int]:
    """In how many runs does a combination with 5 % of the traffic and 60 % of the errors rank first?"""
    first = 0
    for seed in range(runs):
        rng = np.random.default_rng(10_000 + seed)
        table = noise(rng, rows, fields)
        wide = float(rng.uniform(0.1, 0.6))
        x = np.where(rng.random(rows) < wide, "x1", rng.choice(["x2", "x3"], rows))
        y = np.where(rng.random(rows) < traffic / wide, "y1", rng.choice(["y2", "y3", "y4"], rows))
        hit = (x == "x1") & (y == "y1")
        base = 0.02
        bad = rng.random(rows) < np.where(hit, base * errors / traffic, base * (1 - errors) / (1 - traffic))
        found = explain_difference(pa.table({**table, "x": x, "y": y}), bad=bad)
        first += not found.empty and found.iloc[0]["predicate"] == "x = 'x1' AND y = 'y1'"
    return first, runs


def big(rows: int, *, text: bool) -> tuple[pa.Table, np.ndarray]:
    """A table of 20 fields with a planted combination, as the canonical dictionary columns or as plain text."""
    rng = np.random.default_rng(1)
    columns: dict[str, pa.Array] = {}
    codes = {}
    for i in range(20):
        k = (3, 8, 20, 50, 200)[i % 5]
        codes[i] = rng.integers(0, k, rows).astype(np.int32)
        names = pa.array([f"value-{j}" for j in range(k)])
        column = pa.DictionaryArray.from_arrays(pa.array(codes[i]), names)
        columns[f"field{i}"] = column.cast(pa.string()) if text else column
    hit = (codes[0] == 1) & (codes[1] == 1)
    return pa.table(columns), rng.random(rows) < np.where(hit, 0.2, 0.004)


def crosstab(frame: pd.DataFrame, bad: np.ndarray) -> pd.Series:
    """The usual way: one contingency table and one χ² test per field, no combinations."""
    from scipy.stats import chi2_contingency

    flag = pd.Series(bad, index=frame.index)
    return pd.Series({name: chi2_contingency(pd.crosstab(frame[name], flag))[1] for name in frame.columns})


def speed(*, rows: int, pairs: int = 7) -> Iterator[str]:
    """The kit with combinations beside pandas with single fields, by turns; what is found first stands in the row.

    pandas goes through a quarter of the fields, one of each number of values, and is multiplied by four.
    """
    yield from HEAD
    for label, text in (("dictionary columns", False), ("text columns", True)):
        table, bad = big(rows, text=text)
        frame = table.select(table.column_names[:THEIR_FIELDS]).to_pandas()
        first = explain_difference(table, bad=bad).iloc[0]["predicate"]
        timed = by_turns(
            lambda t=table, b=bad: explain_difference(t, bad=b),
            lambda f=frame, b=bad: crosstab(f, b),
            pairs=pairs,
            share=(1.0, THEIR_FIELDS / table.num_columns),
        )
        beside = f"crosstab + χ² (on {THEIR_FIELDS} fields, extrapolated)"
        yield timed.row(f"{rows:,} rows × 20, {label}, beside {beside} (first: {first})", "10")


def power(*, runs: int) -> Iterator[str]:
    """False alarms, and how often the planted combination comes first."""
    hits, of = false_alarms(runs=runs)
    yield f"false alarms: {hits} of {of} null tables give a finding ({hits / of:.2%}; at most 1 %)"
    for size in (50_000, 5_000):
        first, of = planted(runs=runs // 5, rows=size)
        yield f"planted pair, {size:,} rows, 2 % bad: first in {first} of {of} ({first / of:.1%}; at least 95 %)"


def report(data: Path | None = None, *, runs: int = 1000, rows: int = 5_000_000, pairs: int = 7) -> list[str]:
    """This part of `tests.benchmarks.diagnosis`, as Markdown lines; all is simulated, `data` is not read."""
    return ["## Difference", "", *(f"- {line}" for line in power(runs=runs)), "", *speed(rows=rows, pairs=pairs), ""]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    print("\n".join(report(runs=arguments.runs, rows=arguments.rows, pairs=arguments.pairs)), flush=True)
