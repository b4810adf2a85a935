"""Values that were learnt from columns of persons or secrets, and are then looked for in every other text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit

_WORD = re.compile(r"\w+")
_COMMON_TEXT = (
    "admin root user users guest test system none null unknown anonymous default public private true false error "
    "info warn warning debug service client server internal external name value email phone address postgres "
    "mysql redis nobody daemon operator owner member free basic premium enterprise standard trial login logout "
    "http https localhost main prod production staging dev development kube-probe healthcheck monitoring other "
    "missing password secret token bearer digest request response session order orders payment checkout"
)
_COMMON = frozenset(_COMMON_TEXT.split())


class Learnt:
    """Values by the first word in them, so that a text is read once however many are known.

    >>> learnt = Learnt()
    >>> learnt.add("Ada Lovelace", "user")
    True
    >>> [h.value for h in learnt.find("order of ada lovelace, adapted")]
    ['Ada Lovelace']
    """

    def __init__(self) -> None:
        self._by_first: dict[str, list[tuple[str, int, str, str]]] = {}
        self._kinds: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[str]:
        return (original for known in self._by_first.values() for _, _, _, original in known)

    def __contains__(self, value: str) -> bool:
        return value.lower() in self._kinds

    def add(self, value: str, kind: str) -> bool:
        """Remember a value, unless it is too short or too common a word to be told from other text."""
        value = value.strip()
        low = value.lower()
        if low in self._kinds:
            if kind == "secret" and self._kinds[low] != kind:
                self._kinds[low] = kind
            return True
        first = _WORD.search(low)
        if first is None or not is_telling(value, kind):
            return False
        self._kinds[low] = kind
        self._by_first.setdefault(first[0], []).append((low, first.start(), kind, value))
        return True

    def kind_of(self, value: str) -> str | None:
        """As what was this value learnt? None: it was not."""
        return self._kinds.get(value.strip().lower())

    def find(self, text: str) -> Iterator[Hit]:
        """Where do learnt values stand in the text, as whole words?"""
        if not self._by_first:
            return
        low = text.lower()
        if len(low) != len(text):
            low = text
        by_first = self._by_first
        for match in _WORD.finditer(low):
            known = by_first.get(match[0])
            if known is None:
                continue
            for value, offset, kind, original in known:
                start = match.start() - offset
                end = start + len(value)
                if start >= 0 and low.startswith(value, start) and _apart(low, start, end, value):
                    yield Hit(start, end, self._kinds.get(value, kind), "learnt value", original)


def is_telling(value: str, kind: str) -> bool:
    """Is a value long and rare enough to be looked for in other text? Short numbers and common words are not.

    >>> is_telling("1604122", "user"), is_telling("42", "user"), is_telling("hunter2", "secret")
    (True, False, True)
    """
    low = value.lower()
    if low in _COMMON or "\x1e" in value or "\n" in value.strip():
        return False
    if value.replace(".", "").replace("-", "").isdigit():
        return len(value) >= 6
    if kind == "secret":
        return len(value) >= 10 or (len(value) >= 6 and not (value.isalpha() and value.islower()))
    return len(value) >= 4


def _apart(text: str, start: int, end: int, value: str) -> bool:
    """Does the value stand by itself? A plain word joined to others by `.`, `-` or `_` is a part of a name."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if value.isalpha():
        joined = before in ".-_" and text[start - 2 : start - 1].isalnum() if before and start > 1 else False
        if joined or (after and after in ".-_" and text[end + 1 : end + 2].isalnum()):
            return False
    if (before.isalnum() and value[0].isalnum()) or (after.isalnum() and value[-1].isalnum()):
        return False
    if value[0].isdigit() and before in (".", ",") and text[start - 2 : start - 1].isdigit():
        return False
    return not (value[-1].isdigit() and after in (".", ",") and text[end + 1 : end + 2].isdigit())
