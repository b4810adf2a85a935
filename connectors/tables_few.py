"""The values of a column of few rows, counted where it stands: planning a query for each of many takes longer."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

FEW_ROWS = 100_000


def values_of(column: pa.ChunkedArray, top: int) -> tuple[int, int, list[list[Any]]] | None:
    """Rows with a value, how many distinct ones, and the `top` commonest with their counts, as DuckDB writes them.

    None for a type whose text is left to the engine: numbers with a fraction, times.

    >>> values_of(pa.chunked_array([["b", "a", None, "b"]]), 1)
    (3, 2, [['b', 2.0]])
    """
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(type_) or pa.types.is_integer(type_) or pa.types.is_boolean(type_)):
        return None
    plain = column.cast(type_) if pa.types.is_dictionary(column.type) else column
    counts = pc.value_counts(plain.drop_null())
    found = list(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True))
    found.sort(key=lambda pair: (-pair[1], pair[0].encode() if isinstance(pair[0], str) else pair[0]))
    shown = [[_text(value), float(n)] for value, n in found[:top]]
    return sum(n for _, n in found), len(found), shown


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
