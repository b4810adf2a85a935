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
from connectors.where import quote_field, quote_value
from connectors.window import Window, step_seconds
from kit.errors import KitError
from kit.looking import is_address
from kit.plain_text import escaped, visible
from kit.result import table_html
from kit.widgets.background import Background
from kit.widgets.brush import Brush
from kit.widgets.log_explorer_lines import LogLines, followed
from kit.widgets.log_explorer_query import QueryInput

if TYPE_CHECKING:
    from kit.explore import LogView
    from kit.exploring.look import Look

TABS = ("Lines", "Values", "Kinds of line", "What is different")
LINES, VALUES, KINDS, DIFFERENCES = range(4)
_SHOWN = 100
_AROUND_S = 30.0

Ask = Callable[["LogView"], "Look"]
Draw = Callable[["Look"], None]


class LogExplorer(widgets.VBox):
    """An explorer over a `LogView`. `.value` is the view as narrowed by hand; `.code` the line that makes it again.

    Keyboard: Tab goes from the query line to the brush, the lines and the tabs; Enter asks, Tab takes a suggestion. A
    refused query or a source that does not answer is said in one sentence, and the former view stays. `save_to` is the
    folder in which lines and looks are kept as evidence (a case's own where a case is explored). Static twin: the look
    of the open tab.
    """

    def __init__(self, view: LogView, *, save_to: str = "explorations") -> None:
        self._whole = view
        self._save_to = str(view.evidence_folder or save_to)
        self.value = view
        self.look: Look | None = None
        self._fresh: set[int] = set()
        self._back = Background(self._share)
        self._build(view)
        self._volume()
        self._open_tab()
        self._read_all()

    def _build(self, view: LogView) -> None:
        self.query = QueryInput(
            lambda text, caret: self.value.completions(text, caret=caret), value=view.line,
            placeholder='words, "a phrase", -not, /pattern/, field=value',
        )  # fmt: skip
        find = _button("Find", "Ask for the lines that fit (Enter)", lambda: self._narrow())
        again = _button("All again", "Clear the query and the window", self._all_again)
        self._exactly = _button("Count exactly", "Over all lines instead of a sample", lambda: self._refine(force=True))
        self._cancel = _button("Cancel", "Call off what is being counted", self._call_off)
        keep = _button("Save", "Keep what the open tab shows as evidence", self._save)
        self._code_button = widgets.ToggleButton(description="Show code", value=False, layout=_BUTTON)
        self.go_to = widgets.Text(
            placeholder="a time, or a trace or request id", description="go to", continuous_update=False,
            layout=widgets.Layout(width="330px"), style={"description_width": "40px"},
        )  # fmt: skip
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px", display="none"))
        self._doing = widgets.HTML()
        self._says = widgets.HTML().add_class("ik-says")
        self._code = widgets.HTML(layout=widgets.Layout(display="none"))
        self.brush = Brush(pd.DataFrame({"time": [], "n": []}), window=view.window, step_s=1.0)
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
        self._volume()
        self._renew()

    def _brushed(self) -> None:
        window = self.brush.value or self._whole.window
        if window == self.value.window:
            return
        self.value = self.value.between(window.start, window.end)
        self._renew()

    def _all_again(self) -> None:
        self.value = self._whole
        self.brush.value = None
        if self.query.value != self._whole.line:
            self.query.value = self._whole.line
        else:
            self._volume()
            self._renew()

    def _add(self, field: str, value: str, *, without: bool = False) -> None:
        said = f"{quote_field(field)}={_quoted(value)}"
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
        moment = _moment(said, self.value.window)
        if moment is not None:
            look = self._try(lambda: self.value.context(moment, around_s=_AROUND_S, n=_SHOWN))
        else:
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

        def ask(view: LogView) -> Look:
            return view.between(self._whole.window.start, self._whole.window.end).volume()

        def draw(look: Look) -> None:
            self.brush.label = "Lines over time (sampled)" if look.sampled else "Lines over time"
            self.brush.show(look.table, window=self._whole.window, step_s=step_seconds(self._whole.every))

        look = self._try(lambda: ask(self.value))
        if look is not None:
            draw(look)
            if look.sampled and not self.value.line:
                self._back.ask("counting lines", lambda: ask(self.value.exactly()), draw)

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
            return lambda view: view.facets(), self._draw_values
        if number == KINDS:
            before = self._before() if self.value.window != self._whole.window else None
            return lambda view: view.templates(before=before), self._draw_kinds
        chosen = self.value.window != self._whole.window
        others = self._whole.ask(self.value.line).between(*_outside(self)) if chosen and not self.value.line else None
        return lambda view: view.different(from_=others), self._draw_differences

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

    def _draw_values(self, look: Look) -> None:
        rows = []
        for field, part in look.table.groupby("field", sort=False):
            buttons = [self._value_row(str(field), row) for row in part.head(6).itertuples(index=False)]
            rows.append(widgets.VBox([widgets.HTML(f"<b>{escaped(visible(field))}</b>"), *buttons]))
        empty = [widgets.HTML("No field has few enough values to list.")]
        self._boxes[VALUES].children = [widgets.GridBox(rows, layout=_GRID)] if rows else empty

    def _value_row(self, field: str, row: Any) -> Any:
        value = str(row.value)
        only = _button("only", f"Only {field} = {value}", lambda: self._add(field, value), small=True)
        without = _button(
            "without", f"Without {field} = {value}", lambda: self._add(field, value, without=True), small=True
        )
        bar = f'<span class="ik-bar-share" style="width:{max(1, round(60 * row.share))}px"></span>'
        said = widgets.HTML(f"{bar}<code>{escaped(visible(value)[:80])}</code> {row.n:,.0f} ({_share(row.share)})")
        return widgets.HBox([said] if value.startswith("<") else [only, without, said])

    def _draw_kinds(self, look: Look) -> None:
        rows = []
        for row in look.table.head(30).itertuples(index=False):
            template = str(row.template)
            hide = _button("hide", "Leave these lines out", lambda t=template: self._hide(t), small=True)
            measure = _button(
                "numbers", "What its variables say", lambda t=template: self._measure(t), small=True
            )  # fmt: skip
            kind = f"<b>{escaped(getattr(row, 'class', ''))}</b> " if hasattr(row, "class") else ""
            n = getattr(row, "n", getattr(row, "incident", 0.0))
            said = widgets.HTML(f"{kind}{n:,.0f} × <code>{escaped(visible(template)[:300])}</code>")
            rows.append(widgets.HBox([hide, measure, said] if "<*>" in template else [hide, said]))
        self._boxes[KINDS].children = rows or [widgets.HTML("No line has a message.")]

    def _measure(self, template: str) -> None:
        """The variables of a template as columns: what each says, by service."""
        looks = []
        for position in range(min(template.count("<*>"), 4)):
            look = self._try(lambda p=position: self.value.column(template, p))
            if look is None:
                return
            looks.append(look)
        parts: list[Any] = [_button("back", "The kinds of line", self._renew, small=True)]
        for look in looks:
            parts.append(widgets.HTML(f"<p>{escaped(look.headline)}</p>"))
            parts.append(_text_table(_summary(look.table)))
        self._boxes[KINDS].children = parts
        self._shown(looks[0])

    def _draw_differences(self, look: Look) -> None:
        names = [c for c in ("predicate", "bad_share", "good_share", "explains", "because") if c in look.table]
        table = look.table[names].rename(columns={"bad_share": "share here", "good_share": "share elsewhere"})
        self._boxes[DIFFERENCES].children = [_text_table(table)]

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
        mark = '<span class="ik-mark-sampled">sampled</span> ' if look.sampled else ""
        mark = '<span class="ik-mark-exact">exact</span> ' if exact and not look.sampled else mark
        lacks = "; ".join(look.because)
        more = f' <span class="ik-lacks">({escaped(visible(lacks))})</span>' if lacks else ""
        self._says.value = f'<div role="status">{mark}{escaped(look.headline)}{more}</div>'
        self._show_code(self._code_button.value)

    def _say(self, text: str, *, bad: bool = False) -> None:
        class_ = ' class="ik-refused"' if bad else ""
        self._says.value = f'<div role="status"{class_}>{escaped(visible(text))}</div>'

    def _show_code(self, wanted: bool) -> None:
        self._code.value = f"<pre>import kit\n{escaped(self.code)}</pre>"
        self._code.layout.display = "" if wanted else "none"


