"""A window chosen on the symptom's own chart, with every change drawn on it and the harm shaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from connectors.errors import BadInput
from connectors.window import Window, iso
from kit.focus import Focus
from kit.pins import Pins
from kit.plain_text import escaped, visible
from kit.plots.decimate import kept_points
from kit.widgets.alive import Alive, script
from kit.widgets.axis import STEPS_S, ms

if TYPE_CHECKING:
    from kit.plots.chart import Chart

LABEL = 200
"""Characters of a change's summary that travel to the browser."""


class WindowPicker(Alive):
    """Up to three lines of `symptom` (UTC DatetimeIndex) and a window on them. `.value` is the `Window`, None: none.

    `changes` are CHANGES; `incident` is shaded, the interval of the `onset` darker. The window is dragged, or moved by
    the arrow keys (Shift: its end, Escape: clears), snaps to the bins, and is the focus' window: what else shows a
    window follows. Static twin: the `strip` given. Times are in `zone`; beside the pointer, and for the chosen window,
    stands what the clocks of the `people` show as well. The chosen window decides nothing: the findings' windows are
    computed.
    """

    _esm = script("picker")
    rows = traitlets.List().tag(sync=True)
    span = traitlets.List([0.0, 1.0]).tag(sync=True)
    step_ms = traitlets.Float(1000.0).tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    shades = traitlets.List().tag(sync=True)
    ticks = traitlets.List().tag(sync=True)
    tick_chars = traitlets.Int(5).tag(sync=True)
    chosen = traitlets.List().tag(sync=True)
    zone = traitlets.Unicode("UTC").tag(sync=True)
    people = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode("No request was counted in this window.").tag(sync=True)
    cited = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        symptom: pd.DataFrame,
        *,
        title: str,
        changes: pd.DataFrame | None = None,
        incident: tuple[pd.Timestamp, pd.Timestamp] | None = None,
        onset: tuple[pd.Timestamp, pd.Timestamp] | None = None,
        strip: Chart | None = None,
        zone: str = "UTC",
        people: str | None = None,
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="picker", title=title, focus=focus, pins=pins, evidence=evidence)
        self.symptom, self.strip = symptom, strip
        more = f" and {len(self.evidence) - 1} more" if len(self.evidence) > 1 else ""
        step = _step_s(symptom.index)
        with self.hold_sync():
            self.zone, self.people = zone, people or zone
            self.cited = f"{self.evidence[0]}{more}" if self.evidence else ""
            self.step_ms = step * 1000.0
            if len(symptom):
                self.span = [ms(symptom.index[0]), ms(symptom.index[-1]) + self.step_ms]
                self.rows = [_line(symptom, name, bad=n == 0) for n, name in enumerate(symptom.columns[:3])]
            rows = [] if changes is None else changes.itertuples(index=False)
            self.marks = [[ms(r.time), _label(r)] for r in rows if self.span[0] <= ms(r.time) < self.span[1]]
            known = [(incident, "users hurt"), (onset, "")]
            self.shades = [[ms(s[0]), ms(s[1]), words] for s, words in known if s is not None]
            self.ticks, self.tick_chars = _ticks(self.span)
        self.draw()

    @property
    def value(self) -> Window | None:  # type: ignore[override]
        """The chosen window."""
        return self.focus.chosen.window

    @property
    def code(self) -> str:
        """The line that names the same window."""
        window = self.value
        return "case.look" if window is None else f"kit.Window.of({iso(window.start)!r}, {iso(window.end)!r})"

    @property
    def twin(self) -> Any:
        """The symptom with its changes as a chart; without one a sentence."""
        return self.strip if self.strip is not None else f"<p>{escaped(self._status())}</p>"

    def draw(self) -> None:
        """Show the window that is chosen now."""
        window = self.value
        inside = window is not None and ms(window.end) > self.span[0] and ms(window.start) < self.span[1]
        with self.hold_sync():
            self.chosen = [ms(window.start), ms(window.end)] if window is not None and inside else []
            self.code_text = self.code
            self.say(self._status())

    def _parts(self) -> frozenset[str]:
        return frozenset({"window"})

    def _status(self) -> str:
        window = self.value
        if window is None:
            return "The whole look. Drag on the chart, or use the arrow keys, to choose a window."
        start, end = (pd.Timestamp(t).tz_convert(self.zone) for t in (window.start, window.end))
        return f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} {self.zone}{self._by_people(window)} is looked at."

    def _by_people(self, window: Window) -> str:
        """The same window on the clocks of the people, where those show another time."""
        if self.people == self.zone:
            return ""
        start, end = (pd.Timestamp(t).tz_convert(self.people) for t in (window.start, window.end))
        return f" ({start:%H:%M:%S} to {end:%H:%M:%S} {self.people})"

    def _shown(self) -> list[str]:
        window = self.value
        if window is None:
            return []
        part = self.symptom[(self.symptom.index >= window.start) & (self.symptom.index < window.end)]
        return [f"{c}: {part[c].min():.6g} to {part[c].max():.6g}" for c in part.columns[:3] if part[c].notna().any()]

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        given = content.get("window") if isinstance(content, dict) else None
        if given is None:
            super()._heard(_widget, content, _buffers)
            return
        try:
            self.focus.choose("window", _window(given))
        except BadInput as refused:
            self.say(str(refused), wrong=True)
        except OSError as refused:
            self.say(f"choices.toml was not written ({refused.strerror}): look at the folder's rights.", wrong=True)


def _window(given: Any) -> Window | None:
    """A window out of what the browser sent: two times in milliseconds, or nothing."""
    if given == []:
        return None
    if not (isinstance(given, list) and len(given) == 2 and all(_is_number(v) for v in given)):
        raise BadInput("A window is two times.")
    low, high = (round(float(v)) for v in given)
    if not 0 <= low < high < 1e14:
        raise BadInput("A window ends after it starts.")
    return Window(datetime.fromtimestamp(low / 1000.0, UTC), datetime.fromtimestamp(high / 1000.0, UTC))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _line(frame: pd.DataFrame, name: Any, *, bad: bool) -> dict[str, Any]:
    values = frame[name].to_numpy(dtype=float)
    at = kept_points(values)
    times = [ms(t) for t in frame.index[at]]
    return {
        "name": visible(str(name))[:60], "times": times, "bad": bad,
        "values": [None if np.isnan(v) or np.isinf(v) else float(v) for v in values[at]],
    }  # fmt: skip


def _label(change: Any) -> str:
    service = change.service if isinstance(change.service, str) else ""
    return visible(f"{change.kind} {service}: {change.summary}")[:LABEL]


def _step_s(index: pd.Index) -> float:
    return float((index[1] - index[0]).total_seconds()) if len(index) > 1 else 1.0


def _ticks(span: Sequence[float]) -> tuple[list[float], int]:
    """Round times inside the span, and how many characters of their clock are shown."""
    seconds = (span[1] - span[0]) / 1000.0
    step = next((s for s in STEPS_S if seconds / s <= 8), STEPS_S[-1])
    first = -(-span[0] / 1000.0 // step) * step
    return [
        1000.0 * (first + n * step) for n in range(12) if first + n * step <= span[1] / 1000.0
    ], 8 if step < 60 else 5
