"""A DataFrame by form: source, table, window, filter; its line of code, rows and cost are seen before it is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import MutableMapping
from typing import Any

import ipywidgets as widgets
import pandas as pd

from connectors.errors import ConnectorError
from connectors.progress import watched
from connectors.window import Window, iso
from kit.errors import KitError
from kit.focus import Focus
from kit.frame_spec import FrameSpec
from kit.loader import Loader
from kit.plain_text import escaped
from kit.result import table_html
from kit.widgets.alive import WIDGET_MIME, status


class LoadForm(widgets.VBox):
    """A form over a case's `loader`. `.value` is the frame loaded last, None: none yet; `.frames` all by their name.

    The frame goes into `into` (give `globals()`) under its name. What was loaded stands in `choices.toml`: opened
    again, headless too, the form loads it again from the recorded answers. *Cost* asks one cheap question; *Load* does
    not run before its cost was seen; *Cancel* stops a question that says how far it is, and throws away what comes back
    of any other. The window and the source follow the focus.
    Keyboard: Tab through the fields, Enter in a field is a change, Space presses a button.
    """

    def __init__(
        self, loader: Loader, *, into: MutableMapping[str, Any] | None = None, focus: Focus | None = None
    ) -> None:
        self.loader, self.into, self.focus = loader, into if into is not None else {}, focus or Focus()
        self.frames: dict[str, pd.DataFrame] = {}
        self.value: pd.DataFrame | None = None
        self._priced: FrameSpec | None = None
        self._run = 0
        self._work: threading.Thread | None = None
        self._build()
        super().__init__([self._fields, self._buttons, self._says, self._code, self._preview])
        self.add_class("ik-load-form")
        self.focus.watch(self._moved)
        for field in (self.source, self.table, self.start, self.end, self.every, self.where, self.name):
            field.observe(self._changed, names="value")
        for spec in loader.frames:
            self._again(spec)
        self._changed(None)

    def _build(self) -> None:
        window = self.focus.chosen.window or self.loader.window
        wanted = self.focus.chosen.source
        names = list(self.loader.sources)
        chosen = wanted if wanted in names else next((n for n in names if n != "(all)"), names[0])
        self.source = widgets.Dropdown(options=names, value=chosen, description="source", layout=_HALF)
        self.table = widgets.Dropdown(options=self.loader.sources[chosen], description="table", layout=_HALF)
        self.start = _text("start", iso(window.start))
        self.end = _text("end", iso(window.end))
        self.every = _text("every", self.loader.every)
        self.where = _text("filter", "", placeholder="level = 'ERROR'   (empty: all lines)")
        self.name = _text("name", "frame")
        self._fields = widgets.GridBox(
            [self.source, self.table, self.start, self.end, self.where, self.every, self.name],
            layout=widgets.Layout(grid_template_columns="1fr 1fr", max_width="900px"),
        )
        self.ask = widgets.Button(description="Cost", tooltip="How many rows fit, and what loading them will take")
        self.load = widgets.Button(description="Load", tooltip="Load it under its name", disabled=True)
        self.cancel = widgets.Button(description="Cancel", tooltip="Throw away what comes back", disabled=True)
        self.bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="160px", visibility="hidden"))
        self._elapsed = widgets.Label("", layout=widgets.Layout(visibility="hidden"))
        self._buttons = widgets.HBox([self.ask, self.load, self.cancel, self.bar, self._elapsed])
        self._says, self._code, self._preview = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.ask.on_click(lambda _: self._start(self.price))
        self.load.on_click(lambda _: self._start(self.run))
        self.cancel.on_click(lambda _: self._cancelled())

    @property
    def spec(self) -> FrameSpec:
        """What the form says now. Raises `BadInput` with one sentence where it says nothing that can be loaded."""
        return FrameSpec(
            self.name.value.strip(), self.source.value, self.table.value,
            Window.of(self.start.value, self.end.value), self.every.value.strip(), self.where.value.strip() or None,
        )  # fmt: skip

    @property
    def code(self) -> str:
        """The line of Python that loads the same; empty while the form cannot be read."""
        try:
            return self.spec.code
        except ConnectorError:
            return ""

    # --- what it does -------------------------------------------------------------------------------------------------

    def price(self) -> None:
        """Ask what loading will cost, and say it."""
        run = self._run
        spec = self.spec
        cost = self.loader.cost(spec)
        if run == self._run:
            self._priced = spec
            self.load.disabled = False
            self._say(" ".join([cost.headline, *(f"({reason})" for reason in cost.because)]))

    def run(self) -> None:
        """Load the frame, name it, keep how it was loaded; the cost must have been seen."""
        run = self._run
        spec = self.spec
        if spec != self._priced:
            self.price()
            return
        frame = self.loader.load(spec)
        if run != self._run:
            return
        self.loader.keep(spec)
        self._loaded(spec, frame)
        self._say(f"{spec.name} is loaded: {len(frame):,} bins, {len(frame.columns)} columns.")

    def _loaded(self, spec: FrameSpec, frame: pd.DataFrame) -> None:
        self.value = self.frames[spec.name] = self.into[spec.name] = frame
        head = frame.dropna(how="all").head(5).reset_index()
        self._preview.value = f'<div style="overflow:auto;max-width:1000px">{table_html(head.iloc[:, :8])}</div>'

    def _again(self, spec: FrameSpec) -> None:
        """Load what was loaded before; where its answers are not there, say so."""
        try:
            self._loaded(spec, self.loader.load(spec))
            self._say(f"{spec.name} is loaded as before.")
        except (ConnectorError, KitError) as refused:
            self._say(f"{spec.name} could not be loaded again: {refused}", bad=True)

    def _start(self, work: Any) -> None:
        """Do it beside the kernel's own thread, so that *Cancel* is heard and the bar moves."""
        self._run += 1
        run, began = self._run, time.monotonic()
        self.cancel.disabled, self.ask.disabled, self.load.disabled = False, True, True
        self.bar.max, self.bar.value, self._elapsed.value = 0, 0, ""
        self._show_progress("visible")
        self._say("asking … Cancel stops it, or throws away what comes back")

        def beside() -> None:
            try:
                with watched(lambda share: self._reached(run, share)):
                    work()
            except (ConnectorError, KitError) as refused:
                if run == self._run:
                    self._say(str(refused), bad=True)
            except OSError as refused:
                self._say(f"choices.toml was not written ({refused.strerror}): look at the folder's rights.", bad=True)
            finally:
                if run == self._run:
                    self._rest()

        self._work = threading.Thread(target=beside, daemon=True)
        self._work.start()
        self._work.join(0.3)
        if self._work.is_alive():
            threading.Thread(target=self._tell, args=(run, self._work, began), daemon=True).start()

    def _reached(self, run: int, share: float) -> bool:
        """Move the bar to this share; answers whether the question is still wanted."""
        if run == self._run:
            self.bar.max, self.bar.value = 100, round(100 * share)
        return run == self._run

    def _tell(self, run: int, work: threading.Thread, began: float) -> None:
        """Show beside the bar how long it has taken, until it is done or called off."""
        while work.is_alive() and run == self._run:
            self._elapsed.value = f"{time.monotonic() - began:.0f} s"
            work.join(1.0)

    def _cancelled(self) -> None:
        self._run += 1
        self._rest()
        self._say("Cancelled: nothing was loaded.")

    def _rest(self) -> None:
        self.cancel.disabled, self.ask.disabled = True, False
        self.load.disabled = self._priced is None
        self._show_progress("hidden")
        self.bar.max = 1

    def _show_progress(self, visibility: str) -> None:
        self.bar.layout.visibility = self._elapsed.layout.visibility = visibility

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _changed(self, change: Any) -> None:
        if change is not None and change["owner"] is self.source:
            self.table.options = self.loader.sources[self.source.value]
            self.focus.choose("source", self.source.value if self.source.value != "(all)" else None)
        try:
            spec = self.spec
        except ConnectorError as refused:
            self._priced, self.load.disabled = None, True
            self._say(str(refused), bad=True)
            return
        if self._priced != spec:
            self._priced, self.load.disabled = None, True
        self._code.value = f"<pre>{escaped(spec.code)}</pre>"
        if change is not None:
            self._say("Ask for the cost, then load.")
        elif not self.frames and not self._says.value:
            self._say("Choose what to load, then ask for its cost.")

    def _moved(self, name: str) -> None:
        window, source = self.focus.chosen.window, self.focus.chosen.source
        if name == "window":
            chosen = window or self.loader.window
            self.start.value, self.end.value = iso(chosen.start), iso(chosen.end)
        elif name == "source" and source in self.loader.sources:
            self.source.value = source

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._says.value = status(text, bad=bad)

    @property
    def twin(self) -> str:
        """The frames that were loaded, each with its line of code and its shape."""
        if not self.frames:
            return "<p>No frame was loaded by hand.</p>"
        by_name = {s.name: s for s in self.loader.frames} | {s.name: s for s in [self._priced] if s is not None}
        rows = [
            {
                "frame": n,
                "bins": len(f),
                "columns": len(f.columns),
                "loaded by": by_name[n].code if n in by_name else "",
            }
            for n, f in self.frames.items()
        ]
        return table_html(pd.DataFrame(rows))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        live = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"text/html": self.twin, "text/plain": f"{len(self.frames)} frames loaded", WIDGET_MIME: live}


def _text(name: str, value: str, *, placeholder: str = "") -> widgets.Text:
    return widgets.Text(
        value=value, description=name, placeholder=placeholder, continuous_update=False, layout=_HALF
    )  # fmt: skip


_HALF = widgets.Layout(width="98%")
