"""What is this text, and from when to when does it speak? Told by its head and tail, and looked up by time.

In a text that is ordered by time, the place of a moment is found by halving, a few lines read at each step.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput, ConnectorError, NaiveTime
from connectors.files.columns import flat_row
from connectors.files.formats import BINARY, FORMATS, reader
from connectors.files.names import DURATIONS, NAMES
from connectors.files.options import Options
from connectors.files.text import logfmt_pairs
from connectors.files.times import Clock
from connectors.folder.stamps import NO_TIME, Stamp, learnt, newlines
from connectors.folder.texts import Part, Text

HEAD_BYTES = 32 << 10
PROBE_BYTES = 8 << 10
LONGEST_LINE = 32 << 20
PIECE_BYTES = 2 << 20
"""The time index has an entry for every so many bytes."""
PROBES = 24
SLACK_US = 5_000_000
"""Lines of one text may be so much out of order, as those of several threads are, and it still counts as ordered."""
LINES_LOOKED_AT, LEARNT_FROM = 40, 12
_USUAL = frozenset({*DURATIONS, *(name for names in NAMES.values() for name in names)})
_DOCUMENTS = frozenset({"log_answers", "otlp_json", "jaeger_json"})


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of a text's time index: its bytes, how many lines with a time begin there, the first and last time."""

    start: int
    end: int
    lines: int
    first: int
    last: int


