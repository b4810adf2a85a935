"""How fast is a day of metrics, logs and changes on one grid, and in how much memory, beside pandas and polars?

    nice -n 19 python -m tests.benchmarks.align

500 series of 24 h every 30 s (1.44 million samples, gauges and counters' growth in equal parts), 5,000,000 log rows of
20 services and 6 levels, 40 deploys, on a 60 s grid. Each way gets the same rows in its own kind of table and makes
the same numbers: means and sums per signal, lines per service and level, seconds since each service's last deploy.
Before any time is taken the three results are compared, cell by cell.

Times: one process, at least seven rounds, the order of the ways turned every round; ratios of paired rounds with a 90 %
bootstrap interval of their median; processor time of all threads beside the clock's, because the machine may be shared.
Memory: each way alone in a process of its own, the peak of resident memory during
the work less what was resident before it.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors import schema
from connectors.window import Window
from kit.align import align_tables

SERIES, SERVICES, LINES, DEPLOYS, DAY = 500, 20, 5_000_000, 40, 86_400
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "TRACE")
START = 1_772_323_200  # 2026-03-01T00:00Z
WINDOW = Window.of("2026-03-01T00:00Z", "2026-03-02T00:00Z")
BINS = DAY // 60
ROUNDS = 7


def tables(seed: int = 1) -> tuple[pa.Table, pa.Table, pa.Table]:
    """METRICS, LOGS and CHANGES of one day: series with holes, lines in order of time."""
    rng = np.random.default_rng(seed)
    n = DAY // 30
    kept = rng.random(SERIES * n) > 0.02
    code = np.repeat(np.arange(SERIES, dtype=np.int32), n)[kept]
    at = np.tile(np.arange(n, dtype=np.int64) * 30, SERIES)[kept] + np.repeat(rng.integers(0, 30, SERIES), n)[kept]
    stat = ["gauge" if k % 2 else "delta" for k in range(SERIES)]
    names = pa.array([f"svc{k % SERVICES:02d}/metric{k:03d}.{stat[k]}" for k in range(SERIES)])
    metrics = pa.table(
        {
            "time": _time(at * 1_000_000),
            "signal": pa.DictionaryArray.from_arrays(pa.array(code), names),
            "kind": _same("other", len(at)),
            "name": _same("metric", len(at)),
            "stat": pa.DictionaryArray.from_arrays(pa.array(code % 2), pa.array(["delta", "gauge"])),
            "value": rng.normal(50, 10, len(at)),
        }
    )
    when = np.sort(rng.integers(0, DAY * 1_000_000, LINES))
    logs = pa.table(
        {
            "time": _time(when),
            "seq": np.arange(LINES),
            "service": _drawn(rng, [f"svc{k:02d}" for k in range(SERVICES)], LINES),
            "level": _drawn(rng, list(LEVELS), LINES),
            "weight": np.ones(LINES),
        }
    )
    which = rng.integers(0, SERVICES, DEPLOYS)
    moments = np.sort(rng.integers(0, DAY, DEPLOYS)) * 1_000_000
    changes = pa.table(
        {
            "id": [f"d{k}" for k in range(DEPLOYS)],
            "time": _time(moments),
            "kind": ["deploy"] * DEPLOYS,
            "service": [f"svc{k:02d}" for k in which],
            "summary": ["deploy"] * DEPLOYS,
        }
    )
    return schema.conform(metrics, "METRICS"), schema.conform(logs, "LOGS"), schema.conform(changes, "CHANGES")


def _time(micros: np.ndarray) -> pa.Array:
    return pa.array(micros + START * 1_000_000).cast(schema.TIME)


def _same(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))


def _drawn(rng: np.random.Generator, labels: list[str], n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, len(labels), n, dtype=np.int32)), pa.array(labels))


# --- the three ways --------------------------------------------------------------------------------------------------


def ours(metrics: pa.Table, logs: pa.Table, changes: pa.Table) -> Any:
    """`align_tables` on the canonical Arrow tables."""
    return align_tables(metrics, logs=logs, changes=changes, window=WINDOW, every="60s")


def ours_frames(metrics: pd.DataFrame, logs: pd.DataFrame, changes: pd.DataFrame) -> Any:
    """`align_tables` on pandas frames."""
    return align_tables(metrics, logs=logs, changes=changes, window=WINDOW, every="60s")


def with_pandas(metrics: pd.DataFrame, logs: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """resample and merge_asof, as one would write it."""
    grid = pd.DatetimeIndex(pd.date_range(WINDOW.start, periods=BINS, freq="60s").as_unit("us"), name="time")
    parts = []
    for stat, how in (("gauge", "mean"), ("delta", "sum")):
        mine = metrics[metrics["stat"] == stat]
        binned = mine.set_index("time").groupby("signal", observed=True)["value"].resample("60s")
        cells = binned.mean() if how == "mean" else binned.sum(min_count=1)
        parts.append(cells.unstack("signal").reindex(grid))
    counted = logs.set_index("time").groupby(["service", "level"], observed=True).resample("60s").size()
    counted = counted.unstack(["service", "level"]).reindex(grid).fillna(0.0)
    counted.columns = [f"{service}/log.{level.lower()}.count" for service, level in counted.columns]
    parts.append(counted)
    ends = pd.DataFrame({"time": grid, "edge": grid + pd.Timedelta("60s") - pd.Timedelta("1us")})
    since = {}
    for service, mine in changes.groupby("service", observed=True):
        last = pd.merge_asof(ends, mine[["time"]].rename(columns={"time": "at"}), left_on="edge", right_on="at")
        since[f"{service}/change.deploy.since_s"] = (ends["time"] - last["at"]).dt.total_seconds().clip(lower=0.0)
    parts.append(pd.DataFrame(since).set_index(grid))
    return pd.concat(parts, axis=1)


def with_polars(metrics: Any, logs: Any, changes: Any) -> Any:
    """group_by on truncated times, pivot and join_asof."""
    import polars as pl

    grid = pl.DataFrame({"time": pl.datetime_range(
        WINDOW.start, WINDOW.end, "60s", closed="left", time_unit="us", time_zone="UTC", eager=True
    )})  # fmt: skip
    bin_ = pl.col("time").dt.truncate("60s")
    cells = (
        metrics.group_by(bin_, "signal", "stat")
        .agg(pl.col("value").mean().alias("mean"), pl.col("value").sum().alias("sum"))
        .with_columns(pl.when(pl.col("stat") == "gauge").then("mean").otherwise("sum").alias("value"))
        .pivot("signal", index="time", values="value")
    )
    counted = (
        logs.group_by(bin_, "service", "level").len()
        .select(
            "time",
            (pl.col("service").cast(pl.String) + "/log." + pl.col("level").cast(pl.String).str.to_lowercase()
             + ".count").alias("signal"),
            pl.col("len").cast(pl.Float64),
        )
        .pivot("signal", index="time", values="len").fill_null(0.0)
    )  # fmt: skip
    wide = grid.join(cells, on="time", how="left").join(counted, on="time", how="left")
    ends = grid.with_columns((pl.col("time") + pl.duration(seconds=60) - pl.duration(microseconds=1)).alias("edge"))
    for (service,), mine in changes.sort("time").group_by("service", maintain_order=True):
        last = ends.join_asof(mine.select(pl.col("time").alias("at")), left_on="edge", right_on="at")
        since = (last["time"] - last["at"]).dt.total_microseconds() / 1e6
        wide = wide.with_columns(since.clip(0.0).alias(f"{service}/change.deploy.since_s"))
    return wide


def _pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas()


def _polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


WAYS: dict[str, tuple[Callable[..., Any], Callable[[pa.Table], Any]]] = {
    "kit": (ours, lambda table: table),
    "kit, pandas frames": (ours_frames, _pandas),
    "pandas": (with_pandas, _pandas),
    "polars": (with_polars, _polars),
}


# --- equal, fast, small ----------------------------------------------------------------------------------------------


def check_equal(given: tuple[pa.Table, ...]) -> int:
    """The number of cells compared. Raises AssertionError where two ways differ."""
    wanted = ours(*given)
    compared = 0
    for name in ("kit, pandas frames", "pandas", "polars"):
        way, convert = WAYS[name]
        got = way(*(convert(table) for table in given))
        frame = got if isinstance(got, pd.DataFrame) else pd.DataFrame({c: got[c].to_numpy() for c in got.columns})
        assert set(wanted.columns) <= set(frame.columns), name
        for column in wanted.columns:
            np.testing.assert_allclose(
                frame[column].to_numpy(dtype=float), wanted[column].to_numpy(), rtol=1e-9, err_msg=f"{name} {column}"
            )
            compared += len(wanted)
    return compared


def timed(given: tuple[pa.Table, ...], rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each way in each round: by the clock, and of processor time in all threads."""
    own = {name: tuple(convert(table) for table in given) for name, (_, convert) in WAYS.items()}
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    worked: dict[str, list[float]] = {name: [] for name in WAYS}
    names = list(WAYS)
    for at in range(rounds):
        for name in names[at % len(names) :] + names[: at % len(names)]:
            gc.collect()
            began, busy = time.perf_counter(), time.process_time()
            result = WAYS[name][0](*own[name])
            took[name].append(time.perf_counter() - began)
            worked[name].append(time.process_time() - busy)
            del result
    return took, worked


