"""How many rows have a value in each of these fields? Too long to be indexed: looked for only where there are any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.elastic_counts import Groups
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query, present, too_long

Searches = Callable[[list[dict[str, Any]]], list[Any]]
_UNINDEXED: Query = {"exists": {"field": "_ignored"}}


@dataclass(frozen=True, slots=True)
class Presence:
    """An aggregation a field, and one for all that tells whether any value was too long to be indexed.

    One for each field would be as much work again for the server, and nearly always in vain.
    """

    groups: Groups
    columns: Sequence[Column]

    def aggregations(self) -> dict[str, Any]:
        """What is asked of the rows of a query."""
        aggs = {f"p{at}": self._those(_indexed(column)) for at, column in enumerate(self.columns)}
        return {**aggs, "unindexed": {"filter": _UNINDEXED}} if any(map(_cut, self.columns)) else aggs

    def here(self, searches: Searches, found: Sequence[tuple[Query, Mapping[str, Any]]]) -> list[dict[int, float]]:
        """For each query with the aggregations that came of it: the rows with a value, by the column's place."""
        sums = [{at: self.groups.n_of(aggs[f"p{at}"]) for at in range(len(self.columns))} for _, aggs in found]
        cut = {at: column for at, column in enumerate(self.columns) if _cut(column)}
        more = [number for number, (_, aggs) in enumerate(found) if aggs.get("unindexed", {}).get("doc_count")]
        if more:
            inner = {f"l{at}": self._those(too_long(column)) for at, column in cut.items()}
            bodies = [
                {
                    "size": 0, "track_total_hits": False, "aggs": inner,
                    "query": {"bool": {"filter": [_UNINDEXED, found[number][0]]}},
                }
                for number in more
            ]  # fmt: skip
            for number, answer in zip(more, searches(bodies), strict=True):
                for at in cut:
                    sums[number][at] += self.groups.n_of(answer["aggregations"][f"l{at}"])
        return sums

    def _those(self, query: Query) -> dict[str, Any]:
        return {"filter": query, **self.groups.n()}


def _cut(column: Column) -> bool:
    return column.cut and column.name != "level"


def _indexed(column: Column) -> Query:
    """The rows whose value is indexed; of a level those that are one."""
    return {"exists": {"field": column.exact or column.field}} if _cut(column) else present(column)
