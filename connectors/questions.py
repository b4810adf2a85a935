"""The six questions: their arguments in one canonical text, and the columns of the small answers.

Every log source uses these, so the same question has the same text and the same shape whoever answers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from connectors.base import Selection, canonical
from connectors.errors import BadInput
from connectors.schema import REST, TIME
from connectors.where import parse
from connectors.window import Window, step_seconds

PERCENTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
MEASURES = ("n", "count", "sum", "mean", "min", "max", *PERCENTILES)
"""n: rows with a value, weighted; count: the rows seen; the others over the values, weighted."""
UNLISTED = frozenset({"time", "seq", "weight", REST})
"""Columns that `fields` leaves out: the time, the book-keeping, and what is shown but not searched."""

FIELDS = pa.schema(
    [
        ("name", pa.string()),
        ("type", pa.string()),
        ("share_present", pa.float64()),
        ("distinct", pa.int64()),
        ("distinct_error", pa.float64()),
        ("top", pa.string()),
    ]
)
COMPARED = pa.schema(
    [
        ("field", pa.string()),
        ("value", pa.string()),
        ("bad", pa.float64()),
        ("good", pa.float64()),
        ("bad_total", pa.float64()),
        ("good_total", pa.float64()),
        ("error", pa.float64()),
    ]
)


def asked(arguments: Mapping[str, Any]) -> str:
    """Which canonical text names this question's arguments? Equal filters and equal steps give equal text.

    `where` is put in its normal form, `every` in seconds; None is left out.

    >>> asked({"where": "b=2 and a = 1", "every": "1m", "by": ("route",), "top": None})
    '{"by":["route"],"every":60.0,"where":"a = 1 AND b = 2"}'
    """
    plain = dict(arguments)
    for name, value in arguments.items():
        if name == "where" and value is not None:
            plain[name] = str(parse(value))
        elif name == "every" and value is not None:
            plain[name] = step_seconds(value)
        elif isinstance(value, Selection) and value.where is not None:
            plain[name] = Selection(value.window, str(parse(value.where)))
    return canonical(plain)


def counted(*, every: str | None, by: Sequence[str]) -> pa.Schema:
    """Which columns does `count` answer with? `by` columns are text."""
    return pa.schema([*_keys(every, by), ("n", pa.float64())])


def measured(*, every: str | None, by: Sequence[str], stats: Sequence[str]) -> pa.Schema:
    """Which columns does `measure` answer with? n first, each other statistic once, the percentiles' error last.

    Raises `BadInput` for a statistic that does not exist.
    """
    for stat in stats:
        if stat not in MEASURES:
            raise BadInput(f"There is no statistic {stat!r}: ask for some of {' '.join(MEASURES)}.")
    names = dict.fromkeys(("n", *stats))
    return pa.schema([*_keys(every, by), *((name, pa.float64()) for name in names), ("error", pa.float64())])


def step_us(every: str, window: Window) -> int:
    """How many microseconds is a bin? Raises `BadInput` for more than a million bins in the window."""
    step = round(step_seconds(every) * 1_000_000)
    if step < 1 or window.seconds * 1_000_000 / step > 1_000_000:
        raise BadInput(f"The step {every} cuts {window} into over a million bins: take a longer step.")
    return step


def type_name(kind: str) -> str:
    """What `fields` calls a column of this kind (`where.kind_of`)."""
    return {"bool": "boolean", "none": "unknown"}.get(kind, kind)


def _keys(every: str | None, by: Sequence[str]) -> list[pa.Field]:
    taken = {"time", "n", "error", *MEASURES}
    for name in by:
        if name in taken or list(by).count(name) > 1:
            raise BadInput(f"Grouping by {name!r} would clash with the answer's own columns: choose another field.")
    keys = [pa.field("time", TIME)] if every is not None else []
    return keys + [pa.field(name, pa.string()) for name in by]
