"""User requests as arrays: when each began, how long it took, whether it failed; and how many began in each bin.

Logs speak at completion. Here a request stands at its start (time − duration), counted once, probes left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid, grouped_quantiles, micros


def rebin_by_start(rows: Table, *, window: Window, every: str, by: str | None = None) -> pd.DataFrame:
    """How many requests *began* in each bin, how many of them failed, and how slow were they?

    `rows` are request rows: `time` (completion), `duration_s` (seconds; missing: 0) and how they ended (`failed` as
    booleans, else `http.response.status_code`: 0 or ≥ 500 failed); rows flagged `probe` are left out. Returns a frame
    by `time` with `count`, `failed`, `ratio`, `p50`, `p99` (seconds; NaN where nothing began); with `by` (a column such
    as route) that column comes first and each value has all bins. Only these bins date an onset: completion dates a
    30 s hang 30 s late. It misleads after the watermark: what began late and has not ended is not there yet.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"time": pd.to_datetime(["2026-03-01T00:00:32Z", "2026-03-01T00:00:33Z"]),
    ...     "duration_s": [30.0, 0.5], "http.response.status_code": [504, 200]})
    >>> window = Window.of("2026-03-01T00:00Z", "2026-03-01T00:00:40Z")
    >>> rebin_by_start(rows, window=window, every="10s")["failed"].tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    grid = Grid.of(window, every)
    requests = request_arrays(rows, window=window)
    bins, _ = grid.place(requests.start_us)
    if by is None:
        return _request_bins(grid, bins, requests.failed, requests.duration_s, requests.weight)
    group, labels = columns.codes(rows, by)
    group = group[requests.rows]
    parts = []
    for code, label in enumerate(labels):
        mine = group == code
        if not mine.any():
            continue
        part = _request_bins(grid, bins[mine], requests.failed[mine], requests.duration_s[mine], requests.weight[mine])
        part.insert(0, by, label)
        parts.append(part)
    if parts:
        return pd.concat(parts)
    return _request_bins(grid, bins[:0], requests.failed[:0], requests.duration_s[:0], requests.weight[:0]).assign(
        **{by: ""}
    )


@dataclass(frozen=True, slots=True)
class RequestArrays:
    """User requests as arrays sorted by start: microseconds, seconds, failed or not, weight, and their row numbers."""

    start_us: np.ndarray
    duration_s: np.ndarray
    failed: np.ndarray
    weight: np.ndarray
    rows: np.ndarray


def request_arrays(rows: Table, *, window: Window | None = None) -> RequestArrays:
    """Which user requests began in this window, in order of their start?

    Probes are left out; so is what began outside the window.
    """
    times = columns.times_us(rows)
    keep = np.ones(len(times), bool)
    duration = np.zeros(len(times))
    if columns.has(rows, "duration_s"):
        duration = np.nan_to_num(columns.numbers(rows, "duration_s"))
    failed = failed_rows(rows)
    if columns.has(rows, "probe"):
        keep &= ~columns.flags(rows, "probe")
    weight = columns.numbers(rows, "weight") if columns.has(rows, "weight") else np.ones(len(times))
    start = times - np.round(duration * 1e6).astype(np.int64)
    if window is not None:
        keep &= (start >= micros(window.start)) & (start < micros(window.end))
    at = np.flatnonzero(keep)
    at = at[np.argsort(start[at], kind="stable")]
    return RequestArrays(start[at], duration[at], failed[at], weight[at], at)


def failed_rows(rows: Table) -> np.ndarray:
    """Which of these requests failed? `failed` where given, else status 0 (no answer) or ≥ 500.

    Raises `BadInput` when the rows say nothing about how they ended.
    """
    if columns.has(rows, "failed"):
        return columns.flags(rows, "failed")
    if columns.has(rows, "http.response.status_code"):
        status = columns.numbers(rows, "http.response.status_code")
        return (status >= 500) | (status == 0)
    if not columns.length(rows):
        return np.zeros(0, bool)
    raise BadInput(
        "The request rows say nothing about failure: give http.response.status_code, or a boolean column failed."
    )


def _request_bins(
    grid: Grid, bins: np.ndarray, failed: np.ndarray, duration: np.ndarray, weight: np.ndarray
) -> pd.DataFrame:
    count = np.bincount(bins, weights=weight, minlength=grid.size).astype(float)
    bad = np.bincount(bins, weights=weight * failed, minlength=grid.size).astype(float)
    p50, p99 = grouped_quantiles(bins, duration, (0.5, 0.99), grid.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(count > 0, bad / count, np.nan)
    return pd.DataFrame(
        {"count": count, "failed": bad, "ratio": ratio, "p50": p50, "p99": p99}, index=grid.index, copy=False
    )
