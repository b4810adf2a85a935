"""One look for every chart: colours that colour-blind eyes tell apart, units on axes, the time zone named."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kit.plain_text import visible

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito (2008), "Color Universal Design": distinguishable with every common form of colour blindness.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#8A8F98",
)  # fmt: skip
BAD, GOOD, UNKNOWN = RED, BLUE, GREY
HARM = "rgba(213,94,0,0.12)"
"""The shade laid over the time in which users were hurt; always with a label, never by colour alone."""

LANE_COLOURS: Mapping[str, str] = {
    "change": PURPLE, "symptom": RED, "detection": ORANGE, "response": BLUE, "recovery": GREEN,
}  # fmt: skip
CHANGE_SYMBOLS: Mapping[str, str] = {
    "deploy": "triangle-up", "config": "square", "flag": "star", "schema": "diamond", "scale": "cross",
    "restart": "x", "job": "circle", "mitigation": "hexagon", "certificate": "pentagon", "disk": "bowtie",
    "traffic": "triangle-right", "dependency": "triangle-left", "node": "hourglass", "other": "circle-open",
}  # fmt: skip

# A notebook does not tell a chart whether its page is light or dark: this grey is read on both (4.5 : 1 on white,
# 4.2 : 1 on JupyterLab's dark). An exported page sets its own ink.
LINE = 30
"""Pixels that one more line of a title wants: plotly sets the title in the middle of the margin, above the legend."""
_TEXT, _GRID = "#767676", "rgba(128,128,128,0.25)"


def styled(figure: go.Figure, *, title: str, height: int = 320, zone: str | None = None) -> go.Figure:
    """Give a figure the kit's look: its title is a finding, its background takes the page's colour.

    The title stands in the margin, which is as high as its lines and the legend want it; `height` is for one line.
    """
    text = _wrapped(title)
    more = LINE * text.count("<br>")
    figure.update_layout(
        title={"text": text, "x": 0, "xanchor": "left", "font": {"size": 15}},
        height=height + more,
        margin={"l": 64, "r": 24, "t": 64 + more, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": _TEXT},
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        template="none",
    )
    axis: dict[str, Any] = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _GRID, "automargin": True}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    if zone is not None:
        figure.update_xaxes(title_text=None)
        rows = list(figure.select_xaxes())
        rows[-1].update(title_text=f"time ({zone})")
    return figure


def _wrapped(title: str, width: int = 105) -> str:
    return "<br>".join(plain(line) for line in textwrap.wrap(visible(title), width)[:3])


def plain(text: str) -> str:
    """The text as plotly must be given it so that it shows as text: its own small HTML is switched off."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def local(times: Any, zone: str) -> Any:
    """UTC times as wall-clock times of a zone, the way plotly draws them (it knows no zones)."""
    import pandas as pd

    index = pd.DatetimeIndex(pd.to_datetime(times, utc=True))
    return index.tz_convert(zone).tz_localize(None).to_numpy(dtype="datetime64[ms]")


def shade(x0: Any, x1: Any, *, axes: int, colour: str, row: int | None = None) -> list[dict[str, Any]]:
    """A shaded stretch of time on each of so many stacked axes (or on one), as shapes to be laid out in one go.

    The figure's own `add_vrect` lays out the whole figure again for each of them, which takes seconds for a board.
    """
    wanted = range(1, axes + 1) if row is None else (row,)
    return [
        {
            "type": "rect", "x0": x0, "x1": x1, "y0": 0, "y1": 1, "xref": f"x{n if n > 1 else ''}",
            "yref": f"y{n if n > 1 else ''} domain", "fillcolor": colour, "line": {"width": 0}, "layer": "below",
        }
        for n in wanted
    ]  # fmt: skip


def upright(x: Any, *, axis: int) -> dict[str, Any]:
    """A change at this time as a dotted line over one of the stacked axes, as a shape."""
    n = axis if axis > 1 else ""
    return {
        "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "xref": f"x{n}", "yref": f"y{n} domain", "opacity": 0.6,
        "line": {"color": PURPLE, "width": 1, "dash": "dot"},
    }  # fmt: skip
