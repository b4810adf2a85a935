"""An ES|QL query as it is written, its answer as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa

from connectors.asking import Asking
from connectors.elastic_server import Server
from connectors.errors import BadInput, NotExpressible
from connectors.schema import TIME

TYPES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("long", "integer", "short", "byte"), pa.int64()),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float", "unsigned_long"), pa.float64()),
    **dict.fromkeys(("date", "datetime", "date_nanos"), TIME),
    "boolean": pa.bool_(),
}
_DEFAULT_LIMIT = re.compile(r"No limit defined, adding default limit of \[(\d+)\]")


def esql_table(server: Server, asking: Asking, query: str, time: Mapping[str, Any]) -> tuple[pa.Table, bool]:
    """The query's table and whether a limit that nobody wrote cut it. `time` is a clause that all rows must fit.

    Several values in one cell are JSON. Raises `NotExpressible` on OpenSearch.
    """
    if server.product == "OpenSearch":
        raise NotExpressible(f"{server.name} is OpenSearch, which has no ES|QL: ask with where or lucene.")
    if not re.match(r"\s*(FROM|TS)\s", query, re.I):
        raise BadInput(f"ES|QL begins with FROM and an index, {query[:40]!r} does not.")
    asking.queries.append(query)
    reply = server.send("POST", "/_query", body={"query": query, "filter": time, "columnar": True})
    answer = orjson.loads(reply.content)
    if answer.get("is_partial"):
        asking.missing.append("the server could not read all shards, so rows are missing")
    arrays, fields = [], []
    for column, values in zip(answer["columns"], answer["values"], strict=True):
        arrays.append(_array(values, TYPES.get(column["type"], pa.string())))
        fields.append(pa.field(column["name"], arrays[-1].type))
    table = pa.table(arrays, schema=pa.schema(fields))
    limit = _DEFAULT_LIMIT.search(reply.headers.get("warning", ""))
    return table, limit is not None and table.num_rows >= int(limit.group(1))


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    if any(isinstance(value, list | dict) for value in values):
        return pa.array([None if v is None else orjson.dumps(v).decode() for v in values], pa.string())
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.string()).cast(pa.timestamp("ns", "UTC")).cast(TIME, safe=False)
    if pa.types.is_string(type_):
        return pa.array([v if v is None or isinstance(v, str) else orjson.dumps(v).decode() for v in values], type_)
    return pa.array(values, type_)
