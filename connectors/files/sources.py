"""Files as sources: read when the first question is asked, once; what they lack stands in every answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.base import Answer, Fetch, SignalSpec, canonical
from connectors.errors import OverBudget
from connectors.files.columns import concat
from connectors.files.formats import BINARY, reader, sniff
from connectors.files.gather import gather
from connectors.files.options import FilesSpec, Reading
from connectors.files.stream import Faults, compression, text_of
from connectors.forwarded import Forwarded, put
from connectors.samples import CATALOGUE, Samples, joined
from connectors.window import Window


class _Files:
    """The files of one source, read at most once, whoever asks first."""

    def __init__(self, name: str, spec: FilesSpec) -> None:
        self.name = name
        self.spec = spec
        self.notes: tuple[str, ...] = ()

    def load(self) -> tuple[list[Any], list[str], str]:
        """Each file's reading, why parts are missing, and the text that names what was read and what was noted."""
        paths, notes = gather(self.spec.folder, self.spec.path)
        options = replace(self.spec.options, table=self.spec.table)
        readings, missing, formats = [], [], {}
        rows = 0
        for path in paths:
            label = path.relative_to(self.spec.folder).as_posix()
            name = self.spec.format or _format_of(path)
            if name is None:
                notes.append(f"{label} is empty")
                continue
            self._affordable(path, label, name, rows)
            reading = reader(name).read(path, options, label=label)
            readings.append(reading[0])
            missing += reading.faults
            notes += reading.notes
            formats[name] = None
            rows += _rows(reading[0])
        query = (
            f"{'+'.join(formats) or 'no format'}: {self.spec.path} ({len(paths)} file{'s' if len(paths) != 1 else ''})"
        )
        self.notes = tuple(notes)
        return readings, missing, "; ".join([query, *notes])

    def _affordable(self, path: Path, label: str, name: str, rows: int) -> None:
        estimate = rows + _estimated_rows(path, self.spec.rows - rows, binary=name in BINARY)
        if estimate > self.spec.rows:
            raise OverBudget(
                f"{label} of {self.name} holds about {estimate:,.0f} rows, over the budget of {self.spec.rows:,}: name "
                f"fewer files in its path, or allow it with rows = {round(estimate * 1.2)} under [budget] in "
                "sources.toml."
            )


def _rows(read: Any) -> int:
    return read.table.num_rows if isinstance(read, Samples) else read.num_rows


def _format_of(path: Path) -> str | None:
    return None if path.stat().st_size == 0 else sniff(path)


def _estimated_rows(path: Path, affordable: int, *, binary: bool = False) -> float:
    """About how many lines does the file hold? Cheap for small files: what cannot be too much is not looked at."""
    size = path.stat().st_size
    if size * 40 / 20 < affordable:  # compression of 40, lines of 20 bytes
        return 0
    ratio = 1.0 if compression(path) is None else 10.0
    if binary:  # a span or record takes a few hundred bytes
        return size * ratio / 250
    first = text = b""
    for piece in text_of(path, Faults(path.name)):
        first = first or piece
        text += piece
        if len(text) > 4 << 20:
            break
    lines = max(text.count(b"\n"), 1)
    return size * ratio / (len(text) / lines)


class _OverFiles:
    """What every source over files has: its name, its files, and what was noted when they were read."""

    def __init__(self, name: str, spec: FilesSpec) -> None:
        self.name = name
        self._files = _Files(name, spec)
        self._lock = threading.Lock()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken for granted or passed over in reading, a sentence each; empty before the first question."""
        return self._files.notes


class FileLogs(_OverFiles, Forwarded):
    """A log source over files; the six questions are answered by an embedded engine over what was read.

    Every answer is exact over the lines that could be read; `Fetch.partial` names those that could not.
    """

    @cached_property
    def _read(self) -> tuple[Any, str | None, str]:
        from connectors.tables import Tables

        readings, missing, query = self._files.load()
        table = in_order(readings)
        return Tables(self.name, table=table), "; ".join(dict.fromkeys(missing)) or None, query

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        with self._lock:
            tables, partial, query = self._read
        return _said(put(tables, question, window, arguments), partial, query)

    @property
    def table(self) -> pa.Table:
        """All rows, as canonical LOGS ordered by time."""
        with self._lock:
            tables, _, _ = self._read
        return tables.table

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `LogSource.fields`."""
        return self._forward("fields", window, where=where)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Any:
        """See `LogSource.rows`."""
        with self._lock:
            tables, partial, query = self._read
        return _SaidStream(tables.rows(window, where=where, fields=fields, order=order, limit=limit), partial, query)


