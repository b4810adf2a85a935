"""Where does the time stand in a line? Learnt from a file's first lines, then found without reading the rest of them.

The format's own reader says which time each of the first lines has; the place in the line that says the same is what
later lines are looked up at. A line in which nothing stands there is left to the reader.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConnectorError
from connectors.files.times import Clock, parse_time

_FORMS = re.compile(
    rb"\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d|UTC|GMT))?"
    rb"|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    rb"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: \d{4})?"
    rb"|\b\d{10}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?\b"
)
_ISO = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,](\d{1,9}))?( ?(?:Z|[+-]\d\d:?\d\d|UTC|GMT))?")
_EPOCH = re.compile(rb"\d{10}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?")
_ANCHOR_BYTES = 24
NO_TIME = np.iinfo(np.int64).min
_START, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time of a line: `offset` bytes into it, or else just after `anchor`; written like `like`, read by `clock`."""

    anchor: bytes
    offset: int
    like: bytes
    clock: Clock
    json: bool = False
    """Lines are JSON objects: one that does not end in a bracket is left to the reader."""

    def of(self, line: bytes) -> int | None:
        """The line's time in microseconds since the epoch; None where none stands at its place."""
        at = self._place(line)
        match = None if at < 0 else _FORMS.match(line, at)
        return None if match is None else _micros(match[0], self.clock)

    def _place(self, line: bytes) -> int:
        start = self.offset - len(self.anchor)
        if start >= 0 and line[start : self.offset] == self.anchor:
            return self.offset
        if not self.anchor:
            return -1
        at = line.find(self.anchor)
        return -1 if at < 0 else at + len(self.anchor)

    def all_of(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The time of each line of the bytes, in microseconds; `NO_TIME` where it is left to the reader.

        `starts` and `ends` (the newline's place) say where the lines are.
        """
        found = np.full(len(starts), NO_TIME, np.int64)
        width, at = len(self.like), starts + self.offset
        fits = at + width <= ends
        for i, byte in enumerate(self.anchor):
            place = at - len(self.anchor) + i
            fits &= data[np.where(fits, place, 0)] == byte
        if self.offset < len(self.anchor):
            fits[:] = False
        rest = np.flatnonzero(~fits)
        if len(rest) and self.anchor:
            text = data.tobytes()
            for row in rest.tolist():
                place = text.find(self.anchor, starts[row], ends[row])
                if place >= 0 and place + len(self.anchor) + width <= ends[row]:
                    at[row] = place + len(self.anchor)
                    fits[row] = True
        if self.json:
            fits &= data[np.maximum(ends - 1, 0)] == 125
        rows = np.flatnonzero(fits)
        if len(rows):
            found[rows] = self._read(data[at[rows][:, None] + np.arange(width)])
        return found

    def _read(self, texts: np.ndarray) -> np.ndarray:
        """Times of equally long texts, one a row: those written like the first at once, each other one by itself."""
        like = np.frombuffer(self.like, np.uint8)
        if _ISO.fullmatch(self.like):
            times, good = _iso(texts, like, self.clock, self.like)
        elif _EPOCH.fullmatch(self.like):
            times, good = _epoch(texts, like)
        else:
            times, good = np.full(len(texts), NO_TIME, np.int64), np.zeros(len(texts), bool)
        bad = np.flatnonzero(~good)
        if len(bad):
            words = np.ascontiguousarray(texts[bad]).view(f"S{texts.shape[1]}").ravel()
            distinct, back = np.unique(words, return_inverse=True)
            read = [self._one(bytes(word)) for word in distinct]
            times[bad] = np.array(read, np.int64)[back]
        return times

    def _one(self, text: bytes) -> int:
        match = _FORMS.match(text)
        if match is None or (match.end() == len(text) and _shape(text) != self.like):
            return NO_TIME  # what was cut at the usual length may go on
        micros = _micros(match[0], self.clock)
        return NO_TIME if micros is None else micros


def learnt(lines: Sequence[bytes], times: Sequence[int | None], clock: Clock, *, json: bool) -> Stamp | None:
    """Which place in these lines says the times that the reader found? None where no place does in nine of ten.

    >>> lines = [b'{"at":"2026-03-01T02:00:00.250Z","n":1}', b'{"at":"2026-03-01T02:00:01.000Z","n":2}']
    >>> stamp = learnt(lines, [1772330400250000, 1772330401000000], Clock(), json=True)
    >>> stamp.anchor, stamp.offset, stamp.of(b'{"at":"2026-03-01T03:00:00.000Z"}')
    (b'{"at":"', 7, 1772334000000000)
    """
    places: Counter[tuple[bytes, bytes]] = Counter()
    offsets: dict[bytes, Counter[int]] = {}
    read = 0
    for line, time in zip(lines, times, strict=True):
        if time is None:
            continue
        read += 1
        for match in _FORMS.finditer(line[:4096]):
            if _micros(match[0], clock) == time:
                anchor = _anchor(line, match.start())
                if anchor is None:
                    continue
                places[anchor, _shape(match[0])] += 1
                offsets.setdefault(anchor, Counter())[match.start()] += 1
    if not read or not places:
        return None
    by_anchor: Counter[bytes] = Counter()
    for (anchor, _), n in places.items():
        by_anchor[anchor] += n
    anchor, n = by_anchor.most_common(1)[0]
    if n < 0.9 * read:
        return None
    like = max((shape for (a, shape) in places if a == anchor), key=lambda shape: places[anchor, shape])
    return Stamp(anchor, offsets[anchor].most_common(1)[0][0], like, clock, json)


def _anchor(line: bytes, at: int) -> bytes | None:
    """What stands before the time and tells it from others: the JSON key, the bracket; nothing at a line's start."""
    before = line[max(0, at - _ANCHOR_BYTES) : at]
    key = re.search(rb'[{,]?\s*"[^"\\]{1,20}"\s*:\s*"?$', before)
    if key:
        return key[0]
    if at == 0:
        return b""
    last = re.search(rb"(?:[A-Za-z_@]+=\"?|[^A-Za-z0-9\s]|<\d{1,3}>)$", before)
    return last[0] if last and line.find(last[0]) + len(last[0]) == at else None


def _shape(text: bytes) -> bytes:
    """The text with 0 for each digit that differs from time to time; a zone is left as it is."""
    match = _ISO.fullmatch(text)
    end = match.start(2) if match and match[2] else len(text)
    return re.sub(rb"\d", b"0", text[:end]) + text[end:]


def _micros(text: bytes, clock: Clock) -> int | None:
    try:
        time = parse_time(text.decode("ascii", "replace"), clock)
    except ConnectorError:
        return None
    return None if time is None else (time - _START) // _MICRO


def _iso(texts: np.ndarray, like: np.ndarray, clock: Clock, text: bytes) -> tuple[np.ndarray, np.ndarray]:
    match = _ISO.fullmatch(text)
    assert match is not None
    fraction, zone = match[1] or b"", match[2] or b""
    digits = np.zeros(len(like), bool)
    digits[[0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *range(20, 20 + len(fraction))]] = True
    good = (texts[:, ~digits] == like[~digits]).all(1)
    numbers = texts[:, digits] - 48
    good &= (numbers < 10).all(1)
    n = numbers.astype(np.int64)
    days = _days(texts, good)
    seconds = (n[:, 8] * 10 + n[:, 9]) * 3600 + (n[:, 10] * 10 + n[:, 11]) * 60 + n[:, 12] * 10 + n[:, 13]
    good &= (n[:, 8] * 10 + n[:, 9] < 24) & (n[:, 10] < 6) & (n[:, 12] < 6) & (days != NO_TIME)
    micros = np.zeros(len(texts), np.int64)
    for i in range(6):
        micros = micros * 10 + (n[:, 14 + i] if i < len(fraction) else 0)
    times = np.where(good, days, 0) * 86_400_000_000 + seconds * 1_000_000 + micros
    offset = _offset_us(zone)
    if offset is None:
        if clock.tz is None:
            return times, np.zeros(len(texts), bool)
        naive = pa.array(times).cast(pa.timestamp("us"))
        aware = pc.assume_timezone(naive, clock.tz, ambiguous="earliest", nonexistent="earliest")
        return aware.cast(pa.int64()).to_numpy().copy(), good
    return times - offset, good


def _days(texts: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Days since the epoch; lines of one day, the usual case, at once."""
    dates = np.ascontiguousarray(texts[:, :10]).view("S10").ravel()
    days = np.full(len(texts), NO_TIME, np.int64)
    left = good.copy()
    for _ in range(8):
        rest = np.flatnonzero(left)
        if not len(rest):
            return days
        date = dates[rest[0]]
        same = left & (dates == date)
        with contextlib.suppress(ValueError, UnicodeDecodeError):
            days[same] = np.datetime64(date.decode(), "D").astype(np.int64)
        left &= ~same
    for row in np.flatnonzero(left).tolist():
        try:
            days[row] = np.datetime64(dates[row].decode(), "D").astype(np.int64)
        except (ValueError, UnicodeDecodeError):
            continue
    return days


def _offset_us(zone: bytes) -> int | None:
    """How far the zone is ahead of UTC; None where none is written."""
    text = zone.strip()
    if not text:
        return None
    if text[:1] in b"+-":
        sign, numbers = (1 if text[:1] == b"+" else -1), text[1:].replace(b":", b"")
        return sign * (int(numbers[:2]) * 3600 + int(numbers[2:]) * 60) * 1_000_000
    return 0


def _epoch(texts: np.ndarray, like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    digits = like != 46
    good = (texts[:, ~digits] == like[~digits]).all(1)
    numbers = texts[:, digits] - 48
    good &= (numbers < 10).all(1)
    times = np.zeros(len(texts), np.int64)
    for i in range(min(numbers.shape[1], 16)):
        times = times * 10 + numbers[:, i]
    times *= 10 ** max(0, 16 - numbers.shape[1])
    return times, good
