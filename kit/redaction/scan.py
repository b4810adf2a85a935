"""The finished bytes opened again and read as a stranger would: a page, a notebook, a table, a bundle, their names.

Two nets: the detectors, and everything that was taken out on the way, in clear and in its usual disguises.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from kit.errors import CheckFailed
from kit.redaction.redactor import Redactor
from kit.redaction.tables import texts_of_table

_BLOCKS = frozenset(
    [
        "p",
        "div",
        "li",
        "td",
        "th",
        "tr",
        "pre",
        "h1",
        "h2",
        "h3",
        "h4",
        "section",
        "summary",
        "figcaption",
        "title",
        "br",
    ]
)
_LEAST = 6
_SHOWN = 12
_RECORD = re.compile(r"#(ev_[0-9a-f]{16})")
_SHORT = slice(3, 9)
"""What a page writes of a recorded answer's id in a link to it."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that must not leave, still there: in which file, where in it, found by what. Never the value."""

    file: str
    where: str
    found_by: str

    def __str__(self) -> str:
        return f"{self.file}, {self.where}: {self.found_by}"


def require_clean(path: Path, redactor: Redactor, *, known_parts: tuple[str, ...] = ()) -> None:
    """Raises `CheckFailed`, naming places and detectors but no value, when something was left in a file or a folder."""
    leaks = [leak for file in _files(path) for leak in scan_file(file, redactor, known_parts=known_parts)]
    if leaks:
        more = f" and {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
        raise CheckFailed(
            f"{path.name} was not written: after redaction something that must not leave is still there, "
            f"in {len(leaks)} place{'s' if len(leaks) > 1 else ''} "
            f"({'; '.join(str(leak) for leak in leaks[:_SHOWN])}{more}). What it is stands at that place in the case; "
            "a value that may be shown goes into `keep` of redaction.toml in your configuration folder."
        )


def scan_file(path: Path, redactor: Redactor, *, known_parts: tuple[str, ...] = ()) -> list[Leak]:
    """What is left in this file? It is opened by its ending: .html, .ipynb, .json(l), .parquet, .toml, text.

    `known_parts` are what every page holds: a script or a style that is one of them to the byte is not read.
    """
    if path.suffix == ".parquet":
        pieces = _parquet(path)
    elif path.suffix in (".html", ".htm"):
        pieces = html_pieces(path.read_text(encoding="utf-8"), known_parts=known_parts)
    elif path.suffix in (".ipynb", ".json"):
        pieces = json_pieces(path.read_bytes())
    elif path.suffix == ".jsonl":
        pieces = (
            (f"line {n}, {where}", text)
            for n, line in enumerate(path.read_bytes().splitlines(), start=1)
            for where, text in json_pieces(line)
        )
    elif path.suffix in (".png", ".pdf", ".sig"):
        pieces = iter(())
    else:
        pieces = iter([("the text", path.read_text(encoding="utf-8", errors="replace"))])
    return scan_pieces(path.name, [("its name", path.name), *pieces], redactor)


def scan_pieces(file: str, pieces: list[tuple[str, str]], redactor: Redactor) -> list[Leak]:
    """What is left in these texts, each with the place it stands at?"""
    taken = _Taken(redactor)
    leaks = []
    texts = {text for _, text in pieces}
    found: dict[str, list[str]] = {}
    redacted = dict(zip(texts, redactor.peek(list(texts)), strict=True))
    for text in texts:
        names = redacted[text]
        known = taken.inside(text)
        if names or known:
            found[text] = [*names, *known]
    for where, text in pieces:
        leaks += [Leak(file, where, name) for name in found.get(text, ())]
    return list(dict.fromkeys(leaks))


