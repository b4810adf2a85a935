"""Counts by group, on the server: exact pages of groups, and two sides compared in two round trips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.base import MISSING, OTHER
from connectors.elastic_fields import Column
from connectors.elastic_filter import level_of
from connectors.errors import NotExpressible, OverBudget

PAGE = 5_000
MOST_GROUPS = 200_000

Search = Callable[[dict[str, Any]], Any]
Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Groups:
    """Aggregations over these columns; `weight` is the field that says how many rows a document stands for."""

    columns: Mapping[str, Column]
    weight: str | None

    def n(self) -> dict[str, Any]:
        """The part of an aggregation that adds the weights up."""
        return {"aggs": {"n": {"sum": {"field": self.weight}}}} if self.weight else {}

    def n_of(self, bucket: Mapping[str, Any]) -> float:
        """How many rows a bucket stands for."""
        return float(bucket["n"]["value"] if self.weight else bucket["doc_count"])

    def whole(self, column: Column) -> str:
        """The field that groups whole values. Raises `NotExpressible` where there is none."""
        if column.exact is None:
            raise NotExpressible(
                f"{column.name} is kept there for its words, or only up to some length, so it cannot be grouped by: "
                f"choose another field."
            )
        return column.exact

    def top(self, column: Column, size: int, *, only: Sequence[Any] | None = None) -> dict[str, Any]:
        """The commonest values of a column, or the counts of these only."""
        order = [{"n" if self.weight else "_count": "desc"}, {"_key": "asc"}]
        terms: dict[str, Any] = {"field": self.whole(column), "size": max(size, 1), "order": order}
        if only is not None:
            terms["include"] = list(only)
        else:
            terms["shard_size"] = 10 * size + 100
        return {"terms": terms, **self.n()}

    def counts(self, column: Column, buckets: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
        """The buckets' values as text and how many rows each stands for, the commonest first."""
        sums: dict[str, float] = defaultdict(float)
        for bucket in buckets:
            sums[text_of(bucket["key"], column) or MISSING] += self.n_of(bucket)
        return list(sums.items())

    def pages(
        self, search: Search, query: Query, *, step: int | None, by: Sequence[str]
    ) -> Iterator[tuple[tuple[Any, ...], float]]:
        """Every group's key (the bin's start in ms first, if there are bins; None: missing) and its rows."""
        sources: list[dict[str, Any]] = []
        if step is not None:
            bins = {"field": self.columns["time"].field, "fixed_interval": f"{step // 1000}ms"}
            sources.append({"_time": {"date_histogram": bins}})
        for at, name in enumerate(by):
            field = self.whole(self.columns[name])
            sources.append({f"_k{at}": {"terms": {"field": field, "missing_bucket": True}}})
        after, seen = None, 0
        while True:
            composite = {"size": PAGE, "sources": sources, **({"after": after} if after else {})}
            body = {
                "size": 0,
                "track_total_hits": False,
                "query": query,
                "aggs": {"g": {"composite": composite, **self.n()}},
            }
            found = search(body)["aggregations"]["g"]
            for bucket in found["buckets"]:
                key = bucket["key"]
                groups = tuple(
                    level_of(key[f"_k{at}"]) if name == "level" and key[f"_k{at}"] is not None else key[f"_k{at}"]
                    for at, name in enumerate(by)
                )
                yield ((key["_time"],) if step is not None else ()) + groups, self.n_of(bucket)
            seen += len(found["buckets"])
            after = found.get("after_key")
            if after is None or len(found["buckets"]) < PAGE:
                return
            if seen >= MOST_GROUPS:
                raise OverBudget(
                    f"Grouping by {', '.join(by)} makes over {MOST_GROUPS:,} groups: take longer bins, fewer fields or "
                    f"a narrower window."
                )


