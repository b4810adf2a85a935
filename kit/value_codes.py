"""Which small integers stand for the values of a field? Text by its most frequent values, numbers by ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import MISSING
from connectors.errors import BadInput

TOP = 50
ID_SHARE = 0.5
FEW_NUMBERS = 20
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
PROBE_ROWS = 20_000
SAMPLE_ROWS = 400_000
NOT_DIMENSIONS = frozenset(
    {"time", "seq", "id", "message", "trace_id", "span_id", "parent_id", "links", "weight", "attributes_rest", "start",
     "url", "ref", "until"}
)  # fmt: skip
"""Columns that tell rows apart instead of grouping them; compared only when they are asked for by name."""


@dataclass(frozen=True)
class Value:
    """One value of one field (a range for a number), with the portable filter that keeps it.

    `first` and `last` are its codes where rows are counted; a range of numbers spans several.
    """

    field: str
    text: str
    where: str
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Field:
    """A field as codes: one small integer per row, and the values that the codes stand for."""

    name: str
    codes: np.ndarray
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Considered:
    """What became of one field: compared, or why not."""

    field: str
    compared: bool
    distinct: int | None
    missing_share: float
    why: str


def encode(name: str, column: pa.ChunkedArray, sides: tuple[np.ndarray, np.ndarray]) -> tuple[Field | None, Considered]:
    """The codes of one column, or why it is not compared."""
    rows = len(column)
    missing = column.null_count / rows if rows else 0.0

    def left_out(why: str, distinct: int | None = None) -> tuple[None, Considered]:
        return None, Considered(name, False, distinct, missing, why)

    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not rows:
        return left_out("there are no rows")
    if pa.types.is_temporal(type_):
        return left_out("a time")
    if pa.types.is_nested(type_) or pa.types.is_binary(type_) or pa.types.is_null(type_):
        return left_out("empty" if pa.types.is_null(type_) else f"of type {type_}")
    probe = column.take(pa.array(np.linspace(0, rows - 1, min(rows, PROBE_ROWS)).astype(np.int64)))
    seen = pc.count_distinct(_plain(probe), mode="only_valid").as_py()
    number = pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_)
    if number and seen > FEW_NUMBERS:
        return _bin(name, column, sides, missing)
    if seen > ID_SHARE * max(len(probe) - probe.null_count, 1) and seen > FEW_NUMBERS:
        return left_out(f"nearly a value a row ({seen:,} in {len(probe):,} rows)", seen)
    codes, dictionary = _codes(column)
    return _top(name, codes, dictionary, sides, missing)


def _top(
    name: str, codes: np.ndarray, dictionary: list[Any], sides: tuple[np.ndarray, np.ndarray], missing: float
) -> tuple[Field | None, Considered]:
    """The 50 most frequent values in either set keep a code of their own; the rest share the last one."""
    from connectors.where import equals

    size = len(dictionary) + 1
    most = np.maximum(*(np.bincount(codes[rows], minlength=size) / max(len(rows), 1) for rows in sides))
    present = np.flatnonzero(most)
    if len(present) < 2:
        return None, Considered(name, False, len(present), missing, "the same in all rows")
    kept = present[np.argsort(-most[present], kind="stable")][:TOP]
    lookup = np.full(size, len(kept), np.int8)
    lookup[kept] = np.arange(len(kept))
    values = []
    for code, old in enumerate(kept.tolist()):
        value = None if old == len(dictionary) else dictionary[old]
        text = MISSING if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        literal = value if value is None or isinstance(value, bool | int | float | str) else str(value)
        values.append(Value(name, text, equals(name, literal), code, code))
    more = len(present) - len(kept)
    why = f"{more:,} rarer values are counted together" if more > 0 else ""
    return Field(name, lookup[codes], tuple(values)), Considered(name, True, len(present), missing, why)


def _bin(
    name: str, column: pa.ChunkedArray, sides: tuple[np.ndarray, np.ndarray], missing: float
) -> tuple[Field | None, Considered]:
    """A number as bins at quantiles of the good rows, and every range "below" and "from" each edge."""
    from connectors.where import equals, quote_field

    values = _plain(column).cast(pa.float64(), safe=False).to_numpy()
    values = np.asarray(values, np.float64)
    good = sides[1] if len(sides[1]) <= SAMPLE_ROWS else sides[1][:: len(sides[1]) // SAMPLE_ROWS]
    known = values[good]
    known = known[np.isfinite(known)]
    edges = np.unique([_readable(q) for q in np.quantile(known, QUANTILES)]) if len(known) else np.zeros(0)
    if not len(edges):
        return None, Considered(name, False, None, missing, "no good row has it")
    codes = np.searchsorted(edges, values, side="right").astype(np.int8)
    codes[np.isnan(values)] = len(edges) + 1
    field = quote_field(name)
    last = len(edges)
    texts = [f"{edge:g}" for edge in edges]
    wheres = [repr(int(edge)) if float(edge).is_integer() else repr(float(edge)) for edge in edges]
    named = list(zip(texts, wheres, strict=True))
    found = [Value(name, f"< {text}", f"{field} < {edge}", 0, i) for i, (text, edge) in enumerate(named)]
    found += [Value(name, f">= {text}", f"{field} >= {edge}", i + 1, last) for i, (text, edge) in enumerate(named)]
    found += [
        Value(
            name, f"{texts[i]} … {texts[i + 1]}", f"{field} >= {wheres[i]} AND {field} < {wheres[i + 1]}", i + 1, i + 1
        )
        for i in range(last - 1)
    ]
    if missing or np.isnan(values).any():
        found.append(Value(name, MISSING, equals(name, None), last + 1, last + 1))
    return Field(name, codes, tuple(found)), Considered(
        name, True, None, missing, "a number, in ranges of the good rows"
    )


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[Any]]:
    """An integer per row and what it stands for; a missing value is the integer past the last."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    encoded = encoded.unify_dictionaries()
    dictionary = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], column.type)
    codes = [_index_numbers(chunk.indices, len(dictionary)) for chunk in encoded.chunks]
    return (codes[0] if len(codes) == 1 else np.concatenate(codes)), dictionary.to_pylist()


def _index_numbers(indices: pa.Array, missing: int) -> np.ndarray:
    if not indices.null_count:
        return indices.to_numpy()
    return indices.cast(pa.int64()).fill_null(missing).to_numpy()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _readable(number: float) -> float:
    return float(f"{number:.3g}")


def as_table(rows: Any) -> pa.Table:
    """Which Arrow table are these rows? Takes a pandas DataFrame, a pyarrow Table or an Answer."""
    from connectors.base import Answer

    if isinstance(rows, Answer):
        return rows.table
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pd.DataFrame):
        return pa.Table.from_pandas(rows, preserve_index=False)
    raise BadInput(f"Rows must be a pandas DataFrame or a pyarrow Table, not {type(rows).__name__}.")
