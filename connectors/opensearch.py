"""Logs in OpenSearch, asked like those in Elasticsearch, over its own points in time; it has no ES|QL."""

from __future__ import annotations

from typing import Any

from connectors.elasticsearch import Settings, open_on
from connectors.settings import Place

__all__ = ["Settings", "open_source"]


def open_source(name: str, settings: Settings, place: Place) -> Any:
    """The source; nothing is asked yet."""
    return open_on("OpenSearch", name, settings, place)
