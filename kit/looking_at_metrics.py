"""What a new case can read from its metric sources: which golden signals, and how often there is a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from connectors.proposed_signals import proposed_signals, signal_rows
from connectors.window import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.base import SignalSpec
    from connectors.load import Recorded
    from kit.case import Case

LAST = timedelta(minutes=10)
"""The interval is told from the samples of this last stretch of the look."""
TRIED = 3


def look_at_metrics(case: Case) -> tuple[list[dict[str, Any]], dict[str, str], list[str]]:
    """Which signals do the metric sources of this case offer?

    Gives the rows of `signals.toml`, how often each source has a sample (like "15s", by its name, where that can be
    told) and a sentence for each source. Of two sources that offer the same signal the first counts. The signals are
    told from the metrics' names, so each sentence says to look them over.
    """
    rows: list[dict[str, Any]] = []
    intervals: dict[str, str] = {}
    said: list[str] = []
    for source in case.sources("metrics"):
        listed = case.ask("metrics", lambda s=source: s.catalogue(case.look))
        if listed is None:
            continue
        specs = proposed_signals(listed.table)
        if (seconds := _interval_s(case, source, specs, _labels(listed.table))) is not None:
            intervals[source.name] = f"{seconds}s"
        taken = {_identity(row) for row in rows}
        rows += [row for row in signal_rows(specs) if _identity(row) not in taken]
        said.append(_told(source.name, len(specs), listed.table.num_rows, seconds))
    return rows, intervals, said


def _told(name: str, signals: int, metrics: int, seconds: int | None) -> str:
    if not signals:
        return f"{name}: none of its {metrics:,} metrics has a name that is known; describe signals in signals.toml."
    often = "" if seconds is None else f", a sample every {seconds} s"
    return f"{name}: {signals} signals proposed from {metrics:,} metrics{often}; look them over in signals.toml."


def _labels(catalogue: pa.Table) -> dict[str, tuple[str, ...]]:
    """The names of the labels of each metric."""
    listed = zip(catalogue.column("metric").to_pylist(), catalogue.column("labels").to_pylist(), strict=True)
    return {name: tuple(orjson.loads(labels or "{}")) for name, labels in listed}


def _interval_s(
    case: Case, source: Recorded, specs: Sequence[SignalSpec], labels: Mapping[str, tuple[str, ...]]
) -> int | None:
    """How many seconds lie between two samples of a series, as most of them do? None where no series has three."""
    import pandas as pd

    window = Window(max(case.look.start, case.look.end - LAST), case.look.end)
    for spec in [s for s in specs if s.metric_type != "histogram"][:TRIED]:
        raw = replace(spec, metric_type="gauge", divide_by=None, by=labels.get(spec.metric, ()))
        answer = case.ask("metrics", lambda s=source, r=raw: s.metrics(window, signals=(r,), every=None))
        if answer is None or not answer.table.num_rows:
            continue
        frame = answer.to_frame().drop_duplicates(["signal", "stat", "labels", "time"]).sort_values("time")
        apart = frame.groupby(["signal", "stat", "labels"], dropna=False, observed=True)["time"].diff().dropna()
        apart = apart[apart > pd.Timedelta(0)]
        if len(apart) >= 2:
            return max(1, round(apart.median().total_seconds()))
    return None


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["service"], row["name"], str(row.get("where"))
