"""A stretch of time: half-open, UTC, at microsecond resolution."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.errors import BadInput, NaiveTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open interval [start, end) in UTC.

    Times without a zone are refused, as is a window that ends before it starts.

    >>> w = Window.of("2026-03-01T02:00Z", "2026-03-01T02:15Z")
    >>> w.seconds
    900.0
    >>> w.contains(w.end)
    False
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, utc(getattr(self, name)))
        if self.end < self.start:
            raise BadInput(
                f"The window ends before it starts ({iso(self.start)} … {iso(self.end)}): swap its two times."
            )

    @classmethod
    def of(cls, start: Any, end: Any) -> Window:
        """Which window do these two times span? Each a datetime, pandas Timestamp or ISO 8601 text, all with a zone."""
        return cls(utc(start), utc(end))

    @property
    def seconds(self) -> float:
        """How long is it, in seconds?"""
        return (self.end - self.start).total_seconds()

    def contains(self, time: Any) -> bool:
        """Does this instant lie inside? The end does not."""
        return self.start <= utc(time) < self.end

    def intersect(self, other: Window) -> Window | None:
        """Which part do both share? None when they do not overlap."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def widen(self, *, before_s: float = 0.0, after_s: float = 0.0) -> Window:
        """The same window with so many seconds more on each side."""
        return Window(self.start - timedelta(seconds=before_s), self.end + timedelta(seconds=after_s))

    def shift(self, seconds: float) -> Window:
        """The same window, so many seconds later (earlier when negative)."""
        return Window(self.start + timedelta(seconds=seconds), self.end + timedelta(seconds=seconds))

    def __str__(self) -> str:
        return f"{iso(self.start)} … {iso(self.end)}"


def utc(time: Any) -> datetime:
    """Which UTC instant is this? Takes an aware datetime, pandas Timestamp, numpy-free ISO 8601 text.

    >>> utc("2026-03-01T03:00+01:00").isoformat()
    '2026-03-01T02:00:00+00:00'
    >>> utc("2026-03-01T03:00")
    Traceback (most recent call last):
    ...
    connectors.errors.NaiveTime: The time '2026-03-01T03:00' has no zone: write it with Z or an offset, ...
    """
    if isinstance(time, str):
        try:
            parsed = datetime.fromisoformat(time.strip())
        except ValueError:
            raise BadInput(f"The time {time!r} is not ISO 8601: write it like 2026-03-01T02:14:00Z.") from None
    elif isinstance(time, datetime):
        parsed = time.to_pydatetime(warn=False) if hasattr(time, "to_pydatetime") else time  # type: ignore[attr-defined]
    else:
        raise BadInput(f"{time!r} is not a time: give a datetime with a zone or text like 2026-03-01T02:14:00Z.")
    if parsed.tzinfo is None:
        raise NaiveTime(
            f"The time {str(time)!r} has no zone: write it with Z or an offset, "
            'or name the zone (tz = "Europe/Berlin").'
        )
    return parsed.astimezone(UTC)


def micros(window: Window) -> tuple[int, int]:
    """The window's ends in microseconds since the epoch.

    >>> micros(Window.of("1970-01-01T00:00Z", "1970-01-01T00:01Z"))
    (0, 60000000)
    """
    one = timedelta(microseconds=1)
    return (window.start - _EPOCH) // one, (window.end - _EPOCH) // one


def iso(time: datetime) -> str:
    """The instant as text, in UTC, without needless zeros.

    >>> iso(utc("2026-03-01T02:14:00.500Z"))
    '2026-03-01T02:14:00.5Z'
    """
    text = utc(time).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def step_seconds(every: str | float) -> float:
    """How many seconds is a step such as "15s", "1m", "2h" or "500ms"?

    >>> step_seconds("1m")
    60.0
    """
    if isinstance(every, int | float):
        seconds = float(every)
    else:
        for unit, size in (("ms", 0.001), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)):
            number = every.removesuffix(unit)
            if number != every and number.replace(".", "", 1).isdigit():
                seconds = float(number) * size
                break
        else:
            raise BadInput(f"{every!r} is not a step: write it like 15s, 1m or 2h.")
    if seconds <= 0:
        raise BadInput(f"A step must be longer than nothing, {every!r} is not: write it like 15s, 1m or 2h.")
    return seconds
