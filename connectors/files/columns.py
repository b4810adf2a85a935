"""JSON lines as flat, typed columns: nested objects become dotted names, types that disagree become text.

Regular pieces go through Arrow's JSON reader; a piece it refuses (a bad line, types that change, a blank line) is read
line by line, so that exactly the bad lines are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.stream import Chunk, Faults
from connectors.schema import ATTRIBUTE_LIMIT, LABEL, REST

LINE = "\0line"
"""The column that holds each row's line number; no JSON key can be called so by accident."""
_DEPTH = 12
_WIDTH = 2_000
"""Past this many different keys in a piece the rest of an object stays JSON text."""


class Shape:
    """What the lines have looked like so far, so that text is read as text and not guessed to be a time."""

    def __init__(self) -> None:
        self.schema: pa.Schema | None = None
        self.seen: pa.Schema | None = None

    def table(self, chunk: Chunk, faults: Faults, unwrap: Callable[[Any], Any] | None = None) -> pa.Table:
        """The piece's rows as a flat table with `LINE`; unreadable lines are noted in `faults`."""
        if unwrap is None:
            if self.schema is None:
                self.schema = _sampled(chunk.data)
            table = self._fast(chunk)
            if table is not None:
                return table
        return _slow(chunk, faults, unwrap)

    def _fast(self, chunk: Chunk) -> pa.Table | None:
        if self.schema is None:
            return None
        table = _parsed(chunk.data, self.seen) if self.seen is not None else None
        if table is None:
            table = _parsed(chunk.data, self.schema)
        lines = chunk.lines
        if table is None or table.num_rows != lines or len(set(table.column_names)) != len(table.column_names):
            return None
        flat = _flattened(table)
        if flat is None:
            return None
        self.seen = pa.schema(
            [f for f in table.schema if not pa.types.is_nested(f.type) or f.name in self.schema.names]
        )
        import numpy as np

        return flat.append_column(LINE, pa.array(np.arange(chunk.first_line, chunk.first_line + lines, dtype=np.int64)))


def _parsed(data: bytes, expected: pa.Schema) -> pa.Table | None:
    """The lines through Arrow's reader, in blocks that a line may be too long for; None when it refuses them."""
    from pyarrow import json

    for block in (1 << 20, 32 << 20):
        try:
            return json.read_json(
                pa.BufferReader(data),
                read_options=json.ReadOptions(block_size=min(len(data) + 1, block)),
                parse_options=json.ParseOptions(explicit_schema=expected),
            )
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                return None
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            return None
    return None


