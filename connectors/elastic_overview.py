"""Which fields do the rows have, how full are they, and with which values? Asked of the server in two round trips."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from connectors.elastic_counts import Groups
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query
from connectors.elastic_presence import Presence, Searches
from connectors.questions import type_name
from connectors.where import kind_of

TOP_VALUES = 10
LISTED = 10_000
"""Such fields with more distinct values than so many get no list of the commonest."""
DISTINCT_ERROR = 0.05
"""HyperLogLog++ at its precision of 3000 is within about 5 % in 99 of 100 cases."""


def overview_rows(
    searches: Searches,
    groups: Groups,
    columns: Sequence[Column],
    query: Query,
    *,
    many: Collection[str],
    at_a_time: int,
) -> list[tuple[Any, ...]]:
    """Rows of `fields`, the best filled first. Fields with no value in any row are left out.

    Text shows its commonest values at once and is asked how many there are when there are more; numbers, and the
    fields of `many` values, the other way round.
    """
    presence = Presence(groups, columns)
    first = presence.aggregations()
    for at, column in enumerate(columns):
        if column.grouped is not None and (_number(column) or column.name in many):
            first[f"d{at}"] = _distinct(column)
        elif column.grouped is not None:
            first[f"t{at}"] = groups.top(column, TOP_VALUES)
    total, found = _asked(searches, groups, query, first, at_a_time)
    second: dict[str, Any] = {}
    for at, column in enumerate(columns):
        if f"t{at}" in found and found[f"t{at}"]["sum_other_doc_count"]:
            second[f"d{at}"] = _distinct(column)
        elif f"d{at}" in found and 0 < found[f"d{at}"]["value"] <= LISTED:
            second[f"t{at}"] = groups.top(column, TOP_VALUES)
    if second:
        found |= _asked(searches, groups, query, second, at_a_time)[1]
    (there,) = presence.here(searches, [(query, found)])
    rows = []
    for at, column in enumerate(columns):
        here = there[at]
        if not here:
            continue
        distinct, error, top = None, None, []
        if column.grouped is not None:
            terms = found.get(f"t{at}")
            top = groups.counts(column, terms["buckets"]) if terms else []
            if terms and not terms["sum_other_doc_count"]:
                distinct, error = len(top), 0.0
            else:
                distinct, error = found[f"d{at}"]["value"], DISTINCT_ERROR
        listing = orjson.dumps([[value, n] for value, n in top]).decode()
        rows.append((column.name, type_name(kind_of(column.type)), here / total, distinct, error, listing))
    rows.sort(key=lambda row: (-row[2], row[0]))
    return rows


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


def _number(column: Column) -> bool:
    return kind_of(column.type) in ("number", "time")


def _distinct(column: Column) -> dict[str, Any]:
    return {"cardinality": {"field": column.grouped, "precision_threshold": 3000}}
