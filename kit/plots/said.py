"""What was said there: log templates that are new, gone or changed in rate."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from kit.plain_text import visible
from kit.plots.chart import Chart
from kit.plots.theme import BAD, BLUE, GREY, ORANGE, plain, styled

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = {"new": BAD, "changed": ORANGE, "gone": BLUE, "unchanged": GREY}


def template_changes(templates: pd.DataFrame, *, title: str, top: int = 12) -> Chart:
    """Which lines are new, gone or changed since the onset?

    `templates` is what `compare_templates` returns: `template`, `class` and the rates per second before and during,
    `baseline_rate` and `incident_rate`.
    """
    import plotly.graph_objects as go

    table = templates[templates["class"] != "unchanged"].head(top)
    names = [_lines(_short(f"[{c}] {t}")) for c, t in zip(table["class"], table["template"], strict=True)]
    figure = go.Figure()
    for name, column, colours in (
        ("before", "baseline_rate", [GREY] * len(table)),
        ("since the onset", "incident_rate", [_COLOURS[c] for c in table["class"]]),
    ):
        figure.add_trace(
            go.Bar(
                x=table[column].to_numpy(dtype=float), y=names, orientation="h", name=name, marker={"color": colours},
                hovertemplate="%{y}: %{x:.6~g} lines/s " + name + "<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(barmode="group")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="lines per second", rangemode="tozero")
    if table.empty:
        figure.add_annotation(text="no template is new, gone or changed", showarrow=False, x=0.5, y=0)
    styled(figure, title=title, height=160 + 40 * max(len(table), 1))
    return Chart(title, figure, table, description="rate of each changed log template before and since the onset")


def _lines(text: str) -> str:
    """The text in lines of a width that leaves the bars their room."""
    return "<br>".join(plain(line) for line in textwrap.wrap(visible(text), 46))


def _short(text: str, limit: int = 90) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
