"""Errors as rate and kind: which kinds of failure did users get, before and during?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import micros
from kit.requests import request_arrays
from kit.result import Result

KINDS = ("5xx", "timeout", "no answer", "429", "408", "499", "401/403", "other 4xx")


@dataclass(frozen=True, slots=True)
class FailureKinds(Result):
    """Per kind the share of all requests before and during, and the median duration of those that failed.

    `usual_s`: median duration of what succeeded before, on the routes that fail.
    `attempts_*`: attempts per request, NaN where not logged.
    `fixed_s`: failures cluster at this duration (a timeout), None: they do not.
    """

    table: pd.DataFrame
    total_before: float
    total_now: float
    usual_s: float
    failed_s: float
    attempts_before: float
    attempts_now: float
    fixed_s: float | None
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        rose = self.table[self.table["now"] > self.table["before"] + 0.002]
        if not len(rose):
            return "No kind of failure became more frequent."
        top = rose.sort_values("now", ascending=False).iloc[0]
        return f"Mostly {top['kind']}: {top['before']:.2%} of requests before, {top['now']:.1%} during."

    def share(self, *kinds: str) -> tuple[float, float]:
        """Which share of all requests ended like this, before and during?"""
        mine = self.table[self.table["kind"].isin(kinds)]
        return float(mine["before"].sum()), float(mine["now"].sum())

    def to_frame(self) -> pd.DataFrame:
        """A row per kind: kind, before, now (shares of all requests), n_before, n_now, median_s."""
        return self.table.copy()


def count_failures(rows: Table, *, baseline: Window, incident: Window) -> FailureKinds:
    """How do requests fail, and how often, before and during?

    `rows`: the entry hop's request rows with `http.response.status_code` (0: no answer), optionally `error.type`,
    `duration_s`, `attempts`, `probe`. Requests count in the window in which they began. 499 (the client gave up) tells
    of slowness, not of a client's fault; 4xx are counted though they are not failures of the service.

    >>> rows = pd.DataFrame({"time": pd.to_datetime(["2026-03-01T00:00Z", "2026-03-01T00:01Z"]), "duration_s": 0.1,
    ...     "http.response.status_code": [200, 403]})
    >>> w = Window.of
    >>> count_failures(rows, baseline=w("2026-02-28T23:59Z", "2026-03-01T00:00:30Z"),
    ...     incident=w("2026-03-01T00:00:30Z", "2026-03-01T00:02Z")).share("401/403")
    (0.0, 1.0)
    """
    arrays = request_arrays(rows)
    kind = _kinds(rows, arrays.rows, arrays.failed)
    sides = [(arrays.start_us >= micros(w.start)) & (arrays.start_us < micros(w.end)) for w in (baseline, incident)]
    totals = [float(arrays.weight[side].sum()) for side in sides]
    table = []
    for name in KINDS:
        mine = kind == name
        counts = [float(arrays.weight[side & mine].sum()) for side in sides]
        shares = [c / t if t else float("nan") for c, t in zip(counts, totals, strict=True)]
        table.append(
            {"kind": name, "before": shares[0], "now": shares[1], "n_before": counts[0], "n_now": counts[1],
             "median_s": _median(arrays.duration_s[sides[1] & mine])}
        )  # fmt: skip
    failed = sides[1] & arrays.failed
    attempts = [float("nan")] * 2
    if columns.has(rows, "attempts"):
        values = columns.numbers(rows, "attempts")[arrays.rows]
        attempts = [float(np.nanmean(values[s])) if np.isfinite(values[s]).any() else float("nan") for s in sides]
    alike = sides[0] & ~arrays.failed & _same_routes(rows, arrays.rows, failed)
    frame = pd.DataFrame(table)
    rose = frame[frame["now"] > frame["before"] + 0.002]
    because = tuple(f"{r['kind']}: {r['before']:.2%} → {r['now']:.2%}" for _, r in rose.iterrows())
    return FailureKinds(
        frame, *totals, _median(arrays.duration_s[alike]), _median(arrays.duration_s[failed]),
        attempts[0], attempts[1], _fixed(arrays.duration_s[failed]), because,
    )  # fmt: skip


def _same_routes(rows: Table, at: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Which requests are of a route on which at least one in ten of the failures lies? All, where no route is known."""
    if not columns.has(rows, "route") or not failed.any():
        return np.ones(len(at), bool)
    code, labels = columns.codes(rows, "route")
    code = code[at]
    n = np.bincount(code[failed & (code >= 0)], minlength=len(labels))
    ill = np.flatnonzero(n >= failed.sum() / 10)
    return np.isin(code, ill) if len(ill) else np.ones(len(at), bool)


def _kinds(rows: Table, at: np.ndarray, failed: np.ndarray) -> np.ndarray:
    kind = np.full(len(at), "", dtype=object)
    kind[failed] = "5xx"
    if columns.has(rows, "http.response.status_code"):
        status = columns.numbers(rows, "http.response.status_code")[at]
        kind[(status >= 400) & (status < 500)] = "other 4xx"
        for code, name in ((429, "429"), (408, "408"), (499, "499"), (401, "401/403"), (403, "401/403")):
            kind[status == code] = name
        kind[status >= 500] = "5xx"
        kind[status == 504] = "timeout"
        kind[status == 0] = "no answer"
    if columns.has(rows, "error.type"):
        error = columns.texts(rows, "error.type")[at]
        kind[np.array([e is not None and "timeout" in e.lower() for e in error], bool) & failed] = "timeout"
    return kind


def _fixed(durations: np.ndarray) -> float | None:
    """Do the failures cluster at one duration of at least half a second, as a timeout makes them?"""
    if len(durations) < 20:
        return None
    low, middle, high = np.quantile(durations, [0.25, 0.5, 0.75])
    return float(middle) if middle >= 0.5 and (high - low) <= 0.1 * middle else None


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
