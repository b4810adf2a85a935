"""Looking into logs when nobody knows yet what to ask: each look is one question, asked where the data lives.

A view is a window and a query line over some sources. It never changes: narrowing gives a new one, and each carries the
line of Python that makes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.base import Answer, Selection, answered
from connectors.errors import BadInput, ConnectorError
from connectors.merged import MergedLogs
from connectors.where import all_of, quote_field, quote_value
from connectors.window import Window, iso, step_seconds, utc
from kit.errors import BadCase
from kit.exploring.places import open_logs, span_of
from kit.exploring.query_line import QueryLine, read_query
from kit.result import OPEN_ROWS, Result

SAMPLE = 20_000
"""Lines drawn for templates and for what sets lines apart, where there are more."""
MOST_LINES = 200_000
BINS = 120
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_IDS = ("trace_id", "span_id", "request_id", "http.request.id", "correlation_id")
_NOT_FACETS = frozenset({"time", "message", "id", "seq", "weight", "trace_id", "span_id", "attributes"})


@dataclass(frozen=True, slots=True)
class Look(Result):
    """One look: what it shows (`table`), what it is, what it lacks (`because`), and the line that asks it again."""

    title: str
    table: pd.DataFrame
    code: str
    because: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What is seen."""
        return self.title

    def to_frame(self) -> pd.DataFrame:
        """The table itself."""
        return self.table


