"""How fast, beside what people would otherwise use? Each pair in one process, by turns; the data is simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.schema import conform
from kit.critical_path import critical_path
from kit.onset import find_changepoints_each
from kit.traces import self_time
from tests.benchmarks.onset import ruptures_breaks
from tests.benchmarks.pairs import HEAD, by_turns

PAIRS = 7
SERIES, POINTS, THEIR_SERIES = 5000, 1440, 100
SPANS, PER_TRACE = 1_000_000, 20
_PARENTS = np.array([-1, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 8, 8, 9, 10, 10, 11, 15, 15])


def change_points(*, pairs: int = PAIRS) -> list[str]:
    """5,000 series of 1,440 points, half with a step of one standard deviation; KernelCPD on 100 of them, times 50."""
    rng = np.random.default_rng(7)
    lines = []
    for label, index in (
        ("positions", pd.RangeIndex(POINTS)),
        ("minutes of a day", pd.date_range("2026-03-01", periods=POINTS, freq="1min", tz="UTC")),
    ):
        wide = pd.DataFrame(rng.standard_normal((POINTS, SERIES)), index=index)
        wide.iloc[POINTS // 3 :, ::2] += 1.0
        few = [wide[c].to_numpy() for c in range(THEIR_SERIES)]
        find_changepoints_each(wide.iloc[:, :128])
        ruptures_breaks(few[0], "kernel")  # its import is not its speed
        timed = by_turns(
            lambda w=wide: find_changepoints_each(w),
            lambda f=few: [ruptures_breaks(x, "kernel") for x in f],
            pairs=pairs,
            share=(1.0, THEIR_SERIES / SERIES),
        )
        what = f"change points, {SERIES:,} × {POINTS:,} ({label}), beside KernelCPD (on {THEIR_SERIES}, extrapolated)"
        lines.append(timed.row(what, "10"))
    return lines


def traces(*, pairs: int = PAIRS) -> list[str]:
    """1,000,000 spans in traces of 20: self time and critical path, beside the children's sum taken off in pandas."""
    frame = _spans()
    table = conform(pa.Table.from_pandas(frame, preserve_index=False), "SPANS")
    lines = []
    for name, way, given, wanted in (
        ("self_time, Arrow", self_time, table, "1"),
        ("self_time, pandas", self_time, frame, "1"),
        ("critical_path, Arrow", critical_path, table, "0.33"),
        ("critical_path, pandas", critical_path, frame, "0.33"),
    ):
        timed = by_turns(lambda w=way, g=given: w(g), lambda: without_children(frame), pairs=pairs)
        lines.append(timed.row(f"{name}, {SPANS:,} spans, beside a groupby and a map in pandas", wanted))
    return lines


def without_children(spans: pd.DataFrame) -> pd.Series:
    """Vectorised pandas: the children's durations summed and taken off; overlaps count twice, ids are the key."""
    children = spans.groupby("parent_id")["duration_s"].sum()
    return (spans["duration_s"] - spans["span_id"].map(children).fillna(0.0)).clip(lower=0.0)


def _spans() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    roots = np.arange(0, SPANS, PER_TRACE)
    place = np.tile(np.arange(PER_TRACE), len(roots))
    start, end = np.zeros(SPANS, np.int64), np.zeros(SPANS, np.int64)
    start[roots] = rng.integers(0, 3_600_000_000, len(roots))
    end[roots] = start[roots] + rng.integers(50_000, 500_000, len(roots))
    for k in range(1, PER_TRACE):
        parent, child = roots + _PARENTS[k], roots + k
        cuts = np.sort(rng.random((2, len(roots))), axis=0) * (end - start)[parent]
        start[child], end[child] = start[parent] + cuts[0].astype(int), start[parent] + cuts[1].astype(int)
    ids = np.array([f"{x:016x}" for x in rng.integers(0, 2**63, SPANS)])
    parents = np.arange(SPANS) - place + _PARENTS[place]
    return pd.DataFrame(
        {
            "start": pd.to_datetime(start + 1_790_000_000_000_000, unit="us", utc=True),
            "duration_s": (end - start) / 1e6,
            "trace_id": np.array([f"{x:032x}" for x in range(len(roots))])[np.arange(SPANS) // PER_TRACE],
            "span_id": ids,
            "parent_id": np.where(place > 0, ids[parents], None),
            "service": np.array([f"s{i}" for i in range(8)])[place % 8],
            "name": np.array([f"op{i}" for i in range(20)])[place],
            "kind": np.where(place % 2, "client", "server"),
            "status": "ok",
            "weight": 1.0,
        }
    )


def report(data: Path | None = None) -> list[str]:
    """This part of `tests.benchmarks.diagnosis`, as Markdown lines; all is simulated, `data` is not read."""
    return ["## Speed", "", *HEAD, *change_points(), *traces(), ""]


if __name__ == "__main__":
    print("\n".join(report()), flush=True)
