"""Rows drawn by the server: each has a random score by its sequence number, and those that score highest are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.asking import Asking
from connectors.elastic_page import PageReader
from connectors.elastic_server import Server, TooLarge

AT_ONCE = 5_000
"""Rows in a round trip: twice as many would be drawn with half the work, and take 50 MB here while they are read."""
LEAST = 100


def drawn(
    server: Server,
    asking: Asking,
    reader: PageReader,
    query: Mapping[str, Any],
    *,
    n: int,
    seed: int,
    source: bool | Sequence[str],
) -> tuple[pa.Table, int]:
    """`n` rows and how many there are, each row's weight multiplied by rows there are / rows drawn.

    The same rows for the same seed as long as the index is the same. (`random_sampler` would not do: it gives at most
    100 rows of its sample.)
    """
    scored = {"query": query, "random_score": {"seed": seed, "field": "_seq_no"}, "boost_mode": "replace"}
    time = {"field": reader.columns["time"].field, "format": "strict_date_optional_time_nanos"}
    tables: list[pa.Table] = []
    after: list[Any] | None = None
    total, size, left = 0, min(n, AT_ONCE), n
    while left > 0:
        body: dict[str, Any] = {
            "size": min(size, left),
            "track_total_hits": after is None,
            "query": {"function_score": scored},
            "sort": [{"_score": "desc"}, {"_seq_no": "asc"}],
            "_source": source,
            "seq_no_primary_term": True,
            "docvalue_fields": [time],
            **({"search_after": after} if after else {}),
        }
        asking.queries.append(orjson.dumps({k: v for k, v in body.items() if k != "search_after"}).decode())
        try:
            page = reader.read(server.page(server.http, body, packed=False).content)
        except TooLarge:
            if size <= LEAST:
                raise
            size //= 4
            continue
        asking.missing += page.missing
        asking.cost["server_s"] = asking.cost.get("server_s", 0.0) + page.took_ms / 1000
        total = page.total if page.total is not None and after is None else total
        tables.append(page.table)
        left -= page.rows
        if page.rows < body["size"]:
            break
        last = [keys[-1] for keys in page.keys[:2]]
        after = [float(_plain(last[0])), int(_plain(last[1]))]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    if total > n and table.num_rows:
        at = table.column_names.index("weight")
        weights = pc.multiply(table.column("weight"), total / table.num_rows)
        table = table.set_column(at, table.schema.field("weight"), weights)
    return table, total


def _plain(value: Any) -> Any:
    return value.as_py() if hasattr(value, "as_py") else value