class _SaidStream:
    """A stream of rows whose record also says what the files lack."""

    def __init__(self, stream: Any, partial: str | None, query: str) -> None:
        self._stream, self._partial, self._query = stream, partial, query

    @property
    def fetch(self) -> Fetch:
        """How the rows were got, up to now."""
        return _told(self._stream.fetch, self._partial, self._query)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self._stream)

    def answer(self) -> Answer:
        """All rows not yet read, as one answer held in memory."""
        return _said(self._stream.answer(), self._partial, self._query)

    def close(self) -> None:
        """Ends the stream early."""
        self._stream.close()


def _said(answer: Answer, partial: str | None, query: str) -> Answer:
    return replace(answer, fetch=_told(answer.fetch, partial, query))


def _told(fetch: Fetch, partial: str | None, query: str) -> Fetch:
    both = "; ".join(p for p in (fetch.partial, partial) if p) or None
    return replace(fetch, partial=both, query=f"{query}\n{fetch.query}" if fetch.query else query)


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """Several files' LOGS as one, ordered by time; lines of equal time keep the files' order, which `seq` counts."""
    import numpy as np

    filled = [t for t in tables if t.num_rows]
    if not filled:
        return schema.empty("LOGS")
    table = concat(filled) if len(filled) > 1 else filled[0]
    times = table.column("time").cast(pa.int64()).to_numpy()
    if (times[1:] < times[:-1]).any():
        table = table.take(pa.array(np.argsort(times, kind="stable")))
    seq = pa.array(np.arange(table.num_rows, dtype=np.int64))
    table = table.set_column(table.column_names.index("seq"), schema.LOGS.field("seq"), seq)
    return schema.conform(table, "LOGS")


class FileMetrics(_OverFiles):
    """A metric source over dumps of raw samples: OpenMetrics text, OTLP."""

    @cached_property
    def _read(self) -> tuple[Samples, list[str], str]:
        readings, missing, query = self._files.load()
        return joined(readings), missing, query

    def _samples(self) -> tuple[Samples, list[str], str]:
        with self._lock:
            return self._read

    def metrics(self, window: Window, *, signals: Sequence[SignalSpec], every: str | None = None) -> Answer:
        """METRICS of these signals: per bin, or at each sample when `every` is None. See `metric_signals`.

        Metrics that are not there, targets that were not scraped for a while and lines that could not be read stand
        in `Fetch.partial`.
        """
        from connectors.metric_signals import read_signals

        began = time.monotonic()
        samples, missing, query = self._samples()
        reading = read_signals(samples, signals, window, every)
        arguments = {
            "window": window,
            "every": every,
            "signals": [{n: getattr(s, n) for n in s.__dataclass_fields__} for s in signals],
        }
        return _answer(
            self.name, "metrics", arguments, reading.table, query, [*missing, *reading.remarks], window, began,
            binned_by="completion" if every else None,
        )  # fmt: skip

    def catalogue(self, window: Window) -> Answer:
        """Which metrics are there? A row each: type, series, samples in the window, first, last, labels."""
        began = time.monotonic()
        samples, missing, query = self._samples()
        return _answer(
            self.name, "catalogue", {"window": window}, catalogue_of(samples, window), query, missing, window, began
        )


