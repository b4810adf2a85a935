"""Are the outputs of the exported notebooks those that this installation's own cells give? Their code is only read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson

from kit.plots.chart import CHART_MIME, PLOTLY_MIME
from kit.rerun.differences import Difference, differing, numbers_of, shown

Outputs = Mapping[tuple[str, int], Mapping[str, Any]]
"""What each code cell displayed, by notebook and number of the cell among its code cells."""


def compare_notebooks(exported: Path, shipped: Path, found: Outputs) -> tuple[list[Difference], list[str]]:
    """Which outputs differ, and which cells are not this installation's and were not run again?

    A cell is the same when its code is, whatever path its parameters name. Reads the notebooks of both folders.
    """
    differences: list[Difference] = []
    notes: list[str] = []
    for path in sorted(exported.glob("*.ipynb")):
        own = code_cells(shipped / path.name) if (shipped / path.name).is_file() else []
        left = {_code(cell): number for number, cell in reversed(list(enumerate(own)))}
        foreign = 0
        for cell in code_cells(path):
            number = left.pop(_code(cell), None)
            if number is None:
                foreign += 1
                continue
            where = f"{path.stem}, code cell {number + 1}"
            differences += _compare(_displayed(cell), found.get((path.stem, number), {}), where)
        if foreign:
            notes.append(f"{path.stem}: {foreign} cells were added or changed by the analyst; they were not run again.")
        ran = {n for name, n in found if name == path.stem}
        differences += [
            Difference(
                f"{path.stem}, code cell {number + 1}", "the cell is missing", shown(own[number].get("source", ""))
            )
            for number in sorted(ran & set(left.values()))
        ]
    return differences, notes


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook file, in order; none where it is no notebook."""
    try:
        cells = orjson.loads(path.read_bytes())["cells"]
        return [c for c in cells if c.get("cell_type") == "code"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []


def _code(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    text = "".join(source) if isinstance(source, list) else str(source)
    return re.sub(r"^case_path = .*$", "case_path = ''", text, flags=re.M).strip()


def _displayed(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mime bundle of the cell's last output; an error as what it says."""
    for output in reversed(cell.get("outputs") or []):
        if output.get("output_type") == "error":
            return {"text/plain": f"{output.get('ename')}: {output.get('evalue')}"}
        if output.get("data"):
            return output["data"]
    return {}


def _compare(exported: Mapping[str, Any], found: Mapping[str, Any], where: str) -> Iterator[Difference]:
    if PLOTLY_MIME in exported or PLOTLY_MIME in found:
        there, again = exported.get(PLOTLY_MIME) or {}, found.get(PLOTLY_MIME) or {}
        yield from differing(numbers_of(there), numbers_of(again), where=f"{where}, chart")
        there, again = exported.get(CHART_MIME) or {}, found.get(CHART_MIME) or {}
        for key in ("title", "description"):
            yield from differing(there.get(key, ""), again.get(key, ""), where=f"{where}, chart's {key}")
        yield from differing(there.get("evidence", []), again.get("evidence", []), where=f"{where}, chart's evidence")
        yield from _texts(there.get("table", ""), again.get("table", ""), where=f"{where}, chart's table")
        return
    if "text/html" in exported or "text/html" in found:
        yield from _texts(exported.get("text/html", ""), found.get("text/html", ""), where=where)
        return
    yield from differing(_text(exported.get("text/plain", "")), _text(found.get("text/plain", "")), where=where)


def _texts(exported: Any, found: Any, *, where: str) -> Iterator[Difference]:
    yield from differing(text_blocks(_text(exported)), text_blocks(_text(found)), where=where)


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


_BREAKS = {
    "p", "li", "td", "th", "h1", "h2", "h3", "h4", "figcaption", "summary", "pre", "div", "tr", "section", "ul", "ol",
    "table", "details", "nav", "header", "footer", "title", "figure", "code",
}  # fmt: skip


class _Blocks(HTMLParser):
    """The visible text of a page, a piece for each block element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self.data: list[str] = []
        self._parts: list[str] = []
        self._script: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._script = dict(attrs).get("type") or tag
        elif tag in _BREAKS:
            self._end()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._script = None
        elif tag in _BREAKS:
            self._end()

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self._parts.append(data)
        elif self._script == "application/json":
            self.data.append(data)

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        text = " ".join("".join(self._parts).split())
        self._parts.clear()
        if text:
            self.blocks.append(text)


def text_blocks(markup: str) -> list[str]:
    """The visible text of some HTML, a piece for each paragraph, cell or item.

    >>> text_blocks("<p>412 <b>failed</b></p><ul><li>a</li></ul>")
    ['412 failed', 'a']
    """
    return page_parts(markup)[0]


def page_parts(markup: str) -> tuple[list[str], list[str]]:
    """The visible text of a page in pieces, and the JSON that its charts are drawn from."""
    parser = _Blocks()
    parser.feed(markup)
    parser.close()
    return parser.blocks, parser.data
