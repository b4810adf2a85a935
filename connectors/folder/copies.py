"""Which texts of a folder hold the same lines? Copies are read once, as is what two rotations share."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from connectors.folder.opened import Opened

COMPARED_BYTES = 4096
PLACES = 9
_PACKED = re.compile(r"\.(?:gz|zst|bz2|xz)$")
_ROTATED = re.compile(r"(?:\.\d{1,4}|[-.]\d{8}(?:[-T]?\d{2,6})?)$")


def stem_of(label: str) -> str:
    """The name that all rotations of one log share.

    >>> stem_of("web/app.log.2.gz"), stem_of("web/app.log-20260301.zst"), stem_of("web/app.log")
    ('web/app.log', 'web/app.log', 'web/app.log')
    """
    return _ROTATED.sub("", _PACKED.sub("", label))


def without_copies(texts: Sequence[Opened]) -> tuple[list[Opened], list[str]]:
    """The texts without those that another one begins with, and a note for each left out.

    Two texts are compared at their beginning, at the end of the shorter one and at places between. Of two rotations
    of which the older ends with the lines that the newer begins with, the older then ends before them (`end`).
    """
    groups: dict[bytes, list[Opened]] = {}
    for one in texts:
        groups.setdefault(one.text.read(0, 256), []).append(one)
    gone: dict[int, Opened] = {}
    for group in groups.values():
        by_size = sorted(group, key=lambda o: (-o.text.expected(), o.label))
        for i, longer in enumerate(by_size):
            for shorter in by_size[i + 1 :]:
                if id(longer) not in gone and id(shorter) not in gone and _begins(longer, shorter):
                    gone[id(shorter)] = longer
    notes = [
        f"{one.label} holds the same lines as {gone[id(one)].label} and is read once"
        for one in texts
        if id(one) in gone
    ]
    kept = [one for one in texts if id(one) not in gone]
    return kept, notes + _overlaps(kept)


def _begins(longer: Opened, shorter: Opened) -> bool:
    """Is the shorter one the beginning of the other, as far as some places of both show?"""
    size = min(longer.text.length, shorter.text.length)
    step = max((size - COMPARED_BYTES) // PLACES, 1)
    places = {*range(0, max(size - COMPARED_BYTES, 1), step), max(size - COMPARED_BYTES, 0)}
    return size > 0 and all(
        longer.text.read(at, min(at + COMPARED_BYTES, size)) == shorter.text.read(at, min(at + COMPARED_BYTES, size))
        for at in sorted(places)
    )


def _overlaps(texts: Sequence[Opened]) -> list[str]:
    notes = []
    groups: dict[str, list[Opened]] = {}
    for one in texts:
        groups.setdefault(stem_of(one.label), []).append(one)
    for group in groups.values():
        ordered = sorted((o for o in group if o.ordered and o.stamp and not o.text.unread), key=lambda o: o.first)
        for older, newer in itertools.pairwise(ordered):
            at = _shared_from(older, newer)
            if at is not None:
                notes.append(
                    f"{older.label} ends with the {older.end - at:,} bytes that {newer.label} begins with; they are "
                    f"read once"
                )
                older.end = at
                older.index = None
    return notes


def _shared_from(older: Opened, newer: Opened) -> int | None:
    """From which byte on does the older one hold what the newer begins with? None: it does not."""
    if newer.first > older.last:
        return None
    low, high = older.ranges(newer.first, newer.first + 1)[0] if older.ranges(newer.first, newer.first + 1) else (0, 0)
    line = newer.text.read(0, COMPARED_BYTES).split(b"\n", 1)[0] + b"\n"
    window = older.text.read(low, min(high + (1 << 20), older.end))
    at = window.find(line)
    if at < 0:
        return None
    at += low
    size = older.end - at
    if size > newer.end or (at > 0 and older.text.read(at - 1, at) != b"\n"):
        return None
    step = max((size - COMPARED_BYTES) // PLACES, 1)
    places = {*range(0, max(size - COMPARED_BYTES, 1), step), max(size - COMPARED_BYTES, 0)}
    same = all(
        older.text.read(at + p, min(at + p + COMPARED_BYTES, older.end))
        == newer.text.read(p, min(p + COMPARED_BYTES, size))
        for p in sorted(places)
    )
    return at if same else None
