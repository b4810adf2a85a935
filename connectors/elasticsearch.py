"""Elasticsearch: its indices as sources of logs, spans, metrics and changes, by what `sources.toml` says.

Only read requests are sent: `_search`, `_msearch`, `_count`, `_field_caps`, `_query` and points in time, for which the
index privilege `read` is enough. OpenSearch has a kind of its own.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from connectors.elastic_server import Product, Server
from connectors.errors import BadInput
from connectors.settings import Place
from connectors.settings import Settings as Base


class Settings(Base):
    """Where the rows are: `url` of the server, `index` (names, aliases, data streams or patterns, with commas), and
    `fields`, the document's field of a column that has none of the usual names."""

    url: str
    index: str
    fields: dict[str, str] = Field(default_factory=dict)
    authority: str | None = None


def open_source(name: str, settings: Settings, place: Place) -> Any:
    """The source; nothing is asked yet. Raises `BadInput` for a table that it does not hold."""
    return open_on("Elasticsearch", name, settings, place)


def open_on(product: Product, name: str, settings: Settings, place: Place) -> Any:
    """The source of logs, spans, metrics or changes on a server of this product."""
    deadline_s = max(120.0, place.budget.server_seconds)
    http = place.http(settings.url, authority=settings.authority, deadline_s=deadline_s)
    server = Server(name, http, settings.index, product=product)
    match settings.table:
        case "logs":
            from connectors.elastic_logs import ElasticLogs

            return ElasticLogs(name, http, settings.index, fields=settings.fields, budget=place.budget, product=product)
        case "spans":
            from connectors.elastic_spans import ElasticSpans

            return ElasticSpans(name, server, fields=settings.fields, budget=place.budget)
        case "metrics":
            from connectors.elastic_metrics import ElasticMetrics

            return ElasticMetrics(name, server, fields=settings.fields, budget=place.budget)
        case "changes":
            from connectors.elastic_changes import ElasticChanges

            return ElasticChanges(name, server, fields=settings.fields, budget=place.budget)
    raise BadInput(
        f'{name} is kind "{settings.kind}", which gives logs, spans, metrics and changes, not {settings.table}: write '
        f'table = "logs".'
    )