def explore(place: str | Path, *, tz: str | None = None) -> LogView:
    """What do these logs say? Opens a file, a folder of files or a case, with no configuration.

    Gives a view over everything that is there; narrow it with `.find("pool -health status>=500")` and
    `.between(start, end)`. `tz` is the zone of times that are written without one. Raises `BadCase` where no log is
    found, or no line has a time.

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
    code_tz: str | None = None
    because: tuple[str, ...] = field(default=())
    _known: dict[Any, pd.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @property
    def headline(self) -> str:
        """Where this looks."""
        named = ", ".join(s.name for s in self.sources[:4]) + (" …" if len(self.sources) > 4 else "")
        what = f" that fit {self.line!r}" if self.line else ""
        return f"Lines of {named}{what}, {_span(self.window)}."

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
        new = _both(self.line, line)
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
        """The lines of these sources. Raises `BadInput` that names the sources there are."""
        known = {s.name: s for s in self.sources}
        for name in sources:
            if name not in known:
                raise BadInput(f"There is no source {name!r} here: there are {', '.join(known)}.")
        return replace(self, sources=tuple(known[name] for name in sources))

    def hide(self, template: str) -> LogView:
        """Without the lines of this template: they are left out of `lines` and `templates` and counted as hidden."""
        return replace(self, hidden=(*self.hidden, template))

    # --- looks -------------------------------------------------------------------------------------------------------

    def volume(self, *, by: str | None = None, every: str | None = None) -> Look:
        """How many lines over time? Columns time (start of the bin), n, and `by` where given."""
        query, step = self._query, every or self.every
        answer = self._source.count(self.window, every=step, by=(by,) if by else (), where=query.where)
        table = answer.to_frame()
        total = float(table["n"].sum())
        there = table[table["n"] > 0]
        when = ""
        if len(there):
            width = timedelta(seconds=step_seconds(step))
            seen = Window(there["time"].min().to_pydatetime(), there["time"].max().to_pydatetime() + width)
            inside = seen if total != 1 else Window(seen.start, seen.start + timedelta(microseconds=1))
            when = f", {_span(inside)}"
        said = f"{total:,.0f} line{'s' if total != 1 else ''} fit{'s' if total == 1 else ''}{when}."
        return self._look(said, table, f".volume({_arguments(by=by, every=every)})", answer)

    def facets(self, *fields: str, top: int = 10) -> Look:
        """Which values have these lines' fields, and how often? Without names: the eight commonest of few values.

        Columns field, value, n, share (of the lines that fit); counts are of the whole window, never of a page.
        """
        query = self._query
        known = self.fields()
        chosen = list(fields) or _facets_of(known)
        for name in fields:
            if name not in set(known["name"]):
                raise BadInput(
                    f"These lines have no field {name!r}: they have {', '.join(sorted(known['name'])[:20])}."
                )
        parts, answers = [], []
        for name in chosen:
            answer = self._source.count(self.window, by=(name,), where=query.where, top=top)
            part = answer.to_frame().rename(columns={name: "value"})
            parts.append(part.assign(field=name, share=part["n"] / max(part["n"].sum(), 1.0)))
            answers.append(answer)
        columns = ["field", "value", "n", "share"]
        table = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
        names = ", ".join(repr(f) for f in fields)
        return self._look(f"Values of {len(chosen)} fields.", table, f".facets({names})", *answers)

    def fields(self) -> pd.DataFrame:
        """Which fields do the lines of this window have? Columns as in `LogSource.fields`; remembered."""
        key = (tuple(s.name for s in self.sources), self.window)
        if key not in self._known:
            self._known[key] = self._source.fields(self.window).to_frame()
        return self._known[key]

    def lines(self, n: int = 100, *, newest: bool = False) -> Look:
        """The lines themselves, in order of time, at most `n` (the last ones with `newest`)."""
        query = self._query
        wanted = n if not query.local and not self.hidden else MOST_LINES
        order = "-time" if newest else "time"
        answer = answered(self._source.rows(self.window, where=query.where, order=order, limit=wanted))
        table, notes = self._kept(answer.to_frame(), query)
        if len(table) > n:
            table = table.head(n)
        if newest:
            table = table.iloc[::-1]
        if len(answer.table) >= wanted and query.local:
            notes = (*notes, f"only the first {wanted:,} lines were searched for the pattern: narrow the window")
        table = table.reset_index(drop=True)
        title = (
            f"{len(table):,} line{'s' if len(table) != 1 else ''}{'' if len(table) < n else ' (there may be more)'}."
        )
        return self._look(title, table, f".lines({n}{', newest=True' if newest else ''})", answer, notes=notes)

    def templates(self, *, before: Window | None = None, n: int = SAMPLE) -> Look:
        """Which kinds of line are there; with `before`, which are new, gone or changed since that window?

        From a sample of `n` lines of each window where there are more; counts are then estimates with intervals.
        """
        query = self._query
        if before is None:
            return self._mined(query, n)
        from kit.templates import compare_source_templates

        table = compare_source_templates(self._source, baseline=before, incident=self.window, where=query.where, n=n)
        table = table[~table["template"].isin(self.hidden)].reset_index(drop=True)
        kinds = table["class"].value_counts()
        said = (
            ", ".join(f"{kinds[k]} {k}" for k in ("new", "gone", "changed") if k in kinds)
            or "none new, gone or changed"
        )
        code = f".templates(before=Window.of({iso(before.start)!r}, {iso(before.end)!r}))"
        return self._look(f"Kinds of line: {said}.", table, code, notes=self._unasked(query))

    def _mined(self, query: QueryLine, n: int) -> Look:
        from kit.templates import mine_templates

        answer = self._source.sample(self.window, n, where=all_of(query.where, "message IS NOT NULL"))
        rows, notes = self._kept(answer.to_frame(), query)
        weight = rows["weight"].fillna(1.0) if "weight" in rows and len(rows) else pd.Series(1.0, index=rows.index)
        mined = mine_templates(rows["message"].tolist())
        ids = pd.Series(mined.ids, index=rows.index)
        counts = weight.groupby(ids).sum()
        names = mined.to_frame()["template"]
        table = pd.DataFrame({"template": names, "n": [float(counts.get(i, 0.0)) for i in range(len(names))]})
        table = table.sort_values("n", ascending=False, kind="stable").reset_index(drop=True)
        table["share"] = table["n"] / max(table["n"].sum(), 1.0)
        return self._look(f"{len(table)} kinds of line.", table, ".templates()", answer, notes=notes)

    def different(self, *, from_: LogView | None = None) -> Look:
        """What sets these lines apart from the others of the same window (or from another view's)?

        Values and combinations of fields with the shares in both, chance corrected; see `kit.explain_difference`.
        """
        from kit.difference import explain_source_difference

        query = self._query
        if from_ is None and query.where is None:
            raise BadInput("All lines of the window are chosen: nothing is left to compare with; narrow with find().")
        bad = Selection(self.window, query.where)
        good = Selection(self.window, f"NOT ({query.where})") if from_ is None else from_._selection
        table = explain_source_difference(self._source, bad=bad, good=good)
        first = f"{table.iloc[0]['predicate']} comes first" if len(table) else "nothing sets them apart beyond chance"
        return self._look(f"Of what differs, {first}.", table, ".different()", notes=self._unasked(query))

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
        names = set(self.fields()["name"])
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
        said += f".between({iso(self.window.start)!r}, {iso(self.window.end)!r})"
        if self.line:
            said += f".find({self.line!r})"
        for template in self.hidden:
            said += f".hide({template!r})"
        return said

    @property
    def _query(self) -> QueryLine:
        return read_query(self.line)

    @property
    def _source(self) -> Any:
        return self.sources[0] if len(self.sources) == 1 else MergedLogs("logs", self.sources)

    @property
    def _selection(self) -> Selection:
        return Selection(self.window, self._query.where)

    @property
    def every(self) -> str:
        """The step of the volume: a round one that gives about 120 bars."""
        wanted = self.window.seconds / BINS
        return f"{next((s for s in STEPS_S if s >= wanted), STEPS_S[-1])}s"

    def _kept(self, rows: pd.DataFrame, query: QueryLine) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The rows that fit the patterns and are not hidden, and how many were left out."""
        if not len(rows):
            return rows, ()
        text = rows["message"].fillna("").astype(str)
        keep = pd.Series(True, index=rows.index)
        for pattern in query.patterns:
            keep &= text.str.contains(pattern, regex=True)
        for pattern in query.not_patterns:
            keep &= ~text.str.contains(pattern, regex=True)
        notes = []
        if self.hidden:
            from kit.templates import mine_templates

            mined = mine_templates(text.tolist())
            names = mined.to_frame()["template"]
            hide = pd.Series(mined.ids, index=rows.index).map(names).isin(self.hidden)
            notes.append(f"{int((hide & keep).sum()):,} lines of {len(self.hidden)} hidden templates are left out")
            keep &= ~hide
        return rows[keep], tuple(notes)

    def _unasked(self, query: QueryLine) -> tuple[str, ...]:
        return ("the /pattern/ is not part of this: only lines that came are searched for it",) if query.local else ()

    def _look(self, title: str, table: pd.DataFrame, call: str, *answers: Answer, notes: Sequence[str] = ()) -> Look:
        said = [n for n in notes if n]
        for answer in answers:
            said += [f"sampled: {answer.fetch.sampled}"] if answer.fetch.sampled else []
            said += [f"in part: {answer.fetch.partial}"] if answer.fetch.partial else []
        if call.startswith((".volume", ".facets")):
            said += self._unasked(self._query)
        return Look(title, table, self.code + call, tuple(dict.fromkeys(said)), tuple(a.evidence for a in answers))


def _facets_of(known: pd.DataFrame, *, most: int = 8) -> list[str]:
    """The fields worth a facet: few values, on most lines; the level and the service first."""
    distinct = pd.to_numeric(known["distinct"], errors="coerce").fillna(0)
    few = known[~known["name"].isin(_NOT_FACETS) & (distinct > 1) & (distinct <= 200)]
    ordered = few.sort_values("share_present", ascending=False, kind="stable")["name"].tolist()
    first = [name for name in ("level", "service") if name in ordered]
    return [*first, *(name for name in ordered if name not in first)][:most]


def _both(one: str, other: str) -> str:
    """One query line that means both. Raises `BadInput` for a pattern beside a filter with OR, which it cannot join."""
    if not one.strip() or not other.strip():
        return (one or other).strip()
    queries = [read_query(one), read_query(other)]
    if not any(q.where == q.text.strip() and not q.local for q in queries):
        return f"{one.strip()} {other.strip()}"
    if any(q.local for q in queries):
        raise BadInput("This mixes a filter of AND and OR with a /pattern/: write the pattern as words, or ask() anew.")
    return " AND ".join(f"({q.where})" for q in queries)


def _arguments(*, by: str | None, every: str | None) -> str:
    given = [f"by={by!r}" if by else "", f"every={every!r}" if every else ""]
    return ", ".join(g for g in given if g)


def _span(window: Window) -> str:
    start, end = window.start, window.end
    if start.date() == end.date():
        return f"{start:%H:%M:%S} to {end:%H:%M:%S} UTC on {start:%Y-%m-%d}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"
