"""The golden-signal board as a picture: four kinds × services, a line each, harm shaded, sorted by onset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.plots.chart import Chart
from kit.plots.theme import BAD, GREY, HARM, local, plain, styled

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
    zone: str = "UTC",
) -> Chart:
    """Which signals of which services moved, and in what order?

    `board` has a row per service and kind: `service`, `kind`, `signal` (column of `wide`; null: nothing measured),
    `direction` (up down flat unknown), `before`, `after`, `onset`. `wide` is the aligned frame. A cell without data
    says *no data*; it is never drawn as a flat line.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    order = board.sort_values("onset", na_position="last")["service"].drop_duplicates().tolist()
    figure = make_subplots(
        rows=max(len(order), 1), cols=4, column_titles=list(_KINDS), row_titles=[plain(s) for s in order],
        shared_xaxes=True, vertical_spacing=min(0.06, 0.3 / max(len(order), 1)), horizontal_spacing=0.05,
    )  # fmt: skip
    times = local(wide.index, zone)
    left, right = local(list(incident), zone)
    cells = {(row.service, row.kind): row for row in board.itertuples(index=False)}
    for r, service in enumerate(order, start=1):
        for c, kind in enumerate(_KINDS, start=1):
            cell = cells.get((service, kind))
            known = cell is not None and isinstance(cell.signal, str) and cell.signal in wide.columns
            if not known:
                figure.add_trace(go.Scatter(x=[], y=[], showlegend=False), row=r, col=c)
                figure.add_annotation(
                    text="no data", showarrow=False, row=r, col=c, x=0.5, y=0.5, xref="x domain", yref="y domain",
                    font={"color": GREY},
                )  # fmt: skip
                figure.update_xaxes(visible=False, row=r, col=c)
                figure.update_yaxes(visible=False, row=r, col=c)
                continue
            moved = cell.direction in ("up", "down")
            figure.add_trace(
                go.Scatter(
                    x=times, y=wide[cell.signal].to_numpy(dtype=float), mode="lines", connectgaps=False,
                    showlegend=False,
                    line={"color": BAD if moved else GREY, "width": 1.8 if moved else 1.2},
                    hovertemplate=plain(cell.signal) + "<br>%{x|%H:%M:%S}  %{y:.4g}<extra></extra>",
                ),
                row=r, col=c,
            )  # fmt: skip
            figure.add_annotation(
                text=_ARROWS.get(str(cell.direction), "?"), showarrow=False, row=r, col=c, x=0.02, y=0.95,
                xref="x domain", yref="y domain", font={"size": 14, "color": BAD if moved else GREY},
            )  # fmt: skip
            figure.add_vrect(x0=left, x1=right, fillcolor=HARM, line_width=0, row=r, col=c)
            figure.update_yaxes(rangemode="tozero", nticks=3, row=r, col=c)
            figure.update_xaxes(nticks=4, tickformat="%H:%M", row=r, col=c)
    styled(figure, title=title, height=120 + 105 * max(len(order), 1))
    figure.update_layout(margin={"t": 84, "r": 70})
    shown = ["service", "kind", "direction", "before", "after", "onset", "signal"]
    return Chart(title, figure, board[shown], description=f"golden signals of {len(order)} services; harm is shaded")
