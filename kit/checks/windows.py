"""Which stretches of time does a check compare, and on which healthy ones could it have been run as well?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.window import Window, utc


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment known only as an interval: not before `earliest`, not after `latest`, both UTC."""

    earliest: datetime
    latest: datetime

    @classmethod
    def of(cls, moment: Any) -> Instant | None:
        """Which interval is this? Takes an Instant, anything with `earliest` and `latest`, one time, or None."""
        if moment is None or isinstance(moment, Instant):
            return moment
        if hasattr(moment, "earliest"):
            return cls(utc(moment.earliest), utc(moment.latest))
        return cls(utc(moment), utc(moment))


@dataclass(frozen=True, slots=True)
class Windows:
    """The stretches of time a check compares: a healthy one, the harm, all that was loaded, onset and recovery.

    `complete_until` is the watermark: nothing is concluded from later bins. `recovered` is None while it is not over
    or not known.

    >>> healthy, harm = ("2026-03-01T02:00Z", "2026-03-01T02:10Z"), ("2026-03-01T02:10Z", "2026-03-01T02:12Z")
    >>> w = Windows.of(baseline=healthy, incident=harm)
    >>> [p.incident.seconds for p in w.placebos()]
    [120.0, 120.0, 120.0]
    """

    baseline: Window
    incident: Window
    whole: Window
    onset: Instant
    recovered: Instant | None
    complete_until: datetime

    @classmethod
    def of(
        cls,
        *,
        baseline: Window | tuple[Any, Any],
        incident: Window | tuple[Any, Any],
        whole: Window | tuple[Any, Any] | None = None,
        onset: Any = None,
        recovered: Any = None,
        complete_until: Any = None,
    ) -> Windows:
        """The windows from whatever the caller has; `onset` defaults to the start of the incident window."""
        healthy, harm = _window(baseline), _window(incident)
        span = (
            _window(whole) if whole is not None else Window(min(healthy.start, harm.start), max(healthy.end, harm.end))
        )
        return cls(
            baseline=healthy,
            incident=harm,
            whole=span,
            onset=Instant.of(onset) or Instant(harm.start, harm.start),
            recovered=Instant.of(recovered),
            complete_until=utc(complete_until) if complete_until is not None else span.end,
        )

    def placebos(self, *, most: int = 3) -> tuple[Windows, ...]:
        """On which healthy stretches could the same check be run, as if the harm had begun there?

        Up to `most` stretches of the incident's length (a third of the baseline when that is shorter), cut from the
        baseline's end backwards, each with at least twice its length before it to compare with.
        """
        length = timedelta(seconds=min(self.incident.seconds, self.baseline.seconds / 3))
        if length.total_seconds() <= 0:
            return ()
        found = []
        for i in range(most):
            end = self.baseline.end - i * length
            start = end - length
            if start - self.baseline.start < 2 * length:
                break
            found.append(
                Windows(
                    Window(self.baseline.start, start),
                    Window(start, end),
                    self.baseline,
                    Instant(start, start),
                    None,
                    self.baseline.end,
                )
            )
        return tuple(found)

    def swapped(self) -> Windows:
        """The same with harm and health exchanged: on these nothing may be confirmed."""
        return Windows(
            self.incident,
            self.baseline,
            self.whole,
            Instant(self.baseline.start, self.baseline.start),
            None,
            self.complete_until,
        )


def _window(value: Window | tuple[Any, Any]) -> Window:
    return value if isinstance(value, Window) else Window.of(*value)
