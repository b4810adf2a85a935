"""The same text with its disguise taken off: URL-encoded, escaped, in base64 or hex, split over lines.

Each view is a text of its own with a map back, so that what is found in it is taken out where it really stands.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"\\+(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[/\"'tr])")
_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9A-Fa-f]{1,5}|[A-Za-z]{2,12});")
_CODED = re.compile("|".join(form.pattern for form in (_PERCENT, _ESCAPE, _ENTITY)))
_JOINT = re.compile(
    r"[ \t]*(?:\\+|=)?(?:\r?\n|\\+r?\\*n|<br ?/?>|<wbr ?/?>)[ \t]*(?:[|>#*+][ \t]+)?"
    r"|[\u00ad\u200b-\u200d\u2060\ufeff]+|[\"'][ \t]*(?:\+|\.\.?|\|\|)[ \t]*[\"']"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?<![A-Za-z0-9])(?:0x|\\x)?(?:[0-9A-Fa-f]{2}){8,}(?![A-Za-z0-9])")
_PRINTABLE = re.compile(r"[\x20-\x7e\t\r\n\u00a0-\uffff]+")


@dataclass(frozen=True, slots=True)
class View:
    """A text with some of its pieces decoded. `joints` are places in it where lines were joined, with a
    blank where it is `spaced`."""

    text: str
    disguise: str
    _starts: tuple[int, ...]
    _pieces: tuple[tuple[int, int, bool], ...]
    joints: tuple[int, ...] = ()
    spaced: bool = False

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Where in the first text does this stretch of the view stand?"""
        first = self._pieces[bisect_right(self._starts, start) - 1]
        at = bisect_right(self._starts, start) - 1
        begin = first[0] + (start - self._starts[at] if first[2] else 0)
        at = bisect_right(self._starts, end - 1) - 1
        last = self._pieces[at]
        return begin, (last[0] + (end - self._starts[at]) if last[2] else last[1])

    def crosses(self, start: int, end: int) -> bool:
        """Does the stretch reach over a place where lines were joined?"""
        at = bisect_right(self.joints, start)
        return at < len(self.joints) and self.joints[at] < end


def views(text: str) -> Iterator[View]:
    """The text with each disguise taken off that it may wear.

    >>> [v.text for v in views("mail ada%40example.org")]
    ['mail ada@example.org']
    """
    if _CODED.search(text):
        yield _decoded(text, _CODED, _plain, "encoded")
    if _JOINT.search(text):
        yield _decoded(text, _JOINT, lambda m: "", "split over lines")
        yield replace(_decoded(text, _JOINT, lambda m: " ", "split over lines"), spaced=True)


def is_disguised(text: str) -> bool:
    """May the text wear a disguise at all? Cheap."""
    return (
        any(c in text for c in "%\\&\n\r\u200b\u00ad\ufeff\u200c\u200d\u2060")
        or "<br" in text
        or "<wbr" in text
        or ("' +" in text or '" +' in text)
    )


def encoded(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Pieces that are text in base64 or hex: start, end, the text, and how it was encoded.

    >>> [(t, how) for _, _, t, how in encoded("x: YWRhQGV4YW1wbGUub3Jn on NullPointerException")]
    [('ada@example.org', 'base64')]
    """
    for match in _BASE64.finditer(text):
        told = from_base64(match[0])
        if told is not None:
            yield match.start(), match.end(), told, "base64"
    for match in _HEX.finditer(text):
        digits = match[0].removeprefix("0x").removeprefix("\\x")
        told = _readable(bytes.fromhex(digits))
        if told is not None:
            yield match.start(), match.end(), told, "hexadecimal"


def _decoded(text: str, form: re.Pattern[str], decode: Callable[[str], str], disguise: str) -> View:
    out: list[str] = []
    starts: list[int] = []
    pieces: list[tuple[int, int, bool]] = []
    joints: list[int] = []
    done = length = 0

    def put(piece: str, start: int, end: int, *, as_is: bool) -> None:
        nonlocal length
        if piece:
            out.append(piece)
            starts.append(length)
            pieces.append((start, end, as_is))
            length += len(piece)

    for match in form.finditer(text):
        put(text[done : match.start()], done, match.start(), as_is=True)
        put(decode(match[0]), match.start(), match.end(), as_is=False)
        joints.append(length if not pieces or pieces[-1][2] else length - 1)
        done = match.end()
    put(text[done:], done, len(text), as_is=True)
    if not pieces:
        put(" ", 0, len(text), as_is=False)
    return View("".join(out), disguise, tuple(starts), tuple(pieces), tuple(joints) if form is _JOINT else ())


def _plain(piece: str) -> str:
    if piece[0] == "%":
        return unquote_to_bytes(piece).decode("utf-8", "replace")
    return html.unescape(piece) if piece[0] == "&" else _unescaped(piece)


def _unescaped(piece: str) -> str:
    body = piece.lstrip("\\")
    if body[0] in "ux" and len(body) > 1:
        return chr(int(body[1:], 16))
    return {"t": "\t", "r": "\r"}.get(body, body)


def from_base64(piece: str) -> str | None:
    """The readable text that a piece is the base64 of; None when it is of none."""
    body = piece.rstrip("=").translate(_TO_STANDARD)
    if len(body) % 4 == 1:
        return None
    try:
        content = base64.b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return None
    return _readable(content)


def _readable(content: bytes) -> str | None:
    try:
        told = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return told if len(told) >= 6 and _PRINTABLE.fullmatch(told) else None


_TO_STANDARD = str.maketrans("-_", "+/")
