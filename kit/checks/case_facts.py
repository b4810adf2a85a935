"""What the checks may look at, answered by a case: every number asked where the data lives, recorded, and cited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pandas as pd

from connectors.base import Answer, SignalSpec
from connectors.where import all_of
from connectors.window import Window
from kit.checks.facts import Table, Track, lines_key
from kit.checks.windows import Windows
from kit.numerics.grid import Grid

if TYPE_CHECKING:
    from kit.case import Case

DENSE_LINES_PER_BIN = 5.0
"""A log that usually writes this many lines a bin is missing where it writes none; a sparse log had nothing to say."""
QUANTILES = (".p50", ".p90", ".p95", ".p99")


class CaseFacts:
    """`Facts` over a case. A series that cannot be asked for is None and stands in the case's gaps."""

    def __init__(
        self, case: Case, windows: Windows, *, templates: Table | None = None, edges: Table | None = None
    ) -> None:
        self.windows = windows
        self._case = case
        self._templates = templates
        self._edges = edges
        self._present: dict[str, tuple[np.ndarray, str] | None] = {}
        self._bounds: dict[str, tuple[float, ...]] = {}

    def series(self, key: str) -> Track | None:
        """A column of the aligned frame, with the answers it was made from."""
        wide = self._case.wide
        if key not in wide.columns or wide[key].isna().all():
            return None
        counts = wide.get(f"{key.split('/', 1)[0]}/requests.count") if "/requests." in key else None
        return Track(
            key,
            wide[key].astype("float64"),
            self._case.signal_evidence(key),
            counts=counts if counts is None or not counts.isna().all() else None,
            is_count=key.endswith((".count", ".delta")),
            bounds=self._bounds_of(key) if key.endswith(QUANTILES) else (),
        )

    def _bounds_of(self, key: str) -> tuple[float, ...]:
        """The bounds of the buckets that this quantile was read off; empty where it was computed from single values."""
        service, _, name = key.rpartition(".")[0].partition("/")
        same = (service.partition("@")[0], name)
        spec = next((s for s in self._case.catalog.signals if (s.service, s.name) == same), None)
        if spec is None or spec.metric_type != "histogram":
            return ()
        if spec.metric not in self._bounds:
            self._bounds[spec.metric] = histogram_bounds(self._case, spec, self.windows.incident)
        return self._bounds[spec.metric]

    def signals(self) -> tuple[str, ...]:
        """The keys there are."""
        return tuple(str(c) for c in self._case.wide.columns)

    def lines(self, service: str, *, where: str | None = None) -> Track | None:
        """Lines of a service's log per bin."""
        asked = self._count(service, where, by=())
        if asked is None:
            return None
        answer, present, ids = asked
        values = self._binned(answer.to_frame(), present)
        return Track(lines_key(service, where), values, (answer.evidence, *ids), is_count=True)

    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None:
        """The same per value of one field."""
        asked = self._count(service, where, by=(by,))
        if asked is None:
            return None
        answer, present, ids = asked
        frame = answer.to_frame()
        return {
            str(value): Track(
                f"{lines_key(service, where)}|{by}={value}",
                self._binned(part, present),
                (answer.evidence, *ids),
                is_count=True,
            )
            for value, part in frame.groupby(by, sort=True)
        }

    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None:
        """A statistic of a field of such lines per bin, NaN in bins without lines."""
        placed = self._case.logs_of(service)
        if placed is None:
            return None
        source, mine = placed
        case = self._case
        answer = case.ask(
            "logs",
            lambda: source.measure(
                case.grid, field, stats=("n", stat), every=case.every, where=all_of(mine, where, f"{field} IS NOT NULL")
            ),
        )
        if answer is None:
            return None
        frame = answer.to_frame()
        grid = Grid.of(case.grid, case.every)
        values = _at(frame, grid, stat, fill=np.nan)
        counts = _at(frame, grid, "n", fill=0.0)
        key = f"{service}/lines[{where or ''}].{field}.{stat}"
        return Track(key, values, (answer.evidence,), counts=counts)

    def changes(self) -> Table | None:
        """The change log; None when no source has one."""
        changes = self._case.changes
        known = self._case.sources("changes") or len(changes)
        return Table(changes, tuple(self._case.evidence("changes"))) if known else None

    def templates(self) -> Table | None:
        """The compared templates; None when they were not computed."""
        return self._templates

    def edges(self) -> Table | None:
        """Time spent per edge; None without spans."""
        return self._edges

    def _count(
        self, service: str, where: str | None, *, by: tuple[str, ...]
    ) -> tuple[Answer, np.ndarray, tuple[str, ...]] | None:
        placed = self._case.logs_of(service)
        if placed is None:
            return None
        source, mine = placed
        case = self._case
        if service not in self._present:
            whole = case.ask("logs", lambda: source.count(case.grid, every=case.every, where=mine))
            grid = Grid.of(case.grid, case.every)
            self._present[service] = (
                None if whole is None else (_written(_at(whole.to_frame(), grid, "n", fill=0.0)), whole.evidence)
            )
        presence = self._present[service]
        if presence is None:
            return None
        answer = case.ask("logs", lambda: source.count(case.grid, every=case.every, by=by, where=all_of(mine, where)))
        return None if answer is None else (answer, presence[0], (presence[1],))

    def _binned(self, frame: pd.DataFrame, present: np.ndarray) -> pd.Series:
        grid = Grid.of(self._case.grid, self._case.every)
        values = _at(frame, grid, "n", fill=0.0)
        return values.where(present)


def histogram_bounds(case: Case, spec: SignalSpec, window: Window) -> tuple[float, ...]:
    """Which finite bounds do the buckets of this histogram have? Ascending; empty where its source does not tell."""
    raw = replace(spec, metric=f"{spec.metric}_bucket", metric_type="counter", by=("le",), name=f"{spec.name}.buckets")
    for source in case.sources("metrics"):
        found = case.ask("metrics", lambda s=source: s.metrics(window, signals=(raw,), every=case.every))
        if found is None or not found.table.num_rows:
            continue
        labels = (orjson.loads(text or "{}") for text in found.table.column("labels").to_pylist())
        known = {float(part["le"]) for part in labels if part.get("le")}
        return tuple(sorted(b for b in known if np.isfinite(b)))
    return ()


def _at(frame: pd.DataFrame, grid: Grid, column: str, *, fill: float) -> pd.Series:
    values = np.full(grid.size, fill)
    if len(frame):
        bins, inside = grid.place(pd.DatetimeIndex(frame["time"]).as_unit("us").asi8)
        values[bins[inside]] = frame[column].to_numpy(dtype="float64")[inside]
    return pd.Series(values, index=grid.index)


def _written(counts: pd.Series) -> np.ndarray:
    """In which bins was the log there? All of them, except where a log that usually writes a lot wrote nothing."""
    values = counts.to_numpy(dtype="float64")
    if not values.any() or float(np.median(values)) < DENSE_LINES_PER_BIN:
        return np.full(len(values), bool(values.any()))
    return values > 0
