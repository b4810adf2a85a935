"""A page of hits as an Arrow table, column by column.

The page's JSON is read into columns by Arrow itself, in types learnt from the pages before. A page that does not fit
them (a number where text was, a value that is a list) is read value by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.elastic_fields import Column, level_of
from connectors.elastic_server import lacking
from connectors.engine import as_schema
from connectors.errors import BadInput, SourceUnavailable
from connectors.schema import TIME
from connectors.window import utc

Path = tuple[str, ...]
_HEAD: Mapping[str, pa.DataType] = {
    "took": pa.int64(),
    "timed_out": pa.bool_(),
    "terminated_early": pa.bool_(),
    "_shards": pa.struct([("total", pa.int64()), ("failed", pa.int64())]),
}


class Damaged(SourceUnavailable):
    """The answer is not what the server can have said: it was damaged on its way."""


@dataclass(frozen=True, slots=True)
class Page:
    """Hits as rows, the sort values of the first and of the last, and what the answer lacks."""

    table: pa.Table
    keys: tuple[Sequence[Any], ...]
    took_ms: int
    bytes: int
    total: int | None = None
    missing: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many."""
        return self.table.num_rows


@dataclass(slots=True)
class PageReader:
    """Reads pages into rows of `schema`. `nanos`: times are sorted as nanoseconds, else as milliseconds.

    `weight` is the document's field of the weights. Hits sorted by (time, sequence number) tell both in their sort
    values; with `drawn` they were sorted otherwise and carry them in `_seq_no` and as a field of the hit.
    """

    columns: Mapping[str, Column]
    schema: pa.Schema
    weight: str | None
    nanos: bool
    drawn: bool = False
    _paths: dict[Path, pa.DataType] = field(default_factory=dict)

    def read(self, content: bytes) -> Page:
        """The page. Values are the documents' own; a column that the documents lack is null.

        A field with several values gives its text as JSON, or its first value where it is no text. Raises `Damaged`
        for what is no whole JSON.
        """
        try:
            return self._as_columns(content)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowKeyError):
            return self._by_value(_whole(content), len(content))

    # -- by Arrow ---------------------------------------------------------------------------------------------

    def _as_columns(self, content: bytes) -> Page:
        answer = self._parsed(content)
        while self._learn(answer):
            del answer  # before it is read again in the types that are known now
            answer = self._parsed(content)
        hits = answer.column("hits").combine_chunks().field("hits").flatten()
        source = _member(hits, "_source")
        found = dict(_leaves(source)) if source is not None else {}
        by_field: dict[str, list[pa.Array]] = {}
        for path, values in found.items():
            if not pa.types.is_null(values.type):
                by_field.setdefault(".".join(path), []).append(values)
        arrays = [self._column(f, hits, by_field) for f in self.schema]
        table = as_schema(pa.table(arrays, names=self.schema.names), self.schema)
        head = {name: answer.column(name)[0].as_py() for name in _HEAD if name in answer.column_names}
        missing = lacking(_whole(content) if (head.get("_shards") or {}).get("failed") else head)
        sent = any(name in self.columns for name in self.schema.names if name not in ("id", "time"))
        if sent and len(hits) and source is None:
            missing.append("the index keeps no documents (_source is off), so only times and ids are given")
        total = _member(_member(answer.column("hits").combine_chunks(), "total"), "value")
        return Page(
            table,
            self._keys(hits),
            head.get("took") or 0,
            len(content),
            total[0].as_py() if total is not None else None,
            tuple(missing),
        )

    def _learn(self, answer: pa.Table) -> bool:
        """Are there leaves of the documents whose types were not known? They are from now on."""
        source = _member(answer.column("hits").combine_chunks().field("hits").flatten(), "_source")
        found = dict(_leaves(source)) if source is not None else {}
        wanted = {column.field: column for column in self.columns.values()}
        new = {
            path: _read_as(wanted[".".join(path)], values.type)
            for path, values in found.items()
            if path not in self._paths and ".".join(path) in wanted and not pa.types.is_null(values.type)
        }
        known = {path: type_ for path, type_ in new.items() if type_ is not None}
        self._paths |= known
        return bool(known)

    def _parsed(self, content: bytes) -> pa.Table:
        import pyarrow.json as pj

        hit: dict[str, Any] = {"_id": pa.string(), "_source": _struct(self._paths)}
        if self.drawn:
            hit |= {"_seq_no": pa.int64(), "fields": pa.struct([(self.columns["time"].field, pa.list_(pa.string()))])}
        else:
            hit["sort"] = pa.list_(pa.int64())
        members = [pa.field(name, type_) for name, type_ in hit.items() if type_ is not None]
        schema = pa.schema([*_HEAD.items(), ("hits", pa.struct([("hits", pa.list_(pa.struct(members)))]))])
        return pj.read_json(
            pa.BufferReader(content),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
        )

    def _keys(self, hits: pa.StructArray) -> tuple[Sequence[Any], ...]:
        sort = _member(hits, "sort")
        if sort is None or not len(sort):
            return ()
        pairs = sort.flatten()
        width = len(pairs) // len(sort)
        return tuple(pairs[at::width] for at in range(width))

    def _column(self, wanted: pa.Field, hits: pa.StructArray, by_field: Mapping[str, list[pa.Array]]) -> Any:
        if wanted.name == "id":
            return hits.field("_id")
        if wanted.name == "time":
            if self.drawn:
                texts = hits.field("fields").field(self.columns["time"].field).flatten()
                return texts.cast(pa.timestamp("ns", "UTC")).cast(TIME, safe=False)
            times = self._keys(hits)[0] if len(hits) else pa.array([], pa.int64())
            return (
                times.cast(pa.timestamp("ns" if self.nanos else "ms")).cast(pa.timestamp("us"), safe=False).cast(TIME)
            )
        if wanted.name == "seq":
            if self.drawn:
                return hits.field("_seq_no")
            return self._keys(hits)[1] if len(hits) else pa.array([], pa.int64())
        if wanted.name == "weight":
            values = by_field.get(self.weight or "", [])
            given = pc.coalesce(*[v.cast(pa.float64()) for v in values], 1.0) if values else None
            return given if given is not None else pa.array([1.0] * len(hits), pa.float64())
        column = self.columns.get(wanted.name)
        values = by_field.get(column.field, []) if column is not None else []
        if column is None or not values:
            return pa.nulls(len(hits), wanted.type)
        parts = [_cast(part, column, wanted) for part in values]
        return parts[0] if len(parts) == 1 else pc.coalesce(*parts)

    # -- by value ---------------------------------------------------------------------------------------------

    def _by_value(self, answer: Mapping[str, Any], size: int) -> Page:
        hits = answer["hits"]["hits"]
        sources = [hit.get("_source") or {} for hit in hits]
        arrays = []
        for wanted in self.schema:
            column = self.columns.get(wanted.name)
            type_ = _plain(wanted.type)
            if wanted.name == "id":
                values: list[Any] = [hit["_id"] for hit in hits]
            elif wanted.name == "time" and self.drawn:
                values = [utc(hit["fields"][self.columns["time"].field][0]) for hit in hits]
            elif wanted.name == "time":
                values = [hit["sort"][0] // 1000 if self.nanos else hit["sort"][0] * 1000 for hit in hits]
            elif wanted.name == "seq":
                values = [hit["_seq_no"] if self.drawn else hit["sort"][1] for hit in hits]
            elif wanted.name == "weight":
                given = [None if self.weight is None else _at(s, self.weight) for s in sources]
                values = [1.0 if value is None else float(value) for value in given]
            elif column is None:
                values = [None] * len(hits)
            else:
                values = [_value(_at(s, column.field), column, type_) for s in sources]
            arrays.append(pa.array(values, type_))
        table = as_schema(pa.table(arrays, names=self.schema.names), self.schema)
        keys = tuple(zip(*(hit["sort"] for hit in hits), strict=True)) if hits else ()
        total = (answer["hits"].get("total") or {}).get("value")
        return Page(table, keys, answer.get("took", 0), size, total, tuple(lacking(answer)))


def _plain(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _member(values: pa.Array | None, name: str) -> pa.Array | None:
    if values is None or not pa.types.is_struct(values.type) or values.type.get_field_index(name) < 0:
        return None
    return pc.struct_field(values, name)


def _leaves(values: pa.Array, above: Path = ()) -> Iterator[tuple[Path, pa.Array]]:
    for member in values.type:
        inner = pc.struct_field(values, member.name)
        if pa.types.is_struct(inner.type):
            yield from _leaves(inner, (*above, member.name))
        else:
            yield (*above, member.name), inner


def _struct(paths: Mapping[Path, pa.DataType]) -> pa.DataType | None:
    """The type of documents with these leaves; None for none."""
    tree: dict[str, Any] = {}
    for path, type_ in paths.items():
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = type_

    def built(node: Any) -> pa.DataType:
        return pa.struct([(name, built(part)) for name, part in node.items()]) if isinstance(node, dict) else node

    return built(tree) if tree else None


def _read_as(column: Column, found: pa.DataType) -> pa.DataType | None:
    """Which type is this leaf read in? None: as found."""
    if pa.types.is_list(found):
        raise pa.ArrowInvalid("several values")
    type_ = _plain(column.type)
    if column.numbered or column.scale != 1:
        return pa.float64()
    if pa.types.is_timestamp(type_):
        return pa.int64() if pa.types.is_integer(found) else pa.string()
    return type_


def _cast(values: pa.Array, column: Column, wanted: pa.Field) -> pa.Array:
    type_ = _plain(wanted.type)
    if wanted.name == "level":
        coded = values.dictionary_encode()
        levels = [level_of(word, column.field) for word in coded.dictionary.to_pylist()]
        return pa.array(levels, pa.string()).take(coded.indices)
    if column.scale != 1:
        return pc.multiply(values, column.scale)
    if pa.types.is_timestamp(type_):
        if pa.types.is_integer(values.type):
            return values.cast(pa.timestamp("ms")).cast(pa.timestamp("us")).cast(TIME)
        return values.cast(pa.timestamp("ns", "UTC")).cast(TIME, safe=False)
    return values.cast(type_)


def _at(source: Any, name: str) -> Any:
    """The value under this name, whether its dots are levels or part of the name."""
    if isinstance(source, list):
        return [found for one in source if (found := _at(one, name)) is not None] or None
    if not isinstance(source, Mapping):
        return None
    if name in source:
        return source[name]
    for at, letter in enumerate(name):
        if letter == "." and name[:at] in source:
            found = _at(source[name[:at]], name[at + 1 :])
            if found is not None:
                return found
    return None


def _value(value: Any, column: Column, type_: pa.DataType) -> Any:
    if isinstance(value, list):
        several = [v for v in value if v is not None]
        many = len(several) > 1 and pa.types.is_string(type_) and column.name != "level"
        value = orjson.dumps(several).decode() if many else next(iter(several), None)
    if value is None:
        return None
    if column.name == "level":
        return level_of(value, column.field)
    if pa.types.is_string(type_):
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if pa.types.is_boolean(type_):
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if pa.types.is_timestamp(type_):
        return _time(value)
    try:
        number = float(value) * column.scale
        return (int(value) if isinstance(value, int) else int(number)) if pa.types.is_integer(type_) else number
    except (TypeError, ValueError, OverflowError):
        return None


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
        return utc(value if isinstance(value, datetime) else str(value))
    except (BadInput, ValueError, OverflowError, OSError):
        return None


def _whole(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Damaged(
            "a page of rows came damaged, as no whole JSON: ask again, and see what stands between here and the source."
        ) from None