def grouped(
    pages: Iterator[tuple[tuple[Any, ...], float]], *, by: Sequence[str], binned: bool, top: int
) -> list[tuple[Any, ...]]:
    """Rows of `count`: the top groups of the whole window by name, those with a missing field apart, the rest other."""
    cells: dict[tuple[Any, ...], float] = defaultdict(float)
    sums: dict[tuple[Any, ...], float] = defaultdict(float)
    for key, n in pages:
        cells[key] += n
        sums[key[1:] if binned else key] += n
    ranked = sorted(sums, key=lambda group: (-sums[group], None in group, _order(group)))
    place: dict[tuple[Any, ...], int] = {}
    for missing in (False, True):
        place |= {g: ranked.index(g) for g in [g for g in ranked if (None in g) == missing][:top]}
    answer: dict[tuple[Any, ...], float] = defaultdict(float)
    last = len(ranked)
    for key, n in cells.items():
        group = key[1:] if binned else key
        named = tuple(map(value_text, group)) if group in place else (OTHER,) * len(by)
        answer[(*([key[0]] if binned else []), place.get(group, last), *named)] += n
    rows = []
    for key in sorted(answer, key=lambda key: key[: 2 if binned else 1]):
        start = (_instant(key[0]),) if binned else ()
        rows.append((*start, *key[2 if binned else 1 :], answer[key]))
    return rows


def compared(
    search: Search, groups: Groups, columns: Sequence[Column], sides: Mapping[str, Query], *, top: int
) -> list[tuple[Any, ...]]:
    """Rows of `compare`: the tops of both sides first, then the union of them counted."""
    found = _both(search, groups, {f"f{at}": groups.top(column, top) for at, column in enumerate(columns)}, sides)
    unions = []
    for at in range(len(columns)):
        keys = {bucket["key"]: None for side in sides for bucket in found[side][f"f{at}"]["buckets"]}
        unions.append(list(keys))
    aggs: dict[str, Any] = {}
    for at, column in enumerate(columns):
        only = None if pa.types.is_boolean(column.type) else unions[at]
        if unions[at]:
            aggs[f"f{at}"] = groups.top(column, len(unions[at]), only=only)
        aggs[f"m{at}"] = {"missing": {"field": groups.whole(column)}, **groups.n()}
    found = _both(search, groups, aggs, sides)
    totals = {side: groups.n_of(found[side]) for side in sides}
    rows: list[tuple[Any, ...]] = []
    for at, column in enumerate(columns):
        counts = {s: dict(groups.counts(column, found[s][f"f{at}"]["buckets"] if unions[at] else ())) for s in sides}
        missing = {side: groups.n_of(found[side][f"m{at}"]) for side in sides}
        other = {side: totals[side] - missing[side] - sum(counts[side].values()) for side in sides}
        union = {**counts["bad"], **counts["good"]}
        named = [(value, counts["bad"].get(value, 0.0), counts["good"].get(value, 0.0)) for value in union]
        named.sort(key=lambda row: (-row[1], -row[2], row[0]))
        named += [(OTHER, other["bad"], other["good"]), (MISSING, missing["bad"], missing["good"])]
        rows += [(column.name, *row, totals["bad"], totals["good"], 0.0) for row in named if row[1] > 0 or row[2] > 0]
    return rows


def _both(search: Search, groups: Groups, aggs: Mapping[str, Any], sides: Mapping[str, Query]) -> Any:
    inner = {**aggs, **groups.n().get("aggs", {})}
    filters = {side: {"filter": query, **({"aggs": inner} if inner else {})} for side, query in sides.items()}
    either = {"bool": {"should": list(sides.values()), "minimum_should_match": 1}}
    return search({"size": 0, "track_total_hits": False, "query": either, "aggs": filters})["aggregations"]


def text_of(value: Any, column: Column) -> str | None:
    """The value of a bucket as answers write it."""
    if column.name == "level":
        return level_of(value)
    if pa.types.is_boolean(column.type):
        return "true" if value in (1, True, "true") else "false"
    if pa.types.is_timestamp(column.type):
        return f"{_instant(value):%Y-%m-%d %H:%M:%S+00}"
    return value_text(value)


def value_text(value: Any) -> str:
    """A group's value as answers write it; None is missing."""
    if value is None:
        return MISSING
    return str(value).lower() if isinstance(value, bool) else str(value)


def _order(group: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is None, str(type(value)), value if value is not None else 0) for value in group)


def _instant(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
