"""Byte ranges of many texts as one table of LOGS: those of one format are read together, each row knows its text."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.errors import ConnectorError
from connectors.files.columns import concat
from connectors.files.formats import reader
from connectors.files.options import Options
from connectors.folder.opened import Opened
from connectors.folder.texts import Part
from connectors.progress import reached
from connectors.schema import LABEL, TEXT, conform

AT_ONCE_BYTES = 8 << 20
WORKERS = 2
FILE = "log.file.path"
PART = "\0part"
"""Which of the ranges a row comes from; taken out before anybody sees the table."""
_JOINED_LINES = 64 << 10


@dataclass(frozen=True, slots=True)
class Range:
    """The lines of a text that begin in [start, end); of a text too large to unpack, those about `since` to `until`."""

    text: Opened
    start: int
    end: int
    since: int = 0
    until: int = 1 << 62


def read_ranges(ranges: Sequence[Range], *, share: float = 1.0, done: float = 0.0) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows of all ranges with the column `PART`, in the ranges' order, and why some are missing.

    Progress is told from `done` to `done + share`. A range that its format's reader refuses is left out and said.
    """
    jobs = _jobs(ranges)
    tables: list[pa.Table] = []
    missing: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(_read_job, job) for job in jobs]
        try:
            for n, job in enumerate(running, 1):
                table, said = job.result()
                if table.num_rows:
                    tables.append(table)
                missing += said
                reached(done + share * n / len(running))
        finally:
            for job in running:
                job.cancel()
    if not tables:
        return schema.empty("LOGS").append_column(PART, pa.array([], pa.int64())), tuple(missing)
    return conform(concat(tables) if len(tables) > 1 else tables[0], "LOGS"), tuple(dict.fromkeys(missing))


def rows_within(table: pa.Table, start: int, stop: int) -> pa.Table:
    """The rows from `start` to before `stop` (microseconds) in the ranges' order, which `seq` counts."""
    times = table.column("time").cast(pa.int64()).to_numpy()
    inside = (times >= start) & (times < stop)
    if not inside.all():
        table = table.filter(pa.array(inside))
    seq = pa.array(np.arange(table.num_rows, dtype=np.int64))
    return table.set_column(table.column_names.index("seq"), schema.LOGS.field("seq"), seq)


