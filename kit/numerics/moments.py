"""An instant known only as an interval, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.window import utc


@dataclass(frozen=True, slots=True)
class Moment:
    """Something happened not before `earliest`, not after `latest`, most likely at `time`; all UTC.

    `censored`: it was already so at the edge of the data, so the true instant may lie further out.
    """

    earliest: datetime
    time: datetime
    latest: datetime
    censored: bool = False

    @classmethod
    def of_us(cls, earliest: float, time: float, latest: float, *, censored: bool = False) -> Moment:
        """The moment from microseconds since 1970 UTC."""
        low, middle, high = sorted((earliest, time, latest))
        return cls(from_us(low), from_us(middle), from_us(high), censored)

    @property
    def width_s(self) -> float:
        """How uncertain is it, in seconds?"""
        return (self.latest - self.earliest).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """The moment as plain values, for the findings."""
        return {"earliest": self.earliest, "time": self.time, "latest": self.latest, "censored": self.censored}

    def __str__(self) -> str:
        return f"{clock(self.earliest)}–{clock(self.latest)} UTC"


def as_moment(moment: Any) -> Moment | None:
    """Which moment is this? Takes anything with `earliest` and `latest`, a single time, or None.

    >>> as_moment("2026-03-01T02:14Z").width_s
    0.0
    """
    if moment is None or isinstance(moment, Moment):
        return moment
    if hasattr(moment, "earliest"):
        low, high = utc(moment.earliest), utc(moment.latest)
        time = getattr(moment, "time", None)
        return Moment(low, utc(time) if time is not None else low, high, bool(getattr(moment, "censored", False)))
    time = utc(moment)
    return Moment(time, time, time)


def from_us(us: float) -> datetime:
    """The instant so many microseconds after 1970 UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(us))


def clock(time: datetime) -> str:
    """The time of day in UTC, to the second.

    >>> clock(utc("2026-03-01T02:14:07.6Z"))
    '02:14:07'
    """
    return utc(time).strftime("%H:%M:%S")


def in_zone(time: datetime, tz: str) -> str:
    """The instant as the people in `tz` read their clock, with the offset, so that it is never ambiguous.

    >>> in_zone(utc("2026-03-01T02:14Z"), "Europe/Berlin")
    '2026-03-01 03:14:00 +01:00'
    """
    local = utc(time).astimezone(ZoneInfo(tz))
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:]}"


def length(seconds: float) -> str:
    """A length of time in words, rounded.

    >>> length(9), length(150), length(7200)
    ('9 s', '2 min 30 s', '2 h')
    """
    seconds = abs(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{round(seconds / 60)} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
