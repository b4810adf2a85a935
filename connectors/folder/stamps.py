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
DAY_US = 86_400_000_000
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
        before, width = len(self.anchor), len(self.anchor) + len(self.like)
        begin = starts + (self.offset - before)
        fits = begin + width <= ends
        if self.json:
            fits &= data[np.maximum(ends - 1, 0)] == 125
        rows = np.flatnonzero(fits)
        texts = _texts(data, begin[rows], width)
        times, usual = self._usual(texts)
        found[rows[usual]] = times[usual]
        if len(rows) == len(starts) and usual.all():
            return found
        rows, texts = rows[~usual], texts[~usual]
        anchored = (texts[:, :before] == np.frombuffer(self.anchor, np.uint8)).all(1)
        if not anchored.all():
            rows, texts = rows[anchored], texts[anchored]
        if self.anchor:
            rest = found == NO_TIME
            rest[rows] = False
            more, places = self._searched(data, starts, ends, np.flatnonzero(rest))
            rows = np.concatenate([rows, more])
            texts = np.concatenate([texts, _texts(data, places - before, width)])
        if len(rows):
            found[rows] = self._read(texts[:, before:])
        return found

    def _usual(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Times of the lines that are written like the first of these, on its day; which those are."""
        none = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
        plan = self._plan(bytes(texts[0])) if len(texts) else None
        if plan is None:
            return none
        low, span, worth, base, most = plan
        digits = np.ascontiguousarray(texts.T) - low[:, None]
        good = (digits <= span[:, None]).all(0)
        used = np.flatnonzero(worth)
        micros = (worth[used] @ digits[used].astype(float)).astype(np.int64)
        return micros + base, good & (micros < most)

    def _plan(self, line: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int] | None:
        """For each byte of a time like this line's: the least value, how far above it others may be, what one is worth.

        And what is added to the sum, and what the sum stays below. None where a time has no such form.
        """
        before, width = len(self.anchor), len(line)
        text = line[before:]
        like, epoch = _ISO.fullmatch(self.like), _EPOCH.fullmatch(self.like)
        if not line.startswith(self.anchor) or not (like or epoch):
            return None
        low = np.frombuffer(line, np.uint8).copy()
        span, worth = np.zeros(width, np.uint8), np.zeros(width)
        if epoch:
            digits = [before + i for i, byte in enumerate(text) if byte != 46]
            values = (10.0 ** np.arange(15, 15 - len(digits), -1)).tolist()
            base, most = 0, 1 << 62
        else:
            match = _ISO.fullmatch(text)
            if match is None or (offset := _offset_us(match[2] or b"")) is None:
                return None
            digits = [before + i for i in (11, 12, 14, 15, 17, 18, *range(20, 20 + len(match[1] or b"")))]
            values = [36e9, 3.6e9, 600e6, 60e6, 10e6, 1e6, *(10.0 ** np.arange(5, 5 - len(match[1] or b""), -1))]
            try:
                base = int(np.datetime64(text[:10].decode(), "D").astype(np.int64)) * DAY_US - offset
            except ValueError:
                return None
            most = DAY_US
        low[digits], span[digits] = 48, 9
        if not epoch:
            span[[before + 14, before + 17]] = 5
        worth[digits] = [value if value >= 1 else 0.0 for value in values]
        return low, span, worth, base, most

    def _searched(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of these lines, those with the anchor somewhere else, and where the time stands in them."""
        text = data.tobytes() if len(rows) else b""
        found, places = [], []
        for row in rows.tolist():
            end = ends[row]
            if self.json and end > starts[row] and text[end - 1] != 125:
                continue
            place = text.find(self.anchor, starts[row], end) + len(self.anchor)
            if place >= starts[row] + len(self.anchor) and place + len(self.like) <= end:
                found.append(row)
                places.append(place)
        return np.array(found, np.int64), np.array(places, np.int64)

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


def newlines(data: np.ndarray) -> np.ndarray:
    """Where are the newlines of these bytes? Eight bytes looked at a time, as few hold one.

    >>> newlines(np.frombuffer(b"ab\\n\\nc" + b"x" * 20 + b"\\n", np.uint8)).tolist()
    [2, 3, 25]
    """
    marks = np.empty(-(-len(data) // 8) * 8, bool)
    np.equal(data, 10, out=marks[: len(data)])
    marks[len(data) :] = False
    words = marks.view(np.uint64)
    there = np.flatnonzero(words != 0)
    held = marks.reshape(-1, 8)[there]
    if int(np.count_nonzero(held)) == len(there):
        return there * 8 + np.log2(words[there].astype(float)).astype(np.int64) // 8
    row, place = np.nonzero(held)
    return there[row] * 8 + place


def _texts(data: np.ndarray, begin: np.ndarray, width: int) -> np.ndarray:
    """The `width` bytes from each of these places on, a row each."""
    if not len(begin):
        return np.zeros((0, width), np.uint8)
    rows = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    return rows[begin].view(np.uint8).reshape(-1, width)


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
    days = _days(texts, good)
    good &= (numbers[:, 8] * 10 + numbers[:, 9] < 24) & (numbers[:, 10] < 6) & (numbers[:, 12] < 6) & (days != NO_TIME)
    worth = np.zeros(numbers.shape[1])
    worth[8:14] = (36e9, 3.6e9, 600e6, 60e6, 10e6, 1e6)
    worth[14:20] = 10.0 ** np.arange(5, 5 - len(worth[14:20]), -1)
    times = np.where(good, days, 0) * DAY_US + (numbers.astype(float) @ worth).astype(np.int64)
    offset = _offset_us(zone)
    if offset is None:
        if clock.tz is None:
            return times, np.zeros(len(texts), bool)
        naive = pa.array(times).cast(pa.timestamp("us"))
        aware = pc.assume_timezone(naive, clock.tz, ambiguous="earliest", nonexistent="earliest")
        return aware.cast(pa.int64()).to_numpy().copy(), good
    return times - offset, good


def _days(texts: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Days since the epoch; lines of few days, the usual case, at once."""
    days = np.full(len(texts), NO_TIME, np.int64)
    left = np.flatnonzero(good)
    while len(left):
        date = texts[left[0], :10]
        same = (texts[left, :10] == date).all(1)
        with contextlib.suppress(ValueError, UnicodeDecodeError):
            days[left[same]] = np.datetime64(date.tobytes().decode(), "D").astype(np.int64)
        left = left[~same]
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
    worth = np.zeros(numbers.shape[1])
    worth[:16] = 10.0 ** np.arange(15, 15 - len(worth[:16]), -1)
    times = (numbers.astype(float) @ worth).astype(np.int64)
    return times, good
