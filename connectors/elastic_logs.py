"""Logs in Elasticsearch or OpenSearch, asked where they live: counts, comparisons and samples there, rows as a stream.

An answer that lacks a shard says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from connectors.asking import Asking, Stream
from connectors.base import Answer, Selection
from connectors.elastic_compare import compared_rows, whole_of
from connectors.elastic_cost import Cost
from connectors.elastic_counts import Groups, counted_rows
from connectors.elastic_esql import esql_table
from connectors.elastic_fields import Column, Layout, layout_on
from connectors.elastic_filter import query_of, within
from connectors.elastic_many import MANY_ROWS, Many, many_valued
from connectors.elastic_measure import Measures, measured_rows
from connectors.elastic_overview import overview_rows
from connectors.elastic_page import PageReader
from connectors.elastic_rows import Rows
from connectors.elastic_sample import drawn
from connectors.elastic_server import Product, Server
from connectors.errors import BadInput, NotExpressible
from connectors.http import Http
from connectors.questions import COMPARED, FIELDS, PERCENTILES, UNLISTED, asked, counted, measured, step_us
from connectors.schema import ATTRIBUTE_LIMIT, LOGS, conform
from connectors.settings import Budget
from connectors.where import IsNull, Not, all_of, kind_of, need_fields
from connectors.window import Window

DISCOVERED_IN = 100_000
"""Values of fields that have very many are looked for in so many rows."""


class ElasticLogs:
    """A log source over the indices that `index` names.

    `fields` gives the document's field of a column, where it is none of the usual ones; with `weight = "its name"`
    rows stand for several. `seq` is the server's sequence number. `native` is a filter in the server's own language
    beside `where`: `"lucene: …"`.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        index: str,
        *,
        fields: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        product: Product = "Elasticsearch",
    ) -> None:
        self.name = name
        self.server = Server(name, http, index, product=product)
        self._chosen_fields = dict(fields or {})
        self._budget = budget or Budget()
        self._cost = Cost(name, self._budget)

    # -- the questions ----------------------------------------------------------------------------------------

    def fields(self, window: Window, *, where: str | None = None, native: str | None = None) -> Answer:
        """See `Tables.fields`. Past a thousand distinct values their number is HyperLogLog++'s, within about 5 %.

        A field kept for its words only has no number of distinct values: it is null. So it is among a million rows or
        more for fields with a new value in nearly each of the 50,000 that were looked at, which `Fetch.sampled` says.
        Fields of a type that no column holds, or of another type in another index, are named in `Fetch.partial`.
        """
        asking = self._asking("fields", window, {"window": window, "where": where, "native": native})
        query = self._query(window, where, native)
        listed = [column for name, column in self._columns.items() if name not in UNLISTED and name != "id"]
        asking.missing += [f"field left out: {reason}" for reason in self._layout.left_out]
        self._afford(asking, 2 * len(listed), query)
        rows, uncounted = overview_rows(
            lambda bodies: self.server.searches(asking, bodies),
            self._groups,
            listed,
            query,
            many=self._many,
            at_a_time=self.server.http.in_flight,
        )
        said = f"how many distinct values {', '.join(uncounted)} have: a new one in nearly every row looked at"
        return asking.answer(_table(rows, FIELDS), sampled=said if uncounted else None)

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
        native: str | None = None,
    ) -> Answer:
        """See `Tables.count`. Exact on any number of shards."""
        schema = counted(every=every, by=by)
        need_fields(by, self._columns, where=self.name)
        step_ms = self._step(every, window)
        arguments = {"window": window, "every": every, "by": by, "where": where, "top": top, "native": native}
        asking = self._asking("count", window, arguments)
        query = self._query(window, where, native)
        self._afford(asking, 1 + 2 * len(by), query)
        if step_ms is None and not by:
            n = self._groups.total_of(self.server.search(asking, self._groups.total(query)))
            return asking.answer(pa.table([[n]], schema=schema))
        rows = counted_rows(
            lambda body: self.server.search(asking, body),
            self._groups,
            query,
            window,
            step_ms=step_ms,
            by=by,
            top=top,
        )
        return asking.answer(_table(rows, schema), binned_by="completion" if step_ms is not None else None)

    def measure(
        self,
        window: Window,
        field: str,
        *,
        stats: Sequence[str] = ("n", "mean", "p50", "p99"),
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
        native: str | None = None,
    ) -> Answer:
        """See `Tables.measure`. Percentiles are a t-digest's; `error` bounds how far off they may be.

        Percentiles of rows with weights are computed here, from the rows, within the budget of rows.
        """
        schema = measured(every=every, by=by, stats=stats)
        need_fields([field, *by], self._columns, where=self.name)
        if kind_of(self._columns[field].type) != "number":
            raise BadInput(f"{field} in {self.name} is no number, so it cannot be measured: count by it instead.")
        step_ms = self._step(every, window)
        arguments = {"window": window, "field": field, "stats": stats, "every": every, "by": by, "where": where}
        asking = self._asking("measure", window, {**arguments, "top": top, "native": native})
        there = all_of(where, str(Not(IsNull(field))))
        if self._layout.weight and set(stats) & set(PERCENTILES):
            return self._measured_here(asking, window, field, arguments, there, top, native)
        query = self._query(window, there, native)
        self._afford(asking, 3 + 2 * len(by), query)
        if self._columns[field].grouped is None:
            raise NotExpressible(f"{field} is not kept for computing in {self.name}: read its rows instead.")
        bins = 1 if step_ms is None else window.seconds * 1000 / step_ms
        fine = bins * (top if by else 1) <= 500 and self._cost.rows <= MANY_ROWS
        compression = 1000 if fine else 200
        wanted = list(dict.fromkeys(("n", *stats)))
        measures = Measures(self._columns[field], wanted, self._layout.weight, compression)
        rows = measured_rows(
            lambda body: self.server.search(asking, body),
            self._groups,
            measures,
            query,
            window,
            step_ms=step_ms,
            by=by,
            top=top,
        )
        return asking.answer(_table(rows, schema), binned_by="completion" if step_ms is not None else None)

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """See `Tables.compare`. At most two round trips: the tops of both sides, then the union counted exactly.

        On several shards a value at the edge of a top may be missed; it is then part of `<other>`. In an index of over
        a million rows, the values of fields that have thousands of them are looked for in 100,000 rows, which
        `Fetch.sampled` says; all counts are exact.
        """
        need_fields(fields, self._columns, where=self.name)
        asking = self._asking("compare", None, {"fields": fields, "bad": bad, "good": good, "top": top})
        queries = [self._query(side.window, side.where) for side in (bad, good)]
        chosen = [self._columns[name] for name in dict.fromkeys(fields)]
        self._afford(asking, 2 * len(chosen), {"bool": {"should": queries, "minimum_should_match": 1}})
        whole = whole_of(bad, good)
        sampled = self._looked_for(chosen, queries[1])
        rows = compared_rows(
            lambda bodies: self.server.searches(asking, bodies),
            self._groups,
            chosen,
            *queries,
            both=None if whole is None else self._query(whole.window, whole.where),
            top=top,
            sampled=sampled,
        )
        said = f"values of {', '.join(sampled)} looked for in {DISCOVERED_IN:,} rows, then counted in all"
        return asking.answer(_table(rows, COMPARED), sampled=said if sampled else None)

    def sample(
        self,
        window: Window,
        n: int,
        *,
        where: str | None = None,
        seed: int = 0,
        fields: Sequence[str] | None = None,
        native: str | None = None,
    ) -> Answer:
        """See `Tables.sample`. Drawn by the server's random score over sequence numbers, 5,000 rows a round trip."""
        if n < 1:
            raise BadInput(f"A sample of {n} rows says nothing: ask for one at least.")
        names = self._layout.chosen(fields, source=self.name)
        arguments = {"window": window, "n": n, "where": where, "seed": seed, "fields": fields, "native": native}
        asking = self._asking("sample", window, arguments)
        query = self._query(window, where, native)
        self._afford(asking, 1 + n // 5_000, query)
        reader = self._reader(names, drawn=True)
        table, total = drawn(self.server, asking, reader, query, n=n, seed=seed, source=self._layout.sent(fields))
        said = f"uniform: {table.num_rows:,} of {total:,} rows, seed {seed}" if total > n else None
        return asking.answer(table.sort_by([("time", "ascending"), ("seq", "ascending")]), sampled=said)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
        native: str | None = None,
    ) -> Stream:
        """See `Tables.rows`. Read at one point in time, however long it takes; the point is closed at the end.

        Raises `OverBudget` before the first row when there are more than the budget of rows, and no `limit`.
        """
        if order not in ("time", "-time"):
            raise BadInput(f"There is no order {order!r}: rows come by time or by -time.")
        names = self._layout.chosen(fields, source=self.name)
        arguments = {"window": window, "where": where, "fields": fields, "order": order, "limit": limit}
        asking = self._asking("rows", window, {**arguments, "native": native})
        more = len(set(self._columns) - set(LOGS.names)) - ATTRIBUTE_LIMIT
        if fields is None and more > 0:
            asking.missing.append(f"{more:,} of the fields are left out of whole rows: name those wanted in fields=")
        reading = Rows(
            self.server,
            asking,
            self._reader(names),
            query=self._query(window, where, native),
            source=self._layout.sent(fields),
            down=order == "-time",
            limit=limit,
            most=self._budget.rows,
        )
        return Stream(self._layout.shape(names), asking, reading.batches)

    def esql(self, query: str, window: Window) -> Answer:
        """The table of an ES|QL query over the window's rows; its columns are the query's own.

        Without a LIMIT of its own the server gives 1,000 rows; the answer then says that it is truncated.
        """
        asking = self._asking("esql", window, {"window": window, "native": f"esql: {query}"})
        table, truncated = esql_table(self.server, asking, query, within(window, self._columns["time"]))
        return asking.answer(table, truncated=truncated)

    def close(self) -> None:
        """Gives the connections back."""
        self.server.http.close()

    # -- how they are asked -----------------------------------------------------------------------------------

    def _measured_here(
        self,
        asking: Asking,
        window: Window,
        field: str,
        arguments: Mapping[str, Any],
        there: str | None,
        top: int,
        native: str | None,
    ) -> Answer:
        from connectors.tables import Tables

        stream = self.rows(window, where=there, fields=[field, *arguments["by"]], native=native)
        copied = stream.answer()
        tables = Tables(self.name, table=conform(copied.table, "LOGS"))
        chosen = {name: arguments[name] for name in ("stats", "every", "by")}
        answer = tables.measure(window, field, **chosen, top=top)
        asking.queries.append(copied.fetch.query)
        if copied.fetch.partial:
            asking.missing.append(copied.fetch.partial)
        asking.engine += ", computed here from the rows"
        return asking.answer(answer.table, binned_by=answer.fetch.binned_by)

    def _afford(self, asking: Asking, values: int, query: Mapping[str, Any]) -> None:
        """Is this within the budget? The estimate goes into the answer's cost."""
        asking.cost["estimated_s"] = self._cost.allow(
            values, everything=self.server.documents, matching=lambda: self.server.documents(query)
        )

    @cached_property
    def _layout(self) -> Layout:
        _ = self.server.engine
        return layout_on(self.server, self._chosen_fields)

    @property
    def _columns(self) -> Mapping[str, Column]:
        return self._layout.columns

    @cached_property
    def _many(self) -> Many:
        """The columns with very many values; none in a small index. It is asked once how many rows there are."""
        rows = self._cost.rows
        if rows < MANY_ROWS:
            return Many()
        return many_valued(self.server, self._asking("fields", None, {}), list(self._columns.values()), rows)

    def _looked_for(self, columns: Sequence[Column], query: Mapping[str, Any]) -> dict[str, float]:
        """The columns with very many values, and in which share of the query's rows their commonest are looked for.

        None where that would be half of the rows or more, and on OpenSearch, which draws none.
        """
        many = [column.name for column in columns if column.name in self._many.names]
        if not many or self.server.product != "Elasticsearch" or self._cost.rows <= 2 * DISCOVERED_IN:
            return {}
        share = DISCOVERED_IN / max(1, self.server.documents(query))
        return dict.fromkeys(many, share) if share < 0.5 else {}

    @property
    def _groups(self) -> Groups:
        return Groups(self._columns, self._layout.weight)

    def _query(self, window: Window, where: str | None, native: str | None = None) -> dict[str, Any]:
        return query_of(window, where, self._columns, source=self.name, native=native)

    def _reader(self, names: Sequence[str], *, drawn: bool = False) -> PageReader:
        layout = self._layout
        return PageReader(layout.columns, layout.shape(names), layout.weight, layout.nanos, drawn=drawn)

    def _step(self, every: str | None, window: Window) -> int | None:
        """The bin in milliseconds. Raises `NotExpressible` for a part of one."""
        if every is None:
            return None
        step = step_us(every, window)
        if step % 1000:
            raise NotExpressible(f"{self.name} bins by whole milliseconds, {every} is none: take a longer step.")
        return step // 1000

    def _asking(self, question: str, window: Window | None, arguments: dict[str, Any]) -> Asking:
        return Asking(self.name, question, asked(arguments), self.server.engine, window)


def _table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return pa.table(columns, schema=schema)
