"""Several log sources asked as one: counts add up, samples keep their weights, quantiles are never averaged."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.base import MISSING, OTHER, Answer, Fetch, Selection, answered, canonical
from connectors.errors import BadInput, NotExpressible, UnknownField
from connectors.window import Window


class MergedLogs:
    """A log source over others. A filter on a field that only some of them have is false for the rows of the others.

    `measure` answers percentiles only when a single source is behind it: quantiles of parts do not add up. Raises
    `UnknownField` when no source has a field.
    """

    def __init__(self, name: str, sources: Sequence[Any]) -> None:
        if not sources:
            raise BadInput('There is no log source to ask: name one in sources.toml with table = "logs".')
        self.name = name
        self.parts = list(sources)

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """Every field of every source; shares and top values of a field come from the source that has most of it."""
        answers = self._each(lambda s: s.fields(window, where=where))
        table = pa.concat_tables([a.table for a in answers], promote_options="permissive")
        order = pc.sort_indices(table, sort_keys=[("name", "ascending"), ("share_present", "descending")])
        ordered = table.take(order)
        names = ordered.column("name").to_pylist()
        first = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
        return self._answer("fields", answers, ordered.take(pa.array(first)), window, where=where)

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """The sum of the sources' counts, cut to the `top` groups again."""
        answers = self._each(lambda s: s.count(window, every=every, by=by, where=where, top=top))
        keys = [*(["time"] if every else []), *by]
        table = summed([a.table for a in answers], keys, top=top if by else None, by=list(by))
        return self._answer("count", answers, table, window, every=every, by=tuple(by), where=where, top=top)

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
        """The one source's own answer; with several that have the field, `NotExpressible`."""
        answers = self._each(lambda s: s.measure(window, field, stats=stats, every=every, by=by, where=where, top=top))
        if len(answers) > 1:
            raise NotExpressible(
                f"{field} is in {len(answers)} sources and their percentiles do not add up: ask one source "
                f"(case.source(…)) or group by service in each."
            )
        return answers[0]

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """The sum of the sources' comparisons, totals included."""
        answers = self._each(lambda s: s.compare(fields, bad=bad, good=good, top=top))
        tables = [a.table for a in answers]
        table = summed(tables, ["field", "value"], values=("bad", "good"))
        for total in ("bad_total", "good_total"):
            whole = sum(_first(t.column(total)) for t in tables if t.num_rows)
            table = table.append_column(total, pa.array([whole] * table.num_rows, pa.float64()))
        error = max((_first(t.column("error")) for t in tables if t.num_rows), default=0.0)
        table = table.append_column("error", pa.array([error] * table.num_rows, pa.float64()))
        return self._answer("compare", answers, table, None, fields=tuple(fields), bad=bad, good=good, top=top)

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """Up to `n` rows of each source, with the weights that make them stand for all."""
        answers = self._each(lambda s: s.sample(window, n, where=where, seed=seed, fields=fields))
        table = _stacked([a.table for a in answers])
        return self._answer("sample", answers, table, window, n=n, where=where, seed=seed, fields=fields)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Answer:
        """The sources' rows merged by time. `limit` is a must: an unbounded merge would have to hold all rows."""
        if limit is None:
            raise BadInput("Rows of several sources together need a limit: give one, or stream one source at a time.")
        answers = self._each(lambda s: answered(s.rows(window, where=where, fields=fields, order=order, limit=limit)))
        table = _stacked([a.table for a in answers])
        direction = "descending" if order == "-time" else "ascending"
        table = table.take(pc.sort_indices(table, sort_keys=[("time", direction)])).slice(0, limit)
        return self._answer("rows", answers, table, window, where=where, fields=fields, order=order, limit=limit)

    def _each(self, ask: Any) -> list[Answer]:
        answers, unknown = [], []
        for source in self.parts:
            try:
                answers.append(ask(source))
            except UnknownField as error:
                unknown.append(error)
        if not answers:
            raise unknown[0]
        return answers

    def _answer(
        self, question: str, answers: Sequence[Answer], table: pa.Table, window: Window | None, **arguments: Any
    ) -> Answer:
        fetches = [a.fetch for a in answers]
        reasons = [f"{f.source}: {f.partial}" for f in fetches if f.partial]
        drawn = [f"{f.source}: {f.sampled}" for f in fetches if f.sampled]
        fetch = Fetch(
            source=self.name,
            question=question,
            query="\n".join(f"-- {f.source}\n{f.query}" for f in fetches),
            window=window,
            rows=table.num_rows,
            binned_by=fetches[0].binned_by,
            truncated=any(f.truncated for f in fetches),
            sampled="; ".join(drawn) or None,
            partial="; ".join(reasons) or None,
            round_trips=sum(f.round_trips for f in fetches),
            took_s=sum(f.took_s for f in fetches),
            engine=", ".join(sorted({f.engine for f in fetches if f.engine})),
        )
        return Answer(table=table, fetch=fetch, arguments=canonical({"window": window, **arguments}))


def summed(
    tables: Sequence[pa.Table],
    keys: Sequence[str],
    *,
    values: Sequence[str] = ("n",),
    top: int | None = None,
    by: Sequence[str] = (),
) -> pa.Table:
    stacked = pa.concat_tables([t.select([*keys, *values]) for t in tables], promote_options="permissive")
    if not keys:
        return pa.table({v: pa.array([pc.sum(stacked.column(v)).as_py() or 0]) for v in values})
    if top is not None:
        stacked = _rest_folded(stacked, by, values[0], top)
    grouped = stacked.group_by(list(keys)).aggregate([(v, "sum") for v in values])
    grouped = grouped.select([*keys, *(f"{v}_sum" for v in values)]).rename_columns([*keys, *values])
    return grouped.take(pc.sort_indices(grouped, sort_keys=[(k, "ascending") for k in keys]))


def _rest_folded(table: pa.Table, by: Sequence[str], value: str, top: int) -> pa.Table:
    """The groups past the `top` largest become `<other>` in every field, as in a single source's answer."""
    totals = table.group_by(list(by)).aggregate([(value, "sum")])
    named = [row for row in totals.to_pylist() if all(row[b] not in (OTHER, MISSING) for b in by)]
    if len(named) <= top:
        return table
    kept = {tuple(r[b] for b in by) for r in heapq.nlargest(top, named, key=lambda r: r[f"{value}_sum"])}
    groups = list(zip(*(table.column(b).to_pylist() for b in by), strict=True))
    for at, name in enumerate(by):
        folded = [g[at] if g in kept or any(p in (OTHER, MISSING) for p in g) else OTHER for g in groups]
        table = table.set_column(table.column_names.index(name), name, pa.array(folded, pa.string()))
    return table


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    table = pa.concat_tables([_plain(t) for t in tables], promote_options="permissive")
    complete = {"time", "seq", "weight"} <= set(table.column_names)
    return schema.conform(table, "LOGS") if complete else table


def _plain(table: pa.Table) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    return table


def _first(column: pa.ChunkedArray) -> float:
    return float(column[0].as_py())
