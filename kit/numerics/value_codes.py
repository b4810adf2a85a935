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
_BLOCK = 1 << 16
SAMPLE_ROWS = 400_000
NOT_DIMENSIONS = frozenset(
    {"time", "seq", "id", "message", "trace_id", "span_id", "parent_id", "links", "weight", "attributes_rest", "start",
     "url", "ref", "until"}
)  # fmt: skip
"""Columns that tell rows apart instead of grouping them; compared only when they are asked for by name."""


@dataclass(frozen=True)
class Value:
    """One value of one field (a range for a number), with the portable filter that keeps it.

    Where rows are counted, `first` and `last` are its codes (a range of numbers spans several), and `literal` is
    the value itself, None for a missing one, or `low` ≤ number < `high`.
    """

    field: str
    text: str
    where: str
    first: int = 0
    last: int = 0
    literal: Any = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Field:
    """A field as codes: one small integer per row, and the values that the codes stand for.

    `bad` and `good` count the rows per code; their length is the number of codes, those without a value included.
    """

    name: str
    codes: np.ndarray
    values: tuple[Value, ...]
    bad: np.ndarray
    good: np.ndarray


@dataclass(frozen=True)
class Considered:
    """What became of one field: compared, or why not."""

    field: str
    compared: bool
    distinct: int | None
    missing_share: float
    why: str


def encode(name: str, column: pa.ChunkedArray, split: int, missing: float) -> tuple[Field | None, Considered]:
    """The codes of one column whose first `split` rows are bad and the others good, or why it is not compared."""
    rows = len(column)

    def left_out(why: str, distinct: int | None = None) -> tuple[None, Considered]:
        return None, Considered(name, False, distinct, missing, why)

    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not rows:
        return left_out("there are no rows")
    if pa.types.is_temporal(type_):
        return left_out("a time")
    if pa.types.is_nested(type_) or pa.types.is_binary(type_) or pa.types.is_null(type_):
        return left_out("empty" if pa.types.is_null(type_) else f"of type {type_}")
    if pa.types.is_floating(type_):
        column = pc.if_else(pc.is_nan(_plain(column)), pa.scalar(None, type_), _plain(column))
    probe = column.take(pa.array(np.linspace(0, rows - 1, min(rows, PROBE_ROWS)).astype(np.int64)))
    seen = pc.count_distinct(_plain(probe), mode="only_valid").as_py()
    number = pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_)
    if number and seen > FEW_NUMBERS:
        return _bin(name, column, split, missing)
    if seen > ID_SHARE * max(len(probe) - probe.null_count, 1) and seen > FEW_NUMBERS:
        return left_out(f"nearly a value a row ({seen:,} in {len(probe):,} rows)", seen)
    codes, dictionary = _codes(column)
    return _top(name, codes, dictionary, split, missing)


def _top(
    name: str, codes: np.ndarray, dictionary: list[Any], split: int, missing: float
) -> tuple[Field | None, Considered]:
    """The 50 most frequent values in either set keep a code of their own; the rest share the last one."""
    from connectors.where import equals

    size = len(dictionary) + 1
    of_bad, of_good = _tallies(codes, size, split)
    present = np.flatnonzero(of_bad + of_good)
    if len(present) < 2:
        return None, Considered(name, False, len(present), missing, "the same in all rows")
    share = np.maximum(of_bad / max(of_bad.sum(), 1), of_good / max(of_good.sum(), 1))
    kept = np.sort(present[np.argsort(-share[present], kind="stable")][:TOP])
    lookup = np.full(size, len(kept), np.int8)
    lookup[kept] = np.arange(len(kept))
    coded = codes.astype(np.int8) if len(kept) == size else lookup[codes]
    of_bad, of_good = (np.bincount(lookup, counts, minlength=len(kept) + 1) for counts in (of_bad, of_good))
    values = []
    for code, old in enumerate(kept.tolist()):
        value = None if old == len(dictionary) else dictionary[old]
        text = MISSING if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        literal = value if value is None or isinstance(value, bool | int | float | str) else str(value)
        values.append(Value(name, text, equals(name, literal), code, code, value))
    more = len(present) - len(kept)
    why = f"{more:,} rarer values are counted together" if more > 0 else ""
    return Field(name, coded, tuple(values), of_bad, of_good), Considered(name, True, len(present), missing, why)


