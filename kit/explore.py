"""Looking into logs when nobody knows yet what to ask: each look is one question, asked where the data lives.

A view is a window and a query line over some sources. It never changes: narrowing gives a new one, and each carries the
line of Python that makes it again. A folder of any size is looked at through a sample, marked as one; `exactly()` gives
the view that counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.errors import BadInput, ConnectorError
from connectors.window import Window, iso, utc
from kit.errors import BadCase
from kit.exploring import contrast, counts, lines, words
from kit.exploring.asking import query_of, remembered, source_of
from kit.exploring.lines import MOST_LINES, native
from kit.exploring.look import Look
from kit.exploring.places import open_logs, span_of
from kit.exploring.query_line import read_query
from kit.progress import long_question
from kit.result import OPEN_ROWS, Result


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
        """Are the lines so few that all are taken in without being asked for? True where a server counts."""
        return all(s.is_quickly_taken_in(self.window) for s in self.sources if hasattr(s, "glance"))

    def hold(self) -> LogView:
        """Take in all lines of this window, so that looks at it are exact from then on.

        Few lines are read into memory; of many it is kept who says what when, which answers all but what differs from
        line to line (ids, durations). Raises `OverBudget` with a window that would fit. Where a server counts nothing
        is read.
        """
        with long_question("reading all lines"):
            for source in self.sources:
                if hasattr(source, "glance"):
                    source.take_in(self.window)
        return self

    @property
    def everything_at_hand(self) -> bool:
        """Are this window's looks exact already, without `exactly`?"""
        folders = [s for s in self.sources if hasattr(s, "glance")]
        return self.exact or all(s.glance.exact(self.window) or s.coded(self.window) is not None for s in folders)

    # --- looks -------------------------------------------------------------------------------------------------------

    def volume(self, *, by: str | None = None, every: str | None = None) -> Look:
        """How many lines over time? Columns time (start of the bin), n, and `by` where given."""
        return counts.volume(self, by=by, every=every)

    def facets(self, *fields: str, top: int = 10) -> Look:
        """Which values have these lines' fields, and how often? Without names: the eight commonest of few values.

        Columns field, value, n, share (of the lines that fit); counts are of the whole window, never of a page.
        """
        return counts.facets(self, fields, top=top)

    def fields(self) -> pd.DataFrame:
        """Which fields do the lines of this window have? Columns as in `LogSource.fields`; remembered."""
        if self.window not in self._known:
            self._known[self.window] = source_of(self).fields(self.window, **native(query_of(self))).to_frame()
        return self._known[self.window]

    @property
    def known_fields(self) -> frozenset[str]:
        """The names of the fields that these lines have, as far as they were looked at."""
        return frozenset(map(str, remembered(self)["name"]))

    def completions(self, text: str, *, caret: int | None = None) -> list[str]:
        """How may this query line go on? Whole lines, with fields and their commonest values."""
        from kit.exploring.complete import completions

        return completions(text, remembered(self), caret=caret)

    def lines(self, n: int = 100, *, newest: bool = False) -> Look:
        """The lines themselves, in order of time, at most `n` (the last ones with `newest`).

        Columns that none of these lines fills are left out. The title says how many there are in all.
        """
        return lines.lines(self, n, newest=newest)

    def templates(self, *, before: Window | None = None, n: int | None = None) -> Look:
        """Which kinds of line are there; with `before`, which are new, gone or changed since that window?

        From a sample of each window where there are more lines than `n` (200,000 of files, 20,000 that a server has to
        draw); counts are then estimates.
        """
        return contrast.templates(self, before=before, n=n)

    def different(self, *, from_: LogView | None = None, n: int | None = None) -> Look:
        """What sets these lines apart from the others of the same window (or from another view's)?

        Values and combinations of fields with the shares in both, chance corrected; see `kit.explain_difference`.
        """
        return contrast.different(self, from_=from_, n=n)

    def context(self, at: str | datetime, *, around_s: float = 5.0, source: str | None = None, n: int = 40) -> Look:
        """Which lines stand around this moment, whatever the query says? The nearest `n`, of all sources or of one."""
        return lines.context(self, utc(at), around_s=around_s, source=source, n=n)

    def follow(self, value: str, *, n: int = 1000) -> Look:
        """Which lines carry this trace, span or request id, in any source and at any time of the view's window?"""
        return lines.follow(self, value, n=n)

    def column(self, template: str, position: int = 0, *, n: int = MOST_LINES) -> Look:
        """Which values does a template's variable take? The lines of that template with it as the column `value`."""
        return lines.column(self, template, position, n=n)

    @property
    def every(self) -> str:
        """The step of the volume: a round one that gives about 120 bars."""
        return counts.step_of(self.window)

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
