"""Structured logs, one JSON object a line: ECS, OpenTelemetry, and the usual loggers of many languages."""

from __future__ import annotations

from pathlib import Path

from connectors.files.columns import flat_row
from connectors.files.json_rows import first_object, read_rows
from connectors.files.names import NAMES
from connectors.files.options import Options, Reading

NAME = "json_lines"
TABLES = ("LOGS",)


def sniff(head: bytes, name: str) -> bool:
    """Is the first line a JSON object, or does a list or an indented document begin with one that has a time?

    Formats that know their own keys are asked before this one.

    >>> sniff(b'{"time": "2026-11-24T04:21:00Z", "msg": "hi"}\\n', "app.log")
    True
    """
    row = first_object(head)
    if row is None:
        return False
    one_a_line = head.lstrip()[:1] == b"{" and head.split(b"\n", 1)[0].strip() != b"{"
    return one_a_line or any(isinstance(flat_row(row).get(key), str | int | float) for key in NAMES["time"])


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this file hold? Nested objects become dotted columns, each attribute typed.

    Times, levels, messages, trace ids and the names that `names.NAMES` knows become canonical; `options.fields`
    overrides. Faults name lines that could not be read.
    """
    return read_rows(path, options, label or path.name)
