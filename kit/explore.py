"""Looking into logs when nobody knows yet what to ask: each look is one question, asked where the data lives.

A view is a window and a query line over some sources. It never changes: narrowing gives a new one, and each carries the
line of Python that makes it again. A folder of any size is looked at through a sample, marked as one; `exactly()` gives
the view that counts.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from connectors.base import Answer, answered
from connectors.errors import BadInput, ConnectorError, NotExpressible
from connectors.merged import MergedLogs
from connectors.where import quote_field, quote_value
from connectors.window import Window, iso, step_seconds, utc
from kit.errors import BadCase
from kit.exploring import kinds, words
from kit.exploring.lines import native, searched
from kit.exploring.look import Look
from kit.exploring.places import open_logs, span_of
from kit.exploring.query_line import QueryLine, read_query
from kit.looking import is_address
from kit.progress import long_question
from kit.result import OPEN_ROWS, Result

SAMPLE, DRAWN = 200_000, 20_000
"""Lines looked at for templates and differences where there are more: of files, and drawn by a server."""
MOST_LINES = 200_000
SEARCHED = 400_000
"""A pattern is looked for in so many lines at most, until all are asked for exactly."""
BINS = 120
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
PART_FOR_FIELDS = 40
"""A server is asked which fields there are for one such part of the window: of all its rows that takes seconds."""
FACETS_AT_A_TIME = 2
_IDS = ("trace_id", "span_id", "request_id", "http.request.id", "correlation_id")


def explore(place: str | Path, *, tz: str | Mapping[str, str] | None = None) -> LogView:
    """What do these logs say? Opens a file, a folder, an archive, a case or an address, with no configuration.

    Gives a view over everything that is there; narrow it with `.find("pool -health status>=500")` and
    `.between(start, end)`. `tz` is the zone of times that are written without one, or one per pattern of file names
    (`{"db/*": "Europe/Berlin"}`). Nothing is read whole and nothing copied to disk, however large the folder is; what
    a sample shows is marked so. Raises `BadCase` where no log is found, or no line has a time.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "app.log").write_text(
    ...     "2026-03-01T02:00:00Z INFO started\\n2026-03-01T02:00:05Z ERROR pool is full\\n")
    >>> logs = explore(folder)
    >>> logs.find("pool").volume().headline
    '1 line fits, 02:00:05 to 02:00:05 UTC on 2026-03-01.'
    """
    sources, left_out = open_logs(place, tz=tz)
    readable, spans, gaps = [], [], []
    for source in sources:
        try:
            spans.append(span_of(source))
        except (BadCase, ConnectorError) as error:
            gaps.append(f"{source.name}: {error}")
        else:
            readable.append(source)
    if not readable:
        raise BadCase(f"None of the logs of {place} can be read: {' '.join(gaps[:3])}")
    window = Window(min(s.start for s in spans), max(s.end for s in spans))
    return LogView(place=str(place), sources=tuple(readable), window=window, left_out=(*left_out, *gaps), code_tz=tz)


@dataclass(frozen=True, slots=True)
class LogView(Result):
    """A window and a query over some logs. Times are UTC; every look says when it is sampled or lacks a part."""

    place: str
    sources: tuple[Any, ...]
    window: Window
    line: str = ""
    hidden: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    code_tz: str | Mapping[str, str] | None = None
    exact: bool = False
    picked: tuple[str, ...] = ()
    because: tuple[str, ...] = field(default=())
    _known: dict[Any, pd.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @property
    def headline(self) -> str:
        """Where this looks."""
        named = ", ".join(s.name for s in self.sources[:4]) + (" …" if len(self.sources) > 4 else "")
        what = f" that fit {self.line!r}" if self.line else ""
        return f"Lines of {named}{what}, {words.span(self.window)}."

    def to_frame(self) -> pd.DataFrame:
        """The lines as a DataFrame, at most 200,000; `.attrs` says when there are more."""
        return self.lines(MOST_LINES).table

    def _repr_html_(self) -> str:
        """A glance: where this looks, what was left out, and the first lines."""
        glance = self.lines(OPEN_ROWS)
        named = [c for c in ("time", "service", "level", "message") if c in glance.table]
        return replace(
            glance, title=self.headline, because=(*self.left_out[:5], *glance.because), table=glance.table[named]
        )._repr_html_()

    # --- narrowing ---------------------------------------------------------------------------------------------------

    def find(self, line: str) -> LogView:
        """The lines that fit this query line as well; see `kit.exploring.query_line`. Raises `BadInput`."""
        new = words.both(self.line, line)
        read_query(new)
        return replace(self, line=new)

    def ask(self, line: str) -> LogView:
        """The lines that fit this query line instead of the former one."""
        read_query(line)
        return replace(self, line=line)

    def between(self, start: str | datetime, end: str | datetime) -> LogView:
        """The part of the lines in [start, end); times with their zone. Raises `BadInput`, `NaiveTime`."""
        return replace(self, window=Window(utc(start), utc(end)))

    def only(self, *sources: str) -> LogView:
        """The lines of these sources, or of these files of a folder. Raises `BadInput` that names those there are."""
        if len(self.sources) == 1 and hasattr(self.sources[0], "only"):
            return replace(self, sources=(self.sources[0].only(*sources),), picked=sources, _known={})
        known = {s.name: s for s in self.sources}
        for name in sources:
            if name not in known:
                raise BadInput(f"There is no source {name!r} here: there are {', '.join(known)}.")
        return replace(self, sources=tuple(known[name] for name in sources), picked=sources, _known={})

    def hide(self, template: str) -> LogView:
        """Without the lines of this template: they are left out of `lines` and `templates` and counted as hidden."""
        return replace(self, hidden=(*self.hidden, template))

    def exactly(self) -> LogView:
        """The same view with every look over all lines, not a sample; long ones say how far they are.

        Interrupting one loses nothing. Where a window has more lines than are held at a time (5,000,000 of files),
        volume and values are counted in a stream, and the rest raises `OverBudget`.
        """
        return replace(self, exact=True)

    @property
    def evidence_folder(self) -> Path | None:
        """Where a case keeps its recorded answers; None where no case is explored."""
        return next((s.answers.folder for s in self.sources if hasattr(s, "answers")), None)

    @property
    def is_affordable(self) -> bool:
        """Do all lines of this window fit in memory, so that every look can be exact? True where a server counts."""
        folders = [s for s in self.sources if hasattr(s, "glance")]
        return all(s.lines_in(self.window) <= s.budget_rows for s in folders)

    def hold(self) -> LogView:
        """Read all lines of this window into memory, so that every look at it is exact from then on.

        Raises `OverBudget` with a window that would fit. Where a server counts nothing is read.
        """
        with long_question("reading all lines"):
            for source in self.sources:
                if hasattr(source, "glance"):
                    source.hold(self.window)
        return self

    @property
    def everything_at_hand(self) -> bool:
        """Are this window's looks exact already, without `exactly`?"""
        return self.exact or all(s.glance.exact(self.window) for s in self.sources if hasattr(s, "glance"))

    # --- looks -------------------------------------------------------------------------------------------------------

    def volume(self, *, by: str | None = None, every: str | None = None) -> Look:
        """How many lines over time? Columns time (start of the bin), n, and `by` where given."""
        step = every or self.every
        answer = self._count(self.window, every=step, by=(by,) if by else ())
        table = answer.to_frame()
        total = float(table["n"].sum())
        there = table[table["n"] > 0]
        when = ""
        if len(there):
            width = timedelta(seconds=step_seconds(step))
            seen = Window(there["time"].min().to_pydatetime(), there["time"].max().to_pydatetime() + width)
            inside = seen if total != 1 else Window(seen.start, seen.start + timedelta(microseconds=1))
            when = f", {words.span(inside)}"
        about = "About " if answer.fetch.sampled else ""
        said = f"{about}{total:,.0f} line{'s' if total != 1 else ''} fit{'s' if total == 1 else ''}{when}."
        return self._look(said, table, f".volume({words.arguments(by=by, every=every)})", answer)

    def facets(self, *fields: str, top: int = 10) -> Look:
        """Which values have these lines' fields, and how often? Without names: the eight commonest of few values.

        Columns field, value, n, share (of the lines that fit); counts are of the whole window, never of a page.
        """
        chosen = list(fields) or words.facets_of(self._remembered())
        for name in fields:
            if name not in set(self._remembered()["name"]) and name not in set(self.fields()["name"]):
                raise BadInput(
                    f"These lines have no field {name!r}: they have {', '.join(sorted(self.fields()['name'])[:20])}."
                )
        with long_question("counting values"), ThreadPoolExecutor(FACETS_AT_A_TIME) as pool:
            asked = [
                pool.submit(contextvars.copy_context().run, self._count, self.window, by=(name,), top=top)
                for name in chosen
            ]
            answers = [one.result() for one in asked]
        parts = []
        for name, answer in zip(chosen, answers, strict=True):
            part = answer.to_frame().rename(columns={name: "value"})
            parts.append(part.assign(field=name, share=part["n"] / max(part["n"].sum(), 1.0)))
        columns = ["field", "value", "n", "share"]
        table = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
        names = ", ".join(repr(f) for f in fields)
        return self._look(f"Values of {len(chosen)} fields.", table, f".facets({names})", *answers)

    def fields(self) -> pd.DataFrame:
        """Which fields do the lines of this window have? Columns as in `LogSource.fields`; remembered."""
        if self.window not in self._known:
            native = {"native": self._query.native} if self._query.native else {}
            self._known[self.window] = self._source.fields(self.window, **native).to_frame()
        return self._known[self.window]

    def _remembered(self) -> pd.DataFrame:
        """The fields of the widest window that was asked for them: which there are does not change with each brush."""
        if not self._known and not is_address(self.place):
            return self.fields()
        if not self._known:
            middle = self.window.start + (self.window.end - self.window.start) / 2
            part = self.window.seconds / PART_FOR_FIELDS / 2
            looked_at = replace(self, window=Window(middle, middle).widen(before_s=part, after_s=part)).fields()
            if not len(looked_at):
                return self.fields()
        return self._known[max(self._known, key=lambda window: window.seconds)]

    def completions(self, text: str, *, caret: int | None = None) -> list[str]:
        """How may this query line go on? Whole lines, with fields and their commonest values."""
        from kit.exploring.complete import completions

        return completions(text, self._remembered(), caret=caret)

    def lines(self, n: int = 100, *, newest: bool = False) -> Look:
        """The lines themselves, in order of time, at most `n` (the last ones with `newest`)."""
        query = self._query
        order = "-time" if newest else "time"
        local = query.local or self.hidden
        with long_question("looking for lines"):
            if local:
                one = len(self.sources) == 1
                most = None if self.exact and one else SEARCHED if one else MOST_LINES
                answer, notes = searched(
                    self._source, self.window, query, n=n, order=order, most=most, hidden=self.hidden
                )
            else:
                asked = self._source.rows(self.window, where=query.where, order=order, limit=n, **native(query))
                answer, notes = answered(asked), ()
        table = answer.to_frame()
        table = (table.iloc[::-1] if newest else table).reset_index(drop=True)
        title = (
            f"{len(table):,} line{'s' if len(table) != 1 else ''}{'' if len(table) < n else ' (there may be more)'}."
        )
        return self._look(title, table, f".lines({n}{', newest=True' if newest else ''})", answer, notes=notes)

    def templates(self, *, before: Window | None = None, n: int | None = None) -> Look:
        """Which kinds of line are there; with `before`, which are new, gone or changed since that window?

        From a sample of each window where there are more lines than `n` (200,000 of files, 20,000 that a server has to
        draw); counts are then estimates.
        """
        query = self._query
        with long_question("reading kinds of line"):
            now = self._rows(self.window, query, n, of=1 if before is None else 2)
            if before is None:
                table = kinds.kinds_in(now.table)
                return self._of_rows(f"{len(table)} kinds of line.", table, ".templates()", now)
            from kit.templates import compare_templates

            then = self._rows(before, query, n, of=2)
            both = pa.concat_tables([now.table, then.table], promote_options="permissive")
            table = compare_templates(both, baseline=before, incident=self.window)
        table = table[~table["template"].isin(self.hidden)].reset_index(drop=True)
        classes = table["class"].value_counts()
        said = (
            ", ".join(f"{classes[k]} {k}" for k in ("new", "gone", "changed") if k in classes)
            or "none new, gone or changed"
        )
        code = f".templates(before=kit.Window.of({iso(before.start)!r}, {iso(before.end)!r}))"
        return self._of_rows(f"Kinds of line: {said}.", table, code, now, then)

    def different(self, *, from_: LogView | None = None, n: int | None = None) -> Look:
        """What sets these lines apart from the others of the same window (or from another view's)?

        Values and combinations of fields with the shares in both, chance corrected; see `kit.explain_difference`.
        """
        query = self._query
        if from_ is None and query.where is None:
            raise BadInput("All lines of the window are chosen: nothing is left to compare with; narrow with find().")
        code = f".different({f'from_={from_.code}' if from_ is not None else ''})"
        others = replace(from_, exact=self.exact) if from_ is not None else self.ask("")
        with long_question("comparing lines"):
            if hasattr(self._source, "at_hand"):
                two = 1 if others.window == self.window else 2
                bad = self._rows(self.window, query, n, of=two)
                good = others._rows(others.window, others._query, n, of=two)
                if from_ is None:
                    good = replace(good, table=kinds.without(good.table, query.where))
                table = kinds.differences(bad, good, own=(query.where, others._query.where))
                return self._of_rows(_first_of(table), table, code, bad, good)
            from kit.difference import explain_source_difference

            against = f"NOT ({query.where})" if from_ is None else others._query.where
            table = explain_source_difference(
                self._source,
                bad=kinds.selection(self.window, query),
                good=kinds.selection(others.window, replace(others._query, where=against)),
            )
        return self._look(_first_of(table), table, code, notes=self._unasked(query))

    def context(self, at: str | datetime, *, around_s: float = 5.0, source: str | None = None, n: int = 40) -> Look:
        """Which lines stand around this moment, whatever the query says? The nearest `n`, of all sources or of one."""
        moment = utc(at)
        margin = timedelta(seconds=around_s)
        view = replace(self if source is None else self.only(source), line="", hidden=(),
                       window=Window(moment - margin, moment + margin))  # fmt: skip
        rows = view.lines(MOST_LINES).table
        if not len(rows):
            return replace(view.lines(n), title=f"No line within {around_s:g} s of {moment:%H:%M:%S} UTC.")
        near = (pd.to_datetime(rows["time"], utc=True) - pd.Timestamp(moment)).abs()
        table = rows.loc[near.nsmallest(n).index].sort_index().reset_index(drop=True)
        code = f".context({iso(moment)!r}, around_s={around_s:g})"
        return self._look(f"{len(table)} lines around {moment:%H:%M:%S} UTC.", table, code)

    def follow(self, value: str, *, n: int = 1000) -> Look:
        """Which lines carry this trace, span or request id, in any source and at any time of the view's window?"""
        names = set(self._remembered()["name"]) | (set(self.fields()["name"]) if self.everything_at_hand else set())
        ids = [name for name in _IDS if name in names]
        if not ids:
            raise BadInput(f"No source has an id to follow ({', '.join(_IDS)}): search the text with find({value!r}).")
        where = " OR ".join(f"{quote_field(name)} = {quote_value(value)}" for name in ids)
        found = replace(self, line=where, hidden=()).lines(n)
        return replace(found, title=f"{len(found.table)} lines carry {value}.", code=f"{self.code}.follow({value!r})")

    def column(self, template: str, position: int = 0, *, n: int = MOST_LINES) -> Look:
        """Which values does a template's variable take? The lines of that template with it as the column `value`."""
        from kit.templates import extract_variable

        rows = self.lines(n).table
        values = extract_variable(rows["message"], template, position)
        table = rows.assign(value=values)[values.notna()].reset_index(drop=True)
        title = f"{len(table):,} values of variable {position} of {template!r}."
        if len(table) and pd.api.types.is_numeric_dtype(table["value"]):
            title += f" Median {table['value'].median():g}, p99 {table['value'].quantile(0.99):g}."
        return self._look(title, table, f".column({template!r}, {position})")

    # --- how it is asked ---------------------------------------------------------------------------------------------

    @property
    def code(self) -> str:
        """The line of Python that makes this view again."""
        tz = f", tz={self.code_tz!r}" if self.code_tz else ""
        said = f"kit.explore({self.place!r}{tz})"
        if self.picked:
            said += f".only({', '.join(map(repr, self.picked))})"
        said += f".between({iso(self.window.start)!r}, {iso(self.window.end)!r})"
        if self.line:
            said += f".find({self.line!r})"
        for template in self.hidden:
            said += f".hide({template!r})"
        return f"{said}.exactly()" if self.exact else said

    @property
    def _query(self) -> QueryLine:
        query = read_query(self.line)
        if query.native and (len(self.sources) > 1 or not _speaks(self.sources[0])):
            raise NotExpressible(
                f"{query.native[:40]!r} is in a server's own language, and these lines are not one server's that takes "
                f"it: write words or field=value."
            )
        return query

    @property
    def _source(self) -> Any:
        own = [s if self.exact else getattr(s, "glance", s) for s in self.sources]
        return own[0] if len(own) == 1 else MergedLogs("logs", own)

    def _count(self, window: Window, *, every: str | None = None, by: Sequence[str] = (), top: int = 50) -> Answer:
        with long_question("counting lines"):
            query = self._query
            return self._source.count(window, every=every, by=tuple(by), where=query.where, top=top, **native(query))

    def _rows(self, window: Window, query: QueryLine, n: int | None, *, of: int = 1) -> kinds.Rows:
        names = [f for f in kinds.TEMPLATE_FIELDS if f in set(self._remembered()["name"]) or f in ("message", "id")]
        wanted = n or (SAMPLE if hasattr(self._source, "at_hand") else DRAWN) // of
        return kinds.rows_of(self._source, window, query, n=wanted, hidden=self.hidden, names=tuple(names))

    def _of_rows(self, title: str, table: pd.DataFrame, call: str, *rows: kinds.Rows) -> Look:
        said = [f"sampled: {r.sampled}" for r in rows if r.sampled] + [
            f"in part: {r.partial}" for r in rows if r.partial
        ]
        left_out = sum(r.left_out for r in rows)
        if self.hidden:
            said.append(f"{left_out:,} lines of {len(self.hidden)} hidden templates are left out")
        answers = tuple(a for r in rows for a in r.answers)
        sampled = any(r.sampled for r in rows)
        return Look(title, table, self.code + call, tuple(dict.fromkeys(said)), answers, sampled)

    @property
    def every(self) -> str:
        """The step of the volume: a round one that gives about 120 bars."""
        wanted = self.window.seconds / BINS
        return f"{next((s for s in STEPS_S if s >= wanted), STEPS_S[-1])}s"

    def _unasked(self, query: QueryLine) -> tuple[str, ...]:
        return ("the /pattern/ is not part of this: only lines that came are searched for it",) if query.local else ()

    def _look(self, title: str, table: pd.DataFrame, call: str, *answers: Answer, notes: Sequence[str] = ()) -> Look:
        said = [n for n in notes if n]
        for answer in answers:
            said += [f"sampled: {answer.fetch.sampled}"] if answer.fetch.sampled else []
            said += [f"in part: {answer.fetch.partial}"] if answer.fetch.partial else []
        if call.startswith((".volume", ".facets")):
            said += self._unasked(self._query)
        sampled = any(a.fetch.sampled for a in answers)
        return Look(title, table, self.code + call, tuple(dict.fromkeys(said)), answers, sampled)


def _speaks(source: Any) -> bool:
    """Does this source take a filter in its own language?"""
    import inspect

    return "native" in inspect.signature(source.count).parameters


def _first_of(table: pd.DataFrame) -> str:
    first = f"{table.iloc[0]['predicate']} comes first" if len(table) else "nothing sets them apart beyond chance"
    return f"Of what differs, {first}."
