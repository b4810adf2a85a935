"""The user's own patterns, run by RE2: linear in the text, whatever the pattern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kit.redaction.hit import Hit

_OPEN, _CLOSE = "\x02", "\x03"


def find_own(text: str, patterns: Sequence[tuple[str, str]]) -> Iterator[Hit]:
    """Where do the user's patterns fit?

    >>> [h.value for h in find_own("badge EMP-004711 in", [("employee", "EMP-[0-9]{6}")])]
    ['EMP-004711']
    """
    if not patterns or not text:
        return
    plain = text.replace(_OPEN, " ").replace(_CLOSE, " ")
    for name, regex in patterns:
        marked = pc.replace_substring_regex(pa.scalar(plain), f"({regex})", rf"{_OPEN}\1{_CLOSE}").as_py()
        if _OPEN not in marked:
            continue
        at = 0
        for index, piece in enumerate(marked.split(_OPEN)):
            inside, _, after = piece.rpartition(_CLOSE)
            if index and inside and "\x1e" not in inside:
                yield Hit(at, at + len(inside), "match", name, inside)
            at += len(inside) + len(after)
