"""Does the exported page say what its own findings, notebooks and evidence say? It is drawn again and compared."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import orjson

from kit.export.page import UNREDACTED_BAND, build_page
from kit.incident import read_incident
from kit.rerun.cells import page_parts
from kit.rerun.differences import Difference, differing, numbers_of, shown
from kit.walk import WALK

_WRITTEN = re.compile(r"written (?:on )?\d{4}-\d\d-\d\d[T ][\d:]+ ?(?:Z|UTC)")
_LISTED = 20


def compare_page(exported: Path) -> list[Difference]:
    """Which sentences, table cells and charts of `index.html` are not those of the files beside it?"""
    page = exported / "index.html"
    if not page.is_file():
        return [Difference("index.html", "not there", "the page of the bundle")]
    about = read_incident(exported)
    notebooks = [p for name in WALK if (p := exported / "notebooks" / f"{name}.ipynb").is_file()]
    text = page.read_text(encoding="utf-8", errors="replace")
    band = UNREDACTED_BAND if UNREDACTED_BAND in text else None
    again = build_page(exported, title=about.title, zone=about.tz, notebooks=notebooks, band=band)
    blocks, charts = page_parts(text)
    own_blocks, own_charts = page_parts(again)
    found = [*_blocks(blocks, own_blocks)]
    if len(charts) != len(own_charts):
        found.append(Difference("index.html", f"{len(charts)} charts", f"{len(own_charts)} charts"))
    for number, (there, own) in enumerate(zip(charts, own_charts, strict=False), start=1):
        found += _chart(there, own, number)
    return found[:_LISTED]


def _blocks(there: list[str], own: list[str]) -> Iterator[Difference]:
    left, right = ([_WRITTEN.sub("written …", b) for b in blocks] for blocks in (there, own))
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            continue
        one, other = left[a:b], right[c:d]
        for i in range(max(len(one), len(other))):
            exported = shown(one[i]) if i < len(one) else "not there"
            yield Difference("index.html", exported, shown(other[i]) if i < len(other) else "not there")


def _chart(there: str, own: str, number: int) -> Iterator[Difference]:
    try:
        drawn = orjson.loads(there)
    except orjson.JSONDecodeError:
        yield Difference(f"index.html chart {number}", "is not JSON", "a chart")
        return
    yield from differing(numbers_of(drawn), numbers_of(orjson.loads(own)), where=f"index.html chart {number}")