def catalogue_of(samples: Samples, window: Window) -> pa.Table:
    """Which metrics do these samples hold inside the window?"""
    import numpy as np
    import orjson

    times = samples.table.column("time").cast(pa.int64()).to_numpy()
    ids = samples.table.column("series").to_numpy()
    low, high = round(window.start.timestamp() * 1e6), round(window.end.timestamp() * 1e6)
    inside = (times >= low) & (times < high)
    times, ids = times[inside], ids[inside]
    n = len(samples.series)
    counts = np.bincount(ids, minlength=n)
    first, last = np.full(n, np.iinfo(np.int64).max), np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(first, ids, times)
    np.maximum.at(last, ids, times)
    found: dict[str, dict[str, Any]] = {}
    for i, one in enumerate(samples.series):
        if not counts[i]:
            continue
        row = found.setdefault(
            one.metric, {"type": one.kind, "series": 0, "samples": 0, "first": first[i], "last": last[i], "labels": {}}
        )
        row["series"] += 1
        row["samples"] += int(counts[i])
        row["first"], row["last"] = min(row["first"], first[i]), max(row["last"], last[i])
        for key, value in one.labels.items():
            values = row["labels"].setdefault(key, [])
            if value not in values and len(values) < 10:
                values.append(value)
    names = sorted(found)
    columns = {"metric": pa.array(names, pa.string())}
    for key in ("type", "series", "samples"):
        columns[key] = pa.array([found[name][key] for name in names], CATALOGUE.field(key).type)
    for key in ("first", "last"):
        columns[key] = pa.array([int(found[name][key]) for name in names], pa.int64()).cast(schema.TIME)
    columns["labels"] = pa.array(
        [orjson.dumps(found[name]["labels"], option=orjson.OPT_SORT_KEYS).decode() for name in names], pa.string()
    )
    return pa.table(columns, schema=CATALOGUE)


class FileTable(_OverFiles):
    """The rows of one canonical table other than LOGS and METRICS, read from files when first asked for."""

    @cached_property
    def _read(self) -> tuple[pa.Table, list[str], str]:
        readings, missing, query = self._files.load()
        table_name = self._files.spec.table
        column = schema.TIME_COLUMN[table_name]
        filled = [t for t in readings if t.num_rows]
        if not filled:
            return schema.empty(table_name), missing, query
        table = schema.conform(concat(filled) if len(filled) > 1 else filled[0], table_name)
        return table.sort_by(column), missing, query

    def read(self) -> tuple[pa.Table, list[str], str]:
        """All rows ordered by time, why some are missing, and what was read."""
        with self._lock:
            return self._read


class FileSpans(FileTable):
    """A span source over files."""

    @cached_property
    def _spans(self) -> Any:
        from connectors.local_spans import LocalSpans

        table, missing, query = self.read()
        return LocalSpans(self.name, table, query=query, missing=missing)

    def edges(self, window: Window) -> Answer:
        """See `LocalSpans.edges`."""
        return self._spans.edges(window)

    def traces(
        self,
        window: Window,
        *,
        where: str | None = None,
        n: int | None = 100,
        order: Literal["failing", "slowest", "typical", "time"] = "time",
    ) -> Answer:
        """See `LocalSpans.traces`."""
        return self._spans.traces(window, where=where, n=n, order=order)


class FileChanges(FileTable):
    """A change source over files."""

    def changes(self, window: Window) -> Answer:
        """CHANGES that began or were under way inside the window."""
        began = time.monotonic()
        table, missing, query = self.read()
        return _answer(
            self.name, "changes", {"window": window}, under_way(table, window), query, missing, window, began
        )


class FileAlerts(FileTable):
    """An alert source over files."""

    def alerts(self, window: Window) -> Answer:
        """ALERTS that began or were firing inside the window."""
        began = time.monotonic()
        table, missing, query = self.read()
        return _answer(self.name, "alerts", {"window": window}, under_way(table, window), query, missing, window, began)


def under_way(table: pa.Table, window: Window) -> pa.Table:
    """The rows that began in the window, or before it and ended in it or later."""
    start, end = pa.scalar(window.start, schema.TIME), pa.scalar(window.end, schema.TIME)
    began = pc.and_(pc.greater_equal(table.column("time"), start), pc.less(table.column("time"), end))
    lasted = pc.and_(
        pc.less(table.column("time"), start), pc.fill_null(pc.greater_equal(table.column("until"), start), False)
    )
    return table.filter(pc.or_(began, lasted))


def _answer(
    name: str,
    question: str,
    arguments: dict[str, Any],
    table: pa.Table,
    query: str,
    missing: Sequence[str],
    window: Window,
    began: float,
    *,
    binned_by: Literal["start", "completion"] | None = None,
) -> Answer:
    fetch = Fetch(
        source=name, question=question, query=query, window=window, rows=table.num_rows, binned_by=binned_by,
        partial="; ".join(dict.fromkeys(missing)) or None, took_s=time.monotonic() - began, engine="files",
    )  # fmt: skip
    return Answer(table, fetch, canonical(arguments))


__all__ = ["FileAlerts", "FileChanges", "FileLogs", "FileMetrics", "FileTable", "Reading", "catalogue_of", "in_order"]