def ratio_interval(slow: list[float], fast: list[float], seed: int = 0) -> tuple[float, float, float]:
    """How many times slower, paired: the median and a 90 % bootstrap interval of it."""
    ratios = np.array(slow) / np.array(fast)
    rng = np.random.default_rng(seed)
    drawn = np.median(rng.choice(ratios, (5000, len(ratios))), axis=1)
    return float(np.median(ratios)), float(np.quantile(drawn, 0.05)), float(np.quantile(drawn, 0.95))


def peak_mb(name: str) -> float:
    """The peak of resident memory during one run of a way, less what was resident before it; this process's own."""
    way, convert = WAYS[name]
    own = [convert(table) for table in tables()]
    few = [table.slice(0, 5_500) for table in tables()]
    small = [convert(table) for table in few]
    way(*small)  # imports are no part of the work
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = way(*own)
    peak = _status("VmHWM") - before
    del result
    return peak


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


def main() -> None:
    """Prints the table."""
    if len(sys.argv) > 2 and sys.argv[1] == "--peak":
        print(json.dumps(peak_mb(sys.argv[2])))
        return
    given = tables()
    print(f"{check_equal(given):,} cells compared, all equal")
    took, worked = timed(given, ROUNDS)
    print(
        "| way | seconds, median | range | times the kit's, 90 % interval | processor s | times the kit's | peak MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, seconds in took.items():
        command = [sys.executable, "-m", "tests.benchmarks.align", "--peak", name]
        peaks = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(3)]
        middle, low, high = ratio_interval(seconds, took["kit"])
        busy, busy_low, busy_high = ratio_interval(worked[name], worked["kit"])
        print(
            f"| {name} | {np.median(seconds):.2f} | {min(seconds):.2f}–{max(seconds):.2f} | "
            f"{middle:.2f} ({low:.2f}–{high:.2f}) | {np.median(worked[name]):.2f} | "
            f"{busy:.2f} ({busy_low:.2f}–{busy_high:.2f}) | {np.median(peaks):.0f} |"
        )


if __name__ == "__main__":
    main()
