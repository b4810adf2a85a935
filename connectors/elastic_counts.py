"""Counts by group, on the server, exactly: the groups first, then each bin with the largest of them by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.base import MISSING, OTHER
from connectors.elastic_fields import Column, forms_of_level, level_of
from connectors.elastic_filter import Query, filter_of, present, too_long
from connectors.elastic_server import TooManyBuckets
from connectors.errors import NotExpressible, OverBudget
from connectors.where import IsNull, kind_of
from connectors.window import Window

PAGE = 5_000
MOST_GROUPS = 200_000
MOST_BUCKETS = 50_000
"""How many buckets one request may make; servers refuse over 65,536 by default."""

Search = Callable[[dict[str, Any]], Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """The groups that an answer names: the label of each and the query of its rows; the rest is `<other>`."""

    labels: tuple[tuple[str, ...], ...]
    queries: tuple[Query, ...]

    @property
    def aggregation(self) -> dict[str, Any]:
        """The groups as filters, the rest under `_rest`."""
        filters = {f"g{at}": query for at, query in enumerate(self.queries)}
        return {"filters": {"filters": filters, "other_bucket_key": "_rest"}}


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

    def total_of(self, answer: Mapping[str, Any]) -> float:
        """How many rows a whole answer stands for; it was asked with `total`."""
        return self.n_of({"doc_count": answer["hits"]["total"]["value"], **answer.get("aggregations", {})})

    def total(self, query: Query) -> dict[str, Any]:
        """The body of a search that counts all rows."""
        return {"size": 0, "track_total_hits": True, "query": query, **self.n()}

    def there(self, name: str, column: Column) -> dict[str, Any]:
        """The aggregations, under this name, of the rows that have a value; `here` reads them.

        Values too long to be indexed are an aggregation of their own: asked together they take ten times as long.
        """
        if not column.cut or column.name == "level":
            return {name: {"filter": present(column), **self.n()}}
        exists = {"exists": {"field": column.exact or column.field}}
        return {name: {"filter": exists, **self.n()}, f"{name}_long": {"filter": too_long(column), **self.n()}}

    def here(self, name: str, aggregations: Mapping[str, Any]) -> float:
        """How many rows have a value, of an answer that was asked with `there`."""
        long = aggregations.get(f"{name}_long")
        return self.n_of(aggregations[name]) + (self.n_of(long) if long else 0.0)

    def whole(self, column: Column) -> str:
        """The field that groups whole values. Raises `NotExpressible` where there is none."""
        if column.grouped is None:
            raise NotExpressible(
                f"{column.name} is kept there for its words, or not for counting, so it cannot be grouped by: choose "
                f"another field."
            )
        return column.grouped

    def top(self, column: Column, size: int, *, only: Sequence[Any] | None = None) -> dict[str, Any]:
        """The commonest values of a column, or the counts of these only."""
        order = [{"n" if self.weight else "_count": "desc"}, {"_key": "asc"}]
        terms: dict[str, Any] = {"field": self.whole(column), "size": max(size, 1), "order": order}
        if kind_of(column.type) == "time":
            terms["format"] = "epoch_millis"
        if only is not None:
            terms["include"] = list(map(str, only)) if kind_of(column.type) == "time" else list(only)
        else:
            terms["shard_size"] = min(10 * size, max(size, 1000)) + 1000
        return {"terms": terms, **self.n()}

    def counts(self, column: Column, buckets: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
        """The buckets' values as text and how many rows each stands for, the commonest first."""
        sums: dict[str, float] = defaultdict(float)
        for bucket in buckets:
            text = text_of(bucket["key"], column)
            if text is not None:
                sums[text] += self.n_of(bucket)
        return sorted(sums.items(), key=lambda item: -item[1])

    # -- which groups there are -------------------------------------------------------------------------------

    def tally(self, search: Search, query: Query, by: Sequence[str]) -> dict[Key, float]:
        """Every group's key (None: missing) and its rows, exact on any number of shards."""
        if len(by) == 1:
            found = self._by_terms(search, query, self.columns[by[0]])
            if found is not None:
                return found
        sums: dict[Key, float] = defaultdict(float)
        for key, n in self._pages(search, query, by):
            sums[key] += n
        if len(by) == 1 and self.columns[by[0]].cut and (None,) in sums:
            long = self.total_of(search(self.total({"bool": {"filter": [too_long(self.columns[by[0]]), query]}})))
            sums[(OTHER,)] += long
            sums[(None,)] -= long
        return {key: n for key, n in sums.items() if n > 0}

    def _by_terms(self, search: Search, query: Query, column: Column) -> dict[Key, float] | None:
        """The groups of one field, when there are few; None when there may be more than were given."""
        aggs = {"t": self.top(column, 1000), **self.there("p", column), **self.n().get("aggs", {})}
        found = search({"size": 0, "track_total_hits": True, "query": query, "aggs": aggs})
        terms = found["aggregations"]["t"]
        if terms["sum_other_doc_count"]:
            return None
        sums: dict[Key, float] = defaultdict(float)
        for bucket in terms["buckets"]:
            sums[(_key(bucket["key"], column),)] += self.n_of(bucket)
        here = self.here("p", found["aggregations"])
        sums[(None,)] = self.total_of(found) - here
        long = here - sum(n for key, n in sums.items() if key != (None,))
        if column.cut and long > 0:
            sums[(OTHER,)] = long
        return {key: n for key, n in sums.items() if n > 0}

    def _pages(self, search: Search, query: Query, by: Sequence[str]) -> Iterator[tuple[Key, float]]:
        columns = [self.columns[name] for name in by]
        sources = [
            {f"_k{at}": {"terms": {"field": self.whole(column), "missing_bucket": True}}}
            for at, column in enumerate(columns)
        ]
        after, seen = None, 0
        while True:
            composite = {"size": PAGE, "sources": sources, **({"after": after} if after else {})}
            aggs = {"g": {"composite": composite, **self.n()}}
            found = search({"size": 0, "track_total_hits": False, "query": query, "aggs": aggs})["aggregations"]["g"]
            for bucket in found["buckets"]:
                keys = [bucket["key"][f"_k{at}"] for at in range(len(columns))]
                yield tuple(_key(k, c) for k, c in zip(keys, columns, strict=True)), self.n_of(bucket)
            seen += len(found["buckets"])
            after = found.get("after_key")
            if after is None or len(found["buckets"]) < PAGE:
                return
            if seen >= MOST_GROUPS:
                raise OverBudget(
                    f"Grouping by {', '.join(by)} makes over {MOST_GROUPS:,} groups: group by fewer fields, filter "
                    f"first or ask a narrower window."
                )

    def named(self, tally: Mapping[Key, float], by: Sequence[str], top: int) -> Named:
        """The `top` largest groups and as many among those with a missing field, the largest first."""
        ranked = [key for key in ranked_keys(tally) if OTHER not in key]
        chosen = {key for missing in (False, True) for key in [k for k in ranked if (None in k) == missing][:top]}
        keys = [key for key in ranked if key in chosen]
        labels = tuple(tuple(map(value_text, self._shown(key, by))) for key in keys)
        return Named(labels, tuple(self._query(key, by) for key in keys))

    def _shown(self, key: Key, by: Sequence[str]) -> Key:
        return tuple(
            text_of(value, self.columns[name]) if value is not None and name != "level" else value
            for value, name in zip(key, by, strict=True)
        )

    def _query(self, key: Key, by: Sequence[str]) -> Query:
        clauses: list[Query] = []
        for value, name in zip(key, by, strict=True):
            column = self.columns[name]
            if value is None:
                clauses.append(filter_of(IsNull(name), self.columns))
            elif name == "level":
                clauses.append({"terms": {self.whole(column): forms_of_level(column, value)}})
            elif kind_of(column.type) == "time":
                ends = {"gte": value, "lte": value, "format": "epoch_millis"}
                clauses.append({"range": {self.whole(column): ends}})
            else:
                clauses.append({"term": {self.whole(column): {"value": value}}})
        return {"bool": {"filter": clauses}}

    # -- how many in each bin ---------------------------------------------------------------------------------

    def binned(
        self,
        search: Search,
        query: Query,
        window: Window,
        step_ms: int,
        inner: Mapping[str, Any],
        *,
        buckets: int,
    ) -> Iterator[Mapping[str, Any]]:
        """The buckets of a date histogram with `inner` in each, in as many requests as the server's limit asks for.

        `buckets` is how many a bin makes. Raises `TooManyBuckets` when not even one bin's are made at once.
        """
        time = self.columns["time"].field
        low = int(window.start.timestamp() * 1000) // step_ms * step_ms
        end = int(-(-window.end.timestamp() * 1000 // 1))
        bins = max(1, MOST_BUCKETS // max(1, buckets))
        while low < end:
            high = min(end, low + bins * step_ms)
            part = query
            if (low, high) != (int(window.start.timestamp() * 1000) // step_ms * step_ms, end):
                inside = {"range": {time: {"gte": low, "lt": high, "format": "epoch_millis"}}}
                part = {"bool": {"filter": [inside, query]}}
            histogram = {"field": time, "fixed_interval": f"{step_ms}ms", "min_doc_count": 1}
            aggs = {"b": {"date_histogram": histogram, **({"aggs": dict(inner)} if inner else {})}}
            try:
                found = search({"size": 0, "track_total_hits": False, "query": part, "aggs": aggs})
            except TooManyBuckets:
                if bins == 1:
                    raise
                bins = max(1, bins // 4)
                continue
            yield from found["aggregations"]["b"]["buckets"]
            low = high


def counted_rows(
    search: Search, groups: Groups, query: Query, window: Window, *, step_ms: int | None, by: Sequence[str], top: int
) -> list[tuple[Any, ...]]:
    """Rows of `count`: bins and the top groups of the whole window by name, the rest as `<other>`."""
    if not by:
        assert step_ms is not None
        found = groups.binned(search, query, window, step_ms, groups.n().get("aggs", {}), buckets=1)
        return [(instant(bucket["key"]), groups.n_of(bucket)) for bucket in found]
    tally = groups.tally(search, query, by)
    if not tally:
        return []
    named = groups.named(tally, by, top)
    other = (OTHER,) * len(by)
    if step_ms is None:
        sums: dict[tuple[str, ...], float] = dict.fromkeys(named.labels, 0.0)
        for key, n in tally.items():
            label = tuple(map(value_text, groups._shown(key, by))) if OTHER not in key else other
            place = label if label in sums else other
            sums[place] = sums.get(place, 0.0) + n
        return [(*label, n) for label, n in sums.items()]
    rows: list[tuple[Any, ...]] = []
    inner = {"g": {**named.aggregation, **groups.n()}}
    for bucket in groups.binned(search, query, window, step_ms, inner, buckets=2 + len(named.labels)):
        cells = bucket["g"]["buckets"]
        for at, label in enumerate(named.labels):
            if cells[f"g{at}"]["doc_count"]:
                rows.append((instant(bucket["key"]), *label, groups.n_of(cells[f"g{at}"])))
        if cells["_rest"]["doc_count"]:
            rows.append((instant(bucket["key"]), *other, groups.n_of(cells["_rest"])))
    return rows


def listed_at_once(fields: int, *, least: int, most: int) -> int:
    """How many values of each of so many fields may one request list? Each shard lists a thousand more of each.

    >>> listed_at_once(20, least=10, most=1_000), listed_at_once(40, least=10, most=1_000)
    (1000, 250)
    """
    return max(least, min(most, MOST_BUCKETS // max(1, fields) - 1_000))


def ranked_keys(sums: Mapping[Key, float]) -> list[Key]:
    """The groups, the largest first; ties go to those without a missing field, then to the smaller value."""
    return sorted(sums, key=lambda group: (-sums[group], None in group, _order(group)))


def text_of(value: Any, column: Column) -> str | None:
    """The value of a bucket as answers write it; None for a level that is none."""
    if column.name == "level":
        return level_of(value, column.field)
    kind = kind_of(column.type)
    if kind == "bool":
        return "true" if value in (1, True, "true") else "false"
    if kind == "time":
        return f"{instant(int(value)):%Y-%m-%d %H:%M:%S+00}"
    if column.scale != 1:
        return value_text(float(value) * column.scale)
    if pa.types.is_integer(column.type):
        return str(int(value))
    return value_text(value)


def value_text(value: Any) -> str:
    """A group's value as answers write it; None is missing."""
    if value is None:
        return MISSING
    return str(value).lower() if isinstance(value, bool) else str(value)


def instant(ms: float) -> datetime:
    """The time of so many milliseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _key(value: Any, column: Column) -> Any:
    """A group's value; None where it is missing, which a word that is no level is."""
    return level_of(value, column.field) if column.name == "level" and value is not None else value


def _order(group: Key) -> tuple[Any, ...]:
    return tuple((value is None, str(type(value)), value if value is not None else 0) for value in group)
