"""Secrets that a program wrote over several lines: a key block row by row, a token cut where the line was full."""

from __future__ import annotations

import re

import pyarrow as pa

from kit.redaction.redactor import Redactor

_TAIL = re.compile(r"[A-Za-z0-9@._%+/=~:-]{4,200}[\\=+]?\s*$")
_HEAD = re.compile(r"\s*[A-Za-z0-9@._%+/=~:-]{2,200}")
_BEGIN, _END = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"), re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY")
_KEY_ROWS = 120
_FOR_CERTAIN = ("token", "key", "email", "card", "iban")


def torn_rows(column: pa.ChunkedArray, redactor: Redactor) -> pa.ChunkedArray:
    """The texts of neighbouring rows, with what only shows when two of them are read as one taken out of both.

    Only forms that are certain are looked for (tokens, keys, e-mail, cards, IBAN): two lines side by side are usually
    two lines.
    """
    texts = column.to_pylist()
    changed = _key_blocks(texts, redactor) | _pairs(texts, redactor)
    return pa.chunked_array([pa.array(texts, column.type)]) if changed else column


def _key_blocks(texts: list[str | None], redactor: Redactor) -> bool:
    changed, inside = False, 0
    for index, text in enumerate(texts):
        if text is None:
            continue
        if inside:
            inside = 0 if _END.search(text) else inside - 1
            if not _END.search(text):
                texts[index] = redactor.whole(text, "secret")
                changed = True
        elif _BEGIN.search(text) and not _END.search(text):
            inside = _KEY_ROWS
    return changed


def _pairs(texts: list[str | None], redactor: Redactor) -> bool:
    changed = False
    seen: dict[tuple[str, str], tuple[int, int, str] | None] = {}
    for index in range(len(texts) - 1):
        first, second = texts[index], texts[index + 1]
        if not first or not second:
            continue
        tail, head = _TAIL.search(first[-220:]), _HEAD.match(second)
        if tail is None or head is None:
            continue
        pair = (tail[0].rstrip().rstrip("\\"), head[0].lstrip())
        if pair not in seen:
            seen[pair] = _torn(*pair, redactor)
        found = seen[pair]
        if found is None:
            continue
        keep, cut, made = found
        texts[index] = first[: len(first) - len(tail[0]) + keep] + made
        texts[index + 1] = made + second[head.end() - len(pair[1]) + cut :]
        changed = True
    return changed


def _torn(tail: str, head: str, redactor: Redactor) -> tuple[int, int, str] | None:
    """What reaches over the join: how much of the tail stays, how much of the head goes, the pseudonym."""
    for hit in redactor.find(tail + head):
        crosses = hit.start < len(tail) - 1 and hit.end > len(tail) + 1
        if not crosses or hit.kind not in _FOR_CERTAIN:
            continue
        alone = [h for h in redactor.find(tail) if h.end == len(tail)] or [
            h for h in redactor.find(head) if h.start == 0 and h.kind == hit.kind
        ]
        if not alone:
            return hit.start, hit.end - len(tail), redactor.text(hit.value)
    return None
