"""Which fields have very many values, one a row even? Told from a sample, for they are asked about in another way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.asking import Asking
from connectors.elastic_fields import Column
from connectors.elastic_server import Server

MANY_ROWS = 1_000_000
"""From so many rows on, fields of very many values are told from the others first."""
LOOKED_AT = 10_000


def many_valued(server: Server, asking: Asking, columns: Sequence[Column], rows: int) -> frozenset[str]:
    """The names of those with over a tenth as many values as the sample has rows; `rows` is how many there are in all.

    Elasticsearch draws the sample at random, OpenSearch takes the first rows of each shard.
    """
    listed = [column for column in columns if column.grouped and column.name not in ("id", "time")]
    aggs = {f"d{at}": {"cardinality": {"field": column.grouped}} for at, column in enumerate(listed)}
    sampler: dict[str, Any] = {"sampler": {"shard_size": LOOKED_AT}}
    if server.product == "Elasticsearch":
        sampler = {"random_sampler": {"probability": min(0.5, LOOKED_AT / rows), "seed": 1}}
    body = {"size": 0, "track_total_hits": False, "aggs": {"s": {**sampler, "aggs": aggs}}}
    found = server.search(asking, body)["aggregations"]["s"]
    return frozenset(c.name for at, c in enumerate(listed) if found[f"d{at}"]["value"] > LOOKED_AT / 10)
