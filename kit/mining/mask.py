"""Which parts of a log line are values? Masking by form alone, before any line is compared with another.

Two steps. `shape_keys` is cheap and runs over every line: runs of hexadecimal digits that hold a decimal digit become
one `0`, so that lines which differ in numbers and ids only become equal. `tokens` is thorough and runs once for each
distinct shape: times, addresses, paths, ids, quantities become `<*>`, the rest is cut into words and delimiters.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

VARIABLE = "<*>"
_MARK = "\x00"
LINE_LIMIT = 2_000

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[A-Z]{1,3}[SD]T)\b)?"
_START = r"(?<![\w.])"
_SEGMENT = r"[\w.+@%$~#*-]"

# Order matters: the longer form stands before the one that it contains.
_FORMS = {
    "date and time": rf"{_START}\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T_ ,-]+{_CLOCK}{_ZONE})?(?![\w:])",
    "month by name": rf"\b(?:{_DAY},? +)?(?:{_MONTH} +\d{{1,2}}|\d{{1,2}}[ /-]{_MONTH})[ ,/:-]+(?:\d{{4}}[ :]+)?"
    rf"{_CLOCK}{_ZONE}(?: +\d{{4}}\b)?",
    "rest of a URL": r"(?<=://)[^\s'\"<>,;)\]]+",
    "e-mail": r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b",
    "UUID": r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b",
    "MAC address": r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b",
    "IPv6": rf"{_START}(?:[0-9A-Fa-f]{{1,4}}:){{2,7}}(?::?[0-9A-Fa-f]{{1,4}}){{1,6}}\b"
    rf"|{_START}::(?:[0-9A-Fa-f]{{1,4}}:){{0,6}}[0-9A-Fa-f]{{1,4}}\b",
    "IPv4": rf"{_START}/?(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?:/\d{{1,2}})?(?![\w.]*\w)",
    "path": rf"(?<![\w.<*/])(?:[A-Za-z]:\\|\\\\|(?:~|\.\.?)?/(?!/))(?:{_SEGMENT}+[\\/])*{_SEGMENT}*[\w$]",
    "host before a port": r"(?<![\w.@-])(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?=:\d)",
    "clock": rf"{_START}(?<![:\d])(?:\d{{1,2}}:\d{{2}}:\d{{2}}(?:[.,]\d+)?|\d{{1,2}}:\d{{2}})(?![\w:.]*\w)",
    "less than a unit": r"<\d+ ?(?:ms|s|sec)\b",
    "size": r"(?<![\w.])\d+(?:\.\d+)? ?(?:[KMGTkmgt]i?)?B\b",
}
_ECHO = re.compile(r"(\d+ bytes) \(\d+(?:\.\d+)? [KMGT]i?B\)")
_LINE = re.compile("|".join(f"(?:{pattern})" for pattern in _FORMS.values()))
_DELIMITER = r"=:,;()\[\]{}\"'<>|"
_WORD = rf"[^\s{_DELIMITER}.!?]+"
_PIECES = re.compile(rf"\s+|://|[{_DELIMITER}!?]|\.+(?![^\s{_DELIMITER}.!?])|\.*{_WORD}(?:[.!?]{_WORD})*|\.+")
_NUMBER = re.compile(r"[-+#*]?\d[\d.,_]*[A-Za-z%µ]{0,3}")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]+|[0-9a-f]{8,}|[0-9A-F]{8,}")
_NAMED_NUMBER = re.compile(r"(_*[A-Za-z][A-Za-z_]*[A-Za-z][.\-#@])(?:0[xX][0-9A-Fa-f]+|\d+)")
_SHORT_NAME = re.compile(r"[A-Za-z]+\d{1,2}|[A-Za-z]{0,6}[vV]\d+(?:\.\d+)?")
_LITERALS = frozenset({"true", "false", "null", "root", "admin"})


def without_echo(messages: pa.Array) -> pa.Array:
    """The same lines, sizes that are told twice told once: `1190 bytes (1.16 KB)` is `1190 bytes`."""
    if not pc.any(pc.match_substring(messages, " bytes (")).as_py():
        return messages
    return pc.replace_substring_regex(messages, _ECHO.pattern, r"\1")


def tokens(line: str) -> tuple[str, ...]:
    """Which words and delimiters is this line made of, every value that its form gives away replaced by `<*>`?

    White space is one blank. Joined, the tokens are the masked line.

    >>> "".join(tokens("open /10.0.0.7:4711 took 12 ms,  id=0x3fa9 on node-12"))
    'open <*>:<*> took <*> ms, id=<*> on node-<*>'
    """
    line = _ECHO.sub(r"\1", line[:LINE_LIMIT].strip().replace(_MARK, " "))
    marked = _LINE.sub(_MARK, line.replace(VARIABLE, _MARK))
    pieces = []
    for piece in _PIECES.findall(marked):
        if piece.isspace():
            pieces.append(" ")
        elif len(piece) == 1 and piece != _MARK and not piece.isdigit():
            pieces.append(piece)
        else:
            pieces.append(mask_word(piece))
    return tuple(pieces)


@lru_cache(maxsize=200_000)
def mask_word(word: str) -> str:
    """Is this word a value? `<*>` when its form says so; `name-<*>` keeps the name of a numbered thing.

    A short name with one or two digits (`eth0`, `L3`) stays: whether it varies is for the other lines to say.

    >>> [mask_word(w) for w in ("12ms", "blk_-901", "deadbeef01", "node-7", "eth0", "queue")]
    ['<*>', '<*>', '<*>', 'node-<*>', 'eth0', 'queue']
    """
    if _MARK in word:
        return VARIABLE
    if word in _LITERALS or word.lower() in ("true", "false", "null") or _HEX.fullmatch(word):
        return VARIABLE
    if not any(c.isdigit() for c in word):
        return word
    if _NUMBER.fullmatch(word):
        return VARIABLE
    if named := _NAMED_NUMBER.fullmatch(word):
        return named[1] + VARIABLE
    if _SHORT_NAME.fullmatch(word):
        return word
    return VARIABLE


_ZERO, _A, _TO_LOWER = np.uint8(ord("0")), np.uint8(ord("a")), np.uint8(0x20)
_BLOCK = 4_000
_REACH = 4


def shape_keys(messages: pa.Array) -> pa.ChunkedArray:
    """What do lines look like when numbers and hexadecimal ids are all written `0`? One text per message.

    `messages` is a string array without nulls. Digits and up to four hexadecimal letters on each side of them become
    one `0`. Ids with more letters in a row stay apart, which costs time later and nothing else. Works on the bytes of
    many lines at once, on two threads.

    >>> shape_keys(pa.array(["took 12 ms for 3fa9b", "took 7 ms for 00c1"])).to_pylist()
    ['took 0 ms for 0', 'took 0 ms for 0']
    """
    if len(messages) == 0:
        return pa.chunked_array([], pa.string())
    large = pa.types.is_large_string(messages.type)
    _, offset_buffer, data = messages.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64 if large else np.int32)
    offsets = offsets[messages.offset : messages.offset + len(messages) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)

    def keys(first: int) -> pa.Array:
        bounds = offsets[first : first + _BLOCK + 1]
        return _collapse(content[bounds[0] : bounds[-1]], (bounds - bounds[0]).astype(np.int32))

    with ThreadPoolExecutor(2) as pool:
        return pa.chunked_array(list(pool.map(keys, range(0, len(messages), _BLOCK))), pa.string())


def _collapse(content: np.ndarray, bounds: np.ndarray) -> pa.Array:
    """The keys of one block of lines; `bounds` are the lines' offsets in `content`."""
    if len(content) == 0:
        return pa.array([""] * (len(bounds) - 1), pa.string())
    number = (content - _ZERO) < 10  # bytes below "0" wrap round to large ones
    letter = ((content | _TO_LOWER) - _A) < 6
    inner = bounds[1:-1][(bounds[1:-1] > 0) & (bounds[1:-1] < len(content))]  # where a line begins after another
    for _ in range(_REACH):
        spread = letter & _beside(number, inner)
        if not spread.any():
            break
        number |= spread
    follows = np.zeros(len(content), bool)
    follows[1:] = number[:-1]
    follows[inner] = False
    kept = ~(number & follows)
    written = content ^ ((content ^ _ZERO) & -number.view(np.uint8))  # "0" where a number is
    lengths = np.add.reduceat(kept, np.minimum(bounds[:-1], len(content) - 1), dtype=np.int32)
    lengths[bounds[1:] == bounds[:-1]] = 0
    ends = np.concatenate((np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)))
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(ends), pa.py_buffer(np.compress(kept, written)))


def _beside(marks: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Which bytes stand directly before or after a marked one of the same line?"""
    found = np.zeros(len(marks), bool)
    found[1:] = marks[:-1]
    found[inner] = False
    before = marks[1:].copy()
    before[inner - 1] = False
    found[:-1] |= before
    return found
