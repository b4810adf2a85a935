"""What the tabs of the log explorer show: values with their counts, kinds of line, their variables, differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from kit.mining.mask import VARIABLE
from kit.plain_text import escaped, visible
from kit.result import table_html

if TYPE_CHECKING:
    from kit.exploring.look import Look

SHOWN_VALUES, SHOWN_KINDS, SHOWN_ROWS = 6, 30, 100
_GRID = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(330px, 1fr))", grid_gap="8px")
_BAR_PX = 60


BAD_LEVELS = ("ERROR", "FATAL")


def bars_of(volume: pd.DataFrame) -> pd.DataFrame:
    """The volume (time, n, with or without level) as bars: time, n, and `bad`, the lines at ERROR or FATAL.

    >>> at = pd.to_datetime(["2026-03-01T02:00Z"] * 2)
    >>> bars_of(pd.DataFrame({"time": at, "level": ["INFO", "ERROR"], "n": [7.0, 2.0]}))[["n", "bad"]].values.tolist()
    [[9.0, 2.0]]
    """
    if "level" not in volume:
        return volume[["time", "n"]].assign(bad=0.0)
    bad = volume["n"].where(volume["level"].astype(str).isin(BAD_LEVELS), 0.0)
    return volume.assign(bad=bad).groupby("time", as_index=False)[["n", "bad"]].sum()


def with_bad(volume: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """Bars that were counted, with the share of bad lines that other bars, of a sample, have at the same times."""
    share = (bars["bad"] / bars["n"].where(bars["n"] > 0)).fillna(0.0)
    known = pd.Series(share.to_numpy(), index=pd.to_datetime(bars["time"], utc=True))
    there = pd.to_datetime(volume["time"], utc=True).map(known).fillna(0.0)
    return volume[["time", "n"]].assign(bad=volume["n"] * there.to_numpy())


def button(text: str, tip: str, does: Callable[[], None], *, small: bool = False) -> Any:
    """A button that does this; its tip says what."""
    layout = widgets.Layout(width="auto", height="24px", flex="0 0 auto") if small else widgets.Layout(width="auto")
    made = widgets.Button(description=text, tooltip=tip[:300], layout=layout)
    made.on_click(lambda _: does())
    return made


Pick = Callable[[str, str], None]


def value_rows(look: Look, only: Pick, without: Pick) -> list[Any]:
    """The commonest values of each field with buttons: only this value, without this value."""
    fields = []
    for field, part in look.table.groupby("field", sort=False):
        rows = [_value_row(str(field), row, only, without) for row in part.head(SHOWN_VALUES).itertuples(index=False)]
        fields.append(widgets.VBox([widgets.HTML(f"<b>{escaped(visible(field))}</b>"), *rows]))
    return [widgets.GridBox(fields, layout=_GRID)] if fields else [_said("No field has few enough values to list.")]


def _value_row(field: str, row: Any, only: Pick, without: Pick) -> Any:
    value = str(row.value)
    bar = f'<span class="ik-bar-share" style="width:{max(1, round(_BAR_PX * row.share))}px"></span>'
    said = widgets.HTML(f"{bar}<code>{escaped(visible(value)[:80])}</code> {row.n:,.0f} ({_share(row.share)})")
    if value.startswith("<"):  # <missing>, <other>
        return widgets.HBox([said])
    keep = button("only", f"Only {field} = {value}", lambda: only(field, value), small=True)
    leave = button("without", f"Without {field} = {value}", lambda: without(field, value), small=True)
    return widgets.HBox([keep, leave, said])


def _share(share: float) -> str:
    return "under 1 %" if 0 < share < 0.005 else f"{share:.0%}"


def kind_rows(look: Look, hide: Callable[[str], None], measure: Callable[[str], None]) -> list[Any]:
    """The kinds of line, each with buttons that hide it and that show what its variables say."""
    rows = []
    for row in look.table.head(SHOWN_KINDS).to_dict("records"):
        template = str(row["template"])
        hidden = button("hide", "Leave these lines out", lambda t=template: hide(t), small=True)
        measured = button("numbers", "What its variables say", lambda t=template: measure(t), small=True)
        measured.layout.visibility = "visible" if VARIABLE in template else "hidden"
        class_ = escaped(str(row.get("class", "")))
        kind = f'<b class="ik-kind ik-{class_}">{class_}</b> ' if class_ else ""
        n = row["n"] if "n" in row else row["incident"]
        said = widgets.HTML(f"{kind}{n:,.0f} × <code>{escaped(_short(template))}</code>")
        rows.append(widgets.HBox([hidden, measured, said]))
    return rows or [_said("No line has a message.")]


def _short(template: str) -> str:
    text = visible(template)
    return text if len(text) <= 300 else f"{text[:299]}…"


def variable_rows(looks: Sequence[Look], back: Callable[[], None]) -> list[Any]:
    """What each variable of a template says, by service."""
    rows: list[Any] = [button("back", "The kinds of line", back, small=True)]
    for look in looks:
        rows += [widgets.HTML(f"<p>{escaped(look.headline)}</p>"), text_table(summary(look.table))]
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What a variable's values (column `value`) are like: numbers by quantiles and service, others by how often."""
    if not len(table):
        return table[["value"]]
    if pd.api.types.is_numeric_dtype(table["value"]):
        grouped = table.groupby(table["service"].astype(str))["value"]
        found = grouped.agg(n="size", median="median", p99=lambda v: v.quantile(0.99), largest="max").reset_index()
        return found.sort_values("n", ascending=False).head(20)
    return table["value"].value_counts().head(20).rename_axis("value").reset_index(name="n")


def difference_rows(look: Look) -> list[Any]:
    """What sets the chosen lines apart, as a table."""
    names = [c for c in ("predicate", "bad_share", "good_share", "explains", "because") if c in look.table]
    table = look.table[names].rename(columns={"bad_share": "share here", "good_share": "share elsewhere"})
    return [text_table(table)]


def text_table(frame: pd.DataFrame) -> Any:
    """A table whose cells are text, whatever they hold."""
    html = table_html(frame, limit=SHOWN_ROWS)
    return widgets.HTML(f'<div style="overflow:auto;max-height:420px">{html}</div>')


def _said(text: str) -> Any:
    return widgets.HTML(escaped(text))
