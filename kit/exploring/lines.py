"""The lines themselves: in order of time, around a moment, of one request; searched where no source can be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from connectors.base import Answer, answered
from connectors.errors import BadInput
from connectors.where import quote_field, quote_value
from connectors.window import Window, iso
from kit.exploring import kinds
from kit.exploring.look import Look
from kit.exploring.query_line import QueryLine
from kit.progress import long_question

if TYPE_CHECKING:
    from kit.explore import LogView

MOST_LINES = 200_000
SEARCHED = 400_000
"""A pattern is looked for in so many lines at most, until all are asked for exactly."""
IDS = ("trace_id", "span_id", "request_id", "http.request.id", "correlation_id")


def native(query: QueryLine) -> dict[str, str]:
    """The argument with a filter in the server's own language, where the query line is one."""
    return {"native": query.native} if query.native else {}


def searched(
    source: Any,
    window: Window,
    query: QueryLine,
    *,
    n: int,
    order: str,
    most: int | None,
    hidden: tuple[str, ...],
) -> tuple[Answer, tuple[str, ...]]:
    """The first `n` such lines of the source among its first `most` (None: all), and what is to be said about them."""
    rows = source.rows(window, where=query.where, order=order, limit=most, **native(query))
    batches: Any = [rows.table] if isinstance(rows, Answer) else (pa.Table.from_batches([batch]) for batch in rows)
    found: list[pa.Table] = []
    seen = kept = left_out = 0
    for table in batches:
        seen += table.num_rows
        fits, hides = kinds.fitting(table, query), kinds.hidden_lines(table, hidden)
        left_out += int((fits & hides).sum())
        found.append(table.filter(pa.array(fits & ~hides)))
        kept += found[-1].num_rows
        if kept >= n:
            break
    fetch = rows.fetch
    if not isinstance(rows, Answer):
        rows.close()
    whole = pa.concat_tables(found, promote_options="permissive").slice(0, n) if found else answered(rows).table
    notes = [f"{left_out:,} lines of {len(hidden)} hidden templates are left out"] if hidden else []
    if most is not None and seen >= most:
        notes.append(f"only the first {seen:,} lines were searched: narrow the window, or ask exactly()")
    return Answer(whole, replace(fetch, rows=whole.num_rows), "{}"), tuple(notes)


def lines(view: LogView, n: int, *, newest: bool) -> Look:
    """See `LogView.lines`."""
    from kit.exploring.asking import count_of, look_at, query_of, source_of

    query = query_of(view)
    order = "-time" if newest else "time"
    notes: tuple[str, ...] = ()
    with long_question("looking for lines"):
        if query.local or view.hidden:
            one = len(view.sources) == 1
            most = None if view.exact and one else SEARCHED if one else MOST_LINES
            answer, notes = searched(
                source_of(view), view.window, query, n=n, order=order, most=most, hidden=view.hidden
            )
        else:
            asked = source_of(view).rows(view.window, where=query.where, order=order, limit=n, **native(query))
            answer = answered(asked)
        table = filled(answer.to_frame())
        table = (table.iloc[::-1] if newest else table).reset_index(drop=True)
        of = "" if len(table) < n or query.local or view.hidden else _of_how_many(count_of(view, view.window))
    which = "last" if newest else "first"
    said = f"{len(table):,} line{'s' if len(table) != 1 else ''}"
    if len(table) >= n:
        said = f"The {which} {len(table):,}{of or ' lines (there may be more)'}"
    return look_at(
        view, f"{said}.", table, f".lines({n}{', newest=True' if newest else ''})", answer, notes=notes
    )  # fmt: skip


FIRST = ("time", "service", "level", "message")
LAST = ("trace_id", "span_id", "id", "seq", "weight")


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """The lines without columns that none of them fills, what one reads first in front, ids at the end.

    >>> filled(pd.DataFrame({"id": ["a:1"], "zone": [None], "message": ["hi"], "status": [200]})).columns.tolist()
    ['message', 'status', 'id']
    """
    there = [name for name in table.columns if name in FIRST or not len(table) or table[name].notna().any()]
    first = [name for name in FIRST if name in there]
    last = [name for name in LAST if name in there]
    return table[[*first, *(name for name in there if name not in (*first, *last)), *last]]


def _of_how_many(counted: Answer) -> str:
    """How many there are in all, in words."""
    total = float(sum(counted.table.column("n").to_pylist()))
    return f" of {'about ' if counted.fetch.sampled else ''}{total:,.0f} lines"


def context(view: LogView, moment: datetime, *, around_s: float, source: str | None, n: int) -> Look:
    """See `LogView.context`."""
    from kit.exploring.asking import look_at

    margin = timedelta(seconds=around_s)
    whole = view if source is None else view.only(source)
    near = replace(whole, line="", hidden=(), window=Window(moment - margin, moment + margin))
    rows = near.lines(MOST_LINES).table
    if not len(rows):
        return replace(near.lines(n), title=f"No line within {around_s:g} s of {moment:%H:%M:%S} UTC.")
    apart = (pd.to_datetime(rows["time"], utc=True) - pd.Timestamp(moment)).abs()
    table = rows.loc[apart.nsmallest(n).index].sort_index().reset_index(drop=True)
    code = f".context({iso(moment)!r}, around_s={around_s:g})"
    return look_at(view, f"{len(table)} lines around {moment:%H:%M:%S} UTC.", table, code)


def follow(view: LogView, value: str, *, n: int) -> Look:
    """See `LogView.follow`."""
    from kit.exploring.asking import remembered

    names = set(remembered(view)["name"]) | (set(view.fields()["name"]) if view.everything_at_hand else set())
    ids = [name for name in IDS if name in names]
    if not ids:
        raise BadInput(f"No source has an id to follow ({', '.join(IDS)}): search the text with find({value!r}).")
    where = " OR ".join(f"{quote_field(name)} = {quote_value(value)}" for name in ids)
    found = replace(view, line=where, hidden=()).lines(n)
    carry = "carries" if len(found.table) == 1 else "carry"
    title = f"{len(found.table)} line{'s' if carry == 'carry' else ''} {carry} {value}."
    return replace(found, title=title, code=f"{view.code}.follow({value!r})")


def column(view: LogView, template: str, position: int, *, n: int) -> Look:
    """See `LogView.column`."""
    from kit.exploring.asking import look_at
    from kit.templates import extract_variable

    look = view.lines(n)
    values = extract_variable(look.table["message"], template, position)
    table = look.table.assign(value=values)[values.notna()].reset_index(drop=True)
    title = f"{len(table):,} values of variable {position} of {template!r}."
    if len(table) and pd.api.types.is_numeric_dtype(table["value"]):
        title += f" Median {table['value'].median():g}, p99 {table['value'].quantile(0.99):g}."
    return look_at(view, title, table, f".column({template!r}, {position})", *look.answers)
