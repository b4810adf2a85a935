"""One place in a text that must not leave the house, and how overlapping places become one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

SEPARATOR = "\x1e"
"""Many texts are read in one pass, joined by this character; no hit reaches across it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Characters `start` to `end` of a text; `kind` names the pseudonym (`email`, `token`, …), `found_by` the detector.

    `value` is what the pseudonym is made from: decoded and joined, where the text had it disguised.
    """

    start: int
    end: int
    kind: str
    found_by: str
    value: str


Find = Callable[[str], Iterable[Hit]]


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """The same places without overlaps, in order: of hits that overlap, the longest stands for all of them.

    >>> [h.kind for h in merged([Hit(0, 9, "secret", "", "u:p@a.b"), Hit(2, 9, "email", "", "p@a.b")])]
    ['secret']
    """
    found: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if not found or hit.start >= found[-1].end:
            found.append(hit)
        elif hit.end > found[-1].end:
            longer = hit if hit.end - hit.start > found[-1].end - found[-1].start else found[-1]
            found[-1] = Hit(found[-1].start, hit.end, longer.kind, longer.found_by, longer.value)
    return found
