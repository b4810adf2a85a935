"""How a DataFrame of a case is loaded: which source, which window, which lines, on which grid, under which name."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.errors import BadInput
from connectors.window import Window, iso, step_seconds

TABLES = ("levels", "requests", "metrics", "spans", "changes", "everything")
"""What a frame is made of: lines by level, requests (count, failed share, tails), metrics, calls, changes; or all."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
_RESERVED = frozenset({"kit", "case", "In", "Out", "exit", "quit", "get_ipython"})
_KEYS = ("name", "source", "table", "start", "end", "where", "every")
LONGEST_WHERE = 4000


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """A named, aligned DataFrame as it is asked for. `where` is the portable filter, None: all; `every` the step.

    Raises `BadInput` for a name that Python would not take, an unknown table, or a step that is none.
    """

    name: str
    source: str
    table: str
    window: Window
    every: str
    where: str | None = None

    def __post_init__(self) -> None:
        taken = keyword.iskeyword(self.name) or self.name in _RESERVED or self.name.startswith("__")
        if not _NAME.fullmatch(self.name) or taken:
            raise BadInput(f"{self.name!r} cannot be the name of a DataFrame: give letters, digits and _, like `pool`.")
        if self.table not in TABLES:
            raise BadInput(f"There is no table {self.table!r} to load: there is {', '.join(TABLES)}.")
        if not self.source or len(self.source) > 400:
            raise BadInput("A frame names the source it is loaded from.")
        if self.where is not None and len(self.where) > LONGEST_WHERE:
            raise BadInput(f"A filter has at most {LONGEST_WHERE:,} characters.")
        if not self.window.seconds > 0:
            raise BadInput("The window to load must be longer than nothing.")
        step_seconds(self.every)

    @property
    def bins(self) -> int:
        """How many rows will the frame have?"""
        return max(1, round(self.window.seconds / step_seconds(self.every)))

    @property
    def code(self) -> str:
        """The line of Python that loads it again.

        >>> FrameSpec("pool", "db", "levels", Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z"), "15s").code
        "pool = case.frame('db', table='levels', start='2026-03-01T02:00:00Z', end='2026-03-01T02:10:00Z', every='15s')"
        """
        filtered = f", where={self.where!r}" if self.where else ""
        return (
            f"{self.name} = case.frame({self.source!r}, table={self.table!r}, start={iso(self.window.start)!r}, "
            f"end={iso(self.window.end)!r}, every={self.every!r}{filtered})"
        )

    def to_record(self) -> dict[str, Any]:
        """The frame as plain values."""
        record = {
            "name": self.name, "source": self.source, "table": self.table, "start": iso(self.window.start),
            "end": iso(self.window.end), "every": self.every,
        }  # fmt: skip
        return record | ({"where": self.where} if self.where else {})

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> FrameSpec:
        """What `to_record` wrote, read back. Raises `BadInput`."""
        unknown = sorted(set(record) - set(_KEYS))
        if unknown:
            raise BadInput(f"a frame has no {', '.join(unknown)}: it says {', '.join(_KEYS)}")
        for name in _KEYS:
            if name not in ("start", "end") and not isinstance(record.get(name, ""), str):
                raise BadInput(f"{name} of a frame is a text")
        window = Window.of(record.get("start"), record.get("end"))
        where = record.get("where") or None
        return cls(record.get("name", ""), record.get("source", ""), record.get("table", ""), window,
                   record.get("every", ""), where)  # fmt: skip