def _bin(name: str, column: pa.ChunkedArray, split: int, missing: float) -> tuple[Field | None, Considered]:
    """A number as bins at quantiles of the good rows, and every range "below" and "from" each edge."""
    from connectors.where import equals

    values = _numbers(column)
    known = values[split:]
    known = known[np.isfinite(known)]
    edges = np.unique([_readable(q) for q in np.quantile(known, QUANTILES)]) if len(known) else np.zeros(0)
    if not len(edges):
        return None, Considered(name, False, None, missing, "no good row has it")
    codes = np.searchsorted(edges, values, side="right").astype(np.int8)
    codes[np.isnan(values)] = len(edges) + 1
    last = len(edges)
    spans = [(0, i) for i in range(last)] + [(i, last) for i in range(1, last + 1)] + [(i, i) for i in range(1, last)]
    found = [_range(name, edges, *span) for span in dict.fromkeys(spans)]
    if missing or np.isnan(values).any():
        found.append(Value(name, MISSING, equals(name, None), last + 1, last + 1))
    tallies = _tallies(codes, last + 2, split)
    return Field(name, codes, tuple(found), *tallies), Considered(
        name, True, None, missing, "a number, in ranges of the good rows"
    )


def _range(name: str, edges: np.ndarray, first: int, last: int) -> Value:
    """The numbers with codes `first` to `last`: from the edge before `first` up to that after `last`, which is out."""
    from connectors.where import quote_field

    low = float(edges[first - 1]) if first else None
    high = float(edges[last]) if last < len(edges) else None
    bounds = [(sign, edge) for sign, edge in ((">=", low), ("<", high)) if edge is not None]
    where = " AND ".join(f"{quote_field(name)} {sign} {int(e) if e.is_integer() else e!r}" for sign, e in bounds)
    text = f"{low:g} … {high:g}" if len(bounds) == 2 else f"{bounds[0][0]} {bounds[0][1]:g}"
    return Value(name, text, where, first, last, low=low, high=high)


def _tallies(codes: np.ndarray, size: int, split: int) -> tuple[np.ndarray, np.ndarray]:
    return tally(codes[:split], size), tally(codes[split:], size)


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


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(_plain(column).cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _readable(number: float) -> float:
    return float(f"{number:.3g}")


def holds(column: pa.ChunkedArray, value: Value) -> np.ndarray:
    """In which rows does this column have this value? One true/false per row."""
    if value.low is not None or value.high is not None:
        numbers = _numbers(column)
        inside = ~np.isnan(numbers)
        if value.low is not None:
            inside &= numbers >= value.low
        return inside if value.high is None else inside & (numbers < value.high)
    if value.literal is None:
        missing = column.is_null()
        if pa.types.is_floating(column.type):
            missing = pc.or_(missing, pc.fill_null(pc.is_nan(column), False))
        return np.asarray(missing, bool)
    if pa.types.is_dictionary(column.type):
        codes, dictionary = _codes(column)
        return codes == dictionary.index(value.literal)
    return np.asarray(pc.equal(column, pa.scalar(value.literal, column.type)).fill_null(False), bool)


def tally(codes: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """How often does each code below `size` occur (weighted when weights are given)? In blocks that fit the cache.

    >>> tally(np.array([0, 2, 2]), 3).tolist()
    [1.0, 0.0, 2.0]
    """
    total = np.zeros(size)
    for start in range(0, len(codes), _BLOCK):
        block = slice(start, start + _BLOCK)
        total += np.bincount(codes[block], None if weights is None else weights[block], minlength=size)
    return total


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
