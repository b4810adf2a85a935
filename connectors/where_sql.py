"""What the filter means on a table: fields and literals checked against its columns, as DuckDB SQL, as rows kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import pyarrow as pa

from connectors.errors import BadInput, NotExpressible, UnknownField
from connectors.schema import LEVELS
from connectors.where_text import parse
from connectors.where_tree import (
    And,
    Between,
    Compare,
    Has,
    In,
    IsNull,
    Not,
    Or,
    Value,
    Where,
    fields,
    values_of,
)
from connectors.window import iso, utc

Kind = Literal["text", "number", "bool", "time", "none", "other"]

_NOT_WORD = r"[^\p{L}\p{N}\p{M}_]"


def kind_of(type_: pa.DataType) -> Kind:
    """What may a column of this type be compared with? "none" is a column of nulls; "other" only with NULL."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_null(type_):
        return "none"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return "text"
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    return "time" if pa.types.is_timestamp(type_) else "other"


def need_fields(names: Iterable[str], known: Collection[str], *, where: str = "this table") -> None:
    """Are all of these fields known? Raises `UnknownField` naming the first that is not, with its near-misses.

    >>> need_fields(["routee"], ["route", "host"])
    Traceback (most recent call last):
    ...
    connectors.errors.UnknownField: There is no field 'routee' in this table; did you mean route?
    """
    have = list(known)
    for name in names:
        if name not in have:
            near = difflib.get_close_matches(name, have, n=3, cutoff=0.6)
            parts = [other for other in have if other not in near and name.lower() in other.lower()]
            near += sorted(parts, key=len)[: 3 - len(near)]
            hint = f"did you mean {' or '.join(near)}?" if near else "ask `fields` which there are."
            raise UnknownField(f"There is no field {name!r} in {where}; {hint}")


def resolve(where: Where, known: Mapping[str, pa.DataType], *, source: str = "this table") -> Where:
    """What does the filter mean on a table with these fields? The tree a backend compiles.

    Every field is known and compared with a literal of its kind, and comparisons of `level` are spelt out as IN.
    Raises `UnknownField` with near-misses, or `BadInput` where field and literal don't fit.
    """
    need_fields(fields(where), known, where=source)

    def leaf(node: Where) -> Where:
        match node:
            case And(parts):
                return And(tuple(map(leaf, parts)))
            case Or(parts):
                return Or(tuple(map(leaf, parts)))
            case Not(part):
                return Not(leaf(part))
            case IsNull():
                return node
        kind = kind_of(known[node.field])
        if isinstance(node, Has):
            if kind not in ("text", "none"):
                raise BadInput(f"has({node.field}, …) looks for words, but {node.field} is no text: compare it with =.")
            return node
        for value in values_of(node):
            _fits(node, kind, value)
        return _spell_levels(node) if node.field == "level" else node

    return leaf(where)


def to_sql(where: Where | str, known: Mapping[str, pa.DataType], *, source: str = "this table") -> str:
    """Which DuckDB predicate keeps the same rows? Where it is NULL it means false.

    `known` maps the fields that may be named to their types. Raises `UnknownField` and `BadInput` like `resolve`.

    >>> to_sql("NOT a > 5", {"a": pa.int64()})
    'NOT coalesce("a" > 5, false)'
    """
    tree = resolve(parse(where) if isinstance(where, str) else where, known, source=source)
    return _sql(tree, known, negated=False)


