"""Exploring logs by looking: a query line, the volume with a brush, values, kinds of line, differences, the lines.

Every tab asks its question when it is opened, not before; each answer shows what it lacks and the code that asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from connectors.errors import ConnectorError
from connectors.where import quote_field, quote_value
from connectors.window import step_seconds
from kit.errors import KitError
from kit.plain_text import escaped, visible
from kit.result import table_html
from kit.widgets.brush import Brush

if TYPE_CHECKING:
    from kit.explore import LogView, Look

TABS = ("Lines", "Values", "Kinds of line", "What is different")
_SHOWN = 100


class LogExplorer(widgets.VBox):
    """An explorer over a `LogView`. `.value` is the view as narrowed by hand; `.code` the line that makes it again.

    Keyboard: Tab goes from the query line to the brush and the tabs, Enter asks. A refused query or a source that does
    not answer is said in one sentence, and the former view stays. Static twin: the look of the open tab.
    """

    def __init__(self, view: LogView) -> None:
        self._whole = view
        self.value = view
        self.query = widgets.Text(
            value=view.line, placeholder='words, "a phrase", -not, /pattern/, field=value', continuous_update=False,
            layout=widgets.Layout(width="60%"), description="find",
        )  # fmt: skip
        self._ask = widgets.Button(description="Find", tooltip="Ask for the lines that fit (Enter)")
        self._back = widgets.Button(description="All again", tooltip="Clear the query and the window")
        self._code_button = widgets.ToggleButton(description="Show code", value=False)
        self._says = widgets.HTML()
        self._code = widgets.HTML(layout=widgets.Layout(display="none"))
        self.brush = Brush(pd.DataFrame({"time": [], "n": []}), window=view.window, step_s=1.0, label="Lines over time")
        self._boxes = [widgets.VBox() for _ in TABS]
        self.tabs = widgets.Tab(children=self._boxes, titles=TABS)
        self._fresh: set[int] = set()
        self.look: Look | None = None
        super().__init__(
            [
                widgets.HBox([self.query, self._ask, self._back, self._code_button]),
                self._says, self._code, self.brush, self.tabs,
            ]
        )  # fmt: skip
        self.add_class("ik-log-explorer")
        self.query.observe(lambda _: self._narrow(), names="value")
        self._ask.on_click(lambda _: self._narrow())
        self._back.on_click(lambda _: self._all_again())
        self._code_button.observe(lambda change: self._show_code(bool(change["new"])), names="value")
        self.brush.observe(lambda _: self._brushed(), names="chosen")
        self.tabs.observe(lambda _: self._open_tab(), names="selected_index")
        self._volume()
        self._open_tab()

    @property
    def code(self) -> str:
        """The line of Python that does what the open tab shows."""
        return self.look.code if self.look is not None else self.value.code

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
        self.query.value = self._whole.line
        self.brush.value = None
        self._volume()
        self._renew()

    def _add(self, field: str, value: str, *, without: bool = False) -> None:
        said = f"{quote_field(field)}={_quoted(value)}"
        self.query.value = f"{self.query.value} {'-' if without else ''}{said}".strip()

    def _hide(self, template: str) -> None:
        self.value = self.value.hide(template)
        self._renew()

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._fresh.clear()
        self._open_tab()

    def _volume(self) -> None:
        """The bars of the whole window, so that there is always something to drag on."""
        found = self._try(lambda: self.value.between(self._whole.window.start, self._whole.window.end).volume())
        if found is not None:
            step = step_seconds(self._whole.every)
            self.brush.show(found.table, window=self._whole.window, step_s=step)

    def _open_tab(self) -> None:
        number = self.tabs.selected_index or 0
        show = (self._lines, self._values, self._kinds, self._differences)[number]
        if number not in self._fresh:
            self._say("asking …")
            show(self._boxes[number])
            self._fresh.add(number)
        self._show_code(self._code_button.value)

    def _lines(self, box: Any) -> None:
        look = self._try(lambda: self.value.lines(_SHOWN))
        if look is None:
            return
        names = [c for c in ("time", "service", "level", "message") if c in look.table]
        box.children = [_text_table(look.table[names])]
        self._shown(look)

    def _values(self, box: Any) -> None:
        look = self._try(lambda: self.value.facets())
        if look is None:
            return
        rows = []
        for field, part in look.table.groupby("field", sort=False):
            buttons = [self._value_row(str(field), row) for row in part.head(6).itertuples(index=False)]
            rows.append(widgets.VBox([widgets.HTML(f"<b>{escaped(visible(field))}</b>"), *buttons]))
        empty = [widgets.HTML("No field has few enough values to list.")]
        box.children = [widgets.GridBox(rows, layout=_GRID)] if rows else empty
        self._shown(look)

    def _value_row(self, field: str, row: Any) -> Any:
        value = str(row.value)
        only = widgets.Button(description="only", tooltip=f"Only {field} = {value}", layout=_SMALL)
        without = widgets.Button(description="without", tooltip=f"Without {field} = {value}", layout=_SMALL)
        only.on_click(lambda _: self._add(field, value))
        without.on_click(lambda _: self._add(field, value, without=True))
        absent = value.startswith("<")
        said = widgets.HTML(f"<code>{escaped(visible(value))[:80]}</code> {row.n:,.0f} ({row.share:.0%})")
        return widgets.HBox([said] if absent else [only, without, said])

    def _kinds(self, box: Any) -> None:
        chosen = self.value.window != self._whole.window
        before = self._before() if chosen else None
        look = self._try(lambda: self.value.templates(before=before) if before else self.value.templates())
        if look is None:
            return
        rows = []
        for row in look.table.head(30).itertuples(index=False):
            hide = widgets.Button(description="hide", tooltip="Leave these lines out", layout=_SMALL)
            hide.on_click(lambda _, t=row.template: self._hide(t))
            kind = f"<b>{escaped(getattr(row, 'class', ''))}</b> " if hasattr(row, "class") else ""
            n = getattr(row, "n", getattr(row, "incident", 0.0))
            rows.append(
                widgets.HBox(
                    [hide, widgets.HTML(f"{kind}{n:,.0f} × <code>{escaped(visible(row.template))[:300]}</code>")]
                )
            )
        box.children = rows or [widgets.HTML("No line has a message.")]
        self._shown(look)

    def _before(self) -> Any:
        """As long a stretch as the chosen window, just before it; None where nothing was before."""
        from connectors.window import Window

        window = self.value.window
        start = max(self._whole.window.start, window.start - (window.end - window.start))
        return Window(start, window.start) if start < window.start else None

    def _differences(self, box: Any) -> None:
        chosen = self.value.window != self._whole.window
        others = self._whole.ask(self.value.line).between(*_outside(self)) if chosen and not self.value.line else None
        look = self._try(lambda: self.value.different(from_=others) if others is not None else self.value.different())
        if look is None:
            box.children = [
                widgets.HTML("Narrow with a query or a window first: what is chosen is compared with the rest.")
            ]
            return
        names = [c for c in ("predicate", "bad_share", "good_share", "explains", "because") if c in look.table]
        table = look.table[names].rename(columns={"bad_share": "share here", "good_share": "share elsewhere"})
        box.children = [_text_table(table)]
        self._shown(look)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _try(self, ask: Callable[[], Look]) -> Look | None:
        try:
            return ask()
        except (ConnectorError, KitError) as refused:
            self._say(str(refused), bad=True)
            return None

    def _shown(self, look: Look) -> None:
        self.look = look
        self._say(" ".join([look.headline, *(f"({reason})" for reason in look.because)]))

    def _say(self, text: str, *, bad: bool = False) -> None:
        colour = "color:#D55E00;" if bad else ""
        self._says.value = f'<div role="status" style="{colour}">{escaped(visible(text))}</div>'

    def _show_code(self, wanted: bool) -> None:
        self._code.value = f"<pre>import kit\n{escaped(self.code)}</pre>"
        self._code.layout.display = "" if wanted else "none"


_SMALL = widgets.Layout(width="70px", height="24px")
_GRID = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(330px, 1fr))", grid_gap="8px")


def _outside(explorer: LogExplorer) -> tuple[Any, Any]:
    """The longer part of the whole window beside the chosen one."""
    whole, chosen = explorer._whole.window, explorer.value.window
    before, after = (whole.start, chosen.start), (chosen.end, whole.end)
    return before if before[1] - before[0] >= after[1] - after[0] else after


def _quoted(value: str) -> str:
    return quote_value(value) if '"' in value or "'" in value else f'"{value}"'


def _text_table(frame: pd.DataFrame) -> Any:
    return widgets.HTML(f'<div style="overflow:auto;max-height:420px">{table_html(frame, limit=_SHOWN)}</div>')
