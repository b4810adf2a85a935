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


_CLASS = np.zeros(256, np.uint8)
_CLASS[list(b"abcdefABCDEF")] = 1
_CLASS[list(b"0123456789")] = 2
_BLOCK = 10_000


def shape_keys(messages: pa.Array) -> pa.ChunkedArray:
    """What do lines look like when numbers and hexadecimal ids are all written `0`? One text per message.

    `messages` is a string array without nulls. Works on the bytes of many lines at once, on two threads.

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
    if len(content) == 0:
        return pa.array([""] * (len(bounds) - 1), pa.string())
    kind = _CLASS[content]
    inside = kind > 0
    starts_line = bounds[:-1][bounds[:-1] < len(content)]
    opens = inside.copy()
    opens[1:] &= ~inside[:-1]
    opens[starts_line] = inside[starts_line]
    closes = inside.copy()
    closes[:-1] &= ~inside[1:]
    line_ends = starts_line[starts_line > 0] - 1
    closes[line_ends] = inside[line_ends]
    first, last = np.flatnonzero(opens), np.flatnonzero(closes)
    digits = np.cumsum(kind == 2, dtype=np.int32)
    numeric = digits[last] - digits[first] + (kind[first] == 2) > 0
    first, last = first[numeric], last[numeric]
    step = np.zeros(len(content) + 1, np.int8)
    step[first + 1] += 1
    step[last + 1] -= 1
    kept = np.cumsum(step[:-1], dtype=np.int8) == 0
    written = content.copy()
    written[first] = ord("0")
    ends = np.concatenate(([0], np.cumsum(kept, dtype=np.int32)))[bounds].astype(np.int32)
    return pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(ends), pa.py_buffer(written[kept]))
