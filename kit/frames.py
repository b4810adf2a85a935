"""A named, aligned DataFrame out of a case: what it will cost before it is asked, and the frame itself.

Only small answers travel: lines are counted where they lie. Every answer is recorded, so a later run needs no source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.errors import BadInput
from connectors.where import all_of
from connectors.window import Window, step_seconds
from kit.frame_spec import FrameSpec
from kit.result import Result

if TYPE_CHECKING:
    from connectors.load import Recorded
    from kit.case import Case

TABLES_OF = {"logs": ("levels", "requests"), "metrics": ("metrics",), "spans": ("spans",), "changes": ("changes",)}
TRACES = 5_000
FAILED = "http.response.status_code >= 500 OR http.response.status_code = 0"


@dataclass(frozen=True, slots=True)
class Cost(Result):
    """What a frame will cost: rows at the source that fit, questions to be asked, the shape of what comes back.

    `rows` None: the source does not say without reading. `recorded`: how many of the questions are answered already.
    """

    spec: FrameSpec
    rows: float | None
    questions: int
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Rows and cost in one sentence."""
        rows = "an unknown number of rows" if self.rows is None else f"{self.rows:,.0f} rows"
        plural = "s" if self.questions != 1 else ""
        return f"{rows} fit; {self.questions} question{plural} asked where they lie; {self.spec.bins:,} bins come back."

    def to_frame(self) -> pd.DataFrame:
        """One row: rows, questions, bins."""
        return pd.DataFrame([{"rows": self.rows, "questions": self.questions, "bins": self.spec.bins}])


def sources_of(case: Case) -> dict[str, tuple[str, ...]]:
    """Which tables can be made of which source? By the source's name; `(all)` is the case's own aligned frame."""
    found = {}
    for name, spec in case.catalog.sources.items():
        tables = TABLES_OF.get(spec.table, ())
        if spec.table == "metrics" and not case.catalog.signals:
            tables = ()
        if tables:
            found[name] = tables
    return {"(all)": ("everything",), **found}


def cost_of(case: Case, spec: FrameSpec) -> Cost:
    """How many rows fit, and what will it cost to load them? One cheap question, before the frame is asked.

    Raises what the source raises when it cannot be asked, and `BadInput` for a source or table that is not there.
    """
    source = _source(case, spec)
    grid = _grid(spec)
    if spec.table == "everything":
        return Cost(spec, None, 0, ("everything is loaded already: the case's own frame is cut to the window",))
    if source is None:
        raise BadInput(f"{spec.table} cannot be made of {spec.source}.")
    if spec.table in ("levels", "requests"):
        counted = source.count(grid, where=spec.where)
        rows = float(sum(counted.table.column("n").to_pylist()))
        return Cost(spec, rows, 1 if spec.table == "levels" else 3, _lacks(counted.fetch))
    if spec.table == "metrics":
        signals = _signals(case, spec)
        return Cost(spec, float(len(signals) * spec.bins), 1, (f"{len(signals)} signals, at most a value a bin each",))
    if spec.table == "spans":
        edges = source.edges(grid)
        calls = float(sum(edges.table.column("calls").to_pylist()))
        return Cost(
            spec, calls, 1, (f"calls of all edges; at most {TRACES:,} whole traces are read", *_lacks(edges.fetch))
        )
    return Cost(spec, float(source.changes(grid).table.num_rows), 1)


def load_frame(case: Case, spec: FrameSpec) -> pd.DataFrame:
    """The aligned frame that the spec describes: DatetimeIndex `time` (UTC, bins left), float64 columns, NaN: no data.

    Columns are named like signals of the case. Raises `BadInput` for a filter that does not fit the table, and what
    the source raises when it cannot be asked. Lines are binned by the time they carry, which for requests is their end.
    """
    from kit.align import align_tables

    source, grid = _source(case, spec), _grid(spec)
    if spec.table == "everything":
        if spec.where:
            raise BadInput("The case's own frame takes no filter: choose a log source to filter its lines.")
        wide = case.wide if spec.every == case.every else case.at_step(spec.every).wide
        return wide[(wide.index >= grid.start) & (wide.index < grid.end)]
    if source is None:
        raise BadInput(f"{spec.table} cannot be made of {spec.source}.")
    if spec.table in ("levels", "requests"):
        return _of_lines(source, spec, grid)
    if spec.where:
        raise BadInput(f"A filter is for lines of a log; {spec.source} gives {spec.table}: leave the filter empty.")
    if spec.table == "metrics":
        answer = source.metrics(grid, signals=_signals(case, spec), every=spec.every)
        return align_tables(metrics=answer.table, window=grid, every=spec.every)
    if spec.table == "spans":
        answer = source.traces(grid, n=TRACES, order="time")
        return align_tables(spans=answer.table, window=grid, every=spec.every)
    return align_tables(changes=source.changes(grid).table, window=grid, every=spec.every)


def _of_lines(source: Recorded, spec: FrameSpec, grid: Window) -> pd.DataFrame:
    from kit.align import signals_from_answers

    names = set(source.fields(grid, where=spec.where).table.column("name").to_pylist())
    if spec.table == "levels":
        by = ("service", "level") if "level" in names else ("service",)
        counted = source.count(grid, every=spec.every, by=by, where=spec.where).table
        if "level" in names:
            return signals_from_answers(levels=counted, window=grid, every=spec.every)
        return signals_from_answers(counts=counted, window=grid, every=spec.every)
    if "duration_s" not in names:
        raise BadInput(f"The lines of {spec.source} have no duration_s: they are no requests; load them by level.")
    failed = all_of(spec.where, FAILED) if "http.response.status_code" in names else None
    return signals_from_answers(
        counts=source.count(grid, every=spec.every, by=("service",), where=spec.where).table,
        failures=source.count(grid, every=spec.every, by=("service",), where=failed).table if failed else None,
        durations=source.measure(
            grid, "duration_s", stats=("n", "p50", "p99"), every=spec.every, by=("service",), where=spec.where
        ).table,
        window=grid, every=spec.every,
    )  # fmt: skip


def _source(case: Case, spec: FrameSpec) -> Recorded | None:
    known = sources_of(case)
    if spec.source not in known:
        raise BadInput(f"There is no source {spec.source!r} here: there is {', '.join(known)}.")
    if spec.table not in known[spec.source]:
        raise BadInput(f"{spec.source} gives {', '.join(known[spec.source])}, not {spec.table}.")
    return None if spec.source == "(all)" else case.source(spec.source)


def _signals(case: Case, spec: FrameSpec) -> tuple[Any, ...]:
    signals = tuple(case.catalog.signals)
    if not signals:
        raise BadInput(f"signals.toml names no metric to read from {spec.source}.")
    return signals


def _grid(spec: FrameSpec) -> Window:
    """The window cut to whole bins, as the aligned frame has them."""
    from datetime import UTC, datetime

    step = step_seconds(spec.every)
    start = -(-spec.window.start.timestamp() // step) * step
    end = max(spec.window.end.timestamp() // step * step, start + step)
    return Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def _lacks(fetch: Any) -> tuple[str, ...]:
    return tuple(f"{name}: {said}" for name in ("partial", "sampled") if (said := getattr(fetch, name)))