def read_lines(text: Opened, lines: Sequence[bytes]) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows of these lines of one text, `seq` the number of the line from one, and why some are missing."""
    job = _Job(((0, Range(text, 0, text.end)),))
    try:
        table, missing = _read(job, [b"".join(line + b"\n" for line in lines)], text.format, text.options)
    except ConnectorError as error:
        return schema.empty("LOGS"), (f"{len(lines):,} lines of {text.label} were left out: {error}",)
    return conform(table.drop_columns([PART]) if PART in table.column_names else table, "LOGS"), tuple(missing)


@dataclass(frozen=True, slots=True)
class _Job:
    """Ranges that are read together, with their numbers."""

    ranges: tuple[tuple[int, Range], ...]


def _jobs(ranges: Sequence[Range]) -> list[_Job]:
    """Ranges of one format, one clock and the same names together, large ones cut, about `AT_ONCE_BYTES` a job."""
    groups: dict[Hashable, list[list[tuple[int, Range]]]] = {}
    sizes: dict[Hashable, int] = {}
    for number, one in enumerate(ranges):
        key = (one.text.format, one.text.options.tz, one.text.options.year, one.text.names)
        whole = one.text.stamp is None or one.text.text.unread
        step = max(one.end - one.start, 1) if whole else AT_ONCE_BYTES
        for at in range(one.start, max(one.end, one.start + 1), step):
            part = replace(one, start=at, end=min(at + step, one.end))
            filled = sizes.get(key, AT_ONCE_BYTES)
            if filled + (part.end - part.start) > AT_ONCE_BYTES or whole:
                groups.setdefault(key, []).append([])
                sizes[key] = 0
            groups[key][-1].append((number, part))
            sizes[key] += part.end - part.start
    return [_Job(tuple(job)) for jobs in groups.values() for job in jobs if job]


def _read_job(job: _Job) -> tuple[pa.Table, list[str]]:
    buffers = [_lines_of(one) for _, one in job.ranges]
    first = job.ranges[0][1].text
    options = Options(tz=first.options.tz, year=first.options.year)
    try:
        return _read(job, buffers, first.format, options)
    except ConnectorError as error:
        if len(job.ranges) == 1:
            lines = buffers[0].count(b"\n")
            return schema.empty("LOGS"), [f"{lines:,} lines of {first.label} were left out: {error}"] if lines else []
    tables, missing = [], []
    for pair in job.ranges:
        table, said = _read_job(_Job((pair,)))
        missing += said
        if table.num_rows:
            tables.append(table)
    return (concat(tables) if tables else schema.empty("LOGS")), missing


def _read(job: _Job, buffers: list[bytes], format_: str, options: Options) -> tuple[pa.Table, list[str]]:
    text = job.ranges[0][1].text
    label = text.label if len(job.ranges) == 1 else f"{len(job.ranges)} parts of {text.label} and others"
    reading = reader(format_).read(Part(label, b"".join(buffers)), options, label=label)
    table = reading.table
    if not table.num_rows:
        return table, list(reading.faults)
    counts = np.cumsum([0, *(buffer.count(b"\n") for buffer in buffers)])
    numbers = table.column("seq").to_numpy()
    which = np.clip(np.searchsorted(counts, numbers - 1, side="right") - 1, 0, len(buffers) - 1)
    labels = [one.text.label for _, one in job.ranges]
    prefixes = pa.array(
        [one.text.label if one.start == 0 else f"{one.text.label}@{one.start}" for _, one in job.ranges], TEXT
    )
    index = pa.array(which.astype(np.int32))
    ids = pc.binary_join_element_wise(prefixes.take(index), pa.array(numbers - counts[which]).cast(TEXT), ":")
    table = table.set_column(table.column_names.index("id"), schema.LOGS.field("id"), ids)
    services = pa.array([one.text.options.service for _, one in job.ranges], TEXT)
    table = _with_service(table, services, index)
    files = pa.DictionaryArray.from_arrays(index, pa.array(labels, TEXT)) if len(set(labels)) == len(labels) else (
        pa.array(labels, TEXT).take(index).dictionary_encode()
    )  # fmt: skip
    if FILE not in table.column_names:
        table = table.append_column(FILE, files.cast(LABEL))
    order = pa.array(np.array([number for number, _ in job.ranges], np.int64)[which])
    return table.append_column(PART, order), list(reading.faults)


def _with_service(table: pa.Table, services: pa.Array, index: pa.Array) -> pa.Table:
    at = table.column_names.index("service")
    column = table.column(at)
    if column.null_count == 0:
        return table
    own = services.take(index)
    filled = own if column.null_count == len(column) else pc.coalesce(column.cast(TEXT), own)
    encoded = filled.dictionary_encode()
    return table.set_column(at, schema.LOGS.field("service"), encoded.cast(LABEL))


def _lines_of(one: Range) -> bytes:
    """The whole lines that begin in the range; of texts whose messages go over lines, the last message's rest too."""
    text = one.text.text
    if text.unread:
        return text.read(0, one.end) if one.end <= text.length else b"".join(one.text.between(one.since, one.until))
    if one.text.stamp is None:
        return text.read(one.start, one.end)
    start = max(one.start - 1, 0)
    data = text.read(start, one.end)
    if one.start > 0:
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
        if not data:
            return b""
    at = one.end
    while at < one.text.end and not data.endswith(b"\n"):
        more = text.read(at, min(at + _JOINED_LINES, one.text.end))
        cut = more.find(b"\n") + 1
        data += more[:cut] if cut else more
        at += cut or len(more)
    if one.text.format == "text":
        data = _whole_messages(one, data, at)
    return data if data.endswith(b"\n") or not data else data + b"\n"


def _whole_messages(one: Range, data: bytes, at: int) -> bytes:
    stamp = one.text.stamp
    assert stamp is not None
    if one.start > 0:
        place = 0
        while place < len(data):
            end = data.find(b"\n", place) + 1 or len(data)
            if stamp.of(data[place:end]) is not None:
                break
            place = end
        data = data[place:]
    more = one.text.text.read(at, min(at + _JOINED_LINES, one.text.end))
    place = 0
    while place < len(more):
        end = more.find(b"\n", place) + 1
        if not end or stamp.of(more[place:end]) is not None:
            break
        place = end
    return data + more[:place]
