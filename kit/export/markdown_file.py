"""The executed walk as Markdown with its charts as pictures beside it: for a wiki, a ticket, a review."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from kit.export.pictures import draw_pictures
from kit.export.walk_cells import Cell, figures_of, joined, walk_cells
from kit.plain_text import visible
from kit.plots.chart import CHART_MIME, PLOTLY_MIME
from kit.summary import Summary

_NO_PICTURES = "There was no Chromium to draw the charts: their numbers stand in their place."


def markdown_file(
    notebooks: Sequence[Path], *, summary: Summary, band: str | None, notes: Sequence[str], pictures_in: str
) -> tuple[str, dict[str, bytes]]:
    """The text, and the pictures by their names in the folder `pictures_in` beside it.

    A chart is a picture with its title as the text instead of it; where none could be drawn, its table.
    """
    cells = list(walk_cells(notebooks))
    figures = figures_of(cells)
    drawn = iter(enumerate(draw_pictures(figures), start=1))
    pictures: dict[str, bytes] = {}
    parts = [f"# {_line(summary.title)}", *([f"**{band}**"] if band else [])]
    for heading, sentences in summary.sections():
        if sentences:
            parts += [f"## {heading}", "\n".join(f"- {_line(s)}" for s in sentences)]
    parts += [f"_{_line(note)}_" for note in notes]
    for cell in cells:
        parts += _cell(cell, drawn, pictures, pictures_in)
    if figures and not pictures:
        parts.insert(1, f"_{_NO_PICTURES}_")
    return "\n\n".join(p for p in parts if p.strip()) + "\n", pictures


def _cell(cell: Cell, drawn: Any, pictures: dict[str, bytes], folder: str) -> list[str]:
    if cell.kind != "code":
        return [re.sub(r"^(#+) ", r"#\1 ", visible(cell.source), flags=re.M)]
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if PLOTLY_MIME in data:
            parts += _chart(data, *next(drawn), pictures, folder)
        else:
            parts += _output(output)
    code = visible(cell.source).strip()
    if code:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
        parts.append(f"<details><summary>code</summary>\n\n{fence}python\n{code}\n{fence}\n\n</details>")
    return parts


def _chart(
    data: Mapping[str, Any], number: int, picture: bytes | None, pictures: dict[str, bytes], folder: str
) -> list[str]:
    chart = data.get(CHART_MIME) or {}
    title, description = _line(str(chart.get("title", "chart"))), _line(str(chart.get("description", "")))
    if picture is None:
        return [f"**{title}** {description}", *tables_as_markdown(str(chart.get("table", "")))]
    name = f"chart-{number:02}.png"
    pictures[name] = picture
    return [
        f"![{title.replace('[', '(').replace(']', ')')}]({folder}/{name})",
        f"_{description}_" if description else "",
    ]


def _output(output: Mapping[str, Any]) -> list[str]:
    if output.get("output_type") == "stream":
        return [_block(joined(output.get("text", "")))]
    if output.get("output_type") == "error":
        return [_block(f"{output.get('ename')}: {output.get('evalue')}")]
    data = output.get("data", {})
    if "text/markdown" in data:
        return [visible(joined(data["text/markdown"]))]
    if "text/html" in data:
        return tables_as_markdown(joined(data["text/html"]))
    return [_block(joined(data["text/plain"]))] if "text/plain" in data else []


def tables_as_markdown(markup: str) -> list[str]:
    """The kit's own small HTML as Markdown: paragraphs, lists and tables; every text as text.

    >>> tables_as_markdown("<p>so</p><table><tr><th>a</th></tr><tr><td>x|y</td></tr></table>")
    ['so', '| a |\\n|---|\\n| x\\\\|y |']
    """
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    reader.flush()
    return reader.parts


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._text: list[str] = []
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("p", "table", "li", "ul", "div", "summary", "details"):
            self.flush()
        if tag == "table":
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag == "li":
            self._text.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append(_line("".join(self._text)).replace("|", "\\|"))
            self._text = []
        elif tag == "table" and self._rows is not None:
            rows, self._rows = [r for r in self._rows if r], None
            if rows:
                lines = ["| " + " | ".join(r) + " |" for r in rows]
                self.parts.append("\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]))
        elif tag in ("p", "li", "summary", "div"):
            self.flush()

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def flush(self) -> None:
        """What was read so far is a paragraph."""
        if self._rows is None:
            text = _line("".join(self._text))
            self._text = []
            if text and text != "-":
                self.parts.append(text)


def _line(text: str) -> str:
    return " ".join(visible(text).replace("<", "&lt;").split())


def _block(text: str) -> str:
    shown = visible(text).rstrip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"
