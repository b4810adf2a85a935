"""What do the pillars say of one boundary? Signals by key from metrics, log rows and spans, read before and during."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from connectors.window import Window
from kit.health import Reading, kind_of, read_bins, read_requests
from kit.spantree import span_tree

Windows = tuple[Window, Window]
QUANTILES = ("p50", "p90", "p95", "p99")
LOG_COLUMNS = ("time", "service", "duration_s", "upstream.duration_s", "http.response.status_code", "weight")


class Signals(Protocol):
    """A pillar that can be asked for signals by key; `*` at the end asks for all of a service."""

    def read(self, key: str) -> list[Reading]: ...


def readings_of(sources: Sequence[Signals], keys: Sequence[str]) -> list[Reading]:
    """What every source says of these keys; a key that none has is simply absent."""
    return [reading for key in keys for source in sources for reading in source.read(key)]


class MetricSignals:
    """Signals from metrics: a wide aligned frame (a column per signal) or long METRICS."""

    def __init__(self, metrics: Any, windows: Windows) -> None:
        self.wide, self.kinds = wide_metrics(metrics)
        self.parts = [_inside(self.wide.index, w) for w in windows]
        self.columns: dict[str, list[str]] = {}
        for column in self.wide.columns:
            service, _, name = str(column).partition("/")
            self.columns.setdefault(f"{service.split('@')[0]}/{name}", []).append(column)

    def read(self, key: str) -> list[Reading]:
        if key.endswith("*"):
            every = [k for k in self.columns if fnmatchcase(k, key)]
            named = {k: self.kinds.get(self.columns[k][0]) or kind_of(k) for k in every}
            return [r for k, kind in named.items() if kind in ("latency", "errors") for r in self.read(k)]
        found = [*self._one(key), *(r for sister in self._sisters(key) for r in self._one(sister))]
        return [*found, *(r for other in self._beside(key) for r in self._one(other, reported_with=key))]

    def _sisters(self, key: str) -> list[str]:
        """A resource's others of the same name and one more word: for `a/db.pool.usage.ratio`, `…usage.main.ratio`.

        A path that names one of a service's pools towards a callee means them all.
        """
        stem, _, stat = key.rpartition(".")
        if kind_of(key) != "saturation" or not stat:
            return []
        return [
            k for k in self.columns
            if k.startswith(f"{stem}.") and k.endswith(f".{stat}") and k[len(stem) + 1 : -len(stat) - 1].isidentifier()
        ]  # fmt: skip

    def _beside(self, key: str) -> list[str]:
        """Failures counted beside a duration: for `a/http.client.b.duration.p99`, `a/http.client.b.failures.*`."""
        stem, found, _ = key.rpartition(".duration.")
        if not found or not key.endswith(("p99", "mean", "ratio")):
            return []
        words = ("failures", "errors", "errors_ratio", "timeouts")
        return [k for k in self.columns if k.startswith(f"{stem}.") and k[len(stem) + 1 :].split(".")[0] in words]

    def _one(self, key: str, *, reported_with: str | None = None) -> list[Reading]:
        columns = self._columns_of(key)
        if not columns:
            return []
        kind = self.kinds.get(columns[0]) or kind_of(key)
        values = self._folded(columns, kind)
        if reported_with is not None:
            values = self._born_at_zero(values, reported_with)
        before, after = (values[part] for part in self.parts)
        return [read_bins(key, before, after, kind=kind, requests=self._requests(key))]

    def _columns_of(self, key: str) -> list[str]:
        return [key] if key in self.wide.columns else self.columns.get(key, [])

    def _born_at_zero(self, values: np.ndarray, reported_with: str) -> np.ndarray:
        """Failures whose counter came up with the first one: none had been there while the calls were reported."""
        if not np.isnan(values[self.parts[0]]).all():
            return values
        durations = self._columns_of(reported_with)
        reported = self.wide[durations].notna().any(axis=1).to_numpy() if durations else np.zeros(len(values), bool)
        return np.where(np.isnan(values) & reported, 0.0, values)

    def _folded(self, columns: list[str], kind: str) -> np.ndarray:
        """Several instances as one: the worst for latency and saturation, the mean for errors, the sum for traffic."""
        block = self.wide[columns].to_numpy(dtype=float)
        if block.shape[1] == 1:
            return block[:, 0]
        none = np.isnan(block).all(axis=1)
        fold = {"latency": np.nanmax, "saturation": np.nanmax, "traffic": np.nansum}.get(kind, np.nanmean)
        folded = np.full(len(block), np.nan)
        folded[~none] = fold(block[~none], axis=1)
        return folded

    def _requests(self, key: str) -> tuple[float, float] | None:
        """How many requests the values rest on, from the count beside the signal; None when nothing counts them."""
        service, _, name = key.partition("/")
        for stem in (name.rpartition(".")[0], name.split(".")[0]):
            for column in self.columns.get(f"{service}/{stem}.count", []):
                values = self.wide[column].to_numpy(dtype=float)
                return float(np.nansum(values[self.parts[0]])), float(np.nansum(values[self.parts[1]]))
        return None


class LogSignals:
    """Signals from request-like log rows: `<service>/requests.errors_ratio|duration.pNN`, `…/upstream.duration.pNN`."""

    def __init__(self, logs: Any, windows: Windows) -> None:
        frame = log_frame(logs, windows)
        time = pd.DatetimeIndex(frame["time"])
        self.parts = [frame[_inside(time, w)] for w in windows]
        self.services = set(frame["service"].dropna().astype(str)) if "service" in frame else set()

    def read(self, key: str) -> list[Reading]:
        service, _, name = key.partition("/")
        if service not in self.services:
            return []
        if name == "*":
            every = ("requests.errors_ratio", "requests.duration.p50", "requests.duration.p99")
            return [r for each in every for r in self.read(f"{service}/{each}")]
        stem, _, stat = name.rpartition(".")
        column = {"requests.duration": "duration_s", "upstream.duration": "upstream.duration_s"}.get(stem)
        rows = [part[part["service"].astype(str) == service] for part in self.parts]
        if name == "requests.errors_ratio" and self._has(rows, "http.response.status_code"):
            values = [_failed(part["http.response.status_code"]) for part in rows]
            return [read_requests(key, *values, kind="errors", stat="ratio", weights=_weights(rows))]
        if column and stat in QUANTILES and self._has(rows, column):
            values = [part[column].to_numpy(dtype=float, na_value=np.nan) for part in rows]
            return [read_requests(key, *values, kind="latency", stat=stat, weights=_weights(rows))]
        return []

    @staticmethod
    def _has(rows: list[pd.DataFrame], column: str) -> bool:
        return all(column in part for part in rows) and any(part[column].notna().any() for part in rows)


class SpanSignals:
    """Signals of an edge from its client spans (leaves) and server spans (arrives)."""

    def __init__(self, spans: Any, windows: Windows) -> None:
        tree = span_tree(spans)
        remote = np.flatnonzero(tree.remote())
        child = np.full(len(tree), -1, dtype=np.int64)
        child[tree.parent[remote]] = remote
        client = np.isin(tree.kind.codes, [tree.kind.code("client"), tree.kind.code("producer")])
        callee = tree.peer.texts()
        callee[child >= 0] = tree.service.texts(child[child >= 0])
        self.out = self._table(tree, np.flatnonzero(client), tree.service.texts(), callee)
        self.into = self._table(tree, remote, tree.service.texts(np.maximum(tree.parent, 0)), tree.service.texts())
        self.services = set(tree.service.values)
        top = np.flatnonzero(tree.parent < 0)
        self.tops = self._table(tree, top, np.full(len(tree), None, dtype=object), tree.service.texts())
        self.limits = [(_micros(w.start), _micros(w.end)) for w in windows]

    @staticmethod
    def _table(tree: Any, rows: np.ndarray, caller: np.ndarray, callee: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "caller": caller[rows] if len(rows) else [],
                "callee": callee[rows] if len(rows) else [],
                "start": tree.start[rows],
                "duration_s": tree.duration_s[rows],
                "error": tree.error[rows].astype(float),
                "weight": tree.weight[rows],
            }
        )

    def leaves(self, caller: str, callee: str) -> list[Reading]:
        """As the caller's client spans measured the call."""
        rows = self.out[(self.out["caller"] == caller) & (self.out["callee"] == callee)]
        return self._read(rows, f"{caller}/spans.client[{callee}]")

    def arrives(self, caller: str, callee: str) -> list[Reading]:
        """As the callee's server spans measured the same calls; all its calls where the caller writes no spans."""
        rows = self.into[(self.into["caller"] == caller) & (self.into["callee"] == callee)]
        if rows.empty and caller not in self.services:
            rows = pd.concat([t[t["callee"] == callee] for t in (self.into, self.tops)])
        return self._read(rows, f"{callee}/spans.server[{caller}]")

    def entry(self, node: str) -> list[Reading]:
        """As the outermost node's own root spans measured the requests."""
        return self._read(self.tops[self.tops["callee"] == node], f"{node}/spans.root")

    def _read(self, rows: pd.DataFrame, key: str) -> list[Reading]:
        if rows.empty:
            return []
        parts = [rows[(rows["start"] >= low) & (rows["start"] < high)] for low, high in self.limits]
        weights = _weights(parts)
        errors = [p["error"].to_numpy() for p in parts]
        seconds = [p["duration_s"].to_numpy() for p in parts]
        return [
            read_requests(f"{key}.errors_ratio", *errors, kind="errors", stat="ratio", weights=weights),
            *(read_requests(f"{key}.{q}", *seconds, kind="latency", stat=q, weights=weights) for q in ("p50", "p99")),
        ]


