"""How a view's questions are asked where the data lives, and what is said of the answers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.base import Answer
from connectors.errors import NotExpressible
from connectors.merged import MergedLogs
from connectors.window import Window
from kit.exploring import kinds
from kit.exploring.lines import native
from kit.exploring.look import Look
from kit.exploring.query_line import QueryLine, read_query
from kit.looking import is_address
from kit.progress import long_question

if TYPE_CHECKING:
    import pandas as pd

    from kit.explore import LogView

SAMPLE, DRAWN = 200_000, 20_000
"""Lines looked at for templates and differences where there are more: of files, and drawn by a server."""
PART_FOR_FIELDS = 40
"""A server is asked which fields there are for one such part of the window: of all its rows that takes seconds."""


def query_of(view: LogView) -> QueryLine:
    """The view's query line. Raises `NotExpressible` for a server's own language where no server takes it."""
    query = read_query(view.line)
    if query.native and (len(view.sources) > 1 or not _speaks(view.sources[0])):
        raise NotExpressible(
            f"{query.native[:40]!r} is in a server's own language, and these lines are not one server's that takes "
            f"it: write words or field=value."
        )
    return query


def source_of(view: LogView) -> Any:
    """What is asked: the view's source, or all of them as one; quick answers unless it is exact."""
    own = [s if view.exact else getattr(s, "glance", s) for s in view.sources]
    return own[0] if len(own) == 1 else MergedLogs("logs", own)


def count_of(
    view: LogView, window: Window, *, every: str | None = None, by: Sequence[str] = (), top: int = 50
) -> Answer:  # fmt: skip
    """The view's lines in this window, counted."""
    with long_question("counting lines"):
        query = query_of(view)
        return source_of(view).count(window, every=every, by=tuple(by), where=query.where, top=top, **native(query))


def rows_of(view: LogView, window: Window, query: QueryLine, n: int | None, *, of: int = 1) -> kinds.Rows:
    """Rows of the window for kinds of line and differences; `of` windows share the lines that are looked at."""
    source = source_of(view)
    names = [f for f in kinds.TEMPLATE_FIELDS if f in set(remembered(view)["name"]) or f in ("message", "id")]
    wanted = n or (SAMPLE if hasattr(source, "at_hand") else DRAWN) // of
    return kinds.rows_of(source, window, query, n=wanted, hidden=view.hidden, names=tuple(names))


def remembered(view: LogView) -> pd.DataFrame:
    """The fields of the widest window that was asked for them: which there are does not change with each brush."""
    known = view._known
    quick = replace(view, exact=False)
    if not known and not is_address(view.place):
        return quick.fields()
    if not known:
        middle = view.window.start + (view.window.end - view.window.start) / 2
        part = view.window.seconds / PART_FOR_FIELDS / 2
        looked_at = replace(quick, window=Window(middle, middle).widen(before_s=part, after_s=part)).fields()
        if not len(looked_at):
            return quick.fields()
    return known[max(known, key=lambda window: window.seconds)]


def look_at(
    view: LogView, title: str, table: pd.DataFrame, call: str, *answers: Answer, notes: Sequence[str] = ()
) -> Look:  # fmt: skip
    """A look that rests on these answers, with what they lack."""
    said = [note for note in notes if note]
    for answer in answers:
        said += [f"sampled: {answer.fetch.sampled}"] if answer.fetch.sampled else []
        said += [f"in part: {answer.fetch.partial}"] if answer.fetch.partial else []
    sampled = any(answer.fetch.sampled for answer in answers)
    return Look(title, table, view.code + call, tuple(dict.fromkeys(said)), answers, sampled)


def look_at_rows(
    view: LogView, title: str, table: pd.DataFrame, call: str, *rows: kinds.Rows, notes: Sequence[str] = ()
) -> Look:  # fmt: skip
    """A look at rows that are at hand, with what they lack and which were left out."""
    said = [f"sampled: {r.sampled}" for r in rows if r.sampled] + [f"in part: {r.partial}" for r in rows if r.partial]
    left_out = sum(r.left_out for r in rows)
    if view.hidden:
        said.append(f"{left_out:,} lines of {len(view.hidden)} hidden templates are left out")
    answers = tuple(answer for r in rows for answer in r.answers)
    said += [note for note in notes if note]
    return Look(
        title, table, view.code + call, tuple(dict.fromkeys(said)), answers, any(r.sampled for r in rows)
    )  # fmt: skip


def unasked(query: QueryLine) -> tuple[str, ...]:
    """What is to be said of an answer to a query with patterns, which no source is asked."""
    return ("the /pattern/ is not part of this: only lines that came are searched for it",) if query.local else ()


def _speaks(source: Any) -> bool:
    """Does this source take a filter in its own language?"""
    return "native" in inspect.signature(source.count).parameters
