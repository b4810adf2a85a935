"""Search hits as an Arrow table of LOGS, built column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from connectors.elastic_fields import Column
from connectors.elastic_filter import level_of
from connectors.engine import as_schema
from connectors.window import utc


def table_of(
    hits: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Column],
    schema: pa.Schema,
    weight: str | None,
    *,
    scale: float,
) -> pa.Table:
    """Which rows are these hits? Values of the documents as they were sent; a column the index lacks is null.

    A field with several values gives its text as JSON, or its first value where it is no text. `scale` multiplies the
    weights, for rows that were drawn.
    """
    sources = [hit.get("_source") or {} for hit in hits]
    arrays: dict[str, Any] = {}
    for field in schema:
        column = columns.get(field.name)
        if field.name == "seq":
            values: list[Any] = [hit["_seq_no"] for hit in hits]
        elif field.name == "id":
            values = [hit["_id"] for hit in hits]
        elif field.name == "time":
            values = [utc(hit["fields"][columns["time"].field][0]) for hit in hits]
        elif field.name == "weight":
            values = [scale * (1.0 if weight is None else float(_at(s, weight) or 1.0)) for s in sources]
        elif column is None:
            values = [None] * len(hits)
        else:
            values = [_value(_at(s, column.field), field.type) for s in sources]
        if field.name == "level":
            values = [None if value is None else level_of(value) for value in values]
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        arrays[field.name] = pa.array(values, plain)
    return as_schema(pa.table(arrays), schema)


def _at(source: Any, field: str) -> Any:
    """The value under this name, whether its dots are levels or part of the name."""
    if not isinstance(source, Mapping):
        return None
    if field in source:
        return source[field]
    for at, letter in enumerate(field):
        if letter == "." and field[:at] in source:
            found = _at(source[field[:at]], field[at + 1 :])
            if found is not None:
                return found
    return None


def _value(value: Any, type_: pa.DataType) -> Any:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if isinstance(value, list):
        several = [v for v in value if v is not None]
        value = (
            orjson.dumps(several).decode()
            if len(several) > 1 and pa.types.is_string(type_)
            else next(iter(several), None)
        )
    if value is None or isinstance(value, datetime):
        return value
    if pa.types.is_string(type_):
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if pa.types.is_boolean(type_):
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if pa.types.is_timestamp(type_):
        return _time(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(value) if pa.types.is_integer(type_) and number.is_integer() else number


def _time(value: Any) -> datetime | None:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, tz=utc("1970-01-01T00:00Z").tzinfo)
    try:
        return utc(str(value))
    except ValueError:
        return None
