"""The portable filter in Query DSL, two-valued; what the index cannot answer exactly is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from connectors.elastic_fields import Column
from connectors.errors import NotExpressible
from connectors.where import And, Between, Compare, Has, In, IsNull, Not, Or, Where, kind_of, parse, resolve
from connectors.window import Window, iso, utc

Query = dict[str, Any]
_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def query_of(window: Window, where: str | None, columns: Mapping[str, Column], *, source: str) -> Query:
    """Which query finds the window's rows that fit the filter?

    Raises `UnknownField`, `BadInput` like every source, and `NotExpressible` where a field is kept for words only and
    the filter needs whole values, or the other way round.
    """
    clauses: list[Query] = [
        {"range": {columns["time"].field: {"gte": iso(window.start), "lt": iso(window.end), "format": _FORMAT}}}
    ]
    if where is not None:
        known = {column.name: column.type for column in columns.values()}
        clauses.append(filter_of(resolve(parse(where), known, source=source), columns))
    return {"bool": {"filter": clauses}}


def filter_of(node: Where, columns: Mapping[str, Column]) -> Query:
    """One node of a resolved filter as a query clause."""
    match node:
        case And(parts):
            return {"bool": {"filter": [filter_of(part, columns) for part in parts]}}
        case Or(parts):
            return {"bool": {"should": [filter_of(p, columns) for p in parts], "minimum_should_match": 1}}
        case Not(part):
            return {"bool": {"must_not": [filter_of(part, columns)]}}
    column = columns[node.field]
    match node:
        case IsNull():
            return {"bool": {"must_not": [{"exists": {"field": column.exact or column.field}}]}}
        case Has(_, words):
            if column.words is None:
                raise NotExpressible(
                    f"{node.field} is kept as a whole value there, not as words, so {node} finds nothing."
                )
            return {"match_phrase": {column.words: " ".join(words)}}
        case In(_, values):
            return {"terms": {_exact(column, node): [w for v in values for w in _written(column, v)]}}
        case Between(_, low, high):
            return _range(column, node, {"gte": low, "lte": high})
        case Compare(_, "=", value) if kind_of(column.type) == "time":
            return _range(column, node, {"gte": value, "lte": value})
        case Compare(_, "=", value):
            return {"term": {_exact(column, node): {"value": value}}}
        case Compare(_, "<>", value):
            field = _exact(column, node)
            same = filter_of(Compare(node.field, "=", value), columns)
            return {"bool": {"filter": [{"exists": {"field": field}}], "must_not": [same]}}
        case Compare(_, op, value):
            return _range(column, node, {_RANGES[op]: value})


_FORMAT = "strict_date_optional_time_nanos"


def _range(column: Column, node: Compare | Between, bounds: dict[str, Any]) -> Query:
    if kind_of(column.type) == "time":
        ends = {name: iso(utc(value)) for name, value in bounds.items()}
        return {"range": {_exact(column, node): {**ends, "format": _FORMAT}}}
    if column.name == "id":
        raise NotExpressible(f"Document ids cannot be compared by order ({node}): compare with = or IN.")
    return {"range": {_exact(column, node): bounds}}


def _exact(column: Column, node: Where) -> str:
    if column.exact is None:
        raise NotExpressible(
            f"{column.name} is kept there for its words, or only up to some length, so {node} has no exact form: use "
            f"has({column.name}, …), or filter the rows."
        )
    return column.exact


def _written(column: Column, value: Any) -> list[Any]:
    """The ways in which documents write this value: levels come in several."""
    if column.name != "level":
        return [value]
    others = {"WARN": ("WARNING",), "ERROR": ("ERR",), "FATAL": ("CRITICAL", "CRIT"), "INFO": ("INFORMATION",)}
    return [form for word in (value, *others.get(value, ())) for form in (word, word.lower(), word.capitalize())]


def level_of(text: Any) -> str | None:
    """The canonical level of the source's word for it; None for a word that is none."""
    word = str(text).upper()
    known = {"WARNING": "WARN", "ERR": "ERROR", "CRITICAL": "FATAL", "CRIT": "FATAL", "INFORMATION": "INFO"}
    return known.get(word, word if word in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL") else None)


def types_of(columns: Mapping[str, Column]) -> dict[str, pa.DataType]:
    """The columns' types by name."""
    return {name: column.type for name, column in columns.items()}
