"""A log source over a folder of any size: exact answers from the bytes of the window that is asked, and no others.

What the answers cost is bounded: a window of more rows than the budget is counted in a stream, and refused for the
questions that need all rows at a time. Nothing is written to disk. `glance` gives the same questions' quick answers.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from connectors import schema
from connectors.asking import Asking, Stream
from connectors.base import Answer, answered
from connectors.errors import BadInput, OverBudget
from connectors.folder.at_once import Went, read_at_once
from connectors.folder.opened import Opened
from connectors.folder.reading import PART, Range, read_ranges, rows_within
from connectors.forwarded import Forwarded, put
from connectors.kept import Kept
from connectors.merged import summed
from connectors.questions import asked, counted, step_us
from connectors.schema import conform
from connectors.window import Window, iso, micros

if TYPE_CHECKING:
    from connectors.folder.coded import Coded
    from connectors.folder.glance import Glance
    from connectors.tables import Tables

ROWS = 5_000_000
"""So many rows are held in memory at most."""
CODED = 32_000_000
"""Of so many lines it is kept at most who says what when: twelve bytes each."""
AT_ONCE_CODED = 6_000_000
"""So many are taken in without being asked for."""
ALL_AT_ONCE = 200_000
"""A folder of fewer lines is read whole when it is first asked."""
FEW = 50_000
"""So many lines are read each time they are asked for, though they were taken in."""
SLICE_LINES = 20_000
STREAM_LINES = 200_000
MOST_GROUPS = 100_000
SCANNERS = 2
"""Files whose times are read at a time."""
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of a window in memory, as a table and as what answers questions about it, and what they lack."""

    window: Window
    tables: Tables
    table: pa.Table
    partial: str | None


