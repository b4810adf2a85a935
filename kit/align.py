"""Put metrics, logs, spans and changes on one grid of time.

The aligned frame has a DatetimeIndex `time` of fixed step (bins closed and labelled left, multiples of the step since
1970 UTC, so that a shifted window keeps its bins) and one float64 column per signal, named
`service[@instance]/name.stat`.
A bin without data is NaN and stays NaN. Rows are binned by the time they carry: for logs that is completion; only
`kit.requests.rebin_by_start` dates requests by their start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid, grouped_quantiles
from kit.requests import failed_rows, rebin_by_start

if TYPE_CHECKING:
    from kit.case import Case

__all__ = [
    "REDUCTIONS", "UPPER_BOUNDS", "align", "align_tables", "counter_increase", "rebin_by_start", "signals_from_answers",
    "source_steps",
]  # fmt: skip

REDUCTIONS = {
    "gauge": "mean", "rate": "mean", "ratio": "mean", "mean": "mean", "delta": "sum", "count": "sum", "bucket": "sum",
    "total": "increase", "min": "min", "max": "max", "p50": "max", "p90": "max", "p95": "max", "p99": "max",
}  # fmt: skip
"""How several values of one statistic within a bin become one.

The maximum of quantiles is an *upper bound* of the bin's.
"""

BLOCK = 1 << 17
"""Rows of logs that are counted at a time, so that memory does not grow with their number."""

UPPER_BOUNDS = ("p50", "p90", "p95", "p99")
"""Statistics whose bins are upper bounds wherever a bin holds more than one source value."""


def align(case: Case, *, every: str | None = None) -> pd.DataFrame:
    """What did every signal of a case read in every bin of time? `every` None: the case's own step.

    The aligned frame of `align_tables`: metrics and the signals derived from logs, with the case's path of recording,
    so that another step asks the sources once and is replayed later.
    """
    if every is None or every == case.every:
        return case.wide
    return case.at_step(every).wide


def align_tables(
    metrics: Table | None = None,
    *,
    logs: Table | None = None,
    spans: Table | None = None,
    changes: Table | None = None,
    window: Window,
    every: str,
) -> pd.DataFrame:
    """What did every signal read in every bin of time?

    Takes canonical METRICS, LOGS, SPANS and CHANGES as pandas DataFrames or pyarrow Tables, any of them None. Returns
    the aligned frame: float64, NaN where there is no data, never filled. Metrics reduce as `REDUCTIONS` says (a raw
    counter `….total` becomes its increase `….delta`). Logs give `<service>/log.<level>.count`; rows with `duration_s`
    give `requests.count`, `requests.errors_ratio`, `requests.duration.p50|p99` and `upstream.duration.p50|p99`; spans
    give `spans.server…`; changes give what is active. A count is 0 only where its service wrote something else then.

    Raises `BadInput` when the step is finer than a metric's own interval. It can mislead where the source bins by
    completion: a 30 s hang then dates the first error 30 s late (see `kit.requests.rebin_by_start`).

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"time": pd.to_datetime(["2026-03-01T00:00:01Z", "2026-03-01T00:00:31Z"]),
    ...     "signal": "web/cpu.gauge", "stat": "gauge", "value": [0.25, 0.75]})
    >>> wide = align_tables(rows, window=Window.of("2026-03-01T00:00Z", "2026-03-01T00:01:30Z"), every="30s")
    >>> wide["web/cpu.gauge"].tolist()
    [0.25, 0.75, nan]
    """
    grid = Grid.of(window, every)
    found: dict[str, np.ndarray] = {}
    if metrics is not None and columns.length(metrics):
        found.update(_metric_columns(metrics, grid))
    if logs is not None and columns.length(logs):
        found.update(_log_columns(logs, grid))
    if spans is not None and columns.length(spans):
        found.update(_span_columns(spans, grid))
    if changes is not None and columns.length(changes):
        found.update(_change_columns(changes, grid))
    return pd.DataFrame(found, index=grid.index, copy=False)


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
    totals = _answer_values(counts, grid, "n", "{service}/requests.count")
    found.update(totals)
    if failures is not None:
        bad = _answer_values(failures, grid, "n", "{service}/requests.count")
        for key, total in totals.items():
            service = key.removesuffix("/requests.count")
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.nan_to_num(bad.get(key, np.zeros(grid.size))) / np.where(total > 0, total, np.nan)
            found[f"{service}/requests.errors_ratio"] = ratio
    for table, name in ((durations, "requests.duration"), (upstream, "upstream.duration")):
        for stat in ("p50", "p99"):
            found.update(_answer_values(table, grid, stat, f"{{service}}/{name}.{stat}"))
    if levels is not None:
        present = _answer_values(levels, grid, "n", "{service}")
        for key, values in _answer_values(levels, grid, "n", "{service}/log.{level}.count").items():
            alive = ~np.isnan(present[key.split("/", 1)[0]])
            found[key] = np.where(alive, np.nan_to_num(values), np.nan)
    return pd.DataFrame(found, index=grid.index, copy=False)


def source_steps(metrics: Table) -> dict[str, float]:
    """How many seconds lie between the samples of each signal? The 10th percentile of the gaps, so holes don't count.

    Signals with a single sample are left out.
    """
    code, labels = columns.codes(metrics, "signal")
    times = columns.times_us(metrics)
    order = _by_signal_and_time(code, times)
    if order is not None:
        code, times = code[order], times[order]
    return _steps(code, times, labels)


# --- metrics -------------------------------------------------------------------------------------------------------


def _metric_columns(metrics: Table, grid: Grid) -> dict[str, np.ndarray]:
    code, labels = columns.codes(metrics, "signal")
    times = columns.times_us(metrics)
    order = _by_signal_and_time(code, times)
    if order is not None:
        code, times = code[order], times[order]
    values = columns.numbers(metrics, "value")
    values = values if order is None else values[order]
    _refuse_finer(code, times, labels, grid)
    stats = [_stat_of(label) for label in labels]
    reduction = np.array([REDUCTIONS.get(stat, "mean") for stat in stats])
    bins, inside = grid.place(times)
    usable = inside & ~np.isnan(values) & (code >= 0)
    found: dict[str, np.ndarray] = {}
    for how in ("mean", "sum", "max", "min"):
        wanted = np.flatnonzero(reduction == how)
        if len(wanted):
            local = np.full(len(labels) + 1, -1, np.int64)
            local[wanted] = np.arange(len(wanted))
            mine = usable & (local[code] >= 0)
            key = local[code[mine]] * grid.size + bins[mine]
            cells = _reduce(key, values[mine], how, len(wanted) * grid.size).reshape(len(wanted), grid.size)
            for at, signal in enumerate(wanted):
                found[labels[signal]] = cells[at]
    for signal in np.flatnonzero(reduction == "increase"):
        mine = (code == signal) & ~np.isnan(values)
        key = labels[signal].removesuffix(".total") + ".delta"
        if key not in found:
            found[key] = counter_increase(times[mine], values[mine], grid)
    return {label: found[label] for label in sorted(found) if not np.isnan(found[label]).all()}


def counter_increase(times: np.ndarray, values: np.ndarray, grid: Grid) -> np.ndarray:
    """By how much did a counter grow in each bin?

    The value at the last sample ≤ the bin's end less that at the last sample ≤ its start, resets added; so the bins sum
    to the whole. A bin without a new sample is NaN; what grew across a gap stands in the first bin after it.
    """
    out = np.full(grid.size, np.nan)
    if len(times) < 2:
        return out
    step = np.diff(values)
    grown = np.concatenate([[0.0], np.cumsum(np.where(step < 0, values[1:], step))])
    edges = grid.start_us + grid.step_us * np.arange(grid.size + 1, dtype=np.int64)
    last = np.searchsorted(times, edges, side="right") - 1
    before, after = np.maximum(last[:-1], 0), last[1:]
    fresh = after > before
    out[fresh] = grown[after[fresh]] - grown[before[fresh]]
    return out


def _reduce(key: np.ndarray, values: np.ndarray, how: str, size: int) -> np.ndarray:
    if how in ("mean", "sum"):
        n = np.bincount(key, minlength=size)
        total = np.bincount(key, weights=values, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(n > 0, total / n if how == "mean" else total, np.nan)
    out = np.full(size, np.nan)
    if len(key):
        if (key[1:] < key[:-1]).any():
            order = np.argsort(key, kind="stable")
            key, values = key[order], values[order]
        first = np.concatenate([[0], np.flatnonzero(np.diff(key)) + 1])
        out[key[first]] = (np.maximum if how == "max" else np.minimum).reduceat(values, first)
    return out


def _by_signal_and_time(code: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    if len(code) < 2:
        return None
    if (times[1:] >= times[:-1]).all():
        small = code.astype(np.uint16) if code.min() >= 0 and code.max() < 2**16 else code
        return None if (code[1:] >= code[:-1]).all() else np.argsort(small, kind="stable")
    ahead = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (times[1:] >= times[:-1]))
    return None if ahead.all() else np.lexsort((times, code))


def _steps(code: np.ndarray, times: np.ndarray, labels: list[str]) -> dict[str, float]:
    first = np.searchsorted(code, np.arange(len(labels) + 1))
    found = {}
    for signal, label in enumerate(labels):
        gaps = np.diff(times[first[signal] : first[signal + 1]])
        gaps = gaps[gaps > 0]
        if len(gaps):
            at = len(gaps) // 10
            found[label] = float(np.partition(gaps, at)[at]) / 1e6
    return found


def _refuse_finer(code: np.ndarray, times: np.ndarray, labels: list[str], grid: Grid) -> None:
    step = grid.step_us / 1e6
    coarse = {signal: gap for signal, gap in _steps(code, times, labels).items() if gap > step * 1.01}
    if coarse:
        signal, gap = max(coarse.items(), key=lambda item: item[1])
        raise BadInput(
            f"A step of {step:g} s is finer than {len(coarse)} of the signals: {signal} has a value every {gap:g} s. "
            f"Align on {gap:g} s or more, or leave those signals out."
        )


def _stat_of(signal: str) -> str:
    return signal.rsplit(".", 1)[-1]


# --- logs, requests and spans --------------------------------------------------------------------------------------


def _log_columns(logs: Table, grid: Grid) -> dict[str, np.ndarray]:
    times = columns.times_us(logs)
    service, services = columns.codes(logs, "service")
    weight = columns.numbers(logs, "weight") if columns.has(logs, "weight") else None
    found: dict[str, np.ndarray] = {}
    level, levels = columns.codes(logs, "level")
    found.update(_counts(times, service, services, level, levels, weight, grid, "log"))
    if columns.has(logs, "template"):
        template, templates = columns.codes(logs, "template")
        found.update(_counts(times, service, services, template, templates, weight, grid, "log.template"))
    if columns.has(logs, "duration_s"):
        bins, inside = grid.place(times)
        found.update(_request_columns(logs, grid, bins, inside & (service >= 0), service, services))
    return found


def _counts(
    times: np.ndarray,
    service: np.ndarray,
    services: list[str],
    value: np.ndarray,
    values: list[str],
    weight: np.ndarray | None,
    grid: Grid,
    prefix: str,
) -> dict[str, np.ndarray]:
    n = np.zeros((len(services), len(values) + 1, grid.size))
    for at in range(0, len(times), BLOCK):
        part = slice(at, at + BLOCK)
        weights = None if weight is None else weight[part]
        _count_block(n, times[part], service[part], value[part], weights, grid)
    alive = n.sum(axis=1) > 0
    found = {}
    for s, v in zip(*np.nonzero(n.sum(axis=2)), strict=True):
        name = "unknown" if v == 0 else values[v - 1].lower()
        if prefix == "log.template" and v == 0:
            continue
        found[f"{services[s]}/{prefix}.{name}.count"] = np.where(alive[s], n[s, v], np.nan)
    return found


def _count_block(
    n: np.ndarray, times: np.ndarray, service: np.ndarray, value: np.ndarray, weight: np.ndarray | None, grid: Grid
) -> None:
    """Adds a block of rows to `n`, by service, by value (0: none) and by bin."""
    bins, inside = grid.place(times)
    mine = inside & (service >= 0)
    if not mine.all():
        bins, service, value = bins[mine], service[mine], value[mine]
        weight = None if weight is None else weight[mine]
    if not len(bins):
        return
    if weight is not None and (weight == 1.0).all():
        weight = None
    low, high = int(bins.min()), int(bins.max()) + 1
    cells = service.astype(np.int64)
    cells *= n.shape[1]
    cells += value
    cells += 1
    if n.shape[0] * n.shape[1] * (high - low) > 8 * BLOCK:  # far more cells than rows: only those that are met
        met, which = np.unique(cells * n.shape[2] + bins, return_inverse=True)
        n.reshape(-1)[met] += np.bincount(which, weights=weight)
        return
    cells *= high - low
    cells += bins
    cells -= low
    counted = np.bincount(cells, weights=weight, minlength=n.shape[0] * n.shape[1] * (high - low))
    n[:, :, low:high] += counted.reshape(n.shape[0], n.shape[1], high - low)


def _request_columns(
    logs: Table, grid: Grid, bins: np.ndarray, mine: np.ndarray, service: np.ndarray, services: list[str]
) -> dict[str, np.ndarray]:
    duration = columns.numbers(logs, "duration_s")
    mine = mine & ~np.isnan(duration)
    if columns.has(logs, "probe"):
        mine &= ~columns.flags(logs, "probe")
    statement = np.zeros(len(mine), bool)
    for field in ("db.query.summary", "db.query.text"):
        if columns.has(logs, field):
            statement |= columns.codes(logs, field)[0] >= 0
    found: dict[str, np.ndarray] = {}
    for rows, name in ((mine & ~statement, "requests"), (mine & statement, "statements")):
        found.update(_distribution(bins, service, services, duration, rows, grid, f"{name}.duration"))
        found.update(_totals(bins, service, services, rows, grid, f"{name}.count"))
    if columns.has(logs, "upstream.duration_s"):
        upstream = columns.numbers(logs, "upstream.duration_s")
        rows = mine & ~statement & ~np.isnan(upstream)
        found.update(_distribution(bins, service, services, upstream, rows, grid, "upstream.duration"))
    if columns.has(logs, "http.response.status_code"):
        status = columns.numbers(logs, "http.response.status_code")
        rows = mine & ~statement & ~np.isnan(status)
        failed = failed_rows(logs)
        client = (status >= 400) & (status < 500)
        for flag, name in ((failed, "requests.errors_ratio"), (client, "requests.client_errors_ratio")):
            found.update(_means(bins, service, services, flag.astype(float), rows, grid, name))
    if columns.has(logs, "attempts"):
        attempts = columns.numbers(logs, "attempts")
        rows = mine & ~np.isnan(attempts)
        found.update(_means(bins, service, services, attempts, rows, grid, "requests.attempts.mean"))
    return found


def _span_columns(spans: Table, grid: Grid) -> dict[str, np.ndarray]:
    bins, inside = grid.place(columns.times_us(spans, "start"))
    service, services = columns.codes(spans, "service")
    kind, kinds = columns.codes(spans, "kind")
    duration = columns.numbers(spans, "duration_s")
    status, statuses = columns.codes(spans, "status")
    failed = status == (statuses.index("error") if "error" in statuses else -2)
    found: dict[str, np.ndarray] = {}
    for wanted, name in (("server", "spans.server"), ("client", "spans.client")):
        if wanted not in kinds:
            continue
        rows = inside & (service >= 0) & (kind == kinds.index(wanted))
        who, names = service, services
        if wanted == "client" and columns.has(spans, "peer"):
            peer, peers = columns.codes(spans, "peer")
            rows = rows & (peer >= 0)
            who = service * len(peers) + peer
            names = [f"{s}/spans.client.{p}" for s in services for p in peers]
        prefix = name if who is service else ""
        found.update(_distribution(bins, who, names, duration, rows, grid, f"{prefix}.duration".lstrip(".")))
        found.update(_totals(bins, who, names, rows, grid, f"{prefix}.count".lstrip(".")))
        found.update(_means(bins, who, names, failed.astype(float), rows, grid, f"{prefix}.errors_ratio".lstrip(".")))
    return {_join_client(key): values for key, values in found.items()}


def _join_client(key: str) -> str:
    """`api/spans.client.db/duration.p99` → `api/spans.client.db.duration.p99`."""
    head, slash, tail = key.partition("/")
    return head + slash + tail.replace("/", ".")


def _distribution(
    bins: np.ndarray,
    service: np.ndarray,
    services: list[str],
    values: np.ndarray,
    rows: np.ndarray,
    grid: Grid,
    name: str,
) -> dict[str, np.ndarray]:
    key = service[rows].astype(np.int64) * grid.size + bins[rows]
    quantiles = grouped_quantiles(key, values[rows], (0.5, 0.99), len(services) * grid.size)
    found = {}
    for cells, stat in zip(quantiles, ("p50", "p99"), strict=True):
        for s, label in enumerate(services):
            part = cells[s * grid.size : (s + 1) * grid.size]
            if not np.isnan(part).all():
                found[f"{label}/{name}.{stat}"] = part
    return found


def _totals(
    bins: np.ndarray, service: np.ndarray, services: list[str], rows: np.ndarray, grid: Grid, name: str
) -> dict[str, np.ndarray]:
    key = service[rows].astype(np.int64) * grid.size + bins[rows]
    n = np.bincount(key, minlength=len(services) * grid.size).astype(float).reshape(len(services), grid.size)
    return {f"{label}/{name}": np.where(n[s] > 0, n[s], np.nan) for s, label in enumerate(services) if n[s].any()}


def _means(
    bins: np.ndarray,
    service: np.ndarray,
    services: list[str],
    values: np.ndarray,
    rows: np.ndarray,
    grid: Grid,
    name: str,
) -> dict[str, np.ndarray]:
    key = service[rows].astype(np.int64) * grid.size + bins[rows]
    cells = _reduce(key, values[rows], "mean", len(services) * grid.size).reshape(len(services), grid.size)
    return {f"{label}/{name}": cells[s] for s, label in enumerate(services) if not np.isnan(cells[s]).all()}


def _answer_values(answer: Table | None, grid: Grid, value: str, pattern: str) -> dict[str, np.ndarray]:
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
        cells = _reduce(bins[mine], values[mine], how, grid.size)
        if not np.isnan(cells).all():
            found[key] = cells
    return found


# --- changes -------------------------------------------------------------------------------------------------------

_STATES = {"on": 1.0, "true": 1.0, "enabled": 1.0, "off": 0.0, "false": 0.0, "disabled": 0.0}


def _change_columns(changes: Table, grid: Grid) -> dict[str, np.ndarray]:
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
