"""Spans as a forest of arrays: who is whose parent, at which depth, inside which interval.

Everything that reads traces starts here, so that parents are looked up once and the rest is arithmetic on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import BadInput

NEEDED = ("start", "duration_s", "trace_id", "span_id")


@dataclass(frozen=True, slots=True)
class Labels:
    """A text column as integer codes into its distinct values; -1 is null."""

    codes: np.ndarray
    values: tuple[str, ...]

    def texts(self, rows: np.ndarray | None = None) -> np.ndarray:
        """The texts themselves (of these rows), None where null."""
        codes = self.codes if rows is None else self.codes[rows]
        return np.array([*self.values, None], dtype=object)[codes]

    def code(self, value: str) -> int:
        """The code of a value; -2 when no row holds it."""
        return self.values.index(value) if value in self.values else -2


@dataclass(frozen=True, slots=True)
class SpanTree:
    """The forest of spans, an array per property, one entry per row of SPANS and in its order.

    `start` and `end` are microseconds since the epoch, `parent` is the parent's row or -1, `orphan` marks spans whose
    parent is named but absent (or whose parents form a ring), `depth` is 0 at the top of each trace's part.
    """

    start: np.ndarray
    end: np.ndarray
    duration_s: np.ndarray
    trace: np.ndarray
    parent: np.ndarray
    orphan: np.ndarray
    depth: np.ndarray
    service: Labels
    name: Labels
    kind: Labels
    host: Labels
    peer: Labels
    error_type: Labels
    error: np.ndarray
    weight: np.ndarray
    trace_ids: Labels

    def __len__(self) -> int:
        return len(self.start)

    @property
    def traces(self) -> int:
        """How many traces are there?"""
        return len(self.trace_ids.values)

    def rows_by_depth(self) -> list[np.ndarray]:
        """The rows of each depth, from the tops down: what a walk from parents to children goes through."""
        if not len(self):
            return []
        order = np.argsort(self.depth.astype(np.int32), kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.depth))[:-1])

    def remote(self) -> np.ndarray:
        """Which spans have a parent in another service, i.e. were called over a boundary?"""
        has_parent = self.parent >= 0
        other = self.service.codes != self.service.codes[np.maximum(self.parent, 0)]
        return has_parent & other


def span_tree(spans: Any) -> SpanTree:
    """Which span is whose child? Takes SPANS as pandas or pyarrow; raises `BadInput` when needed columns are missing.

    Ids need only be unique within their trace. A span id that occurs twice in a trace (client and server sharing one,
    or a duplicate) keeps its first row as the parent.

    >>> import pandas as pd
    >>> tree = span_tree(pd.DataFrame({
    ...     "start": pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]), "duration_s": [3.0, 1.0],
    ...     "trace_id": ["t", "t"], "span_id": ["a", "b"], "parent_id": [None, "a"]}))
    >>> tree.parent.tolist(), tree.depth.tolist()
    ([-1, 0], [0, 1])
    """
    columns = set(spans.column_names if isinstance(spans, pa.Table) else spans.columns)
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise BadInput(f"This is not a SPANS table, it lacks {', '.join(missing)}: give rows as a span source answers.")
    count = spans.num_rows if isinstance(spans, pa.Table) else len(spans)
    start = _micros(spans, "start")
    duration_s = np.nan_to_num(_numbers(spans, "duration_s", count, 0.0), nan=0.0)
    trace_ids = _labels(spans, "trace_id", count)
    parent, orphan = _parents(spans, trace_ids.codes, count)
    depth, ring = _depths(parent)
    if ring.any():
        parent = np.where(ring, -1, parent)
        orphan = orphan | ring
        depth, _ = _depths(parent)
    status = _labels(spans, "status", count)
    return SpanTree(
        start=start,
        end=start + np.rint(np.maximum(duration_s, 0.0) * 1e6).astype(np.int64),
        duration_s=duration_s,
        trace=trace_ids.codes,
        parent=parent,
        orphan=orphan,
        depth=depth,
        service=_labels(spans, "service", count),
        name=_labels(spans, "name", count),
        kind=_labels(spans, "kind", count),
        host=_labels(spans, "host", count),
        peer=_labels(spans, "peer", count),
        error_type=_labels(spans, "error_type", count),
        error=status.codes == status.code("error"),
        weight=np.nan_to_num(_numbers(spans, "weight", count, 1.0), nan=1.0),
        trace_ids=trace_ids,
    )


def covered_by_children(tree: SpanTree) -> np.ndarray:
    """How many microseconds of each span are covered by the union of its children, inside its own ends?"""
    child = np.flatnonzero(tree.parent >= 0)
    covered = np.zeros(len(tree), dtype=np.int64)
    if not len(child):
        return covered
    parent = tree.parent[child]
    length = tree.end[parent] - tree.start[parent]
    low = np.clip(tree.start[child] - tree.start[parent], 0, length)
    high = np.clip(tree.end[child] - tree.start[parent], 0, length)
    block = int(length.max()) + 1
    rank = np.cumsum(np.bincount(parent, minlength=len(tree)) > 0) - 1  # parents numbered densely keeps keys small
    base = rank[parent] * block
    order = np.argsort(base + low)
    base, low, high, parent = base[order], low[order], high[order], parent[order]
    reached = np.maximum.accumulate(base + high)
    before = np.empty_like(reached)
    before[0] = 0
    before[1:] = reached[:-1]
    gain = np.maximum(base + high - np.maximum(base + low, before), 0)
    return np.bincount(parent, weights=gain, minlength=len(tree)).astype(np.int64)


def _column(table: Any, name: str, count: int) -> pa.Array:
    if isinstance(table, pa.Table):
        if name not in table.column_names:
            return pa.nulls(count, pa.string())
        column = table.column(name)
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if name not in table.columns:
        return pa.nulls(count, pa.string())
    array = pa.array(table[name], from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _numbers(table: Any, name: str, count: int, default: float) -> np.ndarray:
    array = _column(table, name, count)
    if pa.types.is_string(array.type):
        return np.full(count, default)
    return array.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)


def _micros(table: Any, name: str) -> np.ndarray:
    array = _column(table, name, 0)
    if not pa.types.is_timestamp(array.type):
        raise BadInput(f"Column {name} of the spans is {array.type}, not a time: convert it to UTC timestamps first.")
    return array.cast(pa.timestamp("us", tz=array.type.tz), safe=False).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _labels(table: Any, name: str, count: int) -> Labels:
    array = _column(table, name, count)
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = array.dictionary.cast(pa.string()).to_pylist()
    if None in values:
        codes = np.where(codes == values.index(None), -1, codes)
    return Labels(codes, tuple("" if v is None else v for v in values))


def _parents(spans: Any, trace: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Each span's parent row (-1: none) and whether a parent was named that is not there."""
    own_code, parent_code, size = _id_codes(_column(spans, "span_id", count), _column(spans, "parent_id", count))
    wanted = parent_code >= 0
    first = np.full(size + 1, -1, dtype=np.int64)
    first[own_code[::-1]] = np.arange(count - 1, -1, -1)  # written backwards, so that the first row stays
    found = np.where(wanted, first[parent_code], -1)
    right = (found >= 0) & (trace[found] == trace)
    unsure = np.flatnonzero(wanted & ~right)
    if len(unsure):  # an id used by several traces: look the pair (trace, id) up
        keys = trace * np.int64(size + 1) + own_code
        order = np.argsort(keys, kind="stable")
        asked = trace[unsure] * np.int64(size + 1) + parent_code[unsure]
        at = np.minimum(np.searchsorted(keys[order], asked), count - 1)
        hit = keys[order][at] == asked
        found[unsure] = np.where(hit, order[at], -1)
    found = np.where(found == np.arange(count), -1, found)
    return found, wanted & (found < 0)


