"""The timeline in lanes: change, symptom, detection, response, recovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kit.plots.chart import CITES_ITSELF, Chart, cited_as
from kit.plots.theme import LANE_COLOURS, local, plain, styled, upright

if TYPE_CHECKING:
    import pandas as pd


def timeline_lanes(timeline: pd.DataFrame, *, title: str, zone: str = "UTC") -> Chart:
    """What happened, in order?

    `timeline` has a row per fact: `time` (UTC), `lane`, `fact`, optionally `earliest` and `latest` where the instant is
    known only as an interval (drawn as a bar) and `evidence`, ids joined by commas. Every change is drawn through all
    lanes.
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
                marker={"size": 12, "color": colour}, hovertext=[_told(r) for r in rows.to_dict("records")],
                meta=CITES_ITSELF,
                hovertemplate="%{x|%H:%M:%S}  %{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    changes = local(timeline.loc[timeline["lane"] == "change", "time"], zone)
    figure.update_layout(shapes=[upright(t, axis=1) for t in changes])
    figure.update_yaxes(categoryorder="array", categoryarray=lanes[::-1])
    styled(figure, title=title, height=330, zone=zone)
    shown = [c for c in ("time", "lane", "fact", "evidence") if c in timeline.columns]
    cited = [e for row in timeline.to_dict("records") for e in _evidence(row)]
    made = Chart(title, figure, timeline[shown], description="every fact of the incident in five lanes")
    return made.citing(*cited)


def _told(row: Mapping[Any, Any]) -> str:
    """What hovering says of one fact: its words, and the recorded answers it rests on."""
    cited = cited_as(_evidence(row))
    return plain(str(row["fact"])) + (f"<br>{plain(cited)}" if cited else "")


def _evidence(row: Mapping[Any, Any]) -> list[str]:
    """The recorded answers of one fact."""
    named = row.get("evidence")
    return [e for e in named.split(", ") if e] if isinstance(named, str) else []
