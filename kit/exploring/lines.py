"""The first lines that a pattern fits and no hidden template, looked for in one batch of rows after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from connectors.base import Answer, answered
from connectors.window import Window
from kit.exploring import kinds
from kit.exploring.query_line import QueryLine


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
