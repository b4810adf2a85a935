"""Writes a small file and reads it with one format's reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors import schema
from connectors.files.formats import reader, sniff
from connectors.files.options import Options


def read(tmp_path: Path, format_: str, text: str | bytes, *, name: str = "a.log", **options: Any) -> Any:
    """The reading, and that the format is told from the content and the table is canonical."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reading = reader(format_).read(path, Options(**options), label=name)
    if hasattr(reading, "table"):
        schema.check(reading.table, options.get("table", reader(format_).TABLES[0]))
    return reading


def told(tmp_path: Path, text: str | bytes, *, name: str = "a.log") -> str:
    """Which format is told from this content?"""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return sniff(path)


def rows(reading: Any) -> list[dict[str, Any]]:
    """The rows without what is null."""
    return [{k: v for k, v in row.items() if v is not None} for row in reading.table.to_pylist()]
