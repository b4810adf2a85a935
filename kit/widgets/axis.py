"""A time axis as SVG markup: where an instant stands, ticks on round times, the window that is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.window import Window
from kit.plain_text import escaped

STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800)


def ms(moment: Any) -> float:
    """The instant as a browser counts it: milliseconds since 1970."""
    return float(moment.timestamp() * 1000.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """A window laid out between two places; `zone` is the people's, for the words only."""

    window: Window
    left: float
    right: float
    zone: str = "UTC"

    def x(self, time: Any) -> float:
        """Where does this instant stand? Outside the window it stands at its edge."""
        at = pd.Timestamp(time)
        at = at.tz_localize("UTC") if at.tzinfo is None else at
        share = (at - pd.Timestamp(self.window.start)).total_seconds() / (self.window.seconds or 1.0)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def clock(self, time: datetime | pd.Timestamp) -> str:
        """The instant as a clock shows it in the people's zone."""
        return f"{pd.Timestamp(time).tz_convert(self.zone):%H:%M:%S}"

    def ticks(self, *, about: int = 7) -> Iterator[tuple[float, str]]:
        """Places of round times and their words."""
        step = next((s for s in STEPS_S if self.window.seconds / s <= about), STEPS_S[-1])
        first = -(-self.window.start.timestamp() // step) * step
        while first < self.window.end.timestamp():
            at = pd.Timestamp(first, unit="s", tz="UTC")
            words = at.tz_convert(self.zone)
            yield (
                self.x(at),
                f"{words:%H:%M}"
                if step >= 60 and step < 86400
                else f"{words:%H:%M:%S}"
                if step < 60
                else f"{words:%m-%d}",
            )
            first += step

    def markup(self, y: float) -> str:
        """The axis itself at this height, with its ticks below."""
        marks = "".join(
            f'<line class="axis" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>'
            f'<text x="{x}" y="{y + 15}" text-anchor="middle">{words}</text>'
            for x, words in self.ticks()
        )
        named = escaped(self.zone.rpartition("/")[2][:14])
        marks += f'<text x="{self.left - 8}" y="{y + 15}" text-anchor="end">{named}</text>'
        return f'<line class="axis" x1="{self.left}" x2="{self.right}" y1="{y}" y2="{y}"/>{marks}'
