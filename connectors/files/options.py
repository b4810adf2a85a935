"""What a reader is told, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Options:
    """How one source's files are to be read.

    `fields` maps a canonical name to the source's own (`{"duration_s": "request_time"}`); `tz` is the zone of times
    written without one, `year` the year of times written without one; `service` fills rows that name none;
    `sampling_rate` is the share of traces that was kept, for spans that do not carry it.
    """

    table: str = "LOGS"
    service: str | None = None
    tz: str | None = None
    year: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    sampling_rate: float | None = None


@dataclass(frozen=True, slots=True)
class FilesSpec:
    """Which files are one source: a path or glob below `folder`, their format (None: told by looking), how to read.

    `rows` is the most rows that are read into memory.
    """

    folder: Path
    path: str
    table: str = "LOGS"
    format: str | None = None
    options: Options = field(default_factory=Options)
    rows: int = 5_000_000


class Reading(NamedTuple):
    """One file's rows as a canonical table, and why some of it is missing.

    `faults` make every answer partial; `notes` are only told.
    """

    table: pa.Table
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