@dataclass
class Opened:
    """A text whose format is known and whose times can be found. Times are microseconds since the epoch."""

    text: Text
    format: str
    options: Options
    first: int
    last: int
    bytes_per_line: float
    stamp: Stamp | None
    ordered: bool = True
    names: frozenset[str] = frozenset()
    """Which of the usual names of a log's columns its first lines use: texts that use the same are read together."""
    estimated_end: bool = False
    end: int = 0
    """Where it stops being read: its length, or where a newer file begins with the same lines."""
    notes: list[str] = field(default_factory=list)
    index: list[Piece] | None = None
    _probed: dict[int, int | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def label(self) -> str:
        """How it is called."""
        return self.text.label

    @property
    def lines(self) -> float:
        """About how many lines it holds."""
        size = self.text.expected() if self.text.unread else self.end
        return size / max(self.bytes_per_line, 1.0)

    def time_at(self, offset: int) -> int | None:
        """The time of the first line that begins at or after this byte and has one; None past the last."""
        if offset not in self._probed:
            self._probed[offset] = self._probe(offset)
        return self._probed[offset]

    def _probe(self, offset: int) -> int | None:
        assert self.stamp is not None
        size = PROBE_BYTES
        at = offset
        while at < self.end and size <= 8 << 20:
            data = self.text.read(at - (at > 0), min(at + size, self.end))
            whole = at + size >= self.end
            lines = data.split(b"\n")
            for line in lines[1 if at > 0 else 0 : None if whole else -1]:
                time = self.stamp.of(line)
                if time is not None:
                    return time
            size *= 8
        return None

    def place_of(self, time: int) -> int:
        """A byte before which no line is as late as this moment; found by halving, so only where `ordered`."""
        low, high = 0, self.end
        while high - low > PROBE_BYTES:
            middle = (low + high) // 2 // 512 * 512
            found = self.time_at(middle)
            if found is None or found >= time:
                high = middle
            else:
                low = middle
        return low

    def ranges(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Which bytes hold all lines from `start` to before `stop`? More than those may lie in them."""
        if stop <= self.first - SLACK_US or start > self.last + SLACK_US:
            return []
        if self.index is not None:
            found = [(p.start, p.end) for p in self.index if p.lines and p.first < stop and p.last >= start]
            return _joined(found)
        if not self.ordered or self.stamp is None or self.text.unread:
            return [(0, self.end)]
        low = 0 if start <= self.first else self.place_of(start - SLACK_US)
        high = self.end if stop > self.last else min(self.end, self.place_of(stop + SLACK_US) + 2 * PROBE_BYTES)
        return [(low, high)] if high > low else []

    def scan(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Piece, np.ndarray]]:
        """Every piece of the bytes with the times of its lines, read without the rest of the lines.

        A line at whose place no time stands is given to the format's reader.
        """
        for at, data in self.pieces(start, self.end if stop is None else stop):
            times = self.times_in(data)
            known = times[times != NO_TIME]
            first, last = (int(known.min()), int(known.max())) if len(known) else (0, 0)
            yield Piece(at, at + len(data), len(known), first, last), known

    def between(self, start: int, stop: int) -> Iterator[bytes]:
        """The pieces with lines from `start` to before `stop`, read from the text's beginning until past its end."""
        for _, data in self.pieces(0, self.end):
            times = self.times_in(data)
            known = times[times != NO_TIME]
            if not len(known):
                continue
            if known.min() < stop and known.max() >= start:
                yield bytes(data)
            elif self.ordered and known.min() > stop + SLACK_US:
                return

    def pieces(
        self, start: int, stop: int, *, each: int = PIECE_BYTES
    ) -> Iterator[tuple[int, bytes | memoryview]]:  # fmt: skip
        """Whole lines, about `each` bytes at a time, and the byte at which each piece begins.

        Each piece is gone when the next one is asked for: its memory is used again.
        """
        if self.text.unread:
            yield from _cut(self.text.pieces())
            return
        at, size = start, each
        if start > 0:
            before = self.text.read(start - 1, start + each)
            at = start - 1 + before.find(b"\n") + 1 if b"\n" in before else start + each
        buffer = bytearray(size)
        while at < stop:
            if len(buffer) < size:
                buffer = bytearray(size)
            data = self.text.read_into(buffer, at, min(at + size, self.end))
            past = at + len(data) >= stop  # then to the end of the line that is under way at `stop`
            cut = (buffer.find(b"\n", stop - 1 - at, len(data)) if past else buffer.rfind(b"\n", 0, len(data))) + 1
            if not cut and at + len(data) >= self.end:
                cut = len(data)
            if not len(data):
                return
            if not cut:
                size *= 4
                continue
            yield at, data[:cut]
            at, size = at + cut, each

    def times_in(self, data: bytes | memoryview) -> np.ndarray:
        """The time of each message of these whole lines; `NO_TIME` for a line that is none by itself."""
        buffer = np.frombuffer(data, np.uint8)
        ends = newlines(buffer)
        if len(data) and data[-1] != 10:
            ends = np.append(ends, len(data))
        starts = np.empty_like(ends)
        if len(ends):
            starts[0], starts[1:] = 0, ends[:-1] + 1
        if self.stamp is None:
            return self._times_by_reader(bytes(data))
        times = self.stamp.all_of(buffer, starts, ends)
        left = np.flatnonzero((times == NO_TIME) & (ends > starts))
        if len(left):
            rest = b"".join(bytes(data[starts[i] : ends[i]]) + b"\n" for i in left.tolist())
            times = np.concatenate([times[times != NO_TIME], self._times_by_reader(rest)])
        return times

    def _times_by_reader(self, data: bytes) -> np.ndarray:
        try:
            table = reader(self.format).read(Part(self.label, data), self.options, label=self.label).table
        except ConnectorError:
            return np.zeros(0, np.int64)
        return table.column("time").cast(pa.int64()).to_numpy()


def _cut(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    at, held = 0, b""
    for piece in pieces:
        held += piece
        cut = held.rfind(b"\n") + 1
        if cut and len(held) >= PIECE_BYTES:
            yield at, held[:cut]
            at, held = at + cut, held[cut:]
    if held:
        yield at, held


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in ranges:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def opened(text: Text, *, tz: str | None) -> Opened:
    """What is this text? Raises `BadInput` or `NaiveTime` where it is no log or has no usable time."""
    size = HEAD_BYTES
    head = text.read(0, size)
    while b"\n" not in head and len(head) == size < LONGEST_LINE:  # one line that is longer
        size *= 8
        head = text.read(0, size)
    if not head.strip():
        raise BadInput(f"{text.label} holds nothing.")
    format_ = _format_of(text, head)
    service = service_of(text.label)
    options = Options(tz=tz, service=service)
    notes: list[str] = []
    if format_ in _DOCUMENTS or format_ in BINARY or (head.lstrip()[:1] == b"[" and format_ != "text"):
        return _whole_document(text, format_, options)
    lines = head.split(b"\n")
    sample = b"\n".join((lines[:-1] if len(lines) > 1 else lines)[:LINES_LOOKED_AT]) + b"\n"
    read = _read_head(text, format_, options, sample)
    if read is None:
        moment = datetime.fromtimestamp(text.path.stat().st_mtime, UTC)
        options = replace(options, year=moment.year)
        notes.append(f"{text.label} names no year: {moment.year} is taken, the year in which it was last written")
        read = _read_head(text, format_, options, sample)
    if read is None or not read.num_rows:
        raise BadInput(f"{text.label} has no line with a time that can be read at its beginning.")
    clock = Clock(options.tz, options.year, text.label)
    times, numbers = _sorted_out(read)
    shown = sample.split(b"\n")
    chosen = [(shown[n - 1], t) for n, t in zip(numbers, times, strict=True) if 0 < n <= len(shown)][:LEARNT_FROM]
    stamp = learnt([line for line, _ in chosen], [t for _, t in chosen], clock, json=shown[0].lstrip()[:1] == b"{")
    each = len(sample) / max(len(times), 1)
    found = Opened(
        text, format_, options, min(times), max(times), each, stamp, names=_names(shown), end=text.length, notes=notes
    )  # fmt: skip
    _see_its_end(found)
    return found


def _format_of(text: Text, head: bytes) -> str:
    start = head.decode("utf-8", "replace").encode()
    for name in FORMATS:
        if reader(name).sniff(head if name in BINARY else start, text.name):
            if "LOGS" not in reader(name).TABLES:
                raise BadInput(f"{text.label} holds {reader(name).TABLES[0].lower()}, not lines.")
            return name
    said = "is no text" if b"\0" in head[:4096] else "has no format that is known"
    raise BadInput(f"{text.label} {said} (it begins with {head[:40].decode('utf-8', 'replace')!r}).")


def service_of(label: str) -> str:
    """The service that lines name when they name none: the file's own name, or its folder's where it is only `log`.

    >>> service_of("web/app.log"), service_of("old.zip!/pay.jsonl.2.gz"), service_of("nginx/access.log")
    ('app', 'pay', 'access')
    """
    return label.rsplit("/", 1)[-1].partition(".")[0] or label


def _read_head(text: Text, format_: str, options: Options, sample: bytes) -> pa.Table | None:
    """The lines of the head; None where their times lack a year."""
    try:
        return reader(format_).read(Part(text.label, sample), options, label=text.label).table
    except NaiveTime as error:
        if "no year" in str(error) and options.year is None:
            return None
        said = str(error).partition("name the zone")[0]
        raise NaiveTime(f'{said}name their zone, like tz = "Europe/Berlin".') from None


def _names(lines: list[bytes]) -> frozenset[str]:
    found: set[str] = set()
    for line in lines[:LINES_LOOKED_AT]:
        if line[:1] == b"{":
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            found |= flat_row(row).keys()
        elif b"=" in line:
            found |= logfmt_pairs(line.decode("utf-8", "replace")).keys()
    return frozenset(found & _USUAL)


def _sorted_out(read: pa.Table) -> tuple[list[int], list[int]]:
    times = read.column("time").cast(pa.int64()).to_pylist()
    return times, read.column("seq").to_pylist()


def _see_its_end(found: Opened) -> None:
    """The last time, and whether probes on the way to it are ordered."""
    text = found.text
    if text.unread:
        grown = (found.last - found.first) * max(text.expected() / max(text.length, 1) - 1, 0)
        written = round(text.path.stat().st_mtime * 1e6)
        found.last = min(found.last + round(grown), written) if written > found.last else found.last + round(grown)
        found.estimated_end = True
        return
    if found.end <= HEAD_BYTES:
        data = text.read(0, found.end)
        known = found.times_in(data)
        known = known[known != NO_TIME]
        if len(known):
            found.first, found.last = int(known.min()), int(known.max())
            found.ordered = bool((np.diff(known) >= -SLACK_US).all())
            found.index = [Piece(0, found.end, len(known), found.first, found.last)]
        return
    if found.stamp is None:
        found.ordered = False
        _index_all(found)
        return
    tail = found.times_in(_after_newline(text.read(found.end - HEAD_BYTES, found.end)))
    tail = tail[tail != NO_TIME]
    places = [found.end * i // (PROBES + 1) for i in range(1, PROBES + 1)] if found.end > 4 * HEAD_BYTES else []
    probes = [t for t in (found.time_at(p) for p in places) if t is not None]
    seen = [found.first, *probes, *([int(tail.max())] if len(tail) else [])]
    if any(b < a - SLACK_US for a, b in itertools.pairwise(seen)):
        found.ordered = False
        found.notes.append(f"{found.label} is not in order of time: every look at it reads its times from end to end")
        _index_all(found)
        return
    found.first, found.last = min(seen), max(seen)


def _index_all(found: Opened) -> None:
    index = [piece for piece, _ in found.scan()]
    times = [(p.first, p.last) for p in index if p.lines]
    if times:
        found.first, found.last = min(t for t, _ in times), max(t for _, t in times)
    found.index = index


def _after_newline(data: bytes) -> bytes:
    return data[data.find(b"\n") + 1 :]


def _whole_document(text: Text, format_: str, options: Options) -> Opened:
    """A text that is one document, which has no lines to begin at: it is read as a whole, now."""
    if text.length > 64 << 20 or text.unread:
        raise BadInput(f"{text.label} is one document of over 64 MB: export it as one record a line.")
    table = reader(format_).read(Part(text.label, text.read(0, text.length)), options, label=text.label).table
    if not table.num_rows:
        raise BadInput(f"{text.label} holds no line.")
    times = table.column("time").cast(pa.int64()).to_numpy()
    size = text.length
    first, last = int(times.min()), int(times.max())
    index = [Piece(0, size, table.num_rows, first, last)]
    return Opened(text, format_, options, first, last, size / table.num_rows, None, end=size, index=index)


__all__ = ["Opened", "Piece", "opened", "schema", "service_of"]
