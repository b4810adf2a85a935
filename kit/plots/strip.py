"""The incident strip: when did the symptom turn, against everything that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.plots.chart import Chart
from kit.plots.decimate import kept_points
from kit.plots.theme import BAD, BLUE, CHANGE_SYMBOLS, HARM, ORANGE, PURPLE, local, plain, shade, styled, upright

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def incident_strip(
    symptom: pd.DataFrame,
    *,
    title: str,
    changes: pd.DataFrame | None = None,
    onset: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    recovered: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    until: pd.Timestamp | None = None,
    zone: str = "UTC",
) -> Chart:
    """What did users see over time, and which changes lie beside it?

    `symptom` has a UTC DatetimeIndex and up to three columns named by unit or meaning, a row of the strip each (failed
    share, p99 in seconds, requests a second); gaps stay gaps. `changes` are CHANGES rows, drawn as marks with the words
    of their summary, rollouts as bars. `onset` and `recovered` are intervals in UTC; `until` is the watermark after
    which nothing is concluded.
    """
    import pandas as pd
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    columns = list(symptom.columns)[:3]
    with_changes = changes is not None and not changes.empty
    rows = len(columns) + (1 if with_changes else 0)
    heights = [1.0] * len(columns) + ([0.6] if with_changes else [])
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=heights)
    times = local(symptom.index, zone)
    for row, (column, colour) in enumerate(zip(columns, (BAD, ORANGE, BLUE), strict=False), start=1):
        values = symptom[column].to_numpy(dtype=float)
        at = kept_points(values)
        figure.add_trace(
            go.Scatter(
                x=times[at], y=values[at], mode="lines", line={"color": colour, "width": 2},
                name=plain(column), connectgaps=False, hovertemplate="%{x|%H:%M:%S}  %{y:.6~g}<extra></extra>",
            ),
            row=row, col=1,
        )  # fmt: skip
        figure.update_yaxes(title_text=plain(column), rangemode="tozero", row=row, col=1)
    if with_changes:
        assert changes is not None
        _change_lane(figure, changes, row=rows, zone=zone)
    shapes, labels = [], []
    if with_changes:
        assert changes is not None
        shapes += _change_lines(changes, axes=rows, zone=zone)
    if onset is not None:
        end = recovered[0] if recovered is not None else (until or symptom.index.max())
        left, right = local([onset[0], end], zone)
        first, last = local(list(onset), zone)
        shapes += shade(left, right, axes=rows, colour=HARM)
        shapes += shade(first, last, axes=rows, colour="rgba(213,94,0,0.35)")
        labels.append((left, "users hurt"))
    if until is not None:
        edge, last = local([until, symptom.index.max()], zone)
        if edge < last:
            shapes += shade(edge, last, axes=rows, colour="rgba(128,128,128,0.25)")
            labels.append((edge, "not complete yet"))
    annotations = [
        {"x": at, "y": 1.0, "xref": "x", "yref": "y domain", "xanchor": "left", "yanchor": "bottom", "text": text,
         "showarrow": False, "font": {"size": 11}}
        for at, text in labels
    ]  # fmt: skip
    figure.update_layout(shapes=shapes, annotations=annotations)
    styled(figure, title=title, height=120 + 110 * rows, zone=zone)
    figure.update_layout(showlegend=False)
    table = symptom[columns].rename_axis("time (UTC)").reset_index()
    if with_changes and changes is not None:
        listed = changes[["time", "kind", "service", "summary"]].astype({"time": "object"})
        table = pd.concat([listed.rename(columns={"time": "time (UTC)"}), table.astype({"time (UTC)": "object"})])
    return Chart(title, figure, table, description="the symptom over time with every change drawn beside it")


def _change_lane(figure: go.Figure, changes: pd.DataFrame, *, row: int, zone: str) -> None:
    import plotly.graph_objects as go

    ordered = changes.sort_values("time").reset_index(drop=True)
    level = [i % 3 for i in range(len(ordered))]
    starts = local(ordered["time"], zone)
    for index, change in ordered.iterrows():
        until = change.get("until")
        if until is not None and until == until:
            a, b = local([change["time"], until], zone)
            figure.add_trace(
                go.Scatter(
                    x=[a, b], y=[level[index], level[index]], mode="lines", hoverinfo="skip", showlegend=False,
                    line={"color": PURPLE, "width": 6}, opacity=0.4,
                ),
                row=row, col=1,
            )  # fmt: skip
    words = [
        plain(f"{kind} {service if isinstance(service, str) else ''}: {summary}")
        for kind, service, summary in zip(ordered["kind"], ordered["service"], ordered["summary"], strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=starts, y=level, mode="markers", hovertext=words,
            hovertemplate="%{x|%H:%M:%S}  %{hovertext}<extra></extra>",
            marker={
                "size": 11, "color": PURPLE, "line": {"width": 1, "color": "white"},
                "symbol": [CHANGE_SYMBOLS.get(str(k), "circle-open") for k in ordered["kind"]],
            },
            name="changes", showlegend=False,
        ),
        row=row, col=1,
    )  # fmt: skip
    figure.update_yaxes(
        title_text="changes", showticklabels=False, range=[-0.7, 2.7], showgrid=False, zeroline=False, row=row, col=1
    )


def _change_lines(changes: pd.DataFrame, *, axes: int, zone: str) -> list[dict[str, Any]]:
    return [upright(at, axis=n) for at in local(changes["time"], zone) for n in range(1, axes + 1)]