class FolderLogs(Forwarded):
    """A log source over the opened texts of a folder. Every answer is exact over the lines that could be read.

    `files` names the texts; `remarks` says what was noticed when they were opened.
    """

    def __init__(self, name: str, texts: Sequence[Opened], *, remarks: Sequence[str] = (), rows: int = ROWS) -> None:
        if not texts:
            raise BadInput(f"{name} has no log that can be read.")
        self.name = name
        self.texts = tuple(texts)
        self.budget_rows = rows
        self.remarks = (*remarks, *(note for text in texts for note in text.notes))
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._counts: Kept[Any, pa.Table] = Kept(16)
        self._coded: Coded | None = None
        self._alike: Kept[Any, tuple[Coded, Tables]] = Kept(6)

    # -- what is here ---------------------------------------------------------------------------------------------

    @property
    def files(self) -> tuple[str, ...]:
        """The texts by name."""
        return tuple(text.label for text in self.texts)

    @property
    def window(self) -> Window:
        """From the first line to just past the last, as heads and tails tell."""
        return Window(instant(min(t.first for t in self.texts)), instant(max(t.last for t in self.texts) + 1))

    @property
    def bytes(self) -> float:
        """How much text there is; told by its compressed size where it was not unpacked."""
        return sum(text.text.expected() if text.text.unread else text.end for text in self.texts)

    def only(self, *labels: str) -> FolderLogs:
        """The same of some of the texts: those of these names, or whose names begin so. Raises `BadInput`."""
        chosen = [t for t in self.texts if any(t.label == at or t.label.startswith(at) for at in labels)]
        if not chosen:
            raise BadInput(f"There is no file {', '.join(labels)} here: there are {', '.join(self.files[:12])}.")
        return FolderLogs(self.name, chosen, remarks=self.remarks, rows=self.budget_rows)

    def lines_in(self, window: Window) -> float:
        """About how many lines lie in the window? From the bytes between its ends in each text."""
        total = 0.0
        for text in self.texts:
            size = sum(high - low for low, high in text.ranges(*micros(window)))
            total += (text.text.expected() if text.text.unread and size else size) / max(text.bytes_per_line, 1.0)
        return total

    @cached_property
    def glance(self) -> Glance:
        """The same questions answered at once: exactly where that is quick, else from a sample, and marked so."""
        from connectors.folder.glance import Glance

        return Glance(self)

    # -- the questions --------------------------------------------------------------------------------------------

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `Tables.fields`. Of more rows than the budget: what a sample shows, and the fetch says so."""
        if self.held(window) is None and self.lines_in(window) > self.budget_rows:
            return self.glance.fields(window, where=where)
        return self._forward("fields", window, where=where)

    def count(
        self, window: Window, *, every: str | None = None, by: Sequence[str] = (), where: str | None = None,
        top: int = 50,
    ) -> Answer:  # fmt: skip
        """See `Tables.count`. Without `by` and `where` only the lines' times are read, which is as fast as the disk."""
        if self.held(window) is None:
            if not by and where is None and self.lines_in(window) > ALL_AT_ONCE:
                return self._by_times(window, every)
            if self._tells(window, where, by, make=True) is not None:
                return self._by_codes(window, every=every, by=by, where=where, top=top)
            if self.lines_in(window) > self.budget_rows:
                return self._streamed_count(window, every=every, by=by, where=where, top=top)
        return self._forward("count", window, every=every, by=by, where=where, top=top)

    def rows(
        self, window: Window, *, where: str | None = None, fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time", limit: int | None = None,
    ) -> Stream:  # fmt: skip
        """See `Tables.rows`: read a slice of time after the other, until there are `limit` of them."""
        held = self.held(window)
        if held is not None:
            return held.tables.rows(window, where=where, fields=fields, order=order, limit=limit)
        if where is not None and limit is not None and (made := self._tells(window, where, ())) is not None:
            from connectors.folder.looked_up import looked_up
            from connectors.tables import Tables

            found = looked_up(made, self.texts, window, where, newest=order == "-time", limit=limit)
            if found is not None and not found[1]:
                table = _with(found[0], self._shape)
                return Tables(self.name, table=table).rows(
                    window, where=where, fields=fields, order=order, limit=limit
                )  # fmt: skip
        arguments = {"window": window, "where": where, "fields": fields, "order": order, "limit": limit}
        asking = self._asking("rows", window, arguments)
        shape = self._shape if fields is None else _chosen(self._shape, fields)
        return Stream(shape, asking, lambda stream: self._slices(stream, asking, window, where, order, limit))

    def forget(self) -> None:
        """Forgets what was read and counted."""
        with self._lock:
            self._held.clear()
            self._coded = None
        self._counts, self._alike = Kept(16), Kept(6)

    close = forget

    # -- how they are answered ------------------------------------------------------------------------------------

    def at_hand(self, window: Window, n: int) -> tuple[pa.Table, str | None, str | None]:
        """All rows of the window, no matter how many `n` are wanted; None (not sampled), and what they lack."""
        held = self.held(window) or self.hold(window)
        return rows_within(held.table, *micros(window)), None, held.partial

    def held(self, window: Window) -> Held | None:
        """Rows in memory that hold this window; None where it would have to be read."""
        with self._lock:
            for held in reversed(self._held):
                if held.window.start <= window.start and window.end <= held.window.end:
                    return held
        return None

    def hold(self, window: Window) -> Held:
        """Read this window's rows into memory, or those of the whole folder where that is little more.

        Raises `OverBudget` with a window that would fit.
        """
        with self._reading:
            held = self.held(window)
            if held is not None:
                return held
            whole, wanted = self.lines_in(self.window), self.lines_in(window)
            self._within_budget(window, self.budget_rows)
            span = self.window if whole <= ALL_AT_ONCE or (whole <= self.budget_rows and wanted > whole / 4) else window
            table, missing = self._read(span)
            from connectors.tables import Tables

            held = Held(span, Tables(self.name, table=table), table, "; ".join(missing) or None)
            with self._lock:
                self._held = [*self._held[-1:], held]
            return held

    def take_in(self, window: Window) -> None:
        """Hold the window's lines where they are few; else code them, so that counts over all of them are quick.

        Raises `OverBudget` with a window that would fit.
        """
        if self.held(window) is None and self.coded(window) is None:
            self.code(window) if self.lines_in(window) > ALL_AT_ONCE else self.hold(window)

    def coded(self, window: Window) -> Coded | None:
        """The window's lines as what they say and who says it when; None where they were not taken in."""
        with self._lock:
            made = self._coded
        span = window.intersect(self.window)
        if made is None or span is None:
            return None
        return made if made.window.start <= span.start and span.end <= made.window.end else None

    def code(self, window: Window) -> Coded:
        """Take in this window's lines, or the whole folder's where these fit in memory. Raises `OverBudget`."""
        from connectors.folder.coded import coded

        with self._reading:
            made = self.coded(window)
            if made is None:
                self._within_budget(window, self.budget_coded)
                span = self.window if self.is_quickly_taken_in(self.window) else window
                made = coded(self.texts, span, rows=self.budget_rows)
                with self._lock:
                    self._coded = made
        return made

    def alike(self, window: Window, where: str | None = None) -> tuple[pa.Table, frozenset[str], str | None] | None:
        """All lines of the window that fit, as rows that say the same and how many (`weight`); they are taken in.

        And the columns that are not told of, and what is missing. None where the filter asks of such a column, and
        where few enough are asked to be read.
        """
        made = self._tells(window, where, (), make=True)
        return None if made is None else (made.alike(window, where), made.left_out, made.partial)

    def known_lines(self, window: Window, where: str | None = None) -> tuple[np.ndarray, np.ndarray, pa.Table] | None:
        """Each line's time (microseconds) and the row of the table that it is like; None as in `alike`."""
        made = self._tells(window, where, (), make=True)
        return None if made is None else (*made.lines(window, where), made.table)

    def _tells(self, window: Window, where: str | None, names: Sequence[str], *, make: bool = False) -> Coded | None:
        """The coded lines, if they tell which fit the filter; with `make` they are taken in where they are many."""
        made = self.coded(window) if self.lines_in(window) > FEW else None
        if made is None and make and ALL_AT_ONCE < self.lines_in(window) <= self.budget_coded:
            made = self.code(window)
        return made if made is not None and made.answers(where, names) else None

    def _by_codes(
        self, window: Window, *, every: str | None, by: Sequence[str], where: str | None, top: int
    ) -> Answer:  # fmt: skip
        """Lines counted by what they say."""
        from connectors.tables import Tables

        made = self.code(window)
        arguments = {"window": window, "every": every, "by": tuple(by), "where": where, "top": top}
        asking = self._asking("count", window, arguments)
        _, tables = self._alike.get(
            (window, where, every), lambda: (made, Tables(self.name, table=made.alike(window, where, every=every)))
        )
        asking.queries.append(f"all lines of {len(self.texts)} files, by what they say")
        asking.missing += [made.partial] if made.partial else []
        return asking.answer(
            tables.count(window, every=every, by=by, top=top).table, binned_by="completion" if every else None
        )

    @property
    def budget_coded(self) -> int:
        """Lines that can be taken in, at twelve bytes each."""
        return CODED * self.budget_rows // ROWS

    def is_quickly_taken_in(self, window: Window) -> bool:
        """Has the window so few lines that they are taken in without being asked for?"""
        return self.lines_in(window) <= AT_ONCE_CODED * self.budget_rows // ROWS

    def _within_budget(self, window: Window, most: int) -> None:
        wanted = self.lines_in(window)
        if wanted > most:
            share = most / wanted
            fits = Window(window.start, window.start + timedelta(seconds=window.seconds * share * 0.9))
            raise OverBudget(
                f"{self.name} has about {wanted:,.0f} lines in {window}, over the {most:,} that are "
                f"held at a time: ask a part of it, like {fits}, or look at a sample."
            )

    def _read(self, window: Window, *, share: float = 1.0, done: float = 0.0) -> tuple[pa.Table, tuple[str, ...]]:
        start, stop = micros(window)
        ranges = [
            Range(text, low, high, start, stop) for text in self.texts for low, high in _all_of(text, start, stop)
        ]
        table, missing = read_ranges(ranges, share=share, done=done)
        if PART in table.column_names:
            table = table.drop_columns([PART])
        cut = [f for text in self.texts for f in text.text.faults.missing]
        return rows_within(table, start, stop), (*missing, *cut)

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        span = window or _both(arguments["bad"].window, arguments["good"].window)
        held = self.held(span) or self.hold(span)
        answer = put(held.tables, question, window, arguments)
        said = "; ".join(p for p in (answer.fetch.partial, held.partial) if p) or None
        query = f"{len(self.texts)} files of {self.name}\n{answer.fetch.query}"
        return replace(answer, fetch=replace(answer.fetch, partial=said, query=query))

    def _by_times(self, window: Window, every: str | None) -> Answer:
        """Lines counted by the times that stand in them, without reading the rest."""
        step = step_us(every, window) if every else None
        asking = self._asking("count", window, {"window": window, "every": every, "by": (), "where": None, "top": 50})
        table = self._counts.get((window, step), lambda: self._scanned(window, step))
        asking.queries.append(f"the times of the lines of {len(self.texts)} files")
        return asking.answer(table, binned_by="completion" if every else None)

    def _scanned(self, window: Window, step: int | None) -> pa.Table:
        start, stop = micros(window)
        base = start - start % step if step else start
        bins = np.zeros((stop - base - 1) // step + 1 if step else 1, np.int64)
        jobs = [(text, low, high) for text in self.texts for low, high in _all_of(text, start, stop)]
        lock = threading.Lock()

        def scan(job: tuple[Opened, int, int], went: Went) -> None:
            text, low, high = job
            own = np.zeros_like(bins)
            pieces = []
            for piece, times in text.scan(low, high):
                pieces.append(piece)
                inside = (
                    times if start <= piece.first and piece.last < stop else times[(times >= start) & (times < stop)]
                )
                if step is None:
                    own[0] += len(inside)
                elif len(inside):
                    own += np.bincount((inside - base) // step, minlength=len(bins))
                went(piece.end - piece.start)
            if low == 0 and high >= text.end and text.index is None:
                text.index = pieces
            with lock:
                bins[:] += own

        total = sum(high - low for _, low, high in jobs)
        read_at_once(sorted(jobs, key=lambda j: j[1] - j[2]), scan, readers=SCANNERS, total=total)
        if step is None:
            return pa.table([[float(bins[0])]], schema=counted(every=None, by=()))
        filled = np.flatnonzero(bins)
        times = pa.array(base + filled * step, pa.int64()).cast(schema.TIME)
        return pa.table([times, bins[filled].astype(float)], schema=counted(every="1s", by=()))

    def _streamed_count(
        self, window: Window, *, every: str | None, by: Sequence[str], where: str | None, top: int
    ) -> Answer:
        """Counts of a window too large to hold: slices of time one after the other, then added up."""
        from connectors.tables import Tables

        arguments = {"window": window, "every": every, "by": tuple(by), "where": where, "top": top}
        asking = self._asking("count", window, arguments)
        parts = []
        spans = self._parts(window, STREAM_LINES)
        for n, span in enumerate(spans):
            table, missing = self._read(span, share=1 / len(spans), done=n / len(spans))
            asking.missing += missing
            tables = Tables(self.name, table=_with(table, self._shape))
            parts.append(tables.count(span, every=every, by=by, where=where, top=MOST_GROUPS).table)
            tables.close()
        keys = [*(["time"] if every else []), *by]
        table = summed(parts, keys, top=top if by else None, by=list(by))
        return asking.answer(table.cast(counted(every=every, by=by)), binned_by="completion" if every else None)

    def _slices(
        self, stream: Stream, asking: Asking, window: Window, where: str | None, order: str, limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        from connectors.tables import Tables

        left = limit
        first = SLICE_LINES if limit is None or where is not None else min(SLICE_LINES, max(limit * 4, 2000))
        spans = self._parts(window, first, growing=where is not None or limit is None)
        down = order == "-time"
        for n, span in enumerate(reversed(spans) if down else spans):
            table, missing = self._read(span, share=1 / len(spans), done=n / len(spans))
            asking.missing += missing
            asking.queries.append(f"{len(self.texts)} files, {span}")
            if not table.num_rows:
                continue
            tables = Tables(self.name, table=_with(table, self._shape))
            found = answered(tables.rows(span, where=where, order=order, limit=left)).table  # type: ignore[arg-type]
            tables.close()
            found = _as_shape(found, stream.schema, asking)
            if left is not None:
                left -= found.num_rows
            yield from found.combine_chunks().to_batches()
            if left is not None and left <= 0:
                stream.truncated = True
                return

    def _parts(self, window: Window, lines: float, *, growing: bool = False) -> list[Window]:
        """Stretches of the window with about so many lines each, from its first line on."""
        span = window.intersect(self.window)
        if span is None:
            return []
        total = self.lines_in(span)
        if any(t.text.unread for t in self.texts):
            return [span]  # such a text is read from its beginning each time
        count = max(1, round(total / lines)) if not growing else max(1, round(total / (lines * 4)))
        count = min(count, 4096)
        start, stop = micros(span)
        edges = [start + (stop - start) * i // count for i in range(count + 1)]
        return [Window(instant(a), instant(b)) for a, b in itertools.pairwise(edges)]

    @cached_property
    def _shape(self) -> pa.Schema:
        """The columns that rows have: those of every text's head."""
        heads = [Range(text, 0, min(text.end, 16 << 10)) for text in self.texts]
        table, _ = read_ranges([replace(h, end=h.text.end) if h.text.stamp is None else h for h in heads])
        left_out = [name for name in (PART, schema.REST) if name in table.column_names]
        return table.drop_columns(left_out).schema

    def _asking(self, question: str, window: Window | None, arguments: dict[str, Any]) -> Asking:
        return Asking(self.name, question, asked(arguments), "files", window, started=time.monotonic())


def _all_of(text: Opened, start: int, stop: int) -> list[tuple[int, int]]:
    """The bytes of a window in full; all of a text that was too large to unpack."""
    found = text.ranges(start, stop)
    return [(0, max(round(text.text.expected()), text.text.length + 1))] if text.text.unread and found else found


def _with(table: pa.Table, shape: pa.Schema) -> pa.Table:
    """The table with the columns of the shape that it lacks, empty."""
    missing = [f for f in shape if f.name not in table.column_names]
    for field in missing:
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return conform(table, "LOGS")


def _as_shape(table: pa.Table, shape: pa.Schema, asking: Asking) -> pa.Table:
    """The columns as the heads of the files showed them; values of another type are left out, and said."""
    columns = []
    for field in shape:
        column = table.column(field.name)
        if column.type != field.type:
            try:
                plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
                plain = plain.cast(pa.string()).dictionary_encode() if pa.types.is_dictionary(field.type) else plain
                column = plain.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                asking.missing.append(f"values of {field.name} that are not {field.type} are left out")
                column = pa.nulls(len(column), field.type)
        columns.append(column)
    return pa.table(columns, schema=shape)


def _chosen(shape: pa.Schema, fields: Sequence[str]) -> pa.Schema:
    names = list(dict.fromkeys(["time", "seq", "weight", *fields]))
    from connectors.where import need_fields

    need_fields(fields, shape.names, where="the folder")
    return pa.schema([shape.field(name) for name in names], metadata=shape.metadata)


def _both(bad: Window, good: Window) -> Window:
    return Window(min(bad.start, good.start), max(bad.end, good.end))


def instant(us: int) -> datetime:
    """The moment so many microseconds after the epoch."""
    return _START + timedelta(microseconds=us)


__all__ = ["FolderLogs", "instant", "iso", "micros"]
