"""The portable filter in Query DSL, two-valued; what the index cannot answer exactly is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.elastic_fields import CUT_AT, Column, forms_of_level
from connectors.errors import BadInput, NotExpressible
from connectors.schema import LEVELS
from connectors.where import And, Between, Compare, Has, In, IsNull, Not, Or, Where, kind_of, parse, resolve
from connectors.window import Window, iso, utc

Query = dict[str, Any]
_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_FORMAT = "strict_date_optional_time_nanos"


def query_of(
    window: Window, where: str | None, columns: Mapping[str, Column], *, source: str, native: str | None = None
) -> Query:
    """Which query finds the window's rows that fit the filter?

    Raises `UnknownField`, `BadInput` like every source, and `NotExpressible` where a field is kept for words only and
    the filter needs whole values, or the other way round.
    """
    clauses: list[Query] = [within(window, columns["time"])]
    if where is not None:
        known = {column.name: column.type for column in columns.values()}
        clauses.append(filter_of(resolve(parse(where), known, source=source), columns))
    if native is not None:
        clauses.append(native_of(native))
    return {"bool": {"filter": clauses}}


def within(window: Window, column: Column) -> Query:
    """The rows of this window. An index of whole milliseconds has none in between."""
    ends = {"gte": _instant(window.start, column, up=True), "lt": _instant(window.end, column, up=True)}
    return {"range": {column.field: {**ends, "format": _FORMAT}}}


def native_of(text: str) -> Query:
    """The server's own language as a clause: `lucene:` and a query string.

    >>> native_of("lucene: http.response.status_code:[500 TO 599]")
    {'query_string': {'query': 'http.response.status_code:[500 TO 599]'}}
    """
    language, colon, query = text.partition(":")
    if language.strip().lower() != "lucene" or not colon or not query.strip():
        raise BadInput(
            f'native = {text[:60]!r} does not say its language: write "lucene: …" with a query string; ES|QL is asked '
            f"with esql()."
        )
    return {"query_string": {"query": query.strip()}}


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
            return {"bool": {"must_not": [present(column)]}}
        case Has(_, words) if column.words is None:
            return {"regexp": {_exact(column, node): {"value": holding(words), "flags": "NONE"}}}
        case Has(_, words):
            return {"match_phrase": {column.words: " ".join(words)}}
        case In(_, values):
            field = _exact(column, node, values)
            return {"terms": {field: [w for v in values for w in _written(column, v)]}}
        case Between(_, low, high):
            return _range(column, node, {"gte": low, "lte": high})
        case Compare(_, "=", value) if kind_of(column.type) == "time":
            return _range(column, node, {"gte": value, "lte": value})
        case Compare(_, "=", value) if column.name == "level":
            return {"terms": {_exact(column, node, (value,)): _written(column, value)}}
        case Compare(_, "=", value):
            return {"term": {_exact(column, node, (value,)): {"value": _written(column, value)[0]}}}
        case Compare(_, "<>", value):
            _exact(column, node, (value,))
            same = filter_of(Compare(node.field, "=", value), columns)
            there = present(column)
            if column.name == "level":  # a word that is no level is none
                there = filter_of(In(node.field, LEVELS), columns)
            return {"bool": {"filter": [there], "must_not": [same]}}
        case Compare(_, op, value):
            return _range(column, node, {_RANGES[op]: value})


def present(column: Column) -> Query:
    """The rows that have a value there, also one too long to be indexed whole."""
    if column.name == "level" and column.exact is not None:
        words = [form for level in LEVELS for form in _written(column, level)]
        return {"terms": {column.exact: words}}
    there: Query = {"exists": {"field": column.exact or column.field}}
    if not column.cut:
        return there
    return {"bool": {"should": [there, too_long(column)], "minimum_should_match": 1}}


def too_long(column: Column) -> Query:
    """The rows whose value there is too long to be indexed whole."""
    return {"term": {"_ignored": column.exact or column.field}}


_NO_WORD = "[^0-9A-Za-z_ªµºÀ-ÖØ-öø-\u1fff\u2c00-\u2dff\u3040-\ufeff]"
"""A character between words; outside Latin, the rarer signs count as letters."""


def holding(words: Sequence[str]) -> str:
    """Which regular expression (Lucene's, over the whole value) finds these words, whole and in order?"""
    either = ["".join(f"[{c}{c.upper()}]" if len(c.upper()) == 1 else c for c in word) for word in words]
    return f"(.*{_NO_WORD})?{f'{_NO_WORD}+'.join(either)}({_NO_WORD}.*)?"


def _range(column: Column, node: Compare | Between, bounds: dict[str, Any]) -> Query:
    if kind_of(column.type) == "time":
        ends = {name: _instant(utc(value), column, up=name in ("gte", "lt")) for name, value in bounds.items()}
        return {"range": {_exact(column, node): {**ends, "format": _FORMAT}}}
    if not column.ordered:
        raise NotExpressible(f"{column.name} cannot be compared by order there ({node}): compare with = or IN.")
    if column.cut and kind_of(column.type) != "number":
        _exact(column, node, bounds.values())
        inside: Query = {"range": {column.exact: bounds}}
        return inside
    scaled = {name: value / column.scale if column.scale != 1 else value for name, value in bounds.items()}
    return {"range": {_exact(column, node): scaled}}


def _exact(column: Column, node: Where, values: Any = ()) -> str:
    if column.exact is None:
        raise NotExpressible(
            f"{column.name} is kept there for its words, or not for searching, so {node} has no exact form: use "
            f"has({column.name}, …), or filter the rows."
        )
    if column.cut and any(isinstance(value, str) and len(value) > CUT_AT for value in values):
        raise NotExpressible(
            f"Values of {column.name} over {CUT_AT} characters may not be kept whole there, so {node!s:.80} has no "
            f"exact form: use has({column.name}, …), or filter the rows."
        )
    return column.exact


def _written(column: Column, value: Any) -> list[Any]:
    """The ways in which documents write this value: levels come in several, durations in other units."""
    if column.name == "level":
        return forms_of_level(column, value)
    if column.scale != 1 and isinstance(value, int | float):
        return [value / column.scale]
    return [value]


def _instant(time: datetime, column: Column, *, up: bool) -> str:
    """The instant as the index can compare it: whole milliseconds unless it keeps nanoseconds."""
    if not column.nanos and time.microsecond % 1000:
        time = time.replace(microsecond=time.microsecond // 1000 * 1000) + timedelta(milliseconds=1 if up else 0)
    return iso(time)