def _sampled(data: bytes, lines: int = 300) -> pa.Schema | None:
    """Which keys are text in the first lines, and in some from there to the end? None when those lines disagree."""
    seen: dict[str, Any] = {}
    looked_at = data[: 1 << 20].split(b"\n", lines)[:lines]
    later = range(len(data) // 16, len(data), len(data) // 16) if len(data) > 1 << 20 else ()
    for at in later:
        looked_at += data[at : at + (64 << 10)].split(b"\n", 21)[1:21]
    for line in looked_at:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            _note(seen, row, 0)
    try:
        return pa.schema(_fields(seen))
    except _Disagree:
        return None


class _Disagree(Exception):
    pass


def _note(seen: dict[str, Any], row: dict[str, Any], depth: int) -> None:
    for key, value in row.items():
        if value is None or depth > _DEPTH:
            continue
        if isinstance(value, dict):
            inner = seen.setdefault(key, {})
            if isinstance(inner, dict):
                _note(inner, value, depth + 1)
            else:
                seen[key] = "mixed"
            continue
        kind = type(value).__name__
        old = seen.get(key)
        if old is None or old == kind:
            seen[key] = kind
        elif {old, kind} == {"int", "float"} if isinstance(old, str) else False:
            seen[key] = "float"
        else:
            seen[key] = "mixed"


_ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def _fields(seen: dict[str, Any]) -> list[pa.Field]:
    fields = []
    for key, kind in seen.items():
        if kind == "mixed":
            raise _Disagree
        if isinstance(kind, dict):
            inner = _fields(kind)
            if inner:
                fields.append(pa.field(key, pa.struct(inner)))
        elif kind == "str":  # numbers are left to be inferred: an int column may hold a float later
            fields.append(pa.field(key, _ARROW[kind]))
    return fields


def _flattened(table: pa.Table) -> pa.Table | None:
    """Structs as dotted columns, lists as JSON text; None when a time was guessed or two names fall together."""
    for _ in range(_DEPTH):
        if not any(pa.types.is_struct(f.type) for f in table.schema):
            break
        table = table.flatten()
    columns: dict[str, Any] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_timestamp(field.type) or pa.types.is_struct(field.type) or field.name in columns:
            return None
        if pa.types.is_list(field.type):
            column = pa.array([None if v is None else _text(v) for v in column.to_pylist()], pa.string())
        columns[field.name] = column
    return pa.table(columns) if columns else None


def _slow(chunk: Chunk, faults: Faults, unwrap: Callable[[Any], Any] | None) -> pa.Table:
    rows, numbers = [], []
    lines = chunk.data.split(b"\n")[:-1]
    last = len(lines) - 1
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            torn = chunk.torn and i == last
            faults.bad(chunk.first_line + i, "the last line is half-written" if torn else "not JSON")
            continue
        if unwrap is not None:
            row = unwrap(row)
        if not isinstance(row, dict):
            faults.bad(chunk.first_line + i, "not a JSON object")
            continue
        rows.append(flat_row(row))
        numbers.append(chunk.first_line + i)
    return from_rows(rows).append_column(LINE, pa.array(numbers, pa.int64()))


def flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """One object with its nested objects under dotted names; lists as JSON text.

    >>> flat_row({"http": {"response": {"status_code": 200}}, "tags": ["a", 1], "user.id": 7})
    {'http.response.status_code': 200, 'tags': '["a",1]', 'user.id': 7}
    """
    if not any(isinstance(value, dict | list) for value in row.values()):
        return row
    flat: dict[str, Any] = {}
    _flatten(row, "", flat, 0)
    return flat


def _flatten(row: dict[str, Any], prefix: str, into: dict[str, Any], depth: int) -> None:
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < _DEPTH and len(into) < _WIDTH:
            _flatten(value, f"{name}.", into, depth + 1)
        elif isinstance(value, dict | list):
            into.setdefault(name, _text(value))
        elif value is not None or name not in into:
            into[name] = value


def _text(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()


def from_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Flat dictionaries as a table with a typed column per key, in order of first appearance.

    >>> from_rows([{"a": 1}, {"a": 2.5, "b": "x"}]).to_pydict()
    {'a': [1.0, 2.5], 'b': [None, 'x']}
    """
    names: dict[str, None] = {}
    for row in rows:
        if not names.keys() >= row.keys():
            names.update(dict.fromkeys(row))
    if not names:
        return pa.table({LINE: pa.nulls(len(rows), pa.int64())}).select([])
    return pa.table({name: to_array([row.get(name) for row in rows]) for name in names})


def to_array(values: list[Any]) -> pa.Array:
    """Python values as one typed array: whole numbers, numbers, truth values, otherwise text."""
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        kinds = {type(v) for v in values if v is not None}
        if kinds == {int, float}:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        return pa.array([_plain_text(v) for v in values], pa.string())
    if pa.types.is_nested(array.type) or pa.types.is_timestamp(array.type):
        return pa.array([_plain_text(v) for v in values], pa.string())
    return array


_WHOLE = r"^-?(0|[1-9]\d{0,14})$"
_NUMBER = r"^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$"
_TRUTH = r"^(true|false)$"


def with_numbers(table: pa.Table, *, leave: frozenset[str] = frozenset()) -> pa.Table:
    """Text columns of which every value is a number or `true` or `false`, as that; those in `leave` stay text.

    A number with leading zeros or more than 15 digits is an id, and stays text.

    >>> import pyarrow as pa
    >>> with_numbers(pa.table({"n": ["1", None], "x": ["0.5", "2"], "hit": ["true", "false"]})).to_pylist()
    [{'n': 1, 'x': 0.5, 'hit': True}, {'n': None, 'x': 2.0, 'hit': False}]
    >>> with_numbers(pa.table({"id": ["007", "1"]})).to_pylist()
    [{'id': '007'}, {'id': '1'}]
    """
    for i, field in enumerate(table.schema):
        if field.name in leave or not pa.types.is_string(field.type):
            continue
        column = table.column(i)
        for form, type_ in ((_WHOLE, pa.int64()), (_NUMBER, pa.float64()), (_TRUTH, pa.bool_())):
            if pc.all(pc.match_substring_regex(column, form)).as_py():
                table = table.set_column(i, field.name, column.cast(type_))
                break
    return table


def _plain_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, dict | list) else str(value)


def concat(tables: Iterable[pa.Table]) -> pa.Table:
    """Pieces as one table: columns missing in some are null there, types that disagree become number or text.

    >>> import pyarrow as pa
    >>> concat([pa.table({"a": [1]}), pa.table({"a": ["x"], "b": [True]})]).to_pydict()
    {'a': ['1', 'x'], 'b': [None, True]}
    """
    pieces = [t for t in tables if t.num_columns]
    if not pieces:
        return pa.table({})
    types: dict[str, pa.DataType] = {}
    for piece in pieces:
        for field in piece.schema:
            old = types.get(field.name)
            types[field.name] = field.type if old is None else _common(old, field.type)
    cast = []
    for piece in pieces:
        columns = []
        for name, type_ in types.items():
            if name not in piece.column_names:
                columns.append(pa.chunked_array([pa.nulls(piece.num_rows, type_)], type_))
                continue
            column = piece.column(name)
            if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(type_):
                column = column.cast(pa.string())
            elif pa.types.is_dictionary(type_) and not pa.types.is_dictionary(column.type):
                column = column.cast(pa.string()).dictionary_encode()
            columns.append(column if column.type == type_ else column.cast(type_))
        cast.append(pa.table(columns, names=list(types)))
    return pa.concat_tables(cast)


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    numeric = [pa.types.is_integer(t) or pa.types.is_floating(t) for t in (a, b)]
    if all(numeric):
        return pa.float64()
    if pa.types.is_dictionary(a) and (pa.types.is_string(b) or pa.types.is_null(b)):
        return a
    if pa.types.is_dictionary(b) and pa.types.is_string(a):
        return b
    return pa.string()


def tidy(table: pa.Table, own: Sequence[str]) -> pa.Table:
    """The table with columns that hold nothing dropped, text of few values dictionary-encoded, width bounded.

    `own` columns are left as they are. Past the 300 best-filled further columns the rest goes, as one JSON object a
    row, to `attributes_rest`.
    """
    rows = table.num_rows
    extra = [name for name in table.column_names if name not in own]
    filled = {name: rows - table.column(name).null_count for name in extra}
    extra = [name for name in extra if filled[name] and not pa.types.is_null(table.schema.field(name).type)]
    kept = extra
    rest: list[str] = []
    if len(extra) > ATTRIBUTE_LIMIT:
        ranked = sorted(extra, key=lambda name: -filled[name])
        chosen = set(ranked[:ATTRIBUTE_LIMIT])
        kept, rest = [n for n in extra if n in chosen], [n for n in extra if n not in chosen]
    columns = {name: table.column(name) for name in own if name in table.column_names}
    for name in kept:
        columns[name] = coded(table.column(name))
    if rest:
        lines = table.select(rest).to_pylist()
        texts = [_text({k: v for k, v in line.items() if v is not None}) for line in lines]
        columns[REST] = pa.array([None if t == "{}" else t for t in texts], pa.string())
    return pa.table(columns)


def coded(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Text as a dictionary when it repeats itself; anything else as it is."""
    if not pa.types.is_string(column.type) or len(column) < 16:
        return column.dictionary_encode().cast(LABEL) if pa.types.is_string(column.type) else column
    probe = column.slice(0, 4096)
    if pc.count_distinct(probe).as_py() * 2 > len(probe):
        return column
    return column.dictionary_encode().cast(LABEL)
