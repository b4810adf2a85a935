"""Exploring logs by looking: a query line, the volume with a brush, values, kinds of line, differences, the lines.

Every tab asks its question when it is opened, not before; each answer shows what it lacks and the code that asks again.
What a sample showed is marked, and counted in the background where that is affordable; a long question can be called
off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from connectors.errors import ConnectorError
from connectors.where import quote_field
from connectors.window import Window, step_seconds
from kit.errors import KitError
from kit.exploring.lines import MOST_LINES
from kit.focus import Focus
from kit.looking import is_address
from kit.plain_text import escaped, visible
from kit.widgets.alive import WIDGET_MIME
from kit.widgets.background import Background
from kit.widgets.brush import Brush
from kit.widgets.log_explorer_lines import LogLines, followed
from kit.widgets.log_explorer_query import QueryInput
from kit.widgets.log_explorer_said import look_html, moment_of, quoted, refusal_html, service_in, with_service
from kit.widgets.log_explorer_tabs import (
    bars_of,
    button,
    difference_rows,
    kind_rows,
    value_rows,
    variable_rows,
    with_bad,
)

if TYPE_CHECKING:
    from kit.explore import LogView
    from kit.exploring.look import Look

TABS = ("Lines", "Values", "Kinds of line", "What is different")
LINES, VALUES, KINDS, DIFFERENCES = range(4)
NOTHING = pd.DataFrame({"time": [], "n": []})
MOST_VARIABLES = 4
_SHOWN = 100
_AROUND_S = 30.0

Ask = Callable[["LogView"], "Look"]
Draw = Callable[["Look"], None]


class LogExplorer(widgets.VBox):
    """An explorer over a `LogView`. `.value` is the view as narrowed by hand; `.code` the line that makes it again.

    Keyboard: Tab goes from the query line to the brush, the lines and the tabs; Enter asks, Tab takes a suggestion. A
    refused query or a source that does not answer is said in one sentence, and the former view stays. `save_to` is the
    folder in which lines and looks are kept as evidence (a case's own where a case is explored). With a case's `focus`
    the window, the service and the trace chosen here move its other widgets, and theirs move this one. Static twin:
    the look of the open tab.
    """

    def __init__(self, view: LogView, *, save_to: str = "explorations", focus: Focus | None = None) -> None:
        self._whole = view
        self.focus = focus or Focus()
        self._save_to = str(view.evidence_folder or save_to)
        self.value = self._where_others_look(view)
        self.look: Look | None = None
        self._followed: str | None = None
        self._fresh: set[int] = set()
        self._back = Background(self._share)
        self._build(self.value)
        self.focus.watch(self._moved)
        self._volume()
        self._open_tab()
        self._read_all()

    def _build(self, view: LogView) -> None:
        self.query = QueryInput(
            lambda text, caret: self.value.completions(text, caret=caret), value=view.line,
            placeholder='words, "a phrase", -not, /pattern/, field=value',
        )  # fmt: skip
        find = button("Find", "Ask for the lines that fit (Enter)", lambda: self._narrow())
        again = button("All again", "Clear the query and the window", self._all_again)
        self._exactly = button("Count exactly", "Over all lines instead of a sample", lambda: self._refine(force=True))
        self._cancel = button("Cancel", "Call off what is being counted", self._call_off)
        keep = button("Save", "Keep what the open tab shows as evidence", self._save)
        self._code_button = widgets.ToggleButton(description="Show code", value=False, layout=_BUTTON)
        self.go_to = widgets.Text(
            placeholder="a time, or a trace or request id", description="go to", continuous_update=False,
            layout=widgets.Layout(width="330px"), style={"description_width": "40px"},
        )  # fmt: skip
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px", display="none"))
        self._doing = widgets.HTML()
        self._says = widgets.HTML().add_class("ik-says")
        self._code = widgets.HTML(layout=widgets.Layout(display="none"))
        self.brush = Brush(
            NOTHING, window=self._whole.window, step_s=1.0,
            value=None if view.window == self._whole.window else view.window,
        )  # fmt: skip
        self.lines = LogLines(self._act)
        self._boxes = [widgets.VBox([self.lines]), *(widgets.VBox() for _ in TABS[1:])]
        self.tabs = widgets.Tab(children=self._boxes, titles=TABS)
        self._exactly.layout.display = self._cancel.layout.display = "none"
        super().__init__(
            [
                widgets.HBox([self.query, find, again]),
                widgets.HBox([self.go_to, keep, self._code_button, self._exactly]),
                widgets.HBox([self._bar, self._cancel, self._doing]),
                self._says, self._code, self.brush, self.tabs,
            ]
        )  # fmt: skip
        self.add_class("ik-log-explorer")
        self.query.observe(lambda _: self._narrow(), names="value")
        self.go_to.observe(lambda change: self._go(change["new"]), names="value")
        self._code_button.observe(lambda change: self._show_code(bool(change["new"])), names="value")
        self.brush.observe(lambda _: self._brushed(), names="chosen")
        self.tabs.observe(lambda _: self._open_tab(), names="selected_index")

    @property
    def code(self) -> str:
        """The line of Python that does what the open tab shows."""
        return self.look.code if self.look is not None else self.value.code

    @property
    def twin(self) -> Look | LogView:
        """What stands on an exported page in its place: the look of the open tab."""
        return self.look if self.look is not None else self.value

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget for a live notebook, and its static twin for everything else."""
        live = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {**self.twin._repr_mimebundle_(), WIDGET_MIME: live}

    def to_frame(self, n: int = MOST_LINES) -> pd.DataFrame:
        """The lines that are chosen by query and window, at most `n`, as a DataFrame; times are UTC."""
        return self.value.lines(n).table

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is counted in the background any more; False when it still is after so long."""
        return self._back.wait(timeout_s)

    # --- what a hand does ---------------------------------------------------------------------------------------------

    def _narrow(self) -> None:
        try:
            asked = self.value.ask(self.query.value)
        except (ConnectorError, KitError) as refused:
            self._say(str(refused), bad=True)
            return
        self.value = asked
        self.focus.choose("service", service_in(asked.line))
        self._volume()
        self._renew()

    def _brushed(self) -> None:
        window = self.brush.value or self._whole.window
        if window == self.value.window:
            return
        self.value = self.value.between(window.start, window.end)
        self.focus.choose("window", self.brush.value)
        self._renew()

    def _moved(self, part: str) -> None:
        """Something was chosen in another widget."""
        chosen = self.focus.chosen
        if part == "window":
            self.brush.value = None if chosen.window is None else chosen.window.intersect(self._whole.window)
        elif part == "service" and chosen.service != service_in(self.query.value):
            self.query.value = with_service(self.query.value, chosen.service)
        elif part == "trace" and chosen.trace is not None and chosen.trace != self._followed:
            self._go(chosen.trace)

    def _where_others_look(self, view: LogView) -> LogView:
        """The view narrowed to the window and the service that are chosen already."""
        chosen = self.focus.chosen
        window = None if chosen.window is None else chosen.window.intersect(view.window)
        if chosen.service is not None:
            view = view.ask(with_service(view.line, chosen.service))
        return view if window is None else view.between(window.start, window.end)

    def _all_again(self) -> None:
        self.value = self._whole
        self.brush.value = None
        if self.query.value != self._whole.line:
            self.query.value = self._whole.line
        else:
            self._volume()
            self._renew()

    def _add(self, field: str, value: str, *, without: bool = False) -> None:
        said = f"{quote_field(field)}={quoted(value)}"
        self.query.value = f"{self.query.value} {'-' if without else ''}{said}".strip()

    def _hide(self, template: str) -> None:
        self.value = self.value.hide(template)
        self._renew()

    def _act(self, act: str, line: pd.Series) -> None:
        """What was asked of the chosen line."""
        if act == "around":
            self._go(pd.Timestamp(line["time"]).isoformat())
        elif act == "follow" and (key := followed(line)):
            self._go(key)
            if key == line.get("trace_id"):
                self.focus.choose("trace", key)
        elif act == "hide":
            from kit.templates import mine_templates

            self._hide(mine_templates([str(line["message"])]).table["template"][0])
        elif act == "pin" and self.look is not None:
            from dataclasses import replace

            self._kept(replace(self.look, title="One line.", table=line.to_frame().T, answers=()))

    def _go(self, said: str) -> None:
        """Show the lines around this time, or those that carry this id."""
        said = said.strip()
        if not said:
            return
        self._fresh.discard(LINES)
        self.tabs.selected_index = LINES
        moment = moment_of(said, self.value.window)
        if moment is not None:
            look = self._try(lambda: self.value.context(moment, around_s=_AROUND_S, n=_SHOWN))
        else:
            self._followed = said
            look = self._try(lambda: self.value.follow(said))
        if look is not None:
            at = -1
            if moment is not None and len(look.table):
                at = int((pd.to_datetime(look.table["time"], utc=True) - pd.Timestamp(moment)).abs().argmin())
            self.lines.show(look.table.head(_SHOWN), chosen=at)
            self._shown(look)
            self._fresh.discard(LINES)
            if moment is None and look.sampled:
                self._follow_everywhere(said)

    def _follow_everywhere(self, key: str) -> None:
        """Look for the id in all lines, where only some were looked through."""
        view = self.value.exactly()

        def show(look: Look) -> None:
            self.lines.show(look.table.head(_SHOWN))
            self._shown(look, exact=True)

        self._back.ask("looking through all lines", lambda: view.follow(key), show, instead=LINES)

    def _save(self) -> None:
        if self.look is not None:
            self._kept(self.look)

    def _kept(self, look: Look) -> None:
        try:
            ids = look.save(self._save_to)
        except (ConnectorError, KitError, OSError) as refused:
            self._say(f"It was not saved: {refused}", bad=True)
            return
        self._doing.value = f"saved as {escaped(', '.join(ids[:3]))} in {escaped(visible(self._save_to))}"

    def _call_off(self) -> None:
        self._back.call_off()
        self._exactly.layout.display = ""

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._fresh.clear()
        self._open_tab()

    def _volume(self) -> None:
        """The bars of the whole window, so that there is always something to drag on."""

        whole = self._whole.window

        def draw(look: Look, bars: pd.DataFrame) -> None:
            self.brush.label = "Lines over time" + (" (sampled)" if look.sampled else "")
            if bars["bad"].any():
                self.brush.label += ", errors in front"
            self.brush.show(bars, window=whole, step_s=step_seconds(self._whole.every))

        asked = self.value.between(whole.start, whole.end)
        look = self._try(lambda: asked.volume(by="level" if "level" in asked.known_fields else None))
        if look is None:
            return
        bars = bars_of(look.table)
        draw(look, bars)
        if look.sampled and not self.value.line and not self._whole.is_affordable:

            def show(counted: Look) -> None:
                draw(counted, with_bad(counted.table, bars))

            self._back.ask("counting lines", lambda: asked.exactly().volume(), show)

    def _open_tab(self) -> None:
        number = self.tabs.selected_index or 0
        if number not in self._fresh:
            self._say("asking …")
            self._exactly.layout.display = "none"
            if is_address(self.value.place) and number != LINES:
                self._ask_server(number)
            else:
                self._ask_here(number)
            self._fresh.add(number)
        self._show_code(self._code_button.value)

    def _ask_here(self, number: int) -> None:
        ask, draw = self._question(number)
        look = self._try(lambda: ask(self.value))
        if look is not None:
            draw(look)
            self._shown(look)
        elif number == DIFFERENCES:
            self._boxes[number].children = [
                widgets.HTML("Narrow with a query or a window first: what is chosen is compared with the rest.")
            ]
        self._fresh.add(number)
        self._refine()

    def _ask_server(self, number: int) -> None:
        """Ask in the background what a server may take long for; what is called off is not shown when it comes."""
        ask, draw = self._question(number)
        view = self.value

        def show(look: Look) -> None:
            if self.tabs.selected_index == number:
                draw(look)
                self._shown(look)

        self._back.ask("asking the server", lambda: ask(view), show, instead="server")

    def _question(self, number: int) -> tuple[Ask, Draw]:
        """What the tab asks of a view, and how it shows the answer."""
        if number == LINES:
            return lambda view: view.lines(_SHOWN), lambda look: self.lines.show(look.table)
        if number == VALUES:
            return lambda view: view.facets(), self._fill(
                VALUES,
                lambda look: value_rows(look, self._add, lambda field, value: self._add(field, value, without=True)),
            )
        if number == KINDS:
            before = self._before() if self.value.window != self._whole.window else None
            draw = self._fill(KINDS, lambda look: kind_rows(look, self._hide, self._measure))
            return lambda view: view.templates(before=before), draw
        chosen = self.value.window != self._whole.window
        others = None
        if chosen and not self.value.line:
            other = _outside(self._whole.window, self.value.window)
            others = self._whole.between(other.start, other.end)
        return lambda view: view.different(from_=others), self._fill(DIFFERENCES, difference_rows)

    def _fill(self, number: int, rows: Callable[[Look], list[Any]]) -> Draw:
        """How an answer is shown in this tab."""

        def draw(look: Look) -> None:
            self._boxes[number].children = rows(look)

        return draw

    def _refine(self, *, force: bool = False) -> None:
        """Ask the open tab's question over all lines in the background, where it was sampled and that is affordable."""
        number = self.tabs.selected_index or 0
        if self.look is None or not self.look.sampled or number not in self._fresh:
            return
        if not force and not self.value.is_affordable:
            self._exactly.layout.display = ""
            return
        ask, draw = self._question(number)
        view = self.value.exactly()

        def show(look: Look) -> None:
            if view.exact and self.tabs.selected_index == number:
                draw(look)
                self._shown(look, exact=True)

        self._back.ask("counting exactly", lambda: ask(view), show, instead=number)

    def _read_all(self) -> None:
        """Read all lines of a folder that fits in memory, so that later looks are exact at once."""
        if self._whole.is_affordable and not self._whole.everything_at_hand:

            def done(_: Any) -> None:
                self._volume()
                self._renew()

            self._back.ask("reading all lines", self._whole.hold, done, instead="all")

    def _measure(self, template: str) -> None:
        """The variables of a template as columns: what each says, by service."""
        looks = []
        for position in range(min(template.count("<*>"), MOST_VARIABLES)):
            look = self._try(lambda p=position: self.value.column(template, p))
            if look is None:
                return
            looks.append(look)
        self._boxes[KINDS].children = variable_rows(looks, self._renew)
        self._shown(looks[0])

    def _before(self) -> Window | None:
        """As long a stretch as the chosen window, just before it; None where nothing was before."""
        window = self.value.window
        start = max(self._whole.window.start, window.start - (window.end - window.start))
        return Window(start, window.start) if start < window.start else None

    # --- telling ------------------------------------------------------------------------------------------------------

    def _try(self, ask: Callable[[], Look]) -> Look | None:
        try:
            return ask()
        except (ConnectorError, KitError) as refused:
            self._say(str(refused), bad=True)
            return None

    def _share(self, doing: str, share: float | None) -> None:
        """How far what is done in the background is; None: it is over."""
        over = share is None
        self._bar.layout.display = self._cancel.layout.display = "none" if over else ""
        if over:
            self._doing.value = escaped(visible(doing))
        else:
            self._bar.value = share
            self._doing.value = f"{escaped(doing)} {share:.0%}" if share else f"{escaped(doing)} …"

    def _shown(self, look: Look, *, exact: bool = False) -> None:
        self.look = look
        self._says.value = look_html(look, exact=exact)
        self._show_code(self._code_button.value)

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._says.value = refusal_html(text, bad=bad)

    def _show_code(self, wanted: bool) -> None:
        self._code.value = f"<pre>import kit\n{escaped(self.code)}</pre>"
        self._code.layout.display = "" if wanted else "none"


_BUTTON = widgets.Layout(width="auto")


def _outside(whole: Window, chosen: Window) -> Window:
    """The longer part of the whole window beside the chosen one."""
    before, after = (whole.start, chosen.start), (chosen.end, whole.end)
    return Window(*(before if before[1] - before[0] >= after[1] - after[0] else after))
