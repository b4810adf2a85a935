"""The golden-signal board as a picture: four kinds × services, a line each, harm shaded, sorted by onset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.plots.chart import Chart
from kit.plots.decimate import kept_points
from kit.plots.theme import BAD, GREY, HARM, local, plain, shade, styled, upright

if TYPE_CHECKING:
    import pandas as pd

_KINDS = ("latency", "traffic", "errors", "saturation")
_ARROWS = {"up": "▲", "down": "▼", "flat": "–", "unknown": "?"}


def signal_board(
    board: pd.DataFrame,
    wide: pd.DataFrame,
    *,
    title: str,
    incident: tuple[pd.Timestamp, pd.Timestamp],
    changes: pd.DataFrame | None = None,
    zone: str = "UTC",
) -> Chart:
    """Which signals of which services moved, and in what order?

    `board` has a row per service and kind: `service`, `kind`, `signal` (column of `wide`; null: nothing measured),
    `direction` (up down flat unknown), `before`, `after`, `onset`. `wide` is the aligned frame. A cell without data
    says *no data*; it is never drawn as a flat line. `changes` are CHANGES, drawn as dotted lines in every cell.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    order = board.sort_values("onset", na_position="last")["service"].drop_duplicates().tolist()
    figure = make_subplots(
        rows=max(len(order), 1), cols=4, column_titles=list(_KINDS), row_titles=[plain(s) for s in order],
        vertical_spacing=min(0.06, 0.3 / max(len(order), 1)), horizontal_spacing=0.05,
    )  # fmt: skip
    times = local(wide.index, zone)
    left, right = local(list(incident), zone)
    moments = [] if changes is None or changes.empty else [
        t for t in local(changes["time"], zone) if len(times) and times[0] <= t <= times[-1]
    ]  # fmt: skip
    cells = {(row.service, row.kind): row for row in board.itertuples(index=False)}
    traces, shapes, marks = [], [], list(figure.layout.annotations)
    layout: dict[str, Any] = {}
    for r, service in enumerate(order):
        for c, kind in enumerate(_KINDS):
            n = r * 4 + c + 1
            axis = str(n) if n > 1 else ""
            cell = cells.get((service, kind))
            known = cell is not None and isinstance(cell.signal, str) and cell.signal in wide.columns
            place = {"xref": f"x{axis} domain", "yref": f"y{axis} domain", "showarrow": False}
            if not known or cell is None:
                # a subplot without any trace would not be drawn, and its words would land in another
                traces.append(go.Scatter(x=[], y=[], showlegend=False, xaxis=f"x{axis}", yaxis=f"y{axis}"))
                marks.append({**place, "text": "no data", "x": 0.5, "y": 0.5, "font": {"color": GREY}})
                layout[f"xaxis{axis}"] = layout[f"yaxis{axis}"] = {"visible": False}
                continue
            moved = cell.direction in ("up", "down")
            values = wide[cell.signal].to_numpy(dtype=float)
            at = kept_points(values)
            traces.append(
                go.Scatter(
                    x=times[at], y=values[at], mode="lines", connectgaps=False,
                    showlegend=False, xaxis=f"x{axis}", yaxis=f"y{axis}",
                    line={"color": BAD if moved else GREY, "width": 1.8 if moved else 1.2},
                    hovertemplate=plain(cell.signal) + "<br>%{x|%H:%M:%S}  %{y:.6~g}<extra></extra>",
                )
            )  # fmt: skip
            arrow = _ARROWS.get(str(cell.direction), "?")
            marks.append({**place, "text": arrow, "x": 0.02, "y": 0.95,
                          "font": {"size": 14, "color": BAD if moved else GREY}})  # fmt: skip
            shapes += shade(left, right, axes=n, row=n, colour=HARM)
            shapes += [upright(t, axis=n) for t in moments]
            layout[f"yaxis{axis}"] = {"rangemode": "tozero", "nticks": 3}
            layout[f"xaxis{axis}"] = {"nticks": 4, "tickformat": "%H:%M"}
    figure.add_traces(traces)
    figure.update_layout(shapes=shapes, annotations=marks, **layout)
    styled(figure, title=title, height=120 + 105 * max(len(order), 1))
    figure.update_layout(margin={"t": figure.layout.margin.t + 20, "r": 70})
    shown = ["service", "kind", "direction", "before", "after", "onset", "signal"]
    return Chart(title, figure, board[shown], description=f"golden signals of {len(order)} services; harm is shaded")
