"""Rows drawn from random places of many texts: a block of each stratum, and what each row stands for."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from connectors import schema
from connectors.folder.opened import Opened
from connectors.folder.reading import PART, Range, read_ranges, rows_within

BLOCKS = 400
LEAST_BLOCK = 4 << 10


@dataclass(frozen=True, slots=True)
class Stratum:
    """A stretch of a text that one block stands for: its bytes, and from when to when its lines are."""

    block: Range
    weight: float
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample of the lines between two moments: rows with `weight`, each row's stratum, and a sentence on how."""

    rows: pa.Table
    stratum: np.ndarray
    strata: tuple[Stratum, ...]
    missing: tuple[str, ...]
    said: str
    lines: float
    """About how many lines there are."""


def draw(texts: Sequence[Opened], start: int, stop: int, *, n: int, seed: int = 0) -> Drawn:
    """About `n` lines of those from `start` to before `stop`, from blocks at random offsets.

    Each stratum's block is at an offset drawn uniformly; a row's weight is the stratum's bytes over the block's. Of a
    text that is too large to unpack, the beginning stands for all of it, and the sentence says so.
    """
    stretches = [(text, low, high) for text in texts for low, high in text.ranges(start, stop)]
    sizes = [text.text.expected() if text.text.unread else high - low for text, low, high in stretches]
    total = float(sum(sizes))
    lines = sum(size / max(text.bytes_per_line, 1) for (text, _, _), size in zip(stretches, sizes, strict=True))
    share = min(1.0, n / max(lines, 1.0))
    dice = random.Random(seed)
    strata: list[Stratum] = []
    beginnings = 0
    for (text, low, high), size in zip(stretches, sizes, strict=True):
        if text.text.unread:
            beginnings += 1
            read = text.text.length
            strata.append(Stratum(Range(text, 0, read), max(size / max(read, 1), 1.0), text.first, text.last))
            continue
        count = max(1, min(round(BLOCKS * size / max(total, 1)), int(size * share) // LEAST_BLOCK or 1))
        edges = [low + (high - low) * i // count for i in range(count + 1)]
        for a, b in itertools.pairwise(edges):
            block = b - a if share >= 1 else min(b - a, max(LEAST_BLOCK, round((b - a) * share)))
            at = a + dice.randint(0, b - a - block) if block < b - a else a
            first, last = _times_of(text, a, b)
            weight = (b - a) / block if block else 1.0
            strata.append(Stratum(Range(text, at, at + block), weight, max(first, start), min(last, stop)))
    table, missing = read_ranges([s.block for s in strata])
    parts = table.column(PART).to_numpy()
    weights = np.array([s.weight for s in strata], float)
    base = table.column("weight").to_numpy() * (weights[parts] if len(parts) else 1.0)
    at = table.column_names.index("weight")
    table = table.set_column(at, schema.LOGS.field("weight"), pa.array(base, pa.float64()))
    table = rows_within(table, start, stop)
    stratum = table.column(PART).to_numpy()
    rows = table.drop_columns([PART])
    said = (
        f"{rows.num_rows:,} of about {float(np.sum(rows.column('weight').to_numpy())):,.0f} lines, from "
        f"{len(strata):,} blocks at random places of {len({id(s.block.text) for s in strata}):,} files"
    )
    if beginnings:
        said += f"; of {beginnings} compressed ones too large to unpack, their beginning"
    whole = all(s.weight == 1.0 for s in strata) and not beginnings
    return Drawn(rows, stratum, tuple(strata), missing, "" if whole else said, lines)


def _times_of(text: Opened, a: int, b: int) -> tuple[int, int]:
    """From when to when are the lines of these bytes?"""
    if text.index is not None:
        inside = [p for p in text.index if p.start < b and p.end > a and p.lines]
        if inside:
            return min(p.first for p in inside), max(p.last for p in inside)
    if not text.ordered or text.stamp is None:
        return text.first, text.last
    first = text.time_at(a) if a > 0 else text.first
    last = text.time_at(b) if b < text.end else text.last
    return first if first is not None else text.first, last if last is not None else text.last
