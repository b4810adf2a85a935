"""Arrow tables with what must not leave taken out: in names of columns, in every text, by what a column is called.

Each distinct text is read once. Numbers in a personal column become other numbers, so that the type stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from kit.redaction.names import IDENTIFIER, TENANT, gives_away
from kit.redaction.redactor import NOT_A_VALUE, Redactor
from kit.redaction.structures import redact_value
from kit.redaction.torn_rows import torn_rows

_FORMLESS_ID = r"^(?:[0-9a-fA-F]{8,64}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"
_HEX_ID = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_LOOSE_TEXT = ("message", "summary")


def learn_table(table: pa.Table, redactor: Redactor) -> None:
    """Learn what the columns of this table give away: values of persons and secrets, and ids that are let pass."""
    for name, column in _columns(table):
        told = redactor.told(name)
        if told is None and _marked_personal(table, name):
            told = "personal"
        texts = _texts(column)
        if told == IDENTIFIER:
            redactor.identifiers.update(_let_pass(texts))
        elif told is not None:
            for text in texts:
                redactor.learn(text, told)
    for told, values in _named_in_rows(table, redactor):
        if told == IDENTIFIER:
            redactor.identifiers.update(_let_pass(values))
        else:
            for value in values:
                redactor.learn(value, told)
    for name, column in _columns(table):
        if redactor.told(name) is None and not _only_ids(column):
            redactor.learn_text(_texts(column))


def _let_pass(ids: Sequence[str]) -> Iterator[str]:
    """Ids that look like a secret by chance: long ones; those of digits alone among hexadecimal ones."""
    hexadecimal = all(_HEX_ID.fullmatch(i) for i in ids) and any(not i.isdigit() for i in ids)
    return (i for i in ids if len(i) >= 20 or (hexadecimal and i.isdigit()))


def texts_of_table(table: pa.Table) -> Iterator[tuple[str, str]]:
    """Every distinct text of a table with the name of its column; texts that are ids by their form are left out."""
    for name, column in _columns(table):
        if not pa.types.is_integer(column.type) and not _only_ids(column):
            yield from ((name, text) for text in _texts(column))


def redact_table(table: pa.Table, redactor: Redactor) -> pa.Table:
    """The same table, same types and row order, redacted; a column of floats or times about persons becomes null."""
    names: list[str] = []
    columns: list[pa.ChunkedArray] = []
    by_row = _told_by_row(table, redactor)
    for name, column in _columns(table):
        told = redactor.told(name) or ("personal" if _marked_personal(table, name) else None)
        if told == IDENTIFIER:
            told = None
        if name == "signal" and {"service", "stat"} <= set(table.column_names):
            told = None
        new = _redacted(column, told, redactor)
        if by_row is not None and name in ("value", "top"):
            new = _by_row(column, new, by_row, redactor, as_list=name == "top")
        if name in _LOOSE_TEXT and pa.types.is_string(new.type):
            new = torn_rows(new, redactor)
        names.append(_unique(redactor.text(name), names))
        columns.append(new)
    return pa.table(columns, names=names) if columns else table


def _columns(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    return zip(table.column_names, table.columns, strict=True)


def _marked_personal(table: pa.Table, name: str) -> bool:
    metadata = table.schema.field(name).metadata or {}
    return metadata.get(b"personal", b"") in (b"yes", b"true", b"1")


def _texts(column: pa.ChunkedArray) -> list[str]:
    """The distinct texts of a column of any type; numbers as text; those inside nested values too."""
    values = pc.unique(_flat(column)).drop_null()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return [t for v in values.to_pylist() for t in _inside(v)]
    if _is_text(values.type):
        return values.to_pylist()
    return values.cast(pa.string()).to_pylist() if pa.types.is_integer(values.type) else []


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        for item in value.items():
            yield from _inside(list(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _inside(item)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.array([orjson.dumps(v, default=str).decode() for v in column.to_pylist()], pa.string())
    return column.combine_chunks()


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def _only_ids(column: pa.ChunkedArray) -> bool:
    """Is every value a hexadecimal id or a UUID? Such a column is read for nothing else; one of digits alone is."""
    flat = _flat(column)
    if not _is_text(flat.type):
        return pa.types.is_integer(flat.type)
    texts = flat.cast(pa.string())
    ids = pc.all(pc.match_substring_regex(texts, _FORMLESS_ID)).as_py() or False
    return bool(ids and pc.any(pc.match_substring_regex(texts, "[A-Fa-f-]")).as_py())


def _redacted(column: pa.ChunkedArray, told: str | None, redactor: Redactor) -> pa.ChunkedArray:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        plain = _redacted(column.cast(type_.value_type), told, redactor)
        return plain.dictionary_encode().cast(type_)
    if _is_text(type_):
        if told is None and _only_ids(column):
            return column
        array = column.combine_chunks().cast(pa.string())
        distinct = pc.unique(array).drop_null()
        texts = distinct.to_pylist()
        new = [redactor.whole(t, told) for t in texts] if told else redactor.texts(texts)
        if new == texts:
            return column
        return pa.chunked_array([pa.array(new, pa.string()).take(pc.index_in(array, distinct)).cast(type_)])
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return _redacted_bytes(column, told, redactor)
    if pa.types.is_nested(type_):
        values = [redact_value(v, redactor, told=told) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(values, type_)])
    if told is not None and not pa.types.is_boolean(type_) and not pa.types.is_null(type_):
        return _redacted_numbers(column, told, redactor)
    if pa.types.is_int64(type_) or pa.types.is_uint64(type_):
        return _redacted_numbers(column, told, redactor)
    return column


def _redacted_numbers(column: pa.ChunkedArray, told: str | None, redactor: Redactor) -> pa.ChunkedArray:
    """Numbers about persons become other numbers; in other columns only those that are card numbers."""
    type_ = column.type
    if not pa.types.is_integer(type_):
        return column if told == TENANT else pa.chunked_array([pa.nulls(len(column), type_)])
    array = column.combine_chunks()
    distinct = pc.unique(array).drop_null()
    values = distinct.to_pylist()
    if told is None or not all(gives_away(told, str(v)) for v in values):
        if not values or max(values) < 10**12:
            return column
        hidden = {v: redactor.number(v, "card") for v in values if redactor.text(str(v)) != str(v)}
        if not hidden:
            return column
        new = [hidden.get(v, v) for v in values]
    else:
        width = 8 * array.type.bit_width // 8 - (1 if pa.types.is_signed_integer(type_) else 0)
        new = [redactor.number(v, told) % 2**width for v in values]
    return pa.chunked_array([pa.array(new, type_).take(pc.index_in(array, distinct))])


def _redacted_bytes(column: pa.ChunkedArray, told: str | None, redactor: Redactor) -> pa.ChunkedArray:
    """Bytes that are text are redacted as text; other bytes cannot be read, and are left out."""
    out: list[bytes | None] = []
    for value in column.to_pylist():
        try:
            text = None if value is None else value.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        out.append(None if text is None else (redactor.whole(text, told) if told else redactor.text(text)).encode())
    if pa.types.is_fixed_size_binary(column.type):
        out = [v if v is not None and len(v) == column.type.byte_width else None for v in out]
    return pa.chunked_array([pa.array(out, column.type)])


def _told_by_row(table: pa.Table, redactor: Redactor) -> list[str | None] | None:
    """In the small answers a row names the field its value belongs to: `compare` in `field`, `fields` in `name`."""
    key = "field" if {"field", "value"} <= set(table.column_names) else "name" if "top" in table.column_names else None
    if key is None:
        return None
    names = table.column(key).to_pylist()
    told = {n: redactor.told(n) for n in set(names) if n is not None}
    return [told.get(n) for n in names] if any(told.values()) else None


def _named_in_rows(table: pa.Table, redactor: Redactor) -> Iterator[tuple[str, list[str]]]:
    """The values of such rows, with what the field's name tells of them."""
    told = _told_by_row(table, redactor)
    if told is None:
        return
    column = "value" if "value" in table.column_names else "top"
    for row, cell in zip(told, table.column(column).to_pylist(), strict=True):
        if row is not None and cell is not None:
            yield row, [str(v[0]) for v in _top(cell)] if column == "top" else [str(cell)]


def _top(cell: str) -> list[list[Any]]:
    try:
        values = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return []
    return [v for v in values if isinstance(v, list) and v] if isinstance(values, list) else []


def _by_row(
    old: pa.ChunkedArray, new: pa.ChunkedArray, told: list[str | None], redactor: Redactor, *, as_list: bool
) -> pa.ChunkedArray:
    out: list[Any] = []
    for row, cell, redacted in zip(told, old.to_pylist(), new.to_pylist(), strict=True):
        if row in (None, IDENTIFIER) or cell is None or cell in NOT_A_VALUE:
            out.append(redacted)
        elif as_list:
            pairs = [[redactor.whole(str(v[0]), row), *v[1:]] for v in _top(cell)]
            out.append(orjson.dumps(pairs).decode())
        else:
            out.append(redactor.whole(str(cell), row))
    return pa.chunked_array([pa.array(out, new.type if not pa.types.is_dictionary(new.type) else pa.string())]).cast(
        new.type
    )


def _unique(name: str, taken: list[str]) -> str:
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}_{number}"
    return made
