"""What checks may look at, from frames in memory: for tests, for a notebook without a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kit.checks.facts import Table, Track, lines_key, microseconds
from kit.checks.windows import Windows


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """Facts from frames in memory: for tests, for a notebook without a case, and as the reference for others.

    `wide` is the aligned frame (a column a signal). `logs` maps a service to LOGS rows as a frame.
    `evidence` maps "wide", "changes", "templates", "edges" and "logs:<service>" to evidence ids; a frame without is its
    own evidence. `every_s` is the bin of counted lines.

    >>> times = pd.date_range("2026-03-01T02:00Z", periods=4, freq="30s")
    >>> facts = FrameFacts(
    ...     windows=Windows.of(baseline=(times[0], times[2]), incident=(times[2], times[3])),
    ...     wide=pd.DataFrame({"nginx/requests.count": [5.0, 6, 5, 9]}, index=times),
    ...     evidence={"wide": ("ev_1",)},
    ... )
    >>> facts.series("nginx/requests.count").evidence
    ('ev_1',)
    >>> facts.series("nginx/cpu.gauge") is None
    True
    """

    windows: Windows
    wide: pd.DataFrame = field(default_factory=pd.DataFrame)
    logs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    changes_frame: pd.DataFrame | None = None
    templates_frame: pd.DataFrame | None = None
    edges_frame: pd.DataFrame | None = None
    counts: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    every_s: float = 15.0

    def series(self, key: str) -> Track | None:
        """The column of this key; None when there is none, or nothing in it."""
        if key not in self.wide.columns or self.wide[key].isna().all():
            return None
        resting = self.counts.get(key)
        counts = self.wide[resting] if resting in self.wide.columns else None
        return Track(key, self.wide[key].astype("float64"), self._ids("wide"), counts=counts)

    def signals(self) -> tuple[str, ...]:
        """The keys there are."""
        return tuple(str(c) for c in self.wide.columns)

    def lines(self, service: str, *, where: str | None = None) -> Track | None:
        """Lines per bin; None when this service's log is not here."""
        rows = self._rows(service, where)
        if rows is None:
            return None
        return Track(lines_key(service, where), self._binned(rows), self._ids(f"logs:{service}"), is_count=True)

    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None:
        """Lines per bin for every value of `by`; None when the log or the field is not here."""
        rows = self._rows(service, where)
        if rows is None or by not in rows.columns:
            return None
        ids = self._ids(f"logs:{service}")
        groups = rows.groupby(rows[by].astype("object").fillna("<missing>").astype(str), sort=True)
        return {
            str(value): Track(f"{lines_key(service, where)}|{by}={value}", self._binned(part), ids, is_count=True)
            for value, part in groups
        }

    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None:
        """A statistic of `field` per bin (mean min max sum p50 p90 p95 p99), NaN in bins without lines."""
        rows = self._rows(service, where)
        if rows is None or field not in rows.columns:
            return None
        slots, edges = self._slots(rows)
        grouped = rows[field].astype("float64").groupby(slots)
        reduced = grouped.quantile(float(stat[1:]) / 100) if stat.startswith("p") else grouped.agg(stat)
        values = reduced.reindex(range(len(edges))).to_numpy(dtype="float64")
        key = f"{service}/lines[{where or ''}].{field}.{stat}"
        return Track(key, pd.Series(values, index=edges), self._ids(f"logs:{service}"))

    def changes(self) -> Table | None:
        """The change log; None when there is none."""
        return None if self.changes_frame is None else Table(self.changes_frame, self._ids("changes"))

    def templates(self) -> Table | None:
        """The compared templates; None when they were not computed."""
        return None if self.templates_frame is None else Table(self.templates_frame, self._ids("templates"))

    def edges(self) -> Table | None:
        """Time spent per edge; None without spans."""
        return None if self.edges_frame is None else Table(self.edges_frame, self._ids("edges"))

    def _ids(self, name: str) -> tuple[str, ...]:
        return tuple(self.evidence.get(name) or (f"frame:{name}",))

    def _rows(self, service: str, where: str | None) -> pd.DataFrame | None:
        rows = self.logs.get(service)
        if rows is None or where is None or where == "":
            return rows
        import pyarrow as pa

        from connectors.where import evaluate

        fits = evaluate(where, pa.Table.from_pandas(rows, preserve_index=False))
        return rows[fits.to_numpy(zero_copy_only=False)]

    def _slots(self, rows: pd.DataFrame) -> tuple[np.ndarray, pd.DatetimeIndex]:
        step = int(self.every_s * 1e6)
        origin = microseconds(pd.DatetimeIndex([pd.Timestamp(self.windows.whole.start)]))[0]
        total = max(1, int(np.ceil(self.windows.whole.seconds * 1e6 / step)))
        edges = pd.DatetimeIndex(pd.to_datetime(origin + step * np.arange(total), unit="us", utc=True))
        return (microseconds(pd.DatetimeIndex(rows["time"])) - origin) // step, edges

    def _binned(self, rows: pd.DataFrame) -> pd.Series:
        slots, edges = self._slots(rows)
        weight = rows["weight"].to_numpy(dtype="float64") if "weight" in rows.columns else np.ones(len(rows))
        inside = (slots >= 0) & (slots < len(edges))
        totals = np.bincount(slots[inside].astype("int64"), weights=weight[inside], minlength=len(edges))
        return pd.Series(totals, index=edges)
