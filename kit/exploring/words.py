"""What a view says: which fields are worth counting, two query lines as one, arguments and spans in words."""

from __future__ import annotations

import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window
from kit.exploring.query_line import read_query

FACET_FIELDS = 8
_NOT_FACETS = frozenset({"time", "message", "id", "seq", "weight", "trace_id", "span_id", "attributes"})


def facets_of(known: pd.DataFrame, *, most: int = FACET_FIELDS) -> list[str]:
    """The fields worth a facet: few values, on most lines; the level and the service first."""
    distinct = pd.to_numeric(known["distinct"], errors="coerce").fillna(0)
    few = known[~known["name"].isin(_NOT_FACETS) & (distinct > 1) & (distinct <= 200)]
    ordered = few.sort_values("share_present", ascending=False, kind="stable")["name"].tolist()
    first = [name for name in ("level", "service") if name in ordered]
    return [*first, *(name for name in ordered if name not in first)][:most]


def both(one: str, other: str) -> str:
    """One query line that means both. Raises `BadInput` for a pattern beside a filter with OR, which it cannot join."""
    if not one.strip() or not other.strip():
        return (one or other).strip()
    queries = [read_query(one), read_query(other)]
    if not any(q.where == q.text.strip() and not q.local for q in queries):
        return f"{one.strip()} {other.strip()}"
    if any(q.local for q in queries):
        raise BadInput("This mixes a filter of AND and OR with a /pattern/: write the pattern as words, or ask() anew.")
    return " AND ".join(f"({q.where})" for q in queries)


def arguments(*, by: str | None, every: str | None) -> str:
    given = [f"by={by!r}" if by else "", f"every={every!r}" if every else ""]
    return ", ".join(g for g in given if g)


def span(window: Window) -> str:
    start, end = window.start, window.end
    if start.date() == end.date():
        return f"{start:%H:%M:%S} to {end:%H:%M:%S} UTC on {start:%Y-%m-%d}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"
