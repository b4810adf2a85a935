"""Which fields have very many values, one a row even? Told from a sample, for they are asked about in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.asking import Asking
from connectors.elastic_fields import Column
from connectors.elastic_server import Server

MANY_ROWS = 1_000_000
"""From so many rows on, fields of very many values are told from the others first."""
LOOKED_AT = 50_000
MANY = 1_000
"""Fields with more values than so many in the rows looked at have very many."""
NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True)
class Many:
    """The fields with very many values, and those of them with a new value in nearly every row, as ids have."""

    names: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


def many_valued(server: Server, asking: Asking, columns: Sequence[Column], rows: int) -> Many:
    """Which columns have how many values, by `LOOKED_AT` of the `rows` that there are in all?

    Elasticsearch draws them at random, OpenSearch takes the first of each shard.
    """
    listed = [column for column in columns if column.grouped and column.name not in ("id", "time")]
    aggs: dict[str, Any] = {}
    for at, column in enumerate(listed):
        aggs[f"d{at}"] = {"cardinality": {"field": column.grouped}}
        aggs[f"n{at}"] = {"value_count": {"field": column.grouped}}
    sampler: dict[str, Any] = {"sampler": {"shard_size": LOOKED_AT}}
    share = 1.0
    if server.product == "Elasticsearch":
        share = min(0.5, LOOKED_AT / rows)
        sampler = {"random_sampler": {"probability": share, "seed": 1}}
    body = {"size": 0, "track_total_hits": False, "aggs": {"s": {**sampler, "aggs": aggs}}}
    found = server.search(asking, body)["aggregations"]["s"]
    distinct = {column.name: found[f"d{at}"]["value"] for at, column in enumerate(listed)}
    seen = {column.name: share * found[f"n{at}"]["value"] for at, column in enumerate(listed)}
    names = frozenset(name for name, n in distinct.items() if n > MANY)
    return Many(names, frozenset(name for name in names if distinct[name] > NEARLY_ALL * seen[name]))
