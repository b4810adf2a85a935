"""Changes as a CSV file whose first line names the columns."""

from __future__ import annotations

from pathlib import Path

from connectors.files.changes_jsonl import NAMES, read_csv
from connectors.files.options import Options, Reading

NAME = "changes_csv"
TABLES = ("CHANGES",)


def sniff(head: bytes, name: str) -> bool:
    """Does the first line name columns of which one is a time and one says what was changed?

    >>> sniff(b"time,kind,service,summary\\n2026-11-24T04:13:00Z,deploy,checkout,4.7\\n", "changes.csv")
    True
    """
    columns = [c.strip().strip('"') for c in head.split(b"\n", 1)[0].decode("utf-8", "replace").split(",")]
    return len(columns) >= 3 and all(any(n in columns for n in NAMES[key]) for key in ("time", "summary", "kind"))


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which CHANGES does this file hold? Columns under the names that `changes_jsonl` knows."""
    return read_csv(path, options, label=label)
