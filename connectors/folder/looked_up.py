"""The first lines that fit a filter, read where it is known that they stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from connectors.folder.coded import Coded
from connectors.folder.opened import PROBE_BYTES, SLACK_US, Opened
from connectors.folder.reading import FILE, PART, Range, read_ranges
from connectors.window import Window


def looked_up(
    made: Coded, texts: Sequence[Opened], window: Window, where: str, *, newest: bool, limit: int
) -> tuple[pa.Table, tuple[str, ...]] | None:
    """Rows among which are the first `limit` of the window that fit (the last ones with `newest`), and what they lack.

    `made` tells when such lines are and in which text; only the seconds around them are read. None where a text is not
    in order of time.
    """
    times, codes = made.lines(window, where)
    chosen = np.argsort(-times if newest else times, kind="stable")[:limit]
    files = made.table.column(FILE).to_pylist()
    by_name = {text.label: text for text in texts}
    moments: dict[str, list[int]] = {}
    for time, code in zip(times[chosen].tolist(), codes[chosen].tolist(), strict=True):
        moments.setdefault(files[code], []).append(time)
    ranges: list[Range] = []
    for name, found in moments.items():
        text = by_name.get(name)
        if text is None or not text.ordered or text.stamp is None or text.text.unread:
            return None
        ranges += _around(text, sorted(found))
    table, missing = read_ranges(ranges)
    return (table.drop_columns([PART]) if PART in table.column_names else table), missing


def _around(text: Opened, moments: Sequence[int]) -> list[Range]:
    """The bytes of the text with the lines of these moments, which are in order."""
    found: list[Range] = []
    for moment in moments:
        low = 0 if moment - SLACK_US <= text.first else text.place_of(moment - SLACK_US)
        high = min(text.end, text.place_of(moment + SLACK_US + 1) + 2 * PROBE_BYTES)
        if moment + SLACK_US >= text.last:
            high = text.end
        if found and low <= found[-1].end:
            found[-1] = Range(text, found[-1].start, max(high, found[-1].end))
        else:
            found.append(Range(text, low, high))
    return found


__all__ = ["looked_up"]