def wide_metrics(metrics: Any) -> tuple[pd.DataFrame, dict[str, str]]:
    """Metrics as a wide frame over UTC time, and the kind of each signal where the table says it.

    Takes long METRICS (pandas or pyarrow) or a wide frame (DatetimeIndex, or a `time` column). Several values of one
    signal at one time are averaged. Raises `BadInput` for a frame without times or with naive ones.
    """
    frame = metrics.to_pandas() if isinstance(metrics, pa.Table) else metrics
    if {"signal", "time", "value"} <= set(frame.columns):
        kinds = frame.drop_duplicates("signal").set_index("signal")["kind"].astype(str) if "kind" in frame else {}
        wide = frame.pivot_table(index="time", columns="signal", values="value", aggfunc="mean", observed=True)
        wide.columns = wide.columns.astype(str)
    else:
        kinds = {}
        wide = frame.set_index("time") if "time" in frame.columns else frame
    if not isinstance(wide.index, pd.DatetimeIndex) or (wide.index.tz is None and len(wide)):
        raise BadInput("The metrics have no times in UTC: give METRICS, or a frame with an aware DatetimeIndex.")
    known = {str(k): v for k, v in dict(kinds).items() if v in ("latency", "traffic", "errors", "saturation")}
    return wide.sort_index(), known


def log_frame(logs: Any, windows: Windows) -> pd.DataFrame:
    """The rows of LOGS as pandas; a log source is asked for both windows, only the columns that requests have."""
    if hasattr(logs, "rows") and not isinstance(logs, pa.Table | pd.DataFrame):
        tables = [logs.rows(w, fields=list(LOG_COLUMNS)).answer().table for w in windows]
        return pd.concat([t.to_pandas() for t in tables], ignore_index=True)
    if isinstance(logs, pa.Table):
        return logs.select([c for c in LOG_COLUMNS if c in logs.column_names]).to_pandas()
    return logs[[c for c in LOG_COLUMNS if c in logs.columns]]


def _failed(status: pd.Series) -> np.ndarray:
    code = status.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(code), np.nan, ((code >= 500) | (code == 0)).astype(float))


def _weights(parts: list[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    one, two = (p["weight"].to_numpy(dtype=float) if "weight" in p else np.ones(len(p)) for p in parts)
    return one, two


def _inside(index: Any, window: Window) -> np.ndarray:
    return np.asarray((index >= pd.Timestamp(window.start)) & (index < pd.Timestamp(window.end)))


def _micros(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
