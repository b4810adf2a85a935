"""The loop that every JSON-lines reader shares: pieces of a file → flat columns → LOGS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.columns import LINE, Shape, concat
from connectors.files.logs import to_logs
from connectors.files.options import Options, Reading
from connectors.files.stream import Chunk, Faults, chunks, whole
from connectors.schema import conform

Rows = Callable[[pa.Table], pa.Table]


def read_rows(
    path: Path,
    options: Options,
    label: str,
    *,
    names: Mapping[str, tuple[str, ...]] | None = None,
    prepare: Rows | None = None,
    unwrap: Callable[[Any], Any] | None = None,
) -> Reading:
    """Which LOGS does this file of JSON lines hold? One JSON array of objects is read as well.

    `prepare` changes a piece's flat columns before names are mapped; `unwrap` changes an object before it is
    flattened. `label` is how the file is called in ids and sentences.
    """
    faults = Faults(label)
    shape = Shape()
    tables: list[pa.Table] = []
    lines = 0
    for chunk in _documents(path, faults):
        lines += chunk.lines
        rows = shape.table(chunk, faults, unwrap)
        if rows.num_rows == 0:
            continue
        if prepare is not None:
            rows = prepare(rows)
        tables.append(to_logs(rows, options, faults, names))
    if not tables:
        if faults.bad_lines:
            raise BadInput(f"{label} is not JSON lines: none of its {lines:,} lines is a JSON object.")
        if lines == 0 and not faults.missing:
            faults.notes.append(f"{label} is empty")
        return Reading(schema.empty("LOGS"), faults.sentences(), tuple(faults.notes))
    return Reading(conform(concat(tables), "LOGS"), faults.sentences(), tuple(faults.notes))


def _documents(path: Path, faults: Faults) -> Any:
    """The file's lines; an indented document or an array of objects as one line each."""
    pieces = chunks(path, faults)
    first = next(pieces, None)
    if first is None:
        return
    start = first.data.lstrip()
    if start[:1] == b"[" or (start[:1] == b"{" and start.split(b"\n", 1)[0].strip() == b"{"):
        try:
            document = orjson.loads(whole(path, Faults(faults.path)))
        except orjson.JSONDecodeError:
            document = None
        if document is not None:
            records = document if isinstance(document, list) else [document]
            yield Chunk(b"".join(orjson.dumps(r) + b"\n" for r in records), 1)
            return
    yield first
    yield from pieces


def documents(path: Path, faults: Faults) -> Iterator[Any]:
    """The JSON documents of a file: one, or one a line. Raises `BadInput` when it is neither, or half of one."""
    text = whole(path, faults)
    if not text.strip():
        faults.notes.append(f"{faults.path} is empty")
        return
    try:
        yield orjson.loads(text)
        return
    except orjson.JSONDecodeError:
        pass
    lines = [(n, line) for n, line in enumerate(text.split(b"\n"), 1) if line.strip()]
    found = 0
    for at, (number, line) in enumerate(lines):
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            if found == 0:
                raise BadInput(f"{faults.path} is not whole JSON: export it again.") from None
            last = at == len(lines) - 1 and not text.endswith(b"\n")
            faults.bad(number, "the last line is half-written" if last else "not JSON")
            continue
        found += 1
        yield document


def looks_like(head: bytes, *keys: str, least: int) -> bool:
    """Are the first lines JSON objects with at least so many of these keys?

    >>> looks_like(b'{"a": 1, "b": 2}\\n{"a"', "a", "b", "c", least=2)
    True
    """
    row = first_object(head)
    return row is not None and sum(key in row for key in keys) >= least


def first_object(head: bytes) -> dict[str, Any] | None:
    """The first JSON object of the head's lines, or of the list or the indented document that it begins.

    None when there is none, or it is longer than the head.

    >>> first_object(b'[\\n  {"a": 1},\\n  {"a"')
    {'a': 1}
    """
    start = head.lstrip()
    if start[:1] == b"[" or start.split(b"\n", 1)[0].strip() == b"{":
        try:
            row, _ = json.JSONDecoder().raw_decode(start.lstrip(b"[ \t\r\n").decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
        return row if isinstance(row, dict) else None
    for line in head.split(b"\n")[:5]:
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        return row if isinstance(row, dict) else None
    return None


__all__ = ["LINE", "first_object", "looks_like", "read_rows"]
