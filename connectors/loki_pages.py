"""Lines out of Loki in order of time, a page at a time, each once; and the slices that a sample is drawn from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.logql import nanoseconds, quoted
from connectors.loki_rows import Entry, entries_of
from connectors.window import Window

SLICES = 10
_SELECTOR = re.compile(r'\{(?:[^"`}]|"(?:[^"\\]|\\.)*"|`[^`]*`)*\}')


@dataclass(frozen=True, slots=True)
class Pager:
    """Pages of `size` lines. `ask` gives the streams of a range query; `streams` the labels of the streams that fit a
    selector and have lines between two instants (ns); what cannot be read is added to `missing`."""

    size: int
    ask: Callable[[Mapping[str, str]], list[Any]]
    streams: Callable[[str, int, int], list[dict[str, str]]]
    missing: list[str]

    def pages(self, query: str, window: Window, *, backward: bool, limit: int | None) -> Iterator[list[Entry]]:
        """The window's entries in order of time; at least the first `limit` where there are so many.

        A full page's last instant may have more lines than it shows: they are left out and asked for with the next.
        """
        low, high, left = nanoseconds(window.start), nanoseconds(window.end), limit
        while low < high and (left is None or left > 0):
            size = self.size if left is None else max(2, min(self.size, left + 1))
            page = self.page(query, low, high, size, backward=backward)
            if len(page) < size:
                yield page
                return
            edge = page[-1].time_ns
            whole = [entry for entry in page if entry.time_ns != edge]
            if not whole:
                whole = self._instant(query, edge)
                edge += 0 if backward else 1
            elif backward:
                edge += 1
            low, high = (low, edge) if backward else (edge, high)
            left = None if left is None else left - len(whole)
            yield whole

    def page(self, query: str, low: int, high: int, size: int, *, backward: bool = False) -> list[Entry]:
        """The first (or last) `size` entries from `low` until before `high`, in nanoseconds."""
        direction = "backward" if backward else "forward"
        asked = {"query": query, "start": str(low), "end": str(high), "limit": str(size), "direction": direction}
        entries = list(entries_of(self.ask(asked)))
        entries.sort(key=lambda entry: -entry.time_ns if backward else entry.time_ns)
        return entries

    def _instant(self, query: str, at: int) -> list[Entry]:
        """All entries of one nanosecond that has more of them than a page, stream by stream."""
        selector = selector_of(query)
        entries: list[Entry] = []
        for labels in sorted(self.streams(selector, at, at + 1), key=lambda one: sorted(one.items())):
            one = "{" + ", ".join(f"{name}={quoted(value)}" for name, value in sorted(labels.items())) + "}"
            page = self.page(one + query[len(selector) :], at, at + 1, self.size)
            if len(page) == self.size:
                self.missing.append(f"the stream {one} has over {self.size:,} lines in one nanosecond; more may be")
            entries += page
        return entries


def selector_of(query: str) -> str:
    """The selector that a query begins with.

    >>> selector_of('{app="a}b", env=~"p.*"} | json')
    '{app="a}b", env=~"p.*"}'
    """
    found = _SELECTOR.match(query)
    return found[0] if found else query


def shares(count: Callable[[Window], float], window: Window, n: int, *, seed: int) -> list[tuple[Window, float, int]]:
    """Slices of the window that hold lines, how many they hold, and how many to take from each: `n` in all.

    >>> whole = Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z")
    >>> [share for _, _, share in shares(lambda part: 100.0, whole, 25, seed=0)]
    [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    """
    slices = min(SLICES, n)
    width = (window.end - window.start) / slices
    starts = [window.start + width * i for i in range(slices)]
    parts = [Window(start, end) for start, end in zip(starts, [*starts[1:], window.end], strict=True)]
    held = [(part, there) for part in parts if (there := count(part))]
    return [
        (part, there, share) for (part, there), share in zip(held, _divided([t for _, t in held], n, seed), strict=True)
    ]


def _divided(there: Sequence[float], n: int, seed: int) -> list[int]:
    """`n` in proportion to these, at least one each where that is possible, never more than there are."""
    total = sum(there)
    found = [min(int(part), max(1, int(n * part / total))) for part in there]
    order = sorted(range(len(there)), key=lambda i: (-(n * there[i] / total) % 1, (i + seed) % len(there)))
    while sum(found) < min(n, int(total)):
        free = [i for i in order if found[i] < there[i]]
        for i in free[: n - sum(found)]:
            found[i] += 1
    while sum(found) > n:
        found[max(range(len(found)), key=lambda i: found[i])] -= 1
    return found
