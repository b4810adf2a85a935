"""A window chosen by hand on a chart of bars: dragged with the mouse, or moved with the arrow keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import anywidget
import pandas as pd
import traitlets

from connectors.window import Window, iso
from kit.plain_text import visible
from kit.widgets.alive import script
from kit.widgets.axis import ms

_HERE = Path(__file__).parent


class Brush(anywidget.AnyWidget):
    """Bars over time and a window on them. `.value` is the chosen `Window`, None while none is chosen.

    `table` has `time` (start of a bin, UTC), `n` and optionally `bad`, the part of n that is drawn in front; `marks`
    are (time, label) pairs, changes for example. Watch `chosen` to follow the choice. Its static twin is the table.
    """

    _esm = script("brush")
    _css = _HERE / "brush.css"
    bars = traitlets.List().tag(sync=True)
    span = traitlets.List([0.0, 1.0]).tag(sync=True)
    step_ms = traitlets.Float(1000.0).tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    chosen = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("A chart over time").tag(sync=True)
    empty = traitlets.Unicode("Nothing in this window.").tag(sync=True)

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        window: Window,
        step_s: float,
        marks: Iterable[tuple[datetime, str]] = (),
        label: str = "Lines over time",
        value: Window | None = None,
    ) -> None:
        super().__init__(label=label)
        self.show(table, window=window, step_s=step_s, marks=marks)
        self.value = value

    def show(
        self, table: pd.DataFrame, *, window: Window, step_s: float, marks: Iterable[tuple[datetime, str]] = ()
    ) -> None:
        """Draw other bars; the chosen window stays where it is still inside, else it is cleared."""
        bad = table["bad"] if "bad" in table else [0] * len(table)
        columns = zip(pd.to_datetime(table["time"], utc=True), table["n"], bad, strict=True)
        with self.hold_sync():
            self.span = [ms(window.start), ms(window.end)]
            self.step_ms = step_s * 1000.0
            self.bars = [[ms(t.to_pydatetime()), float(n), float(b)] for t, n, b in columns]
            self.marks = [[ms(t), visible(str(text))[:200]] for t, text in marks]
            if self.chosen and not (self.span[0] <= self.chosen[0] < self.chosen[1] <= self.span[1]):
                self.chosen = []

    @property
    def value(self) -> Window | None:
        """The chosen window, to whole milliseconds; None while none is chosen."""
        if len(self.chosen) != 2 or round(self.chosen[0]) >= round(self.chosen[1]):
            return None
        return Window(*(datetime.fromtimestamp(round(at) / 1000.0, UTC) for at in self.chosen))

    @value.setter
    def value(self, window: Window | None) -> None:
        self.chosen = [] if window is None else [ms(window.start), ms(window.end)]

    @property
    def code(self) -> str:
        """The line of Python that names the same window; empty while none is chosen."""
        window = self.value
        return "" if window is None else f"kit.Window.of({iso(window.start)!r}, {iso(window.end)!r})"
