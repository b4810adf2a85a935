"""Metric documents in Elasticsearch or OpenSearch: every number of a document is a sample, its words are the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.asking import Asking
from connectors.base import Answer, SignalSpec, canonical
from connectors.elastic_documents import Documents, flat
from connectors.elastic_server import Server
from connectors.files.sources import catalogue_of
from connectors.samples import SampleBuilder, Samples, Series
from connectors.settings import Budget
from connectors.where import kind_of
from connectors.window import Window

BEFORE_S = 300.0
"""How long before the window the last sample of a counter is looked for."""
PREFIXES = ("metrics.", "attributes.", "resource.attributes.", "labels.")
_NOT_LABELS = ("agent.", "ecs.", "event.", "data_stream.", "metricset.", "observer.", "message", "_", "@timestamp")


class ElasticMetrics:
    """A metric source over the indices that `index` names. A metric is called as its field, without `metrics.`.

    The documents of a window are read within the budget of rows and reduced here, by the rules of `metric_signals`.
    """

    def __init__(
        self, name: str, server: Server, *, fields: Mapping[str, str] | None = None, budget: Budget | None = None
    ) -> None:
        self.name = name
        self._server = server
        self._documents = Documents(
            server, fields=fields or {}, times=("@timestamp", "timestamp", "time"), budget=budget or Budget()
        )

    def metrics(self, window: Window, *, signals: Sequence[SignalSpec], every: str | None = None) -> Answer:
        """METRICS of these signals: per bin, or at each sample when `every` is None. See `metric_signals`."""
        from connectors.metric_signals import read_signals

        specs = [{name: getattr(s, name) for name in s.__dataclass_fields__} for s in signals]
        asking = self._asking("metrics", window, {"window": window, "every": every, "signals": specs})
        wanted = {name for s in signals for name in (s.metric, s.divide_by) if name is not None}
        samples = self._samples(asking, window.widen(before_s=BEFORE_S, after_s=1e-3), wanted)
        reading = read_signals(samples, signals, window, every)
        asking.missing += reading.remarks
        return asking.answer(reading.table, binned_by="completion" if every else None)

    def catalogue(self, window: Window) -> Answer:
        """Which metrics are there? A row each: type, series, samples in the window, first, last, labels."""
        asking = self._asking("catalogue", window, {"window": window})
        return asking.answer(catalogue_of(self._samples(asking, window, None), window))

    def close(self) -> None:
        """Gives the connections back."""
        self._server.http.close()

    def _samples(self, asking: Asking, window: Window, wanted: set[str] | None) -> Samples:
        """The samples of these metrics, of all where it is None."""
        columns = self._documents.layout.columns
        numbers = {column.field: _bare(column.field) for column in columns.values() if kind_of(column.type) == "number"}
        fields = {field: name for field, name in numbers.items() if wanted is None or name in wanted or field in wanted}
        builder = SampleBuilder()
        known: dict[tuple[Any, ...], int] = {}
        if fields:
            exists = [{"exists": {"field": field}} for field in fields]
            clause = {"bool": {"should": exists, "minimum_should_match": 1}}
            for _, ns, document in self._documents.read(asking, window, [clause]):
                values = flat(document)
                labels = dict(_labels(values))
                for field, name in fields.items():
                    value = values.get(field)
                    if isinstance(value, bool) or not isinstance(value, int | float):
                        continue
                    called = field if wanted is not None and field in wanted else name
                    key = (called, *sorted(labels.items()))
                    if key not in known:
                        known[key] = builder.new(Series(called, labels))
                    builder.add(known[key], ns // 1000, float(value))
        return builder.build()

    def _asking(self, question: str, window: Window, arguments: dict[str, Any]) -> Asking:
        return Asking(self.name, question, canonical(arguments), self._server.engine, window)


def _labels(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, str) and not name.startswith(_NOT_LABELS):
            yield _bare(name), value


def _bare(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
