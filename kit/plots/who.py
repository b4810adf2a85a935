"""Who is hurt: which values are common among the failing requests and rare among the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.plots.chart import Chart
from kit.plots.theme import BAD, GOOD, plain, styled

if TYPE_CHECKING:
    import pandas as pd


def who_is_hurt(difference: pd.DataFrame, *, title: str, top: int = 8) -> Chart:
    """Which values set the failing requests apart?

    `difference` is what `explain_difference` returns: `predicate`, `bad_share`, `good_share` (0–1), best first. Two
    bars a value: its share of the failing and its share of the rest.
    """
    import plotly.graph_objects as go

    table = difference.head(top)
    names = [plain(p) for p in table["predicate"]]
    figure = go.Figure()
    for name, column, colour in (("failing", "bad_share", BAD), ("the rest", "good_share", GOOD)):
        figure.add_trace(
            go.Bar(
                x=table[column].to_numpy(dtype=float), y=names, orientation="h", name=name, marker={"color": colour},
                hovertemplate="%{y}: %{x:.4~p} of " + name + "<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(barmode="group")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="share of requests", tickformat=".0%", range=[0, 1.02])
    if table.empty:
        figure.add_annotation(text="no value sets the failing requests apart", showarrow=False, x=0.5, y=0)
    styled(figure, title=title, height=150 + 48 * max(len(table), 1))
    return Chart(title, figure, table, description="share of failing requests against share of the rest, per value")
