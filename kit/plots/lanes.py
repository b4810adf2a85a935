"""The timeline in lanes: change, symptom, detection, response, recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.plots.chart import Chart
from kit.plots.theme import LANE_COLOURS, local, plain, styled

if TYPE_CHECKING:
    import pandas as pd


def timeline_lanes(timeline: pd.DataFrame, *, title: str, zone: str = "UTC") -> Chart:
    """What happened, in order?

    `timeline` has a row per fact: `time` (UTC), `lane`, `fact`, optionally `earliest` and `latest` where the instant is
    known only as an interval (drawn as a bar).
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    lanes = list(LANE_COLOURS)
    for lane, colour in LANE_COLOURS.items():
        rows = timeline[timeline["lane"] == lane]
        if {"earliest", "latest"} <= set(rows.columns):
            for row in rows[rows["earliest"].notna() & rows["latest"].notna()].itertuples(index=False):
                a, b = local([row.earliest, row.latest], zone)
                figure.add_trace(
                    go.Scatter(
                        x=[a, b], y=[lane, lane], mode="lines", line={"color": colour, "width": 10}, opacity=0.4,
                        hoverinfo="skip", showlegend=False,
                    )
                )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=local(rows["time"], zone), y=[lane] * len(rows), mode="markers", showlegend=False,
                marker={"size": 12, "color": colour}, hovertext=[plain(f) for f in rows["fact"]],
                hovertemplate="%{x|%H:%M:%S}  %{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_yaxes(categoryorder="array", categoryarray=lanes[::-1])
    styled(figure, title=title, height=330, zone=zone)
    shown = [c for c in ("time", "lane", "fact", "evidence") if c in timeline.columns]
    return Chart(title, figure, timeline[shown], description="every fact of the incident in five lanes")