_SMALL = widgets.Layout(width="74px", height="24px", flex="0 0 auto")
_BUTTON = widgets.Layout(width="auto")
_GRID = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(330px, 1fr))", grid_gap="8px")


def _button(text: str, tip: str, does: Callable[[], None], *, small: bool = False) -> Any:
    made = widgets.Button(description=text, tooltip=tip[:300], layout=_SMALL if small else widgets.Layout(width="auto"))
    made.on_click(lambda _: does())
    return made


def _share(share: float) -> str:
    return "under 1 %" if 0 < share < 0.005 else f"{share:.0%}"


def _moment(said: str, window: Window) -> Any:
    """The time that was meant: with its zone, or as UTC on the window's first day; None where it is none."""
    from datetime import UTC, datetime, time

    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        try:
            found = datetime.combine(window.start.date(), time.fromisoformat(said))
        except ValueError:
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """What a variable's values are like, by service: numbers by quantiles, others by their commonest."""
    if not len(table):
        return table[["value"]]
    if pd.api.types.is_numeric_dtype(table["value"]):
        grouped = table.groupby(table["service"].astype(str))["value"]
        found = grouped.agg(n="size", median="median", p99=lambda v: v.quantile(0.99), largest="max").reset_index()
        return found.sort_values("n", ascending=False).head(20)
    return table["value"].value_counts().head(20).rename_axis("value").reset_index(name="n")


def _outside(explorer: LogExplorer) -> tuple[Any, Any]:
    """The longer part of the whole window beside the chosen one."""
    whole, chosen = explorer._whole.window, explorer.value.window
    before, after = (whole.start, chosen.start), (chosen.end, whole.end)
    return before if before[1] - before[0] >= after[1] - after[0] else after


def _quoted(value: str) -> str:
    return quote_value(value) if '"' in value or "'" in value else f'"{value}"'


def _text_table(frame: pd.DataFrame) -> Any:
    return widgets.HTML(f'<div style="overflow:auto;max-height:420px">{table_html(frame, limit=_SHOWN)}</div>')
