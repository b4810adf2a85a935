"""Logs in Elasticsearch, asked where they live: counts, comparisons and samples there, rows as a stream.

`fields`, `count`, `compare`, `sample` and `rows` are answered by the server; `measure` is answered from a bounded copy
of the window. Only read requests are sent, and a shard that fails makes an error, never half an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import orjson
import pyarrow as pa
from pydantic import Field

from connectors.asking import Asking, Stream
from connectors.base import Answer, Selection
from connectors.copies import COPY_ROWS, AnsweredFromCopy
from connectors.credentials import origin_of
from connectors.elastic_counts import Groups, compared, grouped
from connectors.elastic_fields import Column, columns_of
from connectors.elastic_filter import query_of, types_of
from connectors.elastic_rows import table_of
from connectors.errors import BadInput, NotExpressible, NotFound, SourceUnavailable
from connectors.http import Http
from connectors.questions import COMPARED, FIELDS, UNLISTED, asked, counted, step_us, type_name
from connectors.schema import LOGS
from connectors.settings import Place
from connectors.settings import Settings as Base
from connectors.where import kind_of, need_fields
from connectors.window import Window

PAGE = 2_000
KEPT_ALIVE = "1m"


class Settings(Base):
    """Where the logs are: `url` of the server, `index` (names, aliases or patterns, with commas), and their fields."""

    url: str
    index: str
    fields: dict[str, str] = Field(default_factory=dict)
    authority: str | None = None


def open_source(name: str, settings: Settings, place: Place) -> ElasticLogs:
    """The source; nothing is asked yet. Raises `BadInput` for a table that it does not hold."""
    if settings.table != "logs":
        raise BadInput(f'{name} is kind "elasticsearch", which gives logs: write table = "logs".')
    credential = place.credential(origin_of(settings.url))
    http = Http(
        settings.url, credential=credential, authority=settings.authority, in_flight=place.budget.in_flight
    )  # fmt: skip
    return ElasticLogs(name, http, settings.index, fields=settings.fields, copy_rows=place.budget.rows)


class ElasticLogs(AnsweredFromCopy):
    """A log source over the indices that `index` names.

    `fields` gives the document's field of a canonical column, where it is none of the usual ones; with
    `weight = "its name"` rows stand for several. Times are kept to the microsecond where the index has them. `seq` is
    the server's sequence number.
    """

    def __init__(
        self, name: str, http: Http, index: str, *, fields: Mapping[str, str] | None = None, copy_rows: int = COPY_ROWS
    ) -> None:
        super().__init__()
        self.name = name
        self.copy_rows = copy_rows
        self._http = http
        self._index = index
        self._chosen_fields = dict(fields or {})
        self._left_out: list[str] = []

    # -- the questions ----------------------------------------------------------------------------------------

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `Tables.fields`. Past ten distinct values their number is HyperLogLog++'s, within about 5 %.

        A field kept for its words only has no number of distinct values: it is null. Fields of a type that no column
        holds, or of another type in another index, are named in `Fetch.partial`.
        """
        asking = self._asking("fields", window, {"window": window, "where": where})
        listed = [column for name, column in self._columns.items() if name not in UNLISTED and name != "id"]
        asking.missing += [f"field left out: {reason}" for reason in self._left_out]
        aggs: dict[str, Any] = {}
        for at, column in enumerate(listed):
            aggs[f"p{at}"] = {"filter": {"exists": {"field": column.exact or column.field}}, "aggs": self._n_agg}
            if column.exact is not None:
                aggs[f"t{at}"] = Groups(self._columns, self._weight).top(column, 10)
                aggs[f"d{at}"] = {"cardinality": {"field": column.exact, "precision_threshold": 3000}}
        body = {"size": 0, "track_total_hits": True, "query": self._query(window, where), "aggs": aggs | self._n_agg}
        found = self._search(asking, body)
        total = self._n_of({"doc_count": found["hits"]["total"]["value"], **found.get("aggregations", {})})
        rows = []
        for at, column in enumerate(listed):
            present = self._n_of(found["aggregations"][f"p{at}"])
            if not present:
                continue
            distinct, error, top = None, None, []
            if column.exact is not None:
                distinct, error = found["aggregations"][f"d{at}"]["value"], 0.05
                top = Groups(self._columns, self._weight).counts(column, found["aggregations"][f"t{at}"]["buckets"])
                if not found["aggregations"][f"t{at}"]["sum_other_doc_count"]:
                    distinct, error = len(top), 0.0
            listing = orjson.dumps([[value, n] for value, n in top]).decode()
            rows.append((column.name, type_name(kind_of(column.type)), present / total, distinct, error, listing))
        rows.sort(key=lambda row: (-row[2], row[0]))
        arrays = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(FIELDS)]
        return asking.answer(pa.table(arrays, schema=FIELDS))

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """See `Tables.count`. Exact on any number of shards: all groups are paged through and folded here."""
        schema = counted(every=every, by=by)
        need_fields(by, self._columns, where=self.name)
        step = step_us(every, window) if every is not None else None
        if step is not None and step % 1000:
            raise NotExpressible(f"{self.name} bins by whole milliseconds, {every} is none: take a longer step.")
        asking = self._asking(
            "count", window, {"window": window, "every": every, "by": by, "where": where, "top": top}
        )  # fmt: skip
        query = self._query(window, where)
        if step is None and not by:
            body = {"size": 0, "track_total_hits": True, "query": query, "aggs": self._n_agg}
            found = self._search(asking, body)
            n = self._n_of({"doc_count": found["hits"]["total"]["value"], **found.get("aggregations", {})})
            return asking.answer(pa.table([[n]], schema=schema))
        groups = Groups(self._columns, self._weight)
        pages = groups.pages(lambda body: self._search(asking, body), query, step=step, by=by)
        rows = grouped(pages, by=by, binned=step is not None, top=top)
        columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
        return asking.answer(pa.table(columns, schema=schema), binned_by="completion" if step is not None else None)

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """See `Tables.compare`. Two round trips: the tops of both sides, then the union counted exactly.

        On several shards a value at the edge of a top may be missed; it is then part of `<other>`.
        """
        need_fields(fields, self._columns, where=self.name)
        asking = self._asking("compare", None, {"fields": fields, "bad": bad, "good": good, "top": top})
        sides = {"bad": self._query(bad.window, bad.where), "good": self._query(good.window, good.where)}
        groups = Groups(self._columns, self._weight)
        chosen = [self._columns[name] for name in dict.fromkeys(fields)]
        rows = compared(lambda body: self._search(asking, body), groups, chosen, sides, top=top)
        columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(COMPARED)]
        return asking.answer(pa.table(columns, schema=COMPARED))

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """See `Tables.sample`. Drawn by the server's random score over sequence numbers; at most 10,000 rows."""
        if not 1 <= n <= 10_000:
            raise BadInput(f"{self.name} draws 1 to 10,000 rows, not {n:,}: ask for fewer.")
        names = self._chosen(fields)
        arguments = {"window": window, "n": n, "where": where, "seed": seed, "fields": fields}
        asking = self._asking("sample", window, arguments)
        drawn = {
            "function_score": {
                "query": self._query(window, where),
                "random_score": {"seed": seed, "field": "_seq_no"},
                "boost_mode": "replace",
            }
        }
        body = {"size": n, "track_total_hits": True, "query": drawn, "sort": [{"_score": "desc"}, {"_seq_no": "asc"}]}
        found = self._search(asking, {**body, **self._read_body(names)})
        total = found["hits"]["total"]["value"]
        scale = total / n if total > n else 1.0
        table = table_of(found["hits"]["hits"], self._columns, self._shape(names), self._weight, scale=scale)
        order = [("time", "ascending"), ("seq", "ascending")]
        said = f"uniform: {n:,} of {total:,} rows, seed {seed}" if total > n else None
        return asking.answer(table.sort_by(order), sampled=said)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Stream:
        """See `Tables.rows`. Read at one point in time, however long it takes; the point is closed at the end."""
        if order not in ("time", "-time"):
            raise BadInput(f"There is no order {order!r}: rows come by time or by -time.")
        names = self._chosen(fields)
        arguments = {"window": window, "where": where, "fields": fields, "order": order, "limit": limit}
        asking = self._asking("rows", window, arguments)
        query = self._query(window, where)
        down = "desc" if order == "-time" else "asc"
        return Stream(self._shape(names), asking, lambda stream: self._pages(stream, asking, query, names, down, limit))

    def close(self) -> None:
        """Gives the connections back."""
        self._http.close()

    # -- how they are asked -----------------------------------------------------------------------------------

    def _pages(
        self, stream: Stream, asking: Asking, query: Any, names: Sequence[str], down: str, limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        opened = self._http.ask("POST", f"/{self._index}/_pit", query={"keep_alive": KEPT_ALIVE})
        point, after, left = opened["id"], None, limit
        sort = [{self._columns["time"].field: {"order": down, "numeric_type": "date_nanos"}}, {"_seq_no": down}]
        try:
            while left is None or left > 0:
                size = PAGE if left is None else min(PAGE, left + 1)
                body = {
                    "size": size,
                    "track_total_hits": False,
                    "query": query,
                    "sort": [*sort, {"_shard_doc": "asc"}],
                    "pit": {"id": point, "keep_alive": KEPT_ALIVE},
                    **self._read_body(names),
                    **({"search_after": after} if after else {}),
                }
                found = self._search(asking, body, path="/_search")
                point = found.get("pit_id", point)
                hits = found["hits"]["hits"]
                kept = hits if left is None else hits[:left]
                stream.truncated = len(kept) < len(hits)
                if kept:
                    table = table_of(kept, self._columns, stream.schema, self._weight, scale=1.0)
                    left = left - len(kept) if left is not None else None
                    yield from table.combine_chunks().to_batches()
                if len(hits) < size or stream.truncated:
                    return
                after = hits[-1]["sort"]
        finally:
            self._http.ask("DELETE", "/_pit", body={"id": point})

    def _search(self, asking: Asking, body: dict[str, Any], *, path: str | None = None) -> Any:
        """One search, whole or not at all."""
        shown = {name: part for name, part in body.items() if name not in ("pit", "search_after")}
        asking.queries.append(orjson.dumps(shown).decode())
        found = self._http.ask(
            "POST", path or f"/{self._index}/_search", query={"allow_partial_search_results": "false"}, body=body
        )
        shards = found.get("_shards", {})
        if found.get("timed_out") or shards.get("failed") or found.get("terminated_early"):
            raise SourceUnavailable(
                f"{self.name} answered with a part only ({shards.get('failed', 0)} of {shards.get('total', 0)} shards "
                f"failed): ask again when the cluster is well, or a narrower window."
            )
        asking.cost["server_s"] = asking.cost.get("server_s", 0.0) + found.get("took", 0) / 1000
        return found

    @cached_property
    def _columns(self) -> dict[str, Column]:
        mappings = self._http.ask("GET", f"/{self._index}/_mapping")
        if not mappings:
            raise NotFound(f"{self.name} finds no index named {self._index}: check the name in sources.toml.")
        columns, left_out = columns_of(mappings, self._chosen_fields, source=self.name)
        self._left_out = left_out
        return columns

    @cached_property
    def _engine(self) -> str:
        nodes = self._http.ask("GET", "/_nodes/_local", query={"filter_path": "nodes.*.version"})["nodes"]
        return "Elasticsearch " + ", ".join(sorted({node["version"] for node in nodes.values()}))

    @property
    def _weight(self) -> str | None:
        return self._columns["weight"].field if "weight" in self._columns else None

    @property
    def _n_agg(self) -> dict[str, Any]:
        return {"n": {"sum": {"field": self._weight}}} if self._weight else {}

    def _n_of(self, bucket: Mapping[str, Any]) -> float:
        return float(bucket["n"]["value"] if self._weight else bucket["doc_count"])

    def _query(self, window: Window, where: str | None) -> dict[str, Any]:
        return query_of(window, where, self._columns, source=self.name)

    def _chosen(self, fields: Sequence[str] | None) -> list[str]:
        if fields is None:
            own = [name for name in self._columns if name not in LOGS.names]
            return [*LOGS.names, *own]
        need_fields(fields, {*self._columns, *LOGS.names}, where=self.name)
        return list(dict.fromkeys(["time", "seq", "weight", *fields]))

    def _shape(self, names: Sequence[str]) -> pa.Schema:
        types = types_of(self._columns)
        return pa.schema(
            [LOGS.field(n) if n in LOGS.names else pa.field(n, types[n]) for n in names], metadata=LOGS.metadata
        )

    def _read_body(self, names: Sequence[str]) -> dict[str, Any]:
        wanted = [self._columns[name].field for name in names if name in self._columns and name != "id"]
        time = {"field": self._columns["time"].field, "format": "strict_date_optional_time_nanos"}
        return {"_source": wanted, "seq_no_primary_term": True, "docvalue_fields": [time]}

    def _asking(self, question: str, window: Window | None, arguments: dict[str, Any]) -> Asking:
        return Asking(self.name, question, asked(arguments), self._engine, window)
