"""Which lines say the same? A code per line of JSON, from its bytes alone, without reading them one by one.

Where the quotes stand in a line tells where its values are. Values that are hardly ever the same twice (times, ids,
durations, paths) are left out, digits in messages count as one; lines whose other bytes are equal get the same code,
and a reader has to look at one line of each code only. Equal is told by a 64-bit sum with secret factors, drawn anew in
each process. A line that is written otherwise gets no code and is left to the reader.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import numpy as np
import orjson
import pyarrow as pa

from connectors.folder.stamps import newlines

MANY = 40
"""A value that has so many different ones in a few thousand lines is left out."""
MOST_KINDS = 100_000
ODD = -1
_QUOTE, _BACKSLASH, _COLON, _COMMA, _END = 34, 92, 58, 44, 125
_WORD = np.uint64(0xFF51AFD7ED558CCD)
_RANDOM = np.random.default_rng(secrets.randbits(128))
_FACTORS = _RANDOM.integers(1, 1 << 63, 1 << 14, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_HALF = np.uint64(32)
_MASKS = np.array([(1 << 8 * n) - 1 if n < 8 else (1 << 64) - 1 for n in range(9)], np.uint64)
_REACH = 4
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Values:
    """Which keys of a text's lines are left out of their codes, and which are told with digits as one."""

    left_out: frozenset[str]
    digits_as_one: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand between the quotes of lines that have so many of them.

    `kept`: stretches from one quote to another (-1: the line's begin; None: its end). `texts`, `numbers`: the quotes
    before values left out. `messages`: the quotes before texts with digits as one.
    """

    quotes: int
    kept: tuple[tuple[int, int | None], ...]
    texts: tuple[int, ...]
    numbers: tuple[int, ...]
    messages: tuple[int, ...]


@dataclass
class LineCodes:
    """The codes of one text's lines. `examples` has one line of each code."""

    values: Values
    examples: list[bytes] = field(default_factory=list)
    _codes: dict[int, int] = field(default_factory=dict)
    _layouts: dict[int, list[_Layout]] = field(default_factory=dict)

    def of(self, data: bytes | memoryview) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A code per whole line of these bytes (`ODD`: none), where the lines begin, where they end."""
        buffer = np.frombuffer(data, np.uint8)
        ends = newlines(buffer)
        if len(buffer) and buffer[-1] != 10:
            ends = np.append(ends, len(buffer))
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1] + 1
        quotes, odd = _quotes(buffer, starts)
        first = np.searchsorted(quotes, starts)
        many = np.diff(np.append(first, len(quotes)))
        sums = np.zeros(len(starts), np.uint64)
        words = _words(data)
        for count in np.unique(many).tolist():
            rows = np.flatnonzero((many == count) & ~odd)
            for _ in range(4):  # lines with as many quotes may be of several layouts
                if not len(rows):
                    break
                rows = self._of_layout(count, rows, buffer, words, quotes, first, starts, ends, sums)
            odd[rows] = True
        codes = np.full(len(starts), ODD, np.int32)
        told = np.flatnonzero(~odd & (ends > starts))
        codes[told] = self._known(sums[told], told, buffer, starts, ends)
        return codes, starts, ends

    def _of_layout(
        self, count: int, rows: np.ndarray, buffer: np.ndarray, words: np.ndarray, quotes: np.ndarray,
        first: np.ndarray, starts: np.ndarray, ends: np.ndarray, sums: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Adds up the lines that one of the layouts fits; the rows that none does."""
        layouts = self._layouts.setdefault(count, [])
        for layout in layouts:
            rows = _summed(layout, rows, buffer, words, quotes, first, starts, ends, sums)
            if not len(rows):
                return rows
        example = buffer[starts[rows[0]] : ends[rows[0]]].tobytes()
        layout_ = layout_of(example, self.values) if len(layouts) < 8 else None
        if layout_ is None or layout_.quotes != count:
            return rows
        layouts.append(layout_)
        return _summed(layout_, rows, buffer, words, quotes, first, starts, ends, sums)

    def _known(
        self, sums: np.ndarray, told: np.ndarray, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> np.ndarray:
        encoded = pa.array(sums).dictionary_encode()
        local = encoded.indices.to_numpy()
        firsts = np.empty(len(encoded.dictionary), np.int64)
        firsts[local[::-1]] = told[::-1]
        lookup = np.empty(len(firsts), np.int32)
        for i, (key, row) in enumerate(zip(encoded.dictionary.to_pylist(), firsts.tolist(), strict=True)):
            code = self._codes.get(key)
            if code is None:
                code = self._codes[key] = len(self.examples)
                self.examples.append(buffer[starts[row] : ends[row]].tobytes())
            lookup[i] = code
        return lookup[local]


def _quotes(buffer: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where quotes stand that are not escaped, and which lines have a backslash that needs reading."""
    quotes = np.flatnonzero(buffer == _QUOTE)
    odd = np.zeros(len(starts), bool)
    escaped = buffer[quotes - 1] == _BACKSLASH
    if escaped.any():
        twice = quotes[escaped & (buffer[quotes - 2] == _BACKSLASH)]
        odd[np.searchsorted(starts, twice, side="right") - 1] = True
        quotes = quotes[~escaped]
    return quotes, odd


def _words(data: bytes | memoryview) -> np.ndarray:
    """Eight bytes from each byte on, as one number."""
    padded = np.zeros(len(data) + 8, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    return np.ndarray((len(data) + 1,), "<u8", buffer=padded.data, strides=(1,))


def _summed(
    layout: _Layout, rows: np.ndarray, buffer: np.ndarray, words: np.ndarray, quotes: np.ndarray, first: np.ndarray,
    starts: np.ndarray, ends: np.ndarray, sums: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Adds up the kept bytes of the rows that the layout fits; the rows that it does not fit."""

    def at(quote: int) -> np.ndarray:
        return quotes[first[rows] + quote]

    fits = np.ones(len(rows), bool)
    for quote in (*layout.texts, *layout.messages):  # a text after a colon, then a comma or the line's end
        fits &= buffer[at(quote) - 1] == _COLON
    for quote in layout.numbers:  # `:12.5,` up to the next key, or `:12.5}` at the end
        begin = at(quote) + 1
        end = at(quote + 1) if quote + 1 < layout.quotes else ends[rows]
        fits &= (buffer[begin] == _COLON) & (buffer[end - 2] - 48 < 10) & (
            (buffer[begin + 1] - 48 < 10) | (buffer[begin + 1] == 45)
        )  # fmt: skip
    left = rows[~fits]
    rows = rows[fits] if len(left) else rows
    found = np.full(len(rows), _FACTORS[layout.quotes % len(_FACTORS)], np.uint64)
    number = 0
    for begin, end in layout.kept:
        low = starts[rows] if begin < 0 else at(begin)
        high = ends[rows] if end is None else at(end)
        number = _add(found, words, low, high, number)
    for quote in layout.messages:
        number = _add_digits_as_one(found, buffer, at(quote) + 1, at(quote + 1), number)
    sums[rows] = found
    return left


def _add(found: np.ndarray, words: np.ndarray, low: np.ndarray, high: np.ndarray, number: int) -> int:
    """Adds the bytes from `low` to `high` to each line's sum, word by word, and how many they are."""
    width = high - low
    found += _FACTORS[number % len(_FACTORS)] * width.astype(np.uint64)
    most, least = (int(width.max()), int(width.min()) // 8 * 8) if len(width) else (0, 0)
    for first in range(0, least, 8 * _AT_ONCE):  # words that all lines have, some at a time
        places = np.arange(first, min(first + 8 * _AT_ONCE, least), 8)
        found += _mixed(words[places[:, None] + low], number + 1 + places // 8).sum(0, dtype=np.uint64)
    rows: np.ndarray | None = None
    for place in range(least, most, 8):
        longer = np.flatnonzero(width > place)
        if rows is None or len(longer) < len(width):
            rows = longer if rows is None else rows[longer]
            low, width = low[longer], width[longer]
        word = words[low + place] & _MASKS[np.minimum(width - place, 8)]
        found[rows] += _mixed(word, number + 1 + place // 8)
    number += most // 8 + 1
    return (number | 255) + 1  # the same factors for what follows, however long this was


def _mixed(word: np.ndarray, number: int | np.ndarray) -> np.ndarray:
    """The words spread over 64 bits, those of each place by a factor of their own."""
    word *= _WORD
    word ^= word >> _HALF
    factors = _FACTORS[np.asarray(number) % len(_FACTORS)]
    word *= factors[:, None] if word.ndim == 2 else factors
    return word


def _add_digits_as_one(
    found: np.ndarray, buffer: np.ndarray, low: np.ndarray, high: np.ndarray, number: int
) -> int:  # fmt: skip
    """Adds the bytes from `low` to `high` with each number, or id of hexadecimal digits, written as one 0."""
    width = high - low
    bounds = np.concatenate([[0], np.cumsum(width)])
    text = buffer[np.repeat(low - bounds[:-1], width) + np.arange(bounds[-1])]
    digit = (text - np.uint8(48)) < 10
    letter = ((text | np.uint8(32)) - np.uint8(97)) < 6
    edge = np.zeros(len(text) + 1, bool)
    edge[bounds] = True
    for _ in range(_REACH):
        spread = letter & ~digit
        beside = np.zeros_like(digit)
        beside[1:] = digit[:-1] & ~edge[1:-1]
        beside[:-1] |= digit[1:] & ~edge[1:-1]
        spread &= beside
        if not spread.any():
            break
        digit |= spread
    kept = np.ones(len(text), bool)
    kept[1:] = ~(digit[1:] & digit[:-1]) | edge[1:-1]
    text = np.where(digit, np.uint8(48), text)[kept]
    sizes = np.add.reduceat(np.append(kept, False), np.minimum(bounds[:-1], len(kept)), dtype=np.int64)
    sizes[width == 0] = 0
    ends = np.cumsum(sizes)
    return _add(found, _words(text.tobytes()), ends - sizes, ends, number)


def layout_of(line: bytes, values: Values) -> _Layout | None:
    """How is this line written? None where it is no flat JSON object without blanks between its parts."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(row, dict) or any(isinstance(value, dict | list) for value in row.values()):
        return None
    quote = 0
    left: list[tuple[int, int | None]] = []
    texts, numbers, messages = [], [], []
    for key, value in row.items():
        close = quote + 1
        text = isinstance(value, str)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if text and key in values.digits_as_one:
            messages.append(quote + 2)
            left.append((quote + 2, quote + 3))
        elif text and key in values.left_out:
            texts.append(quote + 2)
            left.append((quote + 2, quote + 3))
        elif number and key in values.left_out:
            numbers.append(close)
            left.append((close, close + 1))
        quote += 4 if text else 2
    kept, at = [], -1
    for begin, end in left:
        if begin > at:
            kept.append((at, begin))
        assert end is not None
        at = end
    if at < quote:
        kept.append((at, None))
    found = _Layout(quote, tuple(kept), tuple(texts), tuple(numbers), tuple(messages))
    return found if orjson.dumps(row).count(b'"') - orjson.dumps(row).count(b'\\"') == quote else None


def varied(lines: list[bytes]) -> frozenset[str]:
    """Which keys have many values in these lines?"""
    seen: dict[str, set[str]] = {}
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            for key, value in row.items():
                there = seen.setdefault(key, set())
                if len(there) <= MANY:
                    there.add(str(value)[:200])
    return frozenset(key for key, there in seen.items() if len(there) > MANY)


__all__ = ["ODD", "LineCodes", "Values", "layout_of", "varied"]
