"""Numbers by group out of LogQL: one instant query for a window, two range queries for exact bins; folded to the top.

Loki's bins are open at the left and closed at the right, the kit's the other way round: lines exactly on an edge are
counted by a query of their own and moved to the bin that they begin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import MISSING, OTHER
from connectors.files.names import LEVELS
from connectors.logql import STAMP, Column, nanoseconds, reached, stamped
from connectors.window import Window

POINTS = 10_000
"""Bins of one range query: Loki refuses over 11,000."""
Ask = Callable[[str, Mapping[str, str]], list[Any]]
"""Asks `query` or `query_range` with these arguments; the series of the answer."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

Group = tuple[Any, ...]


def numbers(
    ask: Ask, query: str, window: Window, by: Sequence[Column], *, over: str = "count", unwrap: str = ""
) -> dict[Group, float]:
    """One number for each group of the window's lines: their count, or the sum, min or max of an unwrapped field."""
    outer = over if over in ("max", "min") else "sum"
    low, high = nanoseconds(window.start), nanoseconds(window.end)
    if high <= low:
        return {}
    length = -(-(high - low) // 1_000_000)
    if (high - low) % 1_000_000:  # ranges are whole milliseconds: the rest is kept out by the entry's own time
        query = f"{query}{'' if STAMP in query else stamped()} | {STAMP} >= {low}"
    labels = ", ".join(reached(column) for column in by)
    inner = f"{over}_over_time({query}{unwrap} [{length}ms])" + (f" by ({labels})" if outer != "sum" else "")
    text = f"{outer} by ({labels}) ({inner})" if by else f"{outer}({inner})"
    found = ask("query", {"query": text, "time": str(high - 1)})
    return _joined(((one["metric"], float(one["value"][1])) for one in found), by, outer)


def cells(ask: Ask, query: str, window: Window, step: int, by: Sequence[Column]) -> dict[Group, float]:
    """Counts by bin and group: the key is the bin's start in ms, then the group; `step` is in microseconds."""
    low, high = (nanoseconds(time) // 1000 for time in (window.start, window.end))
    first, last = -(-low // step) * step, high // step * step
    found: dict[Group, float] = defaultdict(float)
    ragged = [(low, min(first, high))] if low < first else []
    ragged += [(last, high)] if first <= last < high else []
    for start, end in ragged:
        part = Window(_EPOCH + start * _MICRO, _EPOCH + end * _MICRO)
        for group, n in numbers(ask, query, part, by).items():
            found[(start // step * step // 1000, *group)] += n
    while first < last:
        until = min(last, first + POINTS * step)
        _whole_bins(ask, query, first, until, step, by, found)
        first = until
    return {key: n for key, n in found.items() if n}


def _whole_bins(
    ask: Ask, query: str, first: int, last: int, step: int, by: Sequence[Column], found: dict[Group, float]
) -> None:
    labels = ", ".join(reached(column) for column in by)
    edge = f"{STAMP}_edge"
    on_edge = f' | label_format {edge}=`{{{{ mod (int (unixEpochNanos __timestamp__)) {step * 1000} }}}}` | {edge}="0"'
    for pipeline, moves in ((query, False), (query + on_edge, True)):
        start = first if moves else first + step
        asked = {
            "query": f"sum by ({labels}) (count_over_time({pipeline} [{step // 1000}ms]))",
            "start": str(start * 1000), "end": str(last * 1000), "step": f"{step / 1e6:.3f}",
        }  # fmt: skip
        for one in ask("query_range", asked):
            (group,) = _joined([(one["metric"], 1.0)], by, "sum")
            for at, value in one["values"]:
                ends, n = round(float(at) * 1000), float(value)
                if moves and first // 1000 <= ends < last // 1000:
                    found[(ends, *group)] += n
                if first // 1000 < ends <= last // 1000:
                    found[(ends - step // 1000, *group)] += -n if moves else n


def top_rows(
    found: Mapping[Group, float], *, by: Sequence[str], binned: bool, top: int
) -> tuple[list[tuple[Any, ...]], dict[Group, tuple[str, ...]]]:
    """Rows of `count`, and which row's name each group has: the top of the whole window, those with a missing field
    apart, the rest `<other>`."""
    sums: dict[Group, float] = defaultdict(float)
    for key, n in found.items():
        sums[key[1:] if binned else key] += n
    ranked = sorted(sums, key=lambda group: (-sums[group], [(value is None, value or "") for value in group]))
    kept = {group for missing in (False, True) for group in [g for g in ranked if (None in g) == missing][:top]}
    names = {
        group: tuple(MISSING if value is None else value for value in group) if group in kept else (OTHER,) * len(by)
        for group in ranked
    }
    places = {names[group]: at for at, group in enumerate(ranked)}
    totals: dict[tuple[Any, ...], float] = defaultdict(float)
    for key, n in found.items():
        start = (key[0],) if binned else ()
        totals[(*start, *names[key[1:] if binned else key])] += n
    order = sorted(totals, key=lambda key: (key[0], places[key[1:]]) if binned else (places[key],))
    rows = [
        (*((_EPOCH + timedelta(milliseconds=key[0]),) if binned else ()), *key[1 if binned else 0 :], totals[key])
        for key in order
    ]
    return rows, names


def union_rows(
    bad: Mapping[str | None, float], good: Mapping[str | None, float], totals: tuple[float, float], *, top: int
) -> list[tuple[str, float, float]]:
    """Both sides' commonest values with their counts on both, then `<other>` and `<missing>`."""
    names: dict[str, None] = {}
    for side in (bad, good):
        ranked = sorted((value for value in side if value is not None), key=lambda value: (-side[value], value))
        names |= dict.fromkeys(ranked[:top])
    rows = [(name, bad.get(name, 0.0), good.get(name, 0.0)) for name in names]
    rows.sort(key=lambda row: (-row[1], -row[2], row[0]))
    missing = (bad.get(None, 0.0), good.get(None, 0.0))
    other = tuple(totals[i] - missing[i] - sum(row[1 + i] for row in rows) for i in (0, 1))
    rows += [(OTHER, other[0], other[1]), (MISSING, *missing)]
    return [row for row in rows if row[1] > 0 or row[2] > 0]


def _joined(found: Iterable[tuple[Mapping[str, str], float]], by: Sequence[Column], outer: str) -> dict[Group, float]:
    """Series by group: words for a level that mean the same are one, a label that is not there is None."""
    join: Callable[[float, float], float] = {"sum": lambda a, b: a + b, "max": max, "min": min}[outer]
    groups: dict[Group, float] = {}
    for metric, value in found:
        key = tuple(_meant(column, metric.get(column.label or "")) for column in by)
        groups[key] = join(groups[key], value) if key in groups else value
    return groups


def _meant(column: Column, text: str | None) -> str | None:
    if column.name == "level" and text:
        return LEVELS.get(text.strip().lower())
    return text or None
