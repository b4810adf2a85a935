"""Kinds of line and what sets lines apart, from rows that are at hand or that a source draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Answer, Selection
from connectors.where import all_of, evaluate, fields, parse
from connectors.window import Window
from kit.exploring.hidden import lines_of

if TYPE_CHECKING:
    from kit.exploring.query_line import QueryLine

TEMPLATE_FIELDS = ("message", "level", "service", "id")
TELLS_APART = frozenset({"time", "seq", "id", "message", "trace_id", "span_id", "parent_id", "weight"})
"""Columns that are never compared: each line has its own."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that fit a query, with weights; `sampled` and `partial` as in a fetch; the answers where there are any."""

    table: pa.Table
    sampled: str | None = None
    partial: str | None = None
    answers: tuple[Answer, ...] = ()
    left_out: int = 0
    """Lines of hidden templates among them, which are not in the table."""
    untold: frozenset[str] | None = None
    """Where a row stands for `weight` lines that say the same: the columns that are not told. None: rows are lines."""

    def line_by_line(self) -> Rows:
        """The same with a row for each line."""
        if self.untold is None:
            return self
        times = self.table.column("weight").to_numpy().astype(np.int64)
        rows = self.table.take(pa.array(np.repeat(np.arange(len(times)), times)))
        at = rows.column_names.index("weight")
        ones = pa.array(np.ones(rows.num_rows))
        return replace(self, table=rows.set_column(at, self.table.schema.field("weight"), ones))


def rows_of(
    source: Any, window: Window, query: QueryLine, *, n: int, hidden: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> Rows:
    """About `n` rows of the window that fit the query line, patterns and hidden templates included.

    From a source that knows which lines say the same, each of these once; from one that has rows at hand, those; else
    it draws `n`, only the columns `names` (of those it has).
    """
    alike = None if query.local or not hasattr(source, "alike") else source.alike(window, query.where)
    if alike is not None:
        table, untold, partial = alike
        hides = hidden_lines(table, hidden)
        return Rows(
            table.filter(pa.array(~hides)) if hides.any() else table, None, partial,
            left_out=round(float(table.column("weight").to_numpy()[hides].sum())), untold=untold,
        )  # fmt: skip
    if hasattr(source, "at_hand"):
        table, sampled, partial = source.at_hand(window, n)
        if query.where is not None:
            table = table.filter(evaluate(query.where, table))
        answers: tuple[Answer, ...] = ()
    else:
        where = all_of(query.where, "message IS NOT NULL")
        native = {"native": query.native} if query.native else {}
        answer = source.sample(window, n, where=where, fields=list(names) or None, **native)
        table, sampled, partial, answers = answer.table, answer.fetch.sampled, answer.fetch.partial, (answer,)
    fits = fitting(table, query)
    hides = hidden_lines(table, hidden) & fits
    if not fits.all() or hides.any():
        table = table.filter(pa.array(fits & ~hides))
    return Rows(table, sampled, partial, answers, int(hides.sum()))


def fitting(table: pa.Table, query: QueryLine) -> np.ndarray:
    """Which rows' messages hold the patterns, and none of those that must not be there?"""
    keep = np.ones(table.num_rows, bool)
    if not query.local or not table.num_rows:
        return keep
    text = pd.Series(table.column("message").to_pandas()).fillna("").astype(str)
    for pattern in query.patterns:
        keep &= text.str.contains(pattern, regex=True).to_numpy(bool)
    for pattern in query.not_patterns:
        keep &= ~text.str.contains(pattern, regex=True).to_numpy(bool)
    return keep


def hidden_lines(table: pa.Table, templates: tuple[str, ...]) -> np.ndarray:
    """Which rows are lines of one of these templates?"""
    hide = np.zeros(table.num_rows, bool)
    for template in templates:
        hide |= lines_of(table.column("message"), template)
    return hide


def kinds_in(table: pa.Table) -> pd.DataFrame:
    """The templates of these rows with weighted counts: template, n, share; the commonest first."""
    from kit.templates import mine_templates

    messages = table.column("message")
    mined = mine_templates(messages)
    there = mined.ids >= 0
    weights = table.column("weight").to_numpy()[there] if "weight" in table.column_names else np.ones(there.sum())
    names = mined.table["template"]
    counts = np.bincount(mined.ids[there], weights, minlength=len(names)) if len(names) else np.zeros(0)
    found = pd.DataFrame({"template": names, "n": counts})
    found = found.sort_values("n", ascending=False, kind="stable").reset_index(drop=True)
    found["share"] = found["n"] / max(found["n"].sum(), 1.0)
    return found


def since(source: Any, window: Window, before: Window, query: QueryLine) -> pd.DataFrame | None:
    """Which kinds of line are new, gone or changed, of all lines; None where the source does not know them by kind."""
    from kit.templates import compare_coded_templates

    if query.local or not hasattr(source, "known_lines"):
        return None
    both = [source.known_lines(one, query.where) for one in (window, before)]
    if any(known is None for known in both):
        return None
    times, codes = (np.concatenate([known[part] for known in both]) for part in (0, 1))
    return compare_coded_templates(both[0][2], times=times, codes=codes, baseline=before, incident=window)


def differences(bad: Rows, good: Rows, *, own: tuple[str | None, ...]) -> pd.DataFrame:
    """What sets the bad rows apart from the good ones; fields that the filters `own` name are not compared."""
    from kit.difference import explain_difference, explain_grouped_difference
    from kit.numerics.value_codes import NOT_DIMENSIONS

    table = pa.concat_tables([_plain(bad.table), _plain(good.table)], promote_options="permissive")
    is_bad = np.arange(table.num_rows) < bad.table.num_rows
    named = {name for text in own if text for name in fields(parse(text))}
    names = [
        n for n in table.column_names if n not in NOT_DIMENSIONS | named and table.column(n).null_count < len(table)
    ]
    untold = (bad.untold or frozenset()) | (good.untold or frozenset())
    names = [n for n in names if n not in untold]
    if bad.untold is not None and good.untold is not None:
        return explain_grouped_difference(table, bad=pd.Series(is_bad), count="weight", fields=names)
    return explain_difference(table, bad=pd.Series(is_bad), good=pd.Series(~is_bad), fields=names)


def _plain(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries()


def without(table: pa.Table, where: str | None) -> pa.Table:
    """The rows that do not fit the filter."""
    return table if where is None else table.filter(pc.invert(evaluate(where, table)))


def selection(window: Window, query: QueryLine) -> Selection:
    """The window and the filter as what a source is asked to compare."""
    return Selection(window, query.where)