def _id_codes(own: pa.Array, named: pa.Array) -> tuple[np.ndarray, np.ndarray, int]:
    """Both id columns as integers into the same distinct ids (-1: null or empty), and how many there are."""
    plain = [a.cast(a.type.value_type) if pa.types.is_dictionary(a.type) else a for a in (own, named)]
    ids = pa.chunked_array([a.cast(pa.string()) for a in plain]).combine_chunks()
    absent = pc.or_kleene(pc.is_null(ids), pc.equal(ids, "")).to_numpy(zero_copy_only=False).astype(bool)
    numbers = _hex_numbers(ids.filter(pa.array(~absent)))
    codes = np.full(len(ids), -1, dtype=np.int64)
    if numbers is not None:
        found, distinct = pd.factorize(numbers)
        codes[~absent] = found
        size = len(distinct)
    else:
        encoded = ids.dictionary_encode()
        codes = np.where(absent, -1, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))
        size = len(encoded.dictionary)
    return codes[: len(own)], codes[len(own) :], size


_NIBBLE = np.full(256, 255, dtype=np.uint8)
_NIBBLE[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)


def _hex_numbers(ids: pa.Array) -> np.ndarray | None:
    """Span ids of 16 lower-case hex digits as numbers, which join several times faster; None when one is not."""
    if not len(ids) or ids.offset or not pc.all(pc.equal(pc.binary_length(ids), 16)).as_py():
        return None
    _, _, data = ids.buffers()
    digits = _NIBBLE[np.frombuffer(data, dtype=np.uint8, count=16 * len(ids))]
    if digits.max() > 15:
        return None
    pairs = digits.reshape(-1, 8, 2)
    return np.ascontiguousarray((pairs[:, :, 0] << 4) | pairs[:, :, 1]).view(np.uint64).reshape(-1)


def _depths(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the top of each span's part, by pointer doubling; and the spans whose parents form a ring."""
    depth = (parent >= 0).astype(np.int64)
    jump = parent.copy()
    for _ in range(max(1, int(np.ceil(np.log2(len(parent) + 1))) + 1)):
        live = np.flatnonzero(jump >= 0)
        if not len(live):
            break
        target = jump[live]
        depth[live] += depth[target]
        jump[live] = jump[target]
    return depth, jump >= 0
