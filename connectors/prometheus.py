"""Metrics and alerts of a server that speaks Prometheus' API: Prometheus, VictoriaMetrics, Mimir, Thanos.

Raw samples are read and the signals made here, by the one rule that files are read by (`metric_signals`): counters grow
between samples, a gap stays a gap, nothing is extrapolated. Only where the samples would be more than the budget does
the server reduce them per bin first, and the answer says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
import pyarrow as pa
from pydantic import Field, field_validator

from connectors import schema
from connectors.asking import Asking
from connectors.base import Answer, SignalSpec, canonical
from connectors.errors import BadInput, OverBudget
from connectors.http import Http
from connectors.metric_series import metric_names
from connectors.metric_signals import Reading, read_signals
from connectors.probe import Probe
from connectors.prometheus_alerts import alerts_of
from connectors.prometheus_api import Api
from connectors.prometheus_bins import reduced
from connectors.samples import CATALOGUE, kind_by_name
from connectors.settings import Place
from connectors.settings import Settings as Base
from connectors.window import Window, micros, step_seconds

LISTED = 20_000
"""Series whose labels `catalogue` looks at; the metrics past them are named without labels."""


class Settings(Base):
    """Where the server is: `url` (with the prefix of a tenant or proxy, if any).

    `match`: labels that every series asked for has, `{ cluster = "eu" }`. `lookback`: how long before the window
    samples are looked for that growth is counted from. `read`: "samples" or "bins" (reduced by the server) instead of
    whichever the budget allows. `authority`: a file of certificates to trust.
    """

    url: str
    match: dict[str, str] = Field(default_factory=dict)
    lookback: str = "5m"
    read: Literal["samples", "bins"] | None = None
    authority: str | None = None

    @field_validator("lookback")
    @classmethod
    def _a_length(cls, value: str) -> str:
        step_seconds(value)
        return value


def open_source(name: str, settings: Settings, place: Place) -> PrometheusMetrics:
    """The source; nothing is asked yet. Raises `BadInput` for a table that it does not hold."""
    if settings.table not in ("metrics", "alerts"):
        raise BadInput(f'{name} is kind "prometheus", which gives metrics and alerts: write table = "metrics".')
    http = place.http(settings.url, authority=settings.authority)
    return PrometheusMetrics(
        name, http, match=settings.match, lookback=settings.lookback, interval=settings.interval,
        read=settings.read, rows=place.budget.rows, deadline_s=place.budget.server_seconds, ui=settings.ui,
    )  # fmt: skip


class PrometheusMetrics:
    """A metric source, and one of alerts: what `ALERTS` says fired, and targets whose `up` was 0."""

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        match: Mapping[str, str] | None = None,
        lookback: str = "5m",
        interval: str | None = None,
        read: Literal["samples", "bins"] | None = None,
        rows: int = 5_000_000,
        deadline_s: float = 120.0,
        ui: str | None = None,
    ) -> None:
        self.name = name
        interval_s = step_seconds(interval) if interval else None
        self._api = Api(name, http, match=match or {}, rows=rows, interval_s=interval_s, deadline_s=deadline_s)
        self._lookback_s = max(step_seconds(lookback), 2.5 * (interval_s or 0.0))
        self._read = read
        self._rows = rows
        self._ui = ui

    def metrics(self, window: Window, *, signals: Sequence[SignalSpec], every: str | None = None) -> Answer:
        """METRICS of these signals: per bin, or at each sample when `every` is None. See `metric_signals`.

        Metrics that are not there, targets not scraped for a while and time that the server did not give stand in
        `Fetch.partial`. More samples than the budget: reduced per bin by the server where there is a step, which
        `Fetch.sampled` says; `OverBudget` where there is none.
        """
        asking = self._asking("metrics", window, {"window": window, "every": every, "signals": _plain(signals)})
        low, high = self._span(window, every)
        there = self._api.names(asking, low, high)
        wanted = metric_names(signals, there)
        counts = _counted(self._api.series(asking, wanted, low, high)) if wanted else {}
        asking.link = self._link(wanted, window)
        sampled = None
        if self._by_bins(counts, window, every):
            assert every is not None
            reading, sampled = reduced(self._api, asking, counts, window, signals, every, self._lookback_s, there)
        else:
            samples = self._api.raw(asking, counts, low, high)
            asking.cost["samples"] = float(samples.table.num_rows)
            reading = read_signals(samples, signals, window, every, known=there)
        return self._said(asking, reading, "completion" if every else None, sampled)

    def catalogue(self, window: Window) -> Answer:
        """Which metrics are there? As files answer it; `samples`, `first` and `last` are null: not counted there."""
        asking = self._asking("catalogue", window, {"window": window})
        low, high = micros(window)
        names = self._api.names(asking, low, high)
        kinds = self._api.kinds()
        rows: dict[str, dict[str, Any]] = {
            name: {"metric": name, "type": kinds.get(name) or kind_by_name(name), "labels": None} for name in names
        }
        left = list(names)
        listed = 0
        while left and listed < LISTED:
            some, left = left[:20], left[20:]
            for labels in self._api.series(asking, some, low, high):
                listed += 1
                _gather(rows, labels)
        if left:
            asking.missing.append(f"the labels of {len(left):,} of {len(names):,} metrics were not looked at")
        return asking.answer(_catalogue(rows.values()))

    def alerts(self, window: Window) -> Answer:
        """ALERTS: stretches in which a rule's alert fired or was pending, and in which a target's `up` was 0.

        `until` null: still so at the window's end. An alert of Alertmanager's own is in its feed, not here.
        """
        asking = self._asking("alerts", window, {"window": window})
        low, high = micros(window)
        there = [name for name in ("ALERTS", "up") if name in self._api.names(asking, low, high)]
        if not there:
            asking.missing.append("there is no metric ALERTS or up, so nothing can be said of alerts")
            return asking.answer(schema.empty("ALERTS"))
        counts = _counted(self._api.series(asking, there, low, high))
        return asking.answer(alerts_of(self._api.raw(asking, counts, low, high), window))

    def probe(self) -> Probe:
        """Which server is it, how fast does it answer, how far off is its clock, and what may be read of it?"""
        began = time.monotonic()
        offset, error = self._api.clock()
        return Probe(
            engine=self._api.engine.name,
            took_s=time.monotonic() - began,
            clock_offset_s=offset,
            clock_error_s=error,
            may=("query", "labels"),
        )

    # -- inside -----------------------------------------------------------------------------------------------

    def _asking(self, question: str, window: Window, arguments: Mapping[str, Any]) -> Asking:
        return Asking(self.name, question, canonical(arguments), self._api.engine.name, window)

    def _link(self, names: Sequence[str], window: Window) -> str | None:
        """The first few of these metrics in Prometheus' own pages, when `ui` says where they are."""
        if self._ui is None or not names:
            return None
        panels: dict[str, str] = {}
        for at, name in enumerate(names[:5]):
            panels[f"g{at}.expr"] = self._api.selector([name])
            panels[f"g{at}.range_input"] = f"{max(1, round(window.seconds))}s"
            panels[f"g{at}.end_input"] = window.end.strftime("%Y-%m-%d %H:%M:%S")
            panels[f"g{at}.tab"] = "0"
        return f"{self._ui.rstrip('/')}/graph?{urlencode(panels)}"

    def _span(self, window: Window, every: str | None) -> tuple[int, int]:
        low, high = micros(window)
        if every is not None:
            step = round(step_seconds(every) * 1e6)
            low = low // step * step
        return low - round(self._lookback_s * 1e6), high

    def _by_bins(self, counts: Mapping[str, int], window: Window, every: str | None) -> bool:
        interval = self._api.interval_s or 15.0
        estimate = sum(counts.values()) * (window.seconds + self._lookback_s) / interval
        step = step_seconds(every) if every is not None else 0.0
        if self._read is not None:
            return self._read == "bins" and every is not None and step * 1000 % 1 == 0
        if estimate <= self._rows:
            return False
        if step < 2 * interval or step * 1000 % 1:
            raise OverBudget(
                f"These signals are about {estimate:,.0f} samples of {sum(counts.values()):,} series of {self.name}, "
                f"over the budget of {self._rows:,}: ask a shorter window or a step of {2 * interval:g} s or more, "
                f"name fewer signals, or allow it with rows = {round(estimate * 1.2)} under [budget] in sources.toml."
            )
        return True

    def _said(
        self, asking: Asking, reading: Reading, binned_by: Literal["completion"] | None, sampled: str | None
    ) -> Answer:
        asking.missing += reading.remarks
        return asking.answer(reading.table, binned_by=binned_by, sampled=sampled)


def _plain(signals: Sequence[SignalSpec]) -> list[dict[str, Any]]:
    return [{name: getattr(s, name) for name in s.__dataclass_fields__} for s in signals]


def _counted(series: Iterable[Mapping[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for labels in series:
        counts[labels["__name__"]] = counts.get(labels["__name__"], 0) + 1
    return counts


def _gather(rows: Mapping[str, dict[str, Any]], labels: Mapping[str, str]) -> None:
    row = rows.get(labels["__name__"])
    if row is None:
        return
    row["series"] = row.get("series", 0) + 1
    row["labels"] = row["labels"] or {}
    for key, value in labels.items():
        values = row["labels"].setdefault(key, [])
        if key != "__name__" and value not in values and len(values) < 10:
            values.append(value)
    row["labels"].pop("__name__", None)


def _catalogue(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in CATALOGUE.names}
    for row in rows:
        for name in CATALOGUE.names:
            value = row.get(name)
            if name == "labels":
                value = orjson.dumps(value or {}, option=orjson.OPT_SORT_KEYS).decode()
            columns[name].append(value)
    return pa.table({name: pa.array(columns[name], CATALOGUE.field(name).type) for name in CATALOGUE.names})
