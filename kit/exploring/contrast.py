"""Which kinds of line are there, which are new, and what sets the chosen lines apart from others?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from connectors.window import Window, iso
from kit.exploring import kinds
from kit.exploring.asking import look_at, look_at_rows, query_of, rows_of, source_of, unasked
from kit.exploring.look import Look
from kit.progress import long_question

if TYPE_CHECKING:
    from kit.explore import LogView


def templates(view: LogView, *, before: Window | None, n: int | None) -> Look:
    """See `LogView.templates`."""
    query = query_of(view)
    with long_question("reading kinds of line"):
        if before is None:
            now = rows_of(view, view.window, query, n)
            table = kinds.kinds_in(now.table)
            return look_at_rows(view, f"{len(table)} kinds of line.", table, ".templates()", now)
        from kit.templates import compare_templates

        table = kinds.since(source_of(view), view.window, before, query)
        both: tuple[kinds.Rows, ...] = ()
        if table is None:
            both = (rows_of(view, view.window, query, n, of=2), rows_of(view, before, query, n, of=2))
            joined = pa.concat_tables([rows.table for rows in both], promote_options="permissive")
            table = compare_templates(joined, baseline=before, incident=view.window)
    table = table[~table["template"].isin(view.hidden)].reset_index(drop=True)
    classes = table["class"].value_counts()
    said = ", ".join(f"{classes[k]} {k}" for k in ("new", "gone", "changed") if k in classes)
    code = f".templates(before=kit.Window.of({iso(before.start)!r}, {iso(before.end)!r}))"
    return look_at_rows(view, f"Kinds of line: {said or 'none new, gone or changed'}.", table, code, *both)


def different(view: LogView, *, from_: LogView | None, n: int | None) -> Look:
    """See `LogView.different`."""
    query = query_of(view)
    if from_ is None and query.where is None:
        raise BadInput("All lines of the window are chosen: nothing is left to compare with; narrow with find().")
    code = f".different({f'from_={from_.code}' if from_ is not None else ''})"
    others = replace(from_, exact=view.exact) if from_ is not None else view.ask("")
    with long_question("comparing lines"):
        if hasattr(source_of(view), "at_hand"):
            return _of_rows(view, others, code, n, rest=from_ is None)
        from kit.difference import explain_source_difference

        against = f"NOT ({query.where})" if from_ is None else query_of(others).where
        table = explain_source_difference(
            source_of(view),
            bad=kinds.selection(view.window, query),
            good=kinds.selection(others.window, replace(query_of(others), where=against)),
        )
    return look_at(view, _first_of(table), table, code, notes=unasked(query))


def _of_rows(view: LogView, others: LogView, code: str, n: int | None, *, rest: bool) -> Look:
    query, other = query_of(view), query_of(others)
    two = 1 if others.window == view.window else 2
    bad = rows_of(view, view.window, query, n, of=two)
    good = rows_of(others, others.window, other, n, of=two)
    if (bad.untold is None) != (good.untold is None):  # of one each row is a line, of the other it stands for many
        bad, good = (rows.line_by_line() for rows in (bad, good))
    if rest:
        good = replace(good, table=kinds.without(good.table, query.where))
    table = kinds.differences(bad, good, own=(query.where, other.where))
    untold = sorted((bad.untold or frozenset()) | (good.untold or frozenset()))
    worth = [name for name in untold if name not in kinds.TELLS_APART]
    note = f"not compared, as hardly two lines have the same: {', '.join(worth[:8])}" if worth else ""
    return look_at_rows(view, _first_of(table), table, code, bad, good, notes=(note,))


def _first_of(table: pd.DataFrame) -> str:
    first = f"{table.iloc[0]['predicate']} comes first" if len(table) else "nothing sets them apart beyond chance"
    return f"Of what differs, {first}."
