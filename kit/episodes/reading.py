"""One tested signal over one stretch, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.window import Window
from kit.signal_names import shown


@dataclass(frozen=True, slots=True)
class Reading:
    """One tested signal over one stretch: its value before and in it, the evidence, and whether it counts as ill.

    `signal`: errors_ratio, slow_ratio, latency_p99_s, traffic_rps, or the key of a metric that an objective is about.
    `route` None: all. `excess`: requests (for a metric NaN). `q` is corrected for all that was tested. `breaks`: an
    objective was broken (None: no objective is set for it).
    """

    signal: str
    route: str | None
    window: Window
    before: float
    now: float
    excess: float
    q: float
    breaks: bool | None
    ill: bool

    @property
    def of_requests(self) -> bool:
        """Does it speak of users' requests, not of a metric that an objective is about?"""
        return "/" not in self.signal

    @property
    def told(self) -> str:
        """The reading in words."""
        where = f" on {self.route}" if self.route else ""
        kept = " but kept within the objective" if self.breaks is False else ""
        return f"{self._moved()}{where}{kept}"

    def _moved(self) -> str:
        before, now = self.before, self.now
        if self.signal == "traffic_rps":
            return f"Less traffic: it fell from {before:.3g} to {now:.3g} requests a second"
        if self.signal == "errors_ratio":
            return f"Failed requests rose from {before:.2%} to {now:.1%}"
        if self.signal == "slow_ratio":
            return f"Slow requests rose from {before:.2%} to {now:.1%}"
        if self.signal == "latency_p99_s":
            return f"The slowest 1 % rose from {before:.3g} s to {now:.3g} s"
        return f"{self.signal} rose from {shown(before, self.signal)} to {shown(now, self.signal)}"