class _Taken:
    """Everything that was taken out, looked for by its first word in clear, URL-encoded and in base64."""

    def __init__(self, redactor: Redactor) -> None:
        self._words: dict[str, list[str]] = {}
        for value in redactor.taken:
            if len(value) < _LEAST or value in redactor.kept or _too_common(value):
                continue
            for form in {value, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")}:
                first = re.search(r"\w+", form)
                if first is not None:
                    self._words.setdefault(first[0], []).append(form)

    def inside(self, text: str) -> list[str]:
        for match in re.finditer(r"\w+", text):
            for value in self._words.get(match[0], ()):
                at = text.find(value, max(match.start() - len(value), 0), match.end() + len(value))
                if at >= 0 and not _glued(text, at, at + len(value)):
                    return ["a value that was taken out elsewhere"]
        return []


def _glued(text: str, start: int, end: int) -> bool:
    """Is it the middle of a longer word?"""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return any(c.isalnum() or c in ".-_" for c in (before, after) if c)


def _too_common(value: str) -> bool:
    """A short number or a plain word was taken out because of where it stood; it is no secret elsewhere."""
    return (value.isdigit() and len(value) < 12) or (value.isalpha() and value.islower()) or value.isspace()


def html_pieces(text: str, *, known_parts: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every text of a page with its place: what is shown, attributes, comments, data of charts, styles.

    A link to a recorded answer shows six characters of the answer's id. It is read as a word with `ev_` in front: where
    two of them happen to be digits alone, they would be read as a telephone number otherwise.

    >>> list(html_pieces('<p>from <a href="#ev_002035dbbdb36287">002035</a>, 027738</p>'))[1]
    ('the head', 'from  ev_002035 , 027738')
    """
    reader = _PageReader(known_parts)
    reader.feed(text)
    reader.close()
    reader.end_block()
    yield from reader.pieces


class _PageReader(HTMLParser):
    def __init__(self, known_parts: tuple[str, ...]) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[tuple[str, str]] = []
        self._known = frozenset(s.strip() for s in known_parts)
        self._block: list[str] = []
        self._section = "the head"
        self._script: list[str] | None = None
        self._script_type = ""
        self._record = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.end_block()
        values = dict(attrs)
        if tag in ("section", "h2", "figure", "tr") and values.get("id"):
            self._section = f"#{values['id']}"
        for name, value in attrs:
            if value and not (tag == "meta" and name == "content" and "script-src" in value):
                self.pieces.append((f"{self._section}, attribute {name} of <{tag}>", value))
        if tag == "a":
            record = _RECORD.fullmatch(values.get("href") or "")
            self._record = record[1] if record else ""
        if tag in ("script", "style"):
            self.end_block()
            self._script, self._script_type = [], str(values.get("type") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self._script is not None:
            content, self._script = "".join(self._script), None
            if content.strip() in self._known:
                return
            if "json" in self._script_type:
                self.pieces += [(f"data of a chart, {where}", text) for where, text in json_pieces(content.encode())]
            else:
                self.pieces.append((f"<{tag}>", content))
        elif tag in _BLOCKS:
            self.end_block()
        elif tag == "a":
            self._record = ""

    def handle_data(self, data: str) -> None:
        if self._record and data == self._record[_SHORT]:
            data = f" {self._record[: _SHORT.stop]} "
        (self._block if self._script is None else self._script).append(data)

    def handle_comment(self, data: str) -> None:
        self.pieces.append((f"{self._section}, a comment", data))

    def end_block(self) -> None:
        text = "".join(self._block)
        self._block = []
        if text.strip():
            self.pieces.append((self._section, text))


def json_pieces(content: bytes) -> Iterator[tuple[str, str]]:
    """Every text of a JSON document with its place; a key with the value it names, when that is short."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        yield "the text", content.decode("utf-8", "replace")
        return
    yield from _inside("", value)


def _inside(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if {"dtype", "bdata"} <= value.keys():
            return
        for key, inner in value.items():
            here = f"{where}.{key}" if where else str(key)
            if str(key).startswith("image/"):
                continue
            yield here, str(key)
            if isinstance(inner, str):
                yield here, inner
                if len(inner) < 4000 and "\n" not in inner and not here.endswith("kernelspec.display_name"):
                    yield here, f"{json.dumps(str(key))}: {json.dumps(inner, ensure_ascii=False)}"
            else:
                yield from _inside(here, inner)
    elif isinstance(value, list):
        if value and all(isinstance(v, str) for v in value):
            last = where.rsplit(".", 1)[-1]
            yield f"{where}[]", ("" if last in ("source", "text") or "text/" in where else "\n").join(value)
            for text in dict.fromkeys(value):
                yield f"{where}[]", text
            return
        for index, inner in enumerate(value):
            yield from _inside(f"{where}[{index}]", inner)
    elif isinstance(value, str):
        yield where, value


def _parquet(path: Path) -> Iterator[tuple[str, str]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    for key, value in (file.metadata.metadata or {}).items():
        if key != b"ARROW:schema":
            yield "its metadata", key.decode("utf-8", "replace")
            yield "its metadata", value.decode("utf-8", "replace")
    table = file.read()
    for name in table.column_names:
        yield "a column's name", name
        for key, value in (table.schema.field(name).metadata or {}).items():
            yield f"metadata of column {name}", f"{key.decode('utf-8', 'replace')}: {value.decode('utf-8', 'replace')}"
    for name, text in texts_of_table(table):
        yield f"column {name}", text


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
