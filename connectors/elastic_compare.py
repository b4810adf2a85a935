"""Two selections compared on the server: what is commonest on either side first, then the union counted exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.base import MISSING, OTHER
from connectors.elastic_counts import Groups, text_of
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query

Searches = Callable[[list[dict[str, Any]]], list[Any]]


def compared_rows(
    searches: Searches, groups: Groups, columns: Sequence[Column], sides: Mapping[str, Query], *, top: int
) -> list[tuple[Any, ...]]:
    """Rows of `compare`. Each side is a search of its own; both go in one round trip.

    The second round trip is for the fields only of which a side has more values than were given in the first.
    """
    discover: dict[str, Any] = {}
    for at, column in enumerate(columns):
        discover |= {f"t{at}": groups.top(column, max(top, 100)), f"p{at}": groups.there(column)}
    found = dict(zip(sides, searches([_body(groups, query, discover) for query in sides.values()]), strict=True))
    totals = {side: groups.total_of(found[side]) for side in sides}
    known = {
        (side, at): _texts(groups, column, found[side]["aggregations"][f"t{at}"]["buckets"])
        for side in sides
        for at, column in enumerate(columns)
    }
    keys = {at: _union(groups, column, found, at, top) for at, column in enumerate(columns)}
    more = [at for at in keys if any(found[side]["aggregations"][f"t{at}"]["sum_other_doc_count"] for side in sides)]
    if more:
        exact = {f"t{at}": groups.top(columns[at], len(keys[at]), only=keys[at]) for at in more}
        for side, answer in zip(sides, searches([_body(groups, q, exact) for q in sides.values()]), strict=True):
            for at in more:
                known[side, at] = _texts(groups, columns[at], answer["aggregations"][f"t{at}"]["buckets"])
    rows: list[tuple[Any, ...]] = []
    for at, column in enumerate(columns):
        union = dict.fromkeys(text for key in keys[at] if (text := text_of(key, column)) is not None)
        bad, good = known["bad", at], known["good", at]
        named = [(value, bad.get(value, 0.0), good.get(value, 0.0)) for value in union]
        named.sort(key=lambda row: (-row[1], -row[2], row[0]))
        here = {side: groups.n_of(found[side]["aggregations"][f"p{at}"]) for side in sides}
        other = [here[s] - sum(row[1 + i] for row in named) for i, s in enumerate(("bad", "good"))]
        missing = [totals[side] - here[side] for side in ("bad", "good")]
        named += [(OTHER, *other), (MISSING, *missing)]
        shown = [row for row in named if row[1] > 0 or row[2] > 0]
        rows += [
            (column.name, row[0], max(row[1], 0.0), max(row[2], 0.0), totals["bad"], totals["good"], 0.0)
            for row in shown
        ]
    return rows


def _body(groups: Groups, query: Query, aggs: Mapping[str, Any]) -> dict[str, Any]:
    inner = {**aggs, **groups.n().get("aggs", {})}
    return {"size": 0, "track_total_hits": True, "query": query, **({"aggs": inner} if inner else {})}


def _texts(groups: Groups, column: Column, buckets: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return dict(groups.counts(column, buckets))


def _union(groups: Groups, column: Column, found: Mapping[str, Any], at: int, top: int) -> list[Any]:
    """The keys of both sides' commonest values; words for one level go together."""
    keys: dict[Any, None] = {}
    for answer in found.values():
        buckets = answer["aggregations"][f"t{at}"]["buckets"]
        best = {text for text, _ in groups.counts(column, buckets)[:top]}
        keys |= {bucket["key"]: None for bucket in buckets if text_of(bucket["key"], column) in best}
    return list(keys)
