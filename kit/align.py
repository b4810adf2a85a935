"""Put metrics, logs, spans and changes on one grid of time.

The aligned frame has a DatetimeIndex `time` of fixed step (bins closed and labelled left, multiples of the step since
1970 UTC, so that a shifted window keeps its bins) and one float64 column per signal, named
`service[@instance]/name.stat`.
A bin without data is NaN and stays NaN. Rows are binned by the time they carry: for logs that is completion; only
`kit.requests.rebin_by_start` dates requests by their start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.window import Window
from kit.aligned.answers import signals_from_answers
from kit.aligned.calls import span_columns
from kit.aligned.changes import change_columns
from kit.aligned.lines import log_columns
from kit.aligned.metrics import REDUCTIONS, counter_increase, metric_columns
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid
from kit.requests import rebin_by_start

if TYPE_CHECKING:
    from kit.case import Case

__all__ = [
    "REDUCTIONS", "align", "align_tables", "counter_increase", "rebin_by_start", "signals_from_answers",
]  # fmt: skip


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
    found: dict[str, Any] = {}
    if metrics is not None and columns.length(metrics):
        found.update(metric_columns(metrics, grid))
    if logs is not None and columns.length(logs):
        found.update(log_columns(logs, grid))
    if spans is not None and columns.length(spans):
        found.update(span_columns(spans, grid))
    if changes is not None and columns.length(changes):
        found.update(change_columns(changes, grid))
    return pd.DataFrame(found, index=grid.index, copy=False)
