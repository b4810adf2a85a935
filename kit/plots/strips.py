"""Coverage strips: from when to when does each source speak?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.plots.chart import Chart
from kit.plots.theme import BLUE, GREY, HARM, local, plain, styled, upright

if TYPE_CHECKING:
    import pandas as pd


def coverage_strips(
    coverage: pd.DataFrame,
    *,
    title: str,
    look: tuple[pd.Timestamp, pd.Timestamp],
    incident: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    changes: pd.DataFrame | None = None,
    zone: str = "UTC",
) -> Chart:
    """What do we have, from when to when?

    `coverage` has a row per source: `source`, `pillar`, `first`, `last` (UTC; null: nothing came) and `rows`. `changes`
    are CHANGES, drawn as dotted lines.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [plain(f"{s} ({p})") for s, p in zip(coverage["source"], coverage["pillar"], strict=True)]
    for name, row in zip(names, coverage.itertuples(index=False), strict=True):
        spoken = row.first == row.first and row.first is not None
        ends = local([row.first, row.last] if spoken else list(look), zone)
        look_of = {"color": BLUE, "width": 14} if spoken else {"color": GREY, "width": 2, "dash": "dot"}
        figure.add_trace(
            go.Scatter(
                x=ends, y=[name, name], mode="lines", showlegend=False, opacity=1.0 if spoken else 0.5,
                line=look_of,
                hovertemplate=f"%{{x|%H:%M:%S}}  {name}: {f'{row.rows:,.0f} rows' if spoken else 'nothing came'}"
                "<extra></extra>",
            )
        )  # fmt: skip
    if incident is not None:
        a, b = local(list(incident), zone)
        figure.add_vrect(x0=a, x1=b, fillcolor=HARM, line_width=0, annotation_text="users hurt")
    if changes is not None:
        figure.update_layout(
            shapes=[*figure.layout.shapes, *(upright(t, axis=1) for t in local(changes["time"], zone))]
        )
    figure.update_xaxes(range=list(local(list(look), zone).astype(str)))
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=names)
    styled(figure, title=title, height=130 + 32 * max(len(coverage), 1), zone=zone)
    return Chart(title, figure, coverage, description="the time that each source covers")
