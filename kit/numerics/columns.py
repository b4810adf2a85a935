"""A column of a table as a numpy array, whether the table is a pandas DataFrame or a pyarrow Table.

Analysis takes both; everything past this module is numpy. Times become int64 microseconds since 1970 in UTC, text
becomes integer codes with their labels, missing numbers become NaN and missing text the code -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.errors import BadInput, NaiveTime

Table = Any
"""A pandas DataFrame or a pyarrow Table."""


def length(table: Table) -> int:
    """How many rows are there?"""
    return table.num_rows if isinstance(table, pa.Table) else len(table)


def names(table: Table) -> list[str]:
    """Which columns are there?"""
    return table.column_names if isinstance(table, pa.Table) else [str(c) for c in table.columns]


def has(table: Table, *wanted: str) -> bool:
    """Are all these columns there, each with at least one value?

    >>> has(pa.table({"a": [1], "b": pa.nulls(1)}), "a"), has(pa.table({"a": [1], "b": pa.nulls(1)}), "b")
    (True, False)
    """
    for name in wanted:
        if name not in names(table):
            return False
        column = table.column(name) if isinstance(table, pa.Table) else table[name]
        filled = len(column) - column.null_count if isinstance(table, pa.Table) else int(column.notna().sum())
        if not filled:
            return False
    return True


def times_us(table: Table, name: str = "time") -> np.ndarray:
    """When was each row, in microseconds since 1970 UTC? Naive times are refused; finer units are cut."""
    _need(table, name)
    if isinstance(table, pa.Table):
        column = table.column(name)
        if not pa.types.is_timestamp(column.type):
            raise BadInput(f"The column {name} is {column.type}, not a time: give timestamp[us, UTC].")
        if column.type.tz is None:
            raise NaiveTime(f"The times in {name} have no zone: give them in UTC.")
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64())
        return np.asarray(_whole(column))
    column = table[name]
    if not hasattr(column.dtype, "tz"):
        kind = "have no zone: give them in UTC" if str(column.dtype).startswith("datetime64") else "are not times"
        raise NaiveTime(f"The values in {name} {kind}.")
    return column.astype("datetime64[us, UTC]").astype("int64").to_numpy()


def numbers(table: Table, name: str) -> np.ndarray:
    """The column as float64, NaN where there is no value."""
    _need(table, name)
    if isinstance(table, pa.Table):
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return np.asarray(_whole(column.cast(pa.float64())).to_numpy(zero_copy_only=False))
    return table[name].to_numpy(dtype="float64", na_value=np.nan)


def flags(table: Table, name: str) -> np.ndarray:
    """The column as booleans; no value counts as false."""
    return np.nan_to_num(numbers(table, name)) != 0


def codes(table: Table, name: str) -> tuple[np.ndarray, list[str]]:
    """Which label has each row? Integer codes (-1: none) and the labels they stand for.

    >>> codes(pa.table({"a": ["x", None, "y", "x"]}), "a")
    (array([ 0, -1,  1,  0], dtype=int32), ['x', 'y'])
    """
    if name not in names(table):
        return np.full(length(table), -1, np.int32), []
    if isinstance(table, pa.Table):
        column = table.column(name)
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        column = _whole(column.unify_dictionaries())
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], pa.string()).dictionary_encode()
        indices = column.indices.fill_null(-1) if column.null_count else column.indices
        return np.asarray(indices).astype(np.int32, copy=False), [str(v) for v in column.dictionary.to_pylist()]
    import pandas as pd

    found, labels = pd.factorize(table[name])
    return found.astype(np.int32), [str(v) for v in labels]


def texts(table: Table, name: str) -> np.ndarray:
    """The column as Python strings, None where there is no value."""
    found, labels = codes(table, name)
    pool = np.array([*labels, None], dtype=object)
    return pool[found]


def column_frame(table: Table, wanted: Sequence[str] | None = None) -> Any:
    """The table as a pandas DataFrame (a copy), reduced to the wanted columns that exist."""
    keep = [c for c in (wanted if wanted is not None else names(table)) if c in names(table)]
    if isinstance(table, pa.Table):
        return table.select(keep).to_pandas()
    return table[keep].copy()


def _need(table: Table, name: str) -> None:
    if name not in names(table):
        raise BadInput(f"The table has no column {name}; it has {', '.join(names(table)) or 'none'}.")


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece, copied only where it is in several."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
