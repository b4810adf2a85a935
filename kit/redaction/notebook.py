"""Notebooks with what must not leave taken out of every corner: sources, outputs, tracebacks, metadata, widget state.

Pictures cannot be read, so those that somebody put in are left out and said to be.
"""

from __future__ import annotations

import copy
from html.parser import HTMLParser
from typing import Any

from kit.redaction.redactor import Redactor
from kit.redaction.structures import learn_value, redact_value

LEFT_OUT = "[a picture was left out: pictures cannot be read for what must not leave]"
_PICTURES = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")


def learn_notebook(notebook: dict[str, Any], redactor: Redactor) -> None:
    """Learn what the keys, the table columns and the texts of a notebook give away."""
    learn_value(_joined(notebook), redactor)
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html")
            if markup:
                _learn_html_tables(_text(markup), redactor)


def redact_notebook(notebook: dict[str, Any], redactor: Redactor) -> tuple[dict[str, Any], int]:
    """The notebook redacted, and how many pictures were left out. The given one is not changed."""
    made = _joined(copy.deepcopy(notebook))
    pictures = 0
    for cell in made.get("cells", []):
        if cell.get("attachments"):
            pictures += len(cell["attachments"])
            cell["attachments"] = {}
            cell["source"] = f"{cell.get('source', '')}\n\n{LEFT_OUT}"
        for output in cell.get("outputs", []):
            data = output.get("data")
            if isinstance(data, dict):
                gone = [mime for mime in data if mime.startswith(_PICTURES)]
                pictures += len(gone)
                for mime in gone:
                    del data[mime]
                if gone and not data:
                    data["text/plain"] = LEFT_OUT
    made = redact_value(made, redactor)
    for cell in made.get("cells", []):
        if not cell.get("attachments", True):
            del cell["attachments"]
    return made, pictures


def _joined(value: Any, *, key: str = "") -> Any:
    """The same notebook with lists of lines as one text, so that nothing hides between two lines."""
    if isinstance(value, dict):
        return {k: _joined(v, key=k) for k, v in value.items()}
    if isinstance(value, list):
        lines = key in ("source", "text", "traceback") or key.startswith(("text/", "image/", "application/javascript"))
        if lines and value and all(isinstance(v, str) for v in value):
            return ["\n".join(value)] if key == "traceback" else "".join(value)
        return [_joined(v) for v in value]
    return value


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _learn_html_tables(markup: str, redactor: Redactor) -> None:
    reader = _TableReader(redactor)
    reader.feed(markup)
    reader.close()


class _TableReader(HTMLParser):
    """Learns the cells under headings that say they are about persons or secret."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self._headings: list[str | None] = []
        self._column = -1
        self._cell: list[str] | None = None
        self._in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._headings = []
        elif tag in ("thead", "tbody"):
            self._in_head = tag == "thead"
        elif tag == "tr":
            self._column = -1
        elif tag in ("th", "td"):
            self._column += 1
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("th", "td") or self._cell is None:
            return
        text, self._cell = "".join(self._cell).strip(), None
        if tag == "th" and self._in_head:
            self._headings.append(self._redactor.told(text))
        elif self._column < len(self._headings):
            told = self._headings[self._column]
            if told in ("secret", "personal"):
                self._redactor.learn(text, told)
