"""Was it like this at the same clock time a day and a week earlier? Two baselines beside each other.

A figure that differs from the minutes before and not from the same hour a week earlier is the day's own course.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.window import Window
from kit.result import Result

DIFFERS = 1.5
FLOORS = {"failed share": 0.005, "p99 (s)": 0.02, "requests/s": 0.0}
"""A figure differs at one and a half times the other (either way) and at least by this much."""
FEWEST = 30
EARLIER_DAYS = (1, 7)


@dataclass(frozen=True, slots=True)
class Baselines(Result):
    """What users saw during the harm, just before, and at the same clock time earlier. `table`: a row per figure."""

    table: pd.DataFrame
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        both = self.table[self.table["differs"].isin(["both", "just before only"])]
        if self.because and not self.table["earlier"].notna().any():
            return f"Compared with the minutes before only: {self.because[0]}."
        course = self.table[self.table["differs"] == "just before only"]["figure"].tolist()
        if course:
            return f"{', '.join(course)}: as at the same time earlier, so the day's own course."
        names = both["figure"].tolist()
        return f"{', '.join(names) or 'Nothing'} differs from the minutes before and from the same time earlier."

    def to_frame(self) -> pd.DataFrame:
        """A row per figure: figure, now, just_before, earlier, of (which earlier time), differs."""
        return self.table.copy()


def earlier_windows(window: Window, *, zone: str, days: tuple[int, ...] = EARLIER_DAYS) -> dict[str, Window]:
    """The same clock time so many days earlier, by the clock of the people in `zone`, named in words.

    Civil time: on the day after the clocks change it lies 23 or 25 hours back. A local time that does not exist, or is
    there twice, is taken at its first meaning; the length of the window is kept.

    >>> windows = earlier_windows(Window.of("2026-03-30T06:00Z", "2026-03-30T06:10Z"), zone="Europe/Berlin")
    >>> [f"{w.start:%d. %H:%M}" for w in windows.values()]
    ['29. 06:00', '23. 07:00']
    """
    local = ZoneInfo(zone)
    found = {}
    for back in days:
        start = window.start.astimezone(local)
        civil = (start.replace(tzinfo=None) - timedelta(days=back)).replace(tzinfo=local)
        began: datetime = civil.astimezone(UTC)
        name = {1: "a day earlier", 7: "a week earlier"}.get(back, f"{back} days earlier")
        found[name] = Window(began, began + (window.end - window.start))
    return found


def compare_baselines(
    now: Mapping[str, float], before: Mapping[str, float], earlier: Mapping[str, Mapping[str, float]]
) -> Baselines:
    """Does what users see differ from just before, from the same time earlier, or from both?

    Each mapping has `requests` and the figures `failed share` (0–1), `p99 (s)` and `requests/s`; `earlier` by its name
    in words. An earlier time with fewer than 30 requests is no data, and one that was ill itself (three times the
    failures of just before) is left out, both said. Of several usable ones the last in order (a week) counts.

    >>> now, before = {"requests": 900, "requests/s": 30.0}, {"requests": 900, "requests/s": 10.0}
    >>> compare_baselines(now, before, {"a week earlier": {"requests": 900, "requests/s": 29.0}}).headline
    "requests/s: as at the same time earlier, so the day's own course."
    """
    said, usable, absent = [], {}, []
    for name, figures in earlier.items():
        if not figures.get("requests", 0) >= FEWEST:
            absent.append(name)
        elif figures.get("failed share", 0.0) > max(3 * before.get("failed share", 0.0), 0.02):
            said.append(f"{name} was ill itself ({figures['failed share']:.1%} failed)")
        else:
            usable[name] = figures
    if absent:
        said.insert(0, f"no data of the same clock time {' or '.join(absent)}: the day's own course is not known")
    of, other = next(reversed(usable.items()), (None, {}))
    rows = []
    for figure, floor in FLOORS.items():
        if figure not in now or figure not in before:
            continue
        from_before = _differs(now[figure], before[figure], floor)
        from_earlier = _differs(now[figure], other[figure], floor) if figure in other else None
        rows.append(
            {
                "figure": figure, "now": now[figure], "just_before": before[figure], "earlier": other.get(figure),
                "of": of, "differs": _told(from_before, from_earlier),
            }
        )  # fmt: skip
    names = ["figure", "now", "just_before", "earlier", "of", "differs"]
    return Baselines(pd.DataFrame(rows, columns=names).astype({"earlier": "float64"}), tuple(said))


def _differs(one: float, other: float, floor: float) -> bool | None:
    if one != one or other != other:
        return None
    low, high = sorted((one, other))
    return high - low >= floor and high >= DIFFERS * low and high > low


def _told(before: bool | None, earlier: bool | None) -> str:
    if earlier is None:
        return "unknown" if before is None else ("just before; earlier unknown" if before else "no; earlier unknown")
    return {(True, True): "both", (True, False): "just before only", (False, True): "earlier only"}.get(
        (bool(before), earlier), "no"
    )
