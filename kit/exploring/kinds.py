"""Kinds of line and what sets lines apart, from rows that are at hand or that a source draws."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that fit a query, with weights; `sampled` and `partial` as in a fetch; the answers where there are any."""

    table: pa.Table
    sampled: str | None = None
    partial: str | None = None
    answers: tuple[Answer, ...] = ()
    left_out: int = 0
    """Lines of hidden templates among them, which are not in the table."""


def rows_of(
    source: Any, window: Window, query: QueryLine, *, n: int, hidden: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> Rows:
    """About `n` rows of the window that fit the query line, patterns and hidden templates included.

    From a source that has rows at hand, those; else it draws `n`, only the columns `names` (of those it has).
    """
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


def differences(bad: Rows, good: Rows, *, own: tuple[str | None, ...]) -> pd.DataFrame:
    """What sets the bad rows apart from the good ones; fields that the filters `own` name are not compared."""
    from kit.difference import explain_difference
    from kit.numerics.value_codes import NOT_DIMENSIONS

    table = pa.concat_tables([_plain(bad.table), _plain(good.table)], promote_options="permissive")
    is_bad = np.arange(table.num_rows) < bad.table.num_rows
    named = {name for text in own if text for name in fields(parse(text))}
    names = [
        n for n in table.column_names if n not in NOT_DIMENSIONS | named and table.column(n).null_count < len(table)
    ]
    return explain_difference(table, bad=pd.Series(is_bad), good=pd.Series(~is_bad), fields=names)


def _plain(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries()


def without(table: pa.Table, where: str | None) -> pa.Table:
    """The rows that do not fit the filter."""
    return table if where is None else table.filter(pc.invert(evaluate(where, table)))


def selection(window: Window, query: QueryLine) -> Selection:
    """The window and the filter as what a source is asked to compare."""
    return Selection(window, query.where)
