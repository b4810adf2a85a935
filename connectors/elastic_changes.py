"""Changes in Elasticsearch or OpenSearch: annotations and deploy records, a document each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.asking import Asking
from connectors.base import Answer, canonical
from connectors.elastic_documents import Documents, flat
from connectors.elastic_server import Server
from connectors.files.changes_jsonl import NAMES, finished
from connectors.files.options import Options
from connectors.files.sources import under_way
from connectors.files.stream import Faults
from connectors.settings import Budget
from connectors.window import Window

TIMES = ("@timestamp", "event.start", *NAMES["time"])
BEFORE_S = 24 * 3600.0
"""Changes that began so long before the window may still have been under way in it."""
ANNOTATIONS: Mapping[str, tuple[str, ...]] = {
    "time": ("event.start",),
    "until": ("event.end",),
    "kind": ("annotation.type", "event.type"),
    "service": ("service.name",),
    "summary": ("message", "annotation.title"),
    "after": ("service.version",),
    "url": ("event.url",),
}
"""What Kibana's annotations and ECS call them; the names of `changes_jsonl` follow."""


class ElasticChanges:
    """A change source over the indices that `index` names."""

    def __init__(
        self, name: str, server: Server, *, fields: Mapping[str, str] | None = None, budget: Budget | None = None
    ) -> None:
        self.name = name
        self._server = server
        self._fields = dict(fields or {})
        self._documents = Documents(server, fields=self._fields, times=TIMES, budget=budget or Budget())

    def changes(self, window: Window) -> Answer:
        """CHANGES that began in the window, or up to a day before it and were still under way."""
        asking = Asking(self.name, "changes", canonical({"window": window}), self._server.engine, window)
        rows: list[tuple[int, dict[str, Any]]] = []
        for number, (id_, _, document) in enumerate(
            self._documents.read(asking, window.widen(before_s=BEFORE_S)), start=1
        ):
            values = flat(document)
            named = {"id": id_}
            for name, usual in ANNOTATIONS.items():
                found = next((values[field] for field in usual if field in values), None)
                if found is not None and not any(other in values for other in NAMES[name][:1]):
                    named[name] = found
            named |= {name: values[field] for name, field in self._fields.items() if field in values}
            rows.append((number, {**values, **named}))
        reading = finished(rows, Options(table="CHANGES"), Faults(f"index {self._server.index}"))
        asking.missing += reading.faults
        return asking.answer(under_way(reading.table, window))

    def close(self) -> None:
        """Gives the connections back."""
        self._server.http.close()
