"""Who was hurt, how much, for how long: counted against what would have happened anyway, with intervals.

Unknown stays unknown; over a gap, or while harm still lasts, a figure is a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window, utc
from kit.episodes.slowness import SLOW_FACTOR, SLOW_LEAST_S, given_up_requests
from kit.late_work import LateWork, measure_late_work
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid, grouped_quantiles, micros
from kit.numerics.moments import as_moment, length
from kit.requests import RequestArrays, request_arrays
from kit.result import Result

WHO = ("user.id", "enduser.id", "tenant", "client", "region", "route")
DAYS = 30.0
"""An error budget is counted over so many days."""
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Quantity:
    """A count with its 95 % interval. `lower_bound`: the truth is at least this, the data does not hold all of it."""

    value: float
    low: float
    high: float
    lower_bound: bool = False

    def __str__(self) -> str:
        least = "at least " if self.lower_bound else ""
        if round(self.low) == round(self.high):
            return f"{least}{self.value:,.0f}"
        return f"{least}{self.value:,.0f} ({self.low:,.0f}–{self.high:,.0f})"


@dataclass(frozen=True, slots=True)
class Affected:
    """How many different ones of a kind (tenants, regions) were hurt, of how many that were active meanwhile?"""

    kind: str
    hurt: int
    active: int
    most: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact(Result):
    """`failed`, `slow`, `lost`: requests beyond the usual. `minutes_over`: None, no objective is set. `late`: metrics
    that were over their limit, work that waited. `stretches_over`: of the harm's stretches of 10 s with a request, how
    many broke an objective; `limits` are these objectives, `worst` the route hurt most with its hurt and all requests.

    `budget_burned`: the share of 30 days' error budget, None as before. `times`: seconds from the onset to detected,
    engaged, mitigated, resolved and recovered; None where the mark is missing.
    """

    failed: Quantity
    slow: Quantity
    lost: Quantity
    requests: float
    minutes: float
    minutes_over: float | None
    budget_burned: float | None
    affected: tuple[Affected, ...]
    times: Mapping[str, float | None]
    because: tuple[str, ...]
    late: tuple[LateWork, ...] = ()
    stretches_over: tuple[int, int] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    worst: tuple[str, float, float] | None = None

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.late and self.failed.low <= 0 and self.slow.low <= 0:
            return f"No request was hurt; {self.late[0]}, over {length(self.minutes * 60)}."
        share = self.failed.value / self.requests if self.requests else 0.0
        parts = [f"{self.failed} requests failed ({share:.0%} of {self.requests:,.0f})"]
        if self.slow.low > 0:
            parts.append(f"{self.slow} more were slow")
        if self.lost.low > 0:
            parts.append(f"{self.lost} never came")
        return f"{', '.join(parts)}, over {length(self.minutes * 60)}."

    def to_frame(self) -> pd.DataFrame:
        """A row per figure: what, value, low, high, lower_bound, unit."""
        rows: list[dict[str, Any]] = [
            {"what": f"{name} requests beyond the usual", **asdict(getattr(self, name)), "unit": "requests"}
            for name in ("failed", "slow", "lost")
        ]
        for work in self.late:
            rows.append({"what": f"minutes {work.signal} was over its limit", "value": work.minutes, "unit": "min"})
            if work.waiting is not None:
                rows.append({"what": "work waiting at most", "value": work.waiting, "unit": "pieces"})
        for a in self.affected:
            rows.append({"what": f"{a.kind} hurt (of {a.active} active)", "value": float(a.hurt), "unit": a.kind})
        rows.append({"what": "minutes over the objective", "value": self.minutes_over, "unit": "min"})
        rows.append({"what": "error budget of 30 days burned", "value": self.budget_burned, "unit": "1"})
        rows += [{"what": f"time to {name}", "value": seconds, "unit": "s"} for name, seconds in self.times.items()]
        return pd.DataFrame(rows, columns=["what", "value", "low", "high", "lower_bound", "unit"])


def measure_impact(
    requests: Table,
    *,
    baseline: Window,
    incident: Window,
    objective: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    gaps: Sequence[Window] = (),
    onset: Any = None,
    recovered: Any = None,
    marks: Sequence[Mapping[str, Any]] = (),
    signals: pd.DataFrame | None = None,
) -> Impact:
    """How many requests failed, were slow, or never came, beyond the usual; who was hurt; for how long?

    `requests`: user requests of the outermost hop, as for `find_symptom`, holding both windows; each counts in the
    window in which it began; `incident` may reach a little beyond `onset` and `recovered`, so that it holds all of the
    harm, and its length is told by these two where both are given. The usual is the baseline's rate on each route; its
    own uncertainty makes the interval (95 %, counts taken as Poisson). `objective`: errors_ratio and latency_p99_s with
    `limit`; it says what is slow (without: 1.5 times the usual p99 of the route, and at least 0.1 s beyond it) and what
    is over. A failed request is not counted as slow as well.
    `gaps`: where data is missing; `recovered` None with an `onset` given: harm lasts; both make lower bounds.
    `marks`: kind and time of detected, engaged, mitigated, resolved. `signals`: an aligned frame whose columns may have
    objectives of their own; minutes over any of them count.

    Method: seen minus expected at the baseline's rates, route by route. Assumes that requests come and fail
    independently, at the baseline's rates. False alarms: simulated without harm (`tests.benchmarks.quiet`), the
    interval lay above zero in at most 9 % of windows for failed and slow requests each and 2 % for lost ones, where 2.5
    % are meant: a handful of requests is no harm. It misleads when the baseline is ill, and by `lost` when traffic
    differs for reasons of its own (hour of the day).

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=600, freq="1s")
    >>> rows = pd.DataFrame({"time": at, "duration_s": 0.0, "failed": [n >= 500 for n in range(600)]})
    >>> w = Window.of
    >>> str(measure_impact(rows, baseline=w("2026-03-01T02:00Z", "2026-03-01T02:08Z"),
    ...     incident=w("2026-03-01T02:08:20Z", "2026-03-01T02:10Z")).failed)
    '100'
    """
    arrays = request_arrays(requests)
    group = columns.codes(requests, "route")[0][arrays.rows] if columns.has(requests, "route") else None
    group = np.zeros(len(arrays.start_us), np.int64) if group is None else group.astype(np.int64) + 1
    before, during = _inside(arrays, baseline), _inside(arrays, incident)
    limits = {str(o["signal"]): float(o["limit"]) for o in _listed(objective)}
    slow = _slow(arrays, group, before, limits.get("latency_p99_s")) | given_up_requests(requests, arrays)
    slow &= ~arrays.failed
    partial = any(gap.intersect(incident) for gap in gaps) or (onset is not None and recovered is None)
    weight = arrays.weight
    failed = _excess(arrays.failed, group, before, during, weight, partial)
    slowed = _excess(slow, group, before, during, weight, partial)
    lost = _lost(arrays, baseline, incident, before, during, partial, gaps)
    total = float(weight[during].sum())
    late = measure_late_work(signals, incident=incident, objectives=_listed(objective))
    stretches = _stretches_over(arrays, during, incident, limits)
    minutes = _minutes(incident, onset, recovered)
    over = None if stretches is None else min(stretches[0] / 6, minutes)
    over = max([over or 0.0, *(w.minutes for w in late)]) if late else over
    burned = None
    if "errors_ratio" in limits and baseline.seconds > 0 and before.any():
        per_second = float(weight[before].sum()) / baseline.seconds
        burned = failed.value / (limits["errors_ratio"] * per_second * DAYS * 86400)
    hurt = during & (arrays.failed | slow)
    affected = _affected(requests, arrays, hurt, during)
    seen = float(weight[during & arrays.failed].sum())
    because = [
        f"{seen:,.0f} of {total:,.0f} requests failed; the usual rate would give {seen - failed.value:,.1f}",
        *(f"{a.hurt} of {a.active} {a.kind} hurt" for a in affected),
        *(str(work) for work in late),
    ]
    if partial:
        because.append("lower bounds: " + ("data is missing in between" if gaps else "harm lasts where the data ends"))
    times = time_to(onset or incident.start, marks, recovered)
    return Impact(
        failed, slowed, lost, total, minutes, over, burned, affected, times, tuple(because), late,
        stretches, limits, _worst(requests, arrays, hurt, during),
    )  # fmt: skip


def time_to(onset: Any, marks: Sequence[Mapping[str, Any]] = (), recovered: Any = None) -> dict[str, float | None]:
    """How many seconds after the onset was it detected, engaged, mitigated, resolved, recovered? None: not recorded.

    The first mark of each kind counts. Negative: before the onset, as when an alert fired on a leading signal.

    >>> time_to("2026-03-01T02:14Z", [{"kind": "detected", "time": "2026-03-01T02:16Z"}])["detected"]
    120.0
    """
    start = as_moment(onset)
    times: dict[str, float | None] = dict.fromkeys(("detected", "engaged", "mitigated", "resolved", "recovered"))
    if start is None:
        return times
    for mark in sorted(marks, key=lambda m: utc(m["time"])):
        kind = str(mark["kind"])
        if times.get(kind, 0.0) is None:
            times[kind] = (utc(mark["time"]) - start.time).total_seconds()
    end = as_moment(recovered)
    if end is not None:
        times["recovered"] = (end.time - start.time).total_seconds()
    return times


def _excess(
    bad: np.ndarray, group: np.ndarray, before: np.ndarray, during: np.ndarray, weight: np.ndarray, partial: bool
) -> Quantity:
    """Bad requests less those that the baseline's rate on each route would give.

    The expected number is uncertain by its own Poisson scatter and by that of the rate.
    """
    size = int(group.max()) + 1 if len(group) else 1
    n0 = np.bincount(group[before], weights=weight[before], minlength=size)
    b0 = np.bincount(group[before], weights=weight[before] * bad[before], minlength=size)
    n1 = np.bincount(group[during], weights=weight[during], minlength=size)
    seen = float((weight[during] * bad[during]).sum())
    pooled = b0.sum() / n0.sum() if n0.sum() else 0.0
    rate = np.where(n0 > 0, b0 / np.maximum(n0, 1e-9), pooled)
    expected = float((rate * n1).sum())
    scale = n1.sum() / n0.sum() if n0.sum() else 0.0
    # half an event stands for what a baseline without any could still hide
    error = Z95 * np.sqrt(max(expected, 0.0) + scale**2 * (b0.sum() + 0.5)) if n0.sum() else 0.0
    if weight[during].size and (weight[during] != 1).any():
        error = float(np.hypot(error, Z95 * np.sqrt((weight[during & bad] ** 2).sum())))
    value = max(0.0, seen - expected)
    return Quantity(value, max(0.0, value - error), min(seen, value + error) if seen else 0.0, partial)


def _lost(
    arrays: RequestArrays,
    baseline: Window,
    incident: Window,
    before: np.ndarray,
    during: np.ndarray,
    partial: bool,
    gaps: Sequence[Window],
) -> Quantity:
    """Requests that the baseline's traffic lets expect and that did not come. Its scatter is seen in its own blocks."""
    if baseline.seconds <= 0 or not before.any():
        return Quantity(0.0, 0.0, 0.0, partial)
    missing = sum(part.seconds for gap in gaps if (part := gap.intersect(incident)) is not None)
    seconds = max(0.0, incident.seconds - missing)
    blocks = max(2, min(20, int(baseline.seconds // max(incident.seconds, 30.0))))
    at = (arrays.start_us[before] - micros(baseline.start)) * blocks // round(baseline.seconds * 1e6)
    counts = np.bincount(at, weights=arrays.weight[before], minlength=blocks)[:blocks]
    rate = counts.sum() / baseline.seconds
    expected = rate * seconds
    dispersion = max(1.0, float(counts.var(ddof=1) / counts.mean())) if counts.mean() > 0 else 1.0
    error = Z95 * np.sqrt(dispersion * (expected + expected * seconds / baseline.seconds))
    short = expected - float(arrays.weight[during].sum())
    return Quantity(max(0.0, short), max(0.0, short - error), max(0.0, short + error), partial)


def _slow(arrays: RequestArrays, group: np.ndarray, before: np.ndarray, limit: float | None) -> np.ndarray:
    if limit is not None:
        return arrays.duration_s > limit
    healthy = before & ~arrays.failed
    size = int(group.max()) + 1 if len(group) else 1
    (usual,) = grouped_quantiles(group[healthy], arrays.duration_s[healthy], (0.99,), size)
    limits = np.maximum(SLOW_FACTOR * usual, usual + SLOW_LEAST_S)
    return arrays.duration_s > np.where(np.isnan(limits), np.inf, limits)[group]


def _minutes(incident: Window, onset: Any, recovered: Any) -> float:
    """How long did the harm last? From its onset to its end, where both are known."""
    began, over = as_moment(onset), as_moment(recovered)
    if began is None or over is None:
        return incident.seconds / 60
    return (over.time - began.time).total_seconds() / 60


def _worst(
    requests: Table, arrays: RequestArrays, hurt: np.ndarray, during: np.ndarray
) -> tuple[str, float, float] | None:
    """The route with the most hurt requests, how many these were, and how many came to it in all."""
    if not columns.has(requests, "route") or not hurt.any():
        return None
    code, labels = columns.codes(requests, "route")
    code = code[arrays.rows]
    counted = [
        np.bincount(code[wanted & (code >= 0)], weights=arrays.weight[wanted & (code >= 0)], minlength=len(labels))
        for wanted in (hurt, during)
    ]
    most = int(np.argmax(counted[0]))
    return str(labels[most]), float(counted[0][most]), float(counted[1][most])


def _stretches_over(
    arrays: RequestArrays, during: np.ndarray, incident: Window, limits: Mapping[str, float]
) -> tuple[int, int] | None:
    """How many bins of 10 s with at least one request broke an objective, of how many? Several count once."""
    if not limits:
        return None
    if not during.any():
        return 0, 0
    grid = Grid.of(incident, 10)
    bins, _ = grid.place(arrays.start_us[during])
    n = np.bincount(bins, minlength=grid.size)
    over = np.zeros(grid.size, bool)
    if "errors_ratio" in limits:
        bad = np.bincount(bins, weights=arrays.failed[during], minlength=grid.size)
        over |= (n > 0) & (bad > limits["errors_ratio"] * np.maximum(n, 1))
    if "latency_p99_s" in limits:
        (p99,) = grouped_quantiles(bins, arrays.duration_s[during], (0.99,), grid.size)
        over |= np.nan_to_num(p99) > limits["latency_p99_s"]
    return int(over.sum()), int((n > 0).sum())


def _affected(requests: Table, arrays: RequestArrays, hurt: np.ndarray, during: np.ndarray) -> tuple[Affected, ...]:
    found = []
    for who in WHO:
        if not columns.has(requests, who):
            continue
        code, labels = columns.codes(requests, who)
        code = code[arrays.rows]
        known = code >= 0
        n = np.bincount(code[hurt & known], minlength=len(labels))
        active = np.unique(code[during & known])
        most = tuple(labels[i] for i in np.argsort(-n, kind="stable")[:3] if n[i])
        plural = {"user.id": "users", "enduser.id": "users"}.get(who, f"{who}s")
        found.append(Affected(plural, int((n > 0).sum()), len(active), most))
    return tuple(found)


def _inside(arrays: RequestArrays, window: Window) -> np.ndarray:
    return (arrays.start_us >= micros(window.start)) & (arrays.start_us < micros(window.end))


def _listed(objective: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> Sequence[Mapping[str, Any]]:
    if objective is None:
        return ()
    return (objective,) if isinstance(objective, Mapping) else tuple(objective)
