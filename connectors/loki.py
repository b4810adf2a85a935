"""Logs in Loki, asked where they live: counts, comparisons and plain measures as LogQL, rows as a stream.

Loki knows labels, not fields: which fields the lines have is told by looking at some of them, spread over the window.
`count` and `compare` are answered by the server, `measure` too where no percentile is asked; percentiles and whatever
would make more series than the server allows are answered from a bounded copy. `sample` and `fields` are drawn in
slices of time, and say so. Loki shows lines older than its ingesters' horizon only once they are flushed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from connectors.asking import Asking, Stream
from connectors.base import Answer, Selection
from connectors.copies import COPY_ROWS, AnsweredFromCopy
from connectors.errors import BadInput, NotExpressible
from connectors.http import Http
from connectors.logql import NUMBER, Column, quoted, reached
from connectors.loki_counts import cells, numbers, top_rows, union_rows
from connectors.loki_lines import LokiLines, TooManySeries
from connectors.loki_pages import shares
from connectors.loki_rows import Entry, Parser, Shape, table_of
from connectors.probe import Probe, clock_by_date
from connectors.questions import COMPARED, FIELDS, UNLISTED, counted, measured, step_us
from connectors.settings import Place
from connectors.settings import Settings as Base
from connectors.tables import Tables
from connectors.where import kind_of
from connectors.window import Window

PAGE = 5_000
"""As many lines as Loki gives at a time unless it is told otherwise."""
PATIENCE_S = 90.0
"""Taking lines apart takes Loki long, and it says nothing meanwhile."""
DRAWN = 5_000
PUSHED = frozenset({"n", "count", "sum", "mean", "min", "max"})
_ALL = '{service_name=~".+"}'


class Settings(Base):
    """Where the logs are: `url`, and the `selector` of their streams in LogQL.

    `parser` takes the lines apart (told by looking when it is not given); `fields` gives the key of a canonical column
    that has none of the usual names; `tenant` is sent as X-Scope-OrgID; `page` is the server's limit on lines.
    """

    url: str
    selector: str = _ALL
    parser: Parser | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    tenant: str | None = None
    page: int = Field(default=PAGE, ge=2, le=100_000)
    authority: str | None = None


def open_source(name: str, settings: Settings, place: Place) -> LokiLogs:
    """The source; nothing is asked yet. Raises `BadInput` for a table that it does not hold."""
    if settings.table != "logs":
        raise BadInput(f'{name} is kind "loki", which gives logs: write table = "logs".')
    http = place.http(settings.url, authority=settings.authority, timeout_s=PATIENCE_S)
    return LokiLogs(
        name, http, selector=settings.selector, parser=settings.parser, fields=settings.fields, page=settings.page,
        tenant=settings.tenant, copy_rows=place.budget.rows,
    )  # fmt: skip


class LokiLogs(AnsweredFromCopy):
    """A log source over the streams that `selector` names.

    Rows have no weights. `seq` is the order in which an answer's lines came; `id` the line's own `id`, else its time
    and a hash.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        selector: str = _ALL,
        parser: Parser | None = None,
        fields: Mapping[str, str] | None = None,
        page: int = PAGE,
        tenant: str | None = None,
        copy_rows: int = COPY_ROWS,
    ) -> None:
        super().__init__()
        self.name = name
        self.copy_rows = copy_rows
        self._http = http
        self._lines = LokiLines(
            name, http, selector=selector, parser=parser, fields=fields or {}, page=page, tenant=tenant
        )  # fmt: skip

    # -- the questions ----------------------------------------------------------------------------------------

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `Tables.fields`. Exact where the window has up to 5,000 lines; else told by as many, drawn in slices."""
        asking = self._lines.asking("fields", window, {"window": window, "where": where})
        total = self._lines.total(asking, window, where)
        if not total:
            return asking.answer(FIELDS.empty_table())
        drawn = self._drawn(asking, window, total, DRAWN, where, seed=0, names=None)
        listed = Tables(self.name, table=drawn).fields(window).table
        listed = listed.filter(pc.invert(pc.is_in(listed.column("name"), pa.array(sorted(UNLISTED)))))
        said = None
        if total > DRAWN:
            seen = pa.array([max(1, n or 0) ** -0.5 for n in listed.column("distinct").to_pylist()])
            listed = listed.set_column(4, FIELDS.field(4), seen)
            said = f"time slices: {drawn.num_rows:,} of {total:,.0f} lines; shares and distinct values are of these"
        return asking.answer(listed.cast(FIELDS), sampled=said)

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """See `Tables.count`. Exact; grouped where the server's limit on series allows it, else from a copy."""
        schema = counted(every=every, by=by)
        step = step_us(every, window) if every is not None else None
        if step is not None and step % 1000:
            raise NotExpressible(f"{self.name} bins by whole milliseconds, {every} is none: take a longer step.")
        arguments = {"window": window, "every": every, "by": by, "where": where, "top": top}
        asking = self._lines.asking("count", window, arguments)
        columns = self._lines.columns(window, by, where)
        query = self._lines.pipeline(window, columns, where, by)
        if step is None and not by:
            return asking.answer(pa.table([[self._lines.total(asking, window, where)]], schema=schema))
        try:
            ask, groups = self._lines.asker(asking), [columns[name] for name in by]
            found = cells(ask, query, window, step, groups) if step else numbers(ask, query, window, groups)
        except TooManySeries:
            return super().count(window, every=every, by=by, where=where, top=top)
        rows, _ = top_rows(found, by=by, binned=step is not None, top=top)
        arrays = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
        return asking.answer(pa.table(arrays, schema=schema), binned_by="completion" if step is not None else None)

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
    ) -> Answer:
        """See `Tables.measure`. n, count, sum, mean, min and max of the whole window are the server's own.

        Bins and percentiles are answered from a copy of the window.
        """
        schema = measured(every=every, by=by, stats=stats)
        columns = self._lines.columns(window, [field, *by], where)
        if kind_of(columns[field].type) not in ("number", "none"):
            raise BadInput(f"{field} in {self.name} is no number, so it cannot be measured: count by it instead.")
        arguments = {"window": window, "field": field, "stats": stats, "every": every, "by": by, "where": where}
        asking = self._lines.asking("measure", window, {**arguments, "top": top})
        if every is not None or not set(stats) <= PUSHED or not self._lines.total(asking, window, None):
            if self._lines.total(asking, window, None):
                return super().measure(window, field, stats=stats, every=every, by=by, where=where, top=top)
            return asking.answer(_nothing_measured(schema, by=by, every=every))
        try:
            rows = self._measured(asking, window, columns, field, by, where, top)
        except TooManySeries:
            return super().measure(window, field, stats=stats, every=every, by=by, where=where, top=top)
        arrays = [pa.array([row.get(f.name) for row in rows], f.type) for f in schema]
        return asking.answer(pa.table(arrays, schema=schema))

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """See `Tables.compare`. Exact: one count a field and side, from a copy where that makes too many series."""
        asking = self._lines.asking("compare", None, {"fields": fields, "bad": bad, "good": good, "top": top})
        sides = (bad, good)
        try:
            counts = [[self._values(asking, name, side) for side in sides] for name in dict.fromkeys(fields)]
        except TooManySeries:
            return super().compare(fields, bad=bad, good=good, top=top)
        totals = (self._lines.total(asking, bad.window, bad.where), self._lines.total(asking, good.window, good.where))
        rows: list[tuple[Any, ...]] = []
        for name, (b, g) in zip(dict.fromkeys(fields), counts, strict=True):
            rows += [(name, *row, *totals, 0.0) for row in union_rows(b, g, totals, top=top)]
        arrays = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(COMPARED)]
        return asking.answer(pa.table(arrays, schema=COMPARED))

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """See `Tables.sample`. The first lines of slices of time, each standing for its slice's share; LogQL cannot
        draw at random, so what comes at the end of every slice is under-represented."""
        if n < 1:
            raise BadInput(f"A sample of {n} rows says nothing: ask for one at least.")
        arguments = {"window": window, "n": n, "where": where, "seed": seed, "fields": fields}
        asking = self._lines.asking("sample", window, arguments)
        names = self._lines.names(window, fields)
        self._lines.columns(window, (), where)
        total = self._lines.total(asking, window, where)
        table = self._drawn(asking, window, total, n, where, seed=seed, names=names)
        said = f"time slices: {table.num_rows:,} of {total:,.0f} rows, seed {seed}" if total > n else None
        return asking.answer(table, sampled=said)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Stream:
        """See `Tables.rows`. Paged by time; a page's last instant is asked again with the next, so none is lost.

        Fields that were not seen when the columns were found out stand in `attributes_rest`.
        """
        if order not in ("time", "-time"):
            raise BadInput(f"There is no order {order!r}: rows come by time or by -time.")
        arguments = {"window": window, "where": where, "fields": fields, "order": order, "limit": limit}
        asking = self._lines.asking("rows", window, arguments)
        names = self._lines.names(window, fields)
        columns = self._lines.columns(window, (), where)
        shape = self._lines.shape_with(window, columns)
        query = self._lines.query_of(window, columns, where)
        return Stream(
            self._lines.schema(names, columns), asking,
            lambda stream: self._batches(stream, asking, query, shape, window, order, limit),
        )  # fmt: skip

    def probe(self) -> Probe:
        """Which server is it, how fast does it answer, how far off is its clock, and may its labels be read?"""
        began = time.monotonic()
        self._lines.get("labels", {"since": "1h"})
        took = time.monotonic() - began
        offset, error = clock_by_date(self._http, "/loki/api/v1/status/buildinfo")
        return Probe(self._lines.engine, took, offset, error, may=("labels",))

    def close(self) -> None:
        """Gives the connections back."""
        self._http.close()

    # -- rows -------------------------------------------------------------------------------------------------

    def _batches(
        self, stream: Stream, asking: Asking, query: str, shape: Shape, window: Window, order: str, limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        sign, given, lost = (-1 if order == "-time" else 1), 0, 0
        wanted = None if limit is None else limit + 1
        for entries in self._lines.pager(asking).pages(query, window, backward=order == "-time", limit=wanted):
            kept = entries if limit is None else entries[: limit - given]
            seq = [sign * (given + at) for at in range(len(kept))]
            if kept:
                table, unfit = table_of(kept, shape, stream.schema, seq=seq, weights=[1.0] * len(kept))
                lost += unfit
                yield from table.combine_chunks().to_batches()
            given += len(kept)
            if len(kept) < len(entries):
                stream.truncated = True
                break
        if lost:
            asking.missing.append(f"{lost:,} values did not fit the type of their field and are left out")

    def _drawn(
        self, asking: Asking, window: Window, total: float, n: int, where: str | None, *, seed: int,
        names: Sequence[str] | None,
    ) -> pa.Table:  # fmt: skip
        """All rows of the window, or the first ones of slices of it, with the weights that make them stand for all."""
        columns = self._lines.columns(window, (), where)
        shape = self._lines.shape_with(window, columns)
        query = self._lines.query_of(window, columns, where)
        schema = self._lines.schema(names if names is not None else self._lines.names(window, None), columns)
        pager, entries = self._lines.pager(asking), []
        weights: list[float] = []
        if total <= n:
            for page in pager.pages(query, window, backward=False, limit=None):
                entries += page
            weights = [1.0] * len(entries)
        else:
            for part, there, share in shares(lambda part: self._lines.n(asking, query, part), window, n, seed=seed):
                taken: list[Entry] = []
                for page in pager.pages(query, part, backward=seed % 2 == 1, limit=share):
                    taken += page
                taken = taken[:share]
                entries += taken
                weights += [there / len(taken)] * len(taken) if taken else []
        placed = sorted(range(len(entries)), key=lambda at: entries[at].time_ns)
        table, _ = table_of(
            [entries[at] for at in placed], shape, schema, seq=range(len(placed)), weights=[weights[a] for a in placed]
        )
        return table

    # -- counts -----------------------------------------------------------------------------------------------

    def _values(self, asking: Asking, name: str, side: Selection) -> dict[str | None, float]:
        """How often has the field each value, on one side of a comparison? None: it is missing."""
        columns = self._lines.columns(side.window, [name], side.where)
        query = self._lines.pipeline(side.window, columns, side.where, [name])
        found = numbers(self._lines.asker(asking), query, side.window, [columns[name]])
        return {value: n for (value,), n in found.items()}

    def _measured(
        self, asking: Asking, window: Window, columns: Mapping[str, Column], field: str, by: Sequence[str],
        where: str | None, top: int,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Rows of `measure`: the statistics of each group, those past the top put together."""
        label, ask, groups = reached(columns[field]), self._lines.asker(asking), [columns[name] for name in by]
        query = self._lines.pipeline(window, columns, where, [field, *by]) + f" | {label}=~{quoted(NUMBER)}"
        counts = numbers(ask, query, window, groups)
        parts = {
            over: numbers(ask, query, window, groups, over=over, unwrap=f" | unwrap {label}")
            for over in ("sum", "min", "max")
        }
        rows, names = top_rows(counts, by=by, binned=False, top=top)
        measured_rows = []
        for row in rows:
            keys = [key for key, named in names.items() if named == row[:-1]]
            n, total = row[-1], sum(parts["sum"][key] for key in keys)
            stats = {
                "n": n, "count": n, "sum": float(f"{total:.12g}"), "mean": float(f"{total / n:.12g}"),
                "min": min(parts["min"][key] for key in keys), "max": max(parts["max"][key] for key in keys),
            }  # fmt: skip
            measured_rows.append({**dict(zip(by, row, strict=False)), **stats, "error": 0.0})
        return measured_rows or ([] if by else [{"n": 0.0, "count": 0.0, "error": 0.0}])


def _nothing_measured(schema: pa.Schema, *, by: Sequence[str], every: str | None) -> pa.Table:
    if by or every is not None:
        return schema.empty_table()
    zero = {"n": 0.0, "count": 0.0, "error": 0.0}
    return pa.table([pa.array([zero.get(field.name)], field.type) for field in schema], schema=schema)


__all__ = ["LokiLogs", "Settings", "open_source"]
