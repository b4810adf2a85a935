"""What was pinned so far, and a form that pins more: any chart, table or log line, with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd

from connectors.errors import ConnectorError
from kit.errors import KitError
from kit.focus import Focus
from kit.pins import Pins, pin_of
from kit.plain_text import escaped, visible
from kit.result import cell_text
from kit.widgets.alive import WIDGET_MIME, Alive, pick, status

WHOLE, ALL_ROWS = "the whole of it", -1
LINES = 200
"""Rows of a table that can be pinned one by one."""


class PinList(Alive):
    """The pins as a list; each can be taken off. `.value` are the pins."""

    def __init__(self, pins: Pins, *, focus: Focus | None = None) -> None:
        super().__init__(kind="pins", title="Pinned", focus=focus, pins=None)
        self.tray = pins
        pins.watch(self.draw)
        self.draw()

    @property
    def value(self) -> tuple[Any, ...]:  # type: ignore[override]
        """The pins, in the order they were pinned."""
        return self.tray.pins

    @property
    def code(self) -> str:
        """The line that gives them."""
        return "case.pins.to_frame()"

    @property
    def twin(self) -> str:
        """The pins as a static result: their evidence links to its record on a page."""
        return self.tray._repr_html_()

    def _parts(self) -> frozenset[str]:
        return frozenset()

    def _status(self) -> str:
        return self.tray.headline

    def _picked(self, name: str) -> None:
        if name.startswith("remove:"):
            self.tray.remove(name.removeprefix("remove:"))

    def _markup(self) -> str:
        if not self.tray.pins:
            return '<p class="ik-soft">Pin what carries the story: it stands on the page, with its evidence.</p>'
        rows = []
        for p in self.tray.pins:
            shown = "<br>".join(escaped(s) for s in p.shown)
            cited = ", ".join(p.evidence[:3]) + (f" and {len(p.evidence) - 3} more" if len(p.evidence) > 3 else "")
            off = f'<button class="ik-button" {pick(f"remove:{p.id}", pressed=False, label=f"Take off: {p.sentence}")}>take off</button>'  # noqa: E501
            rows.append(
                f"<tr><td><strong>{escaped(p.sentence)}</strong><br><span class='ik-soft'>{escaped(p.what)}</span>"
                f"{f'<br>{shown}' if shown else ''}</td>"
                f"<td class='ik-soft'>{escaped(cited or 'no recorded answer')}</td>"
                f"<td>{off}</td></tr>"
            )
        head = "".join(f"<th scope=col>{t}</th>" for t in ("what it shows", "rests on", ""))
        opened = '<table class="ik-grid" aria-label="Pins">'
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


class EvidenceTray(widgets.VBox):
    """The pins of a case and a form for more. `things` are what may be pinned, by the name it is called here.

    `.value` are the pins. `keep` pins (thing, sentence, row) the case's way, which asks for a log line once more so
    that it is recorded; without it the thing is pinned as it is. Keyboard: Tab from the choice to the row, the sentence
    and the button; Enter in the sentence pins. Static twin: the list.
    """

    def __init__(
        self,
        pins: Pins,
        *,
        things: Mapping[str, Any] | None = None,
        keep: Callable[..., object] | None = None,
    ) -> None:
        self.pins, self.things, self._keep = pins, dict(things or {}), keep
        self.list = PinList(pins)
        self.what = widgets.Dropdown(options=list(self.things), description="pin", layout=_WIDE)
        self.row = widgets.Dropdown(options=[(WHOLE, ALL_ROWS)], description="row", layout=_WIDE)
        self.sentence = widgets.Text(
            placeholder="What does it show? One sentence", description="says", continuous_update=True, layout=_WIDE
        )
        self.button = widgets.Button(description="Pin", tooltip="Pin it with this sentence (Enter in the sentence)")
        self._says, self._code = widgets.HTML(), widgets.HTML()
        sentence = widgets.HBox([self.sentence, self.button])
        form = [self.what, self.row, sentence, self._says, self._code] if self.things else []
        super().__init__([*form, self.list])
        self.add_class("ik-evidence-tray")
        self.what.observe(lambda _: self._rows(), names="value")
        self.button.on_click(lambda _: self._pin())
        if hasattr(self.sentence, "on_submit"):
            self.sentence._submission_callbacks.register_callback(lambda _: self._pin())
        for part in (self.what, self.row, self.sentence):
            part.observe(lambda _: self._show_code(), names="value")
        self._rows()
        self._show_code()

    @property
    def value(self) -> tuple[Any, ...]:
        """The pins, in the order they were pinned."""
        return self.pins.pins

    @property
    def code(self) -> str:
        """The line of Python that pins the same."""
        row = "" if self._chosen_row() is None else f", row={self._chosen_row()}"
        return f"case.pin({self.what.value}, {self.sentence.value!r}{row})"

    def _rows(self) -> None:
        thing = self.things.get(self.what.value)
        frame = thing if isinstance(thing, pd.DataFrame) else thing.to_frame() if hasattr(thing, "to_frame") else None
        options = [(WHOLE, ALL_ROWS)]
        if frame is not None:
            rows = frame.head(LINES).itertuples(index=False)
            options += [(f"{n}: {visible(' · '.join(cell_text(v) for v in r))[:140]}", n) for n, r in enumerate(rows)]
        self.row.options = options

    def _show_code(self) -> None:
        self._code.value = f"<pre>{escaped(visible(self.code))}</pre>"

    def _chosen_row(self) -> int | None:
        return None if self.row.value == ALL_ROWS else self.row.value

    def _pin(self) -> None:
        thing, sentence = self.things.get(self.what.value), self.sentence.value.strip()
        try:
            if self._keep is not None:
                said = str(self._keep(thing, sentence, row=self._chosen_row()))
            else:
                self.pins.add(pin_of(thing, sentence, row=self._chosen_row()))
                said = f"Pinned: {sentence}"
        except (ConnectorError, KitError) as refused:
            self._say(str(refused), bad=True)
            return
        self.sentence.value = ""
        self._say(said)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._says.value = status(text, bad=bad)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        live = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"text/html": self.list.twin, "text/plain": self.pins.headline, WIDGET_MIME: live}


_WIDE = widgets.Layout(width="70%")
