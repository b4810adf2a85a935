"""Which fields do the rows have, how full are they, and with which values? Asked of the server in two round trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from connectors.elastic_counts import Groups, listed_at_once
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query
from connectors.elastic_many import MANY_ROWS, Many
from connectors.elastic_presence import Presence, Searches
from connectors.questions import type_name
from connectors.where import kind_of

TOP_VALUES = 10
WHOLE = 1_000
"""Fields with no more distinct values than so many are asked for all of them, which is how many there are, too."""
LISTED = 10_000
"""Fields of very many values get a list of the commonest up to so many."""
DISTINCT_ERROR = 0.05
"""HyperLogLog++ at its precision of 3000 is within about 5 % in 99 of 100 cases."""


def overview_rows(
    searches: Searches,
    groups: Groups,
    columns: Sequence[Column],
    query: Query,
    *,
    many: Many,
    at_a_time: int,
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Rows of `fields`, the best filled first, and the fields whose distinct values were not counted, being ids of too
    many rows. Fields with no value in any row are left out.

    All values of a field are asked for at once, and only where there are more, how many; of the fields of `many`
    values the other way round.
    """
    presence = Presence(groups, columns)
    first = presence.aggregations()
    size = listed_at_once(-(-len(columns) // at_a_time), least=TOP_VALUES, most=WHOLE)
    for at, column in enumerate(columns):
        if column.grouped is None or column.name in many.ids:
            continue
        asked = {f"d{at}": _distinct(column)} if column.name in many.names else {f"t{at}": groups.top(column, size)}
        first |= asked
    total, found = _asked(searches, groups, query, first, at_a_time)
    second: dict[str, Any] = {}
    for at, column in enumerate(columns):
        if f"t{at}" in found and found[f"t{at}"]["sum_other_doc_count"]:
            second[f"d{at}"] = _distinct(column)
        elif f"d{at}" in found and 0 < found[f"d{at}"]["value"] <= LISTED:
            second[f"t{at}"] = groups.top(column, TOP_VALUES)
        elif column.name in many.ids and total < MANY_ROWS:
            second[f"d{at}"] = _distinct(column)
    if second:
        found |= _asked(searches, groups, query, second, at_a_time)[1]
    (there,) = presence.here(searches, [(query, found)])
    rows = []
    for at, column in enumerate(columns):
        if not there[at]:
            continue
        terms = found.get(f"t{at}")
        top = groups.counts(column, terms["buckets"]) if terms else []
        distinct, error = None, None
        if terms and not terms["sum_other_doc_count"]:
            distinct, error = len(top), 0.0
        elif f"d{at}" in found:
            distinct, error = found[f"d{at}"]["value"], DISTINCT_ERROR
        listing = orjson.dumps([[value, n] for value, n in top[:TOP_VALUES]]).decode()
        rows.append((column.name, type_name(kind_of(column.type)), there[at] / total, distinct, error, listing))
    rows.sort(key=lambda row: (-row[2], row[0]))
    return rows, [row[0] for row in rows if row[3] is None and row[0] in many.ids]


def _asked(
    searches: Searches, groups: Groups, query: Query, aggs: dict[str, Any], at_a_time: int
) -> tuple[float, dict[str, Any]]:
    """The aggregations shared out over a few searches that the server can answer side by side."""
    names = list(aggs)
    parts = [names[at::at_a_time] for at in range(at_a_time) if names[at::at_a_time]] or [[]]
    bodies = []
    for part in parts:
        inner = {**{name: aggs[name] for name in part}, **groups.n().get("aggs", {})}
        bodies.append({"size": 0, "track_total_hits": True, "query": query, **({"aggs": inner} if inner else {})})
    answers = searches(bodies)
    found = {name: value for answer in answers for name, value in answer.get("aggregations", {}).items()}
    return groups.total_of(answers[0]), found


def _distinct(column: Column) -> dict[str, Any]:
    return {"cardinality": {"field": column.grouped, "precision_threshold": 3000}}
