"""Is one measurement good or bad, compared with before? A verdict with its numbers, and *unknown* where none is due."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

FEWEST_REQUESTS, FEWEST_BEFORE, FEWEST_AFTER = 30, 3, 2
TAIL_FLOOR, MIDDLE_FLOOR, ERROR_FLOOR, FULL = 0.5, 0.2, 0.01, 0.8
"""Least rise that counts: half for tails, a fifth for medians and means, one point of errors; saturated from 0.8."""
Z_LIMIT = 3.0


class Health(StrEnum):
    """The state of a boundary; unknown is a value, never taken for good."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """One signal before and during: its two values (in `unit`), the interval of the second, n on both sides, a verdict.

    `kind` is latency, errors, saturation or traffic; `n_*` requests where they are known, otherwise bins. Traffic has
    no verdict of its own: less of it can be the effect of anything above.
    """

    signal: str
    kind: str
    health: Health
    before: float
    after: float
    low: float
    high: float
    n_before: int
    n_after: int
    size: float
    why: str


def kind_of(signal: str) -> str:
    """Which kind of signal does a key speak of, by its own words? `service[@instance]/name.stat`

    >>> [kind_of(s) for s in ("web/errors.ratio", "db/query.duration.p99", "db/pool.usage_ratio", "db/calls.rate")]
    ['errors', 'latency', 'saturation', 'traffic']
    """
    name = signal.rpartition("/")[2].lower()
    stat = name.rpartition(".")[2]
    words = (
        ("errors", ("error", "failed", "failure", "5xx", "timeouts", "exception")),
        ("latency", ("duration", "latency", "time_s", "_seconds", "wait", "response_time", "lag", ".age.")),
        (
            "saturation",
            (
                "usage",
                "utilization",
                "utilisation",
                "saturation",
                "queue",
                "depth",
                "backlog",
                "pending",
                "pool",
                "cpu",
                "memory",
                "disk",
            ),
        ),
    )
    if stat == "count":
        return "traffic"
    for kind, parts in words:
        if any(part in name for part in parts):
            return kind
    if stat in ("rate", "delta", "total") or "requests" in name or "traffic" in name:
        return "traffic"
    return "latency" if stat in ("p50", "p90", "p95", "p99") else "other"


def read_bins(
    signal: str,
    before: np.ndarray,
    after: np.ndarray,
    *,
    kind: str,
    requests: tuple[float, float] | None = None,
) -> Reading:
    """Is a binned signal worse than before? NaN bins are no data; `requests` are how many each side's values rest on.

    Latency and saturation compare medians against the baseline's own spread (MAD) and against a floor; errors compare
    means, and half the incident's bins must exceed nineteen in twenty of the baseline's.
    """
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    counts = (len(before), len(after)) if requests is None else (round(requests[0]), round(requests[1]))
    center = np.mean if kind == "errors" else np.median
    one = float(center(before)) if len(before) else np.nan
    two = float(center(after)) if len(after) else np.nan
    low, high = (float(q) for q in np.quantile(after, [0.05, 0.95])) if len(after) else (np.nan, np.nan)
    if len(before) < FEWEST_BEFORE or len(after) < FEWEST_AFTER:
        why = f"{len(before)} bins before and {len(after)} after: too few"
        return Reading(signal, kind, Health.UNKNOWN, one, two, low, high, *counts, 0.0, why)
    if requests is not None and min(requests) < FEWEST_REQUESTS:
        why = f"{counts[0]} requests before and {counts[1]} after: under {FEWEST_REQUESTS} no verdict"
        return Reading(signal, kind, Health.UNKNOWN, one, two, low, high, *counts, 0.0, why)
    spread = 1.4826 * float(np.median(np.abs(before - np.median(before))))
    z = (two - one) / max(spread, 0.02 * abs(one), 1e-9)
    if kind == "errors":
        beyond = float(np.mean(after > np.quantile(before, 0.95) + 1e-12))
        bad = two - one >= ERROR_FLOOR and two >= 2 * one and beyond >= 0.5
    elif kind == "saturation":
        bad = z >= Z_LIMIT and (_full(one, two) if _is_share(signal, before, after) else two >= 2 * one)
    elif kind == "latency":
        bad = z >= Z_LIMIT and two >= (1 + _latency_floor(signal)) * one
    else:
        return Reading(signal, kind, Health.UNKNOWN, one, two, low, high, *counts, 0.0, "no verdict from traffic alone")
    return _reading(signal, kind, bad, one, two, (low, high), counts)


def read_requests(
    signal: str, before: np.ndarray, after: np.ndarray, *, kind: str, stat: str, weights: tuple[np.ndarray, np.ndarray]
) -> Reading:
    """Is a signal worse than before, read from the requests themselves? Errors as 0/1, latency as seconds.

    Errors: a rise of a point, double, and beyond what two binomial shares differ by chance (z ≥ 3). Latency: the
    statistic past its floor, and the share of requests above the old value beyond chance (z ≥ 3). Requests are taken
    as independent; bursts make both tests too sure, the floors are what holds then.
    """
    kept = [np.isfinite(x) for x in (before, after)]
    (x, y), (u, v) = (before[kept[0]], after[kept[1]]), (weights[0][kept[0]], weights[1][kept[1]])
    n, m = len(x), len(y)
    share = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}.get(stat)
    if kind == "errors":
        one, two = _mean(x, u), _mean(y, v)
        low, high = wilson(two, _effective(v)) if m else (np.nan, np.nan)
    else:
        one, two = (_quantile(x, u, share), _quantile(y, v, share)) if share else (_mean(x, u), _mean(y, v))
        low, high = _quantile_interval(y, share if share else 0.5)
    if min(n, m) < FEWEST_REQUESTS:
        why = f"{n} requests before and {m} after: under {FEWEST_REQUESTS} no verdict"
        return Reading(signal, kind, Health.UNKNOWN, one, two, low, high, n, m, 0.0, why)
    a, b = _effective(u), _effective(v)
    if kind == "errors":
        pooled = (one * a + two * b) / (a + b)
        z = (two - one) / max(np.sqrt(pooled * (1 - pooled) * (1 / a + 1 / b)), 1e-12)
        bad = two - one >= ERROR_FLOOR and two >= 2 * one and z >= Z_LIMIT
    else:
        share = share or 0.5
        above = _mean((y > one).astype(float), v)
        z = (above - (1 - share)) / np.sqrt(share * (1 - share) * (1 / a + 1 / b))
        bad = z >= Z_LIMIT and two >= (1 + _latency_floor(f".{stat}")) * one
    return _reading(signal, kind, bool(bad), one, two, (low, high), (n, m))


def wilson(share: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Between which values does a share of n lie, 95 % sure? Wilson's interval.

    >>> [round(x, 3) for x in wilson(0.1, 100)]
    [0.055, 0.174]
    """
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def _reading(
    signal: str, kind: str, bad: bool, one: float, two: float, interval: tuple[float, float], counts: tuple[int, int]
) -> Reading:
    size = two - one if kind == "errors" else float(np.log(max(two, 1e-9) / max(one, 1e-9)))
    health = Health.BAD if bad else Health.GOOD
    unit = " s" if kind == "latency" else ""
    text = (lambda v: f"{v:.1%}") if kind == "errors" else (lambda v: f"{v:.3g}{unit}")
    return Reading(signal, kind, health, one, two, *interval, *counts, float(size), f"{text(one)} → {text(two)}")


def _is_share(signal: str, before: np.ndarray, after: np.ndarray) -> bool:
    """A share of a capacity, as against a length or a size without a bound?"""
    return "ratio" in signal or "utili" in signal or bool(max(before.max(), after.max()) <= 1.0)


def _full(one: float, two: float) -> bool:
    return two >= FULL and two >= (1 + MIDDLE_FLOOR) * one


def _latency_floor(signal: str) -> float:
    return TAIL_FLOOR if signal.endswith(("p90", "p95", "p99", "max")) else MIDDLE_FLOOR


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if len(values) and weights.sum() > 0 else np.nan


def _effective(weights: np.ndarray) -> float:
    return float(weights.sum() ** 2 / max((weights**2).sum(), 1e-12))


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    if not len(values):
        return np.nan
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _quantile_interval(values: np.ndarray, share: float) -> tuple[float, float]:
    """Order statistics that enclose the quantile, 95 % sure."""
    if not len(values):
        return np.nan, np.nan
    n, ordered = len(values), np.sort(values)
    half = 1.96 * np.sqrt(n * share * (1 - share))
    low, high = int(np.floor(n * share - half)), int(np.ceil(n * share + half))
    return float(ordered[max(low, 0)]), float(ordered[min(high, n - 1)])