def evaluate(where: Where | str, table: pa.Table) -> pa.BooleanArray:
    """Which rows of this table does the filter keep? One boolean a row, never null; the same rows as `to_sql`'s.

    >>> evaluate("a <> 5", pa.table({"a": [5, 6, None]})).to_pylist()
    [False, True, False]
    """
    import duckdb

    tree = parse(where) if isinstance(where, str) else where
    known = {field.name: field.type for field in table.schema}
    predicate = to_sql(tree, known)
    with duckdb.connect(config={"autoinstall_known_extensions": "false", "enable_external_access": "false"}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.register("given", table.select(list(fields(tree))))
        kept = engine.sql(f"SELECT coalesce({predicate}, false) AS kept FROM given").to_arrow_table()
    return pa.concat_arrays([pa.array([], pa.bool_()), *kept.column("kept").chunks])


def word_pattern(words: tuple[str, ...]) -> str:
    """Which regular expression (RE2, Rust, Java) finds these words, whole and in order? Case is left to a flag."""
    joined = (_NOT_WORD + "+").join(re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", word) for word in words)
    return f"(?:^|{_NOT_WORD}){joined}(?:$|{_NOT_WORD})"


def _fits(node: Compare | In | Between, kind: Kind, value: Value) -> None:
    given = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    if kind == "other":
        raise NotExpressible(f"{node.field} holds lists or structures, which {node} cannot compare: use IS NULL only.")
    if kind == "time" and given == "text":
        utc(value)
    elif kind == "bool" and given == "bool":
        if isinstance(node, Between) or (isinstance(node, Compare) and node.op not in ("=", "<>")):
            raise BadInput(f"{node.field} is true or false, so {node} has no meaning: compare it with = or <>.")
    elif kind not in (given, "none"):
        want = {
            "text": "text: put the value in single quotes", "number": "a number: write the value without quotes",
            "bool": "true or false: compare it with TRUE or FALSE",
            "time": "a time: write it like '2026-03-01T02:14:00Z'",
        }[kind]  # fmt: skip
        raise BadInput(f"{node.field} is {want} (in {node}).")


def _spell_levels(node: Compare | In | Between) -> Where:
    rank = {level: place for place, level in enumerate(LEVELS)}

    def keeps(level: str) -> bool:
        match node:
            case In(_, values):
                return level in values
            case Between(_, low, high):
                return rank[str(low)] <= rank[level] <= rank[str(high)]
            case Compare(_, op, value):
                a, b = rank[level], rank[str(value)]
                return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]

    return In("level", tuple(level for level in LEVELS if keeps(level)))


def _sql(node: Where, known: Mapping[str, pa.DataType], *, negated: bool) -> str:
    match node:
        case And(parts):
            return " AND ".join(f"({_sql(part, known, negated=negated)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({_sql(part, known, negated=negated)})" for part in parts)
        case Not(IsNull(field)):
            return f"NOT ({_sql_missing(field, known[field])})"
        case Not(part):
            inner = _sql(part, known, negated=True)
            return f"NOT ({inner})" if isinstance(part, And | Or) else f"NOT {inner}"
        case IsNull(field):
            return _sql_missing(field, known[field])
    predicate = "false" if pa.types.is_null(known[node.field]) else _sql_leaf(node, known[node.field])
    return f"coalesce({predicate}, false)" if negated and predicate != "false" else predicate


def _sql_leaf(node: Compare | In | Between | Has, type_: pa.DataType) -> str:
    name = sql_name(node.field)
    if isinstance(node, Has):
        return f"regexp_matches({name}, {_sql_text(word_pattern(node.words))}, 'i')"
    values = [_sql_value(value, kind_of(type_)) for value in values_of(node)]
    if isinstance(node, In):
        return f"{name} IN ({', '.join(values)})" if values else "false"
    if isinstance(node, Between):
        return f"{name} BETWEEN {values[0]} AND {values[1]}"
    test = f"{name} {node.op} {values[0]}"
    return f"({test} AND NOT isnan({name}))" if node.op in (">", ">=", "<>") and pa.types.is_floating(type_) else test


def _sql_missing(field: str, type_: pa.DataType) -> str:
    name = sql_name(field)
    return f"({name} IS NULL OR isnan({name}))" if pa.types.is_floating(type_) else f"{name} IS NULL"


def sql_name(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql_value(value: Value, kind: Kind) -> str:
    if kind == "time":
        return f"TIMESTAMPTZ '{iso(utc(value))}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _sql_text(value)
    return f"{value!r}::DOUBLE" if isinstance(value, float) else repr(value)
