"""How much longer does each hop of the request path take, and do the parts add up?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.plots.chart import Chart
from kit.plots.theme import BAD, GOOD, GREY, plain, styled

if TYPE_CHECKING:
    import pandas as pd


def latency_by_hop(hops: pd.DataFrame, *, title: str) -> Chart:
    """Which hop added the time?

    `hops` has one row per hop or boundary in the order of the path: `hop`, `before_s`, `after_s` (its own mean time
    per request, seconds; NaN: not visible there) and optionally `state` (good, bad, unknown). The bars are the
    differences; hops without data are drawn as *not visible*, never as zero.
    """
    import plotly.graph_objects as go

    table = hops.copy()
    table["added_s"] = table["after_s"] - table["before_s"]
    seen = table["added_s"].notna()
    state = table["state"] if "state" in table else seen.map({True: "good", False: "unknown"})
    colours = [BAD if s == "bad" else GREY if s == "unknown" else GOOD for s in state]
    text = [
        f"{round(added * 1000):+,d} ms ({before * 1000:,.0f} → {after * 1000:,.0f})" if known else "not visible"
        for added, before, after, known in zip(table["added_s"], table["before_s"], table["after_s"], seen, strict=True)
    ]
    added = table["added_s"].fillna(0.0).to_numpy(dtype=float)
    names = [plain(h) for h in table["hop"]]
    figure = go.Figure(
        go.Bar(
            x=added, y=names, orientation="h",
            marker={"color": colours, "pattern": {"shape": ["/" if s == "bad" else "" for s in state]}},
            customdata=text,
            hovertext=[f"{s:.6g} s added" if known else "" for s, known in zip(table["added_s"], seen, strict=True)],
            hovertemplate="%{y}: %{customdata}<br>%{hovertext}<extra></extra>",
        )
    )  # fmt: skip
    # beside the bar, where neither its hatching nor the names on the left are in the way
    words = [
        {"x": max(x, 0.0), "y": y, "text": said, "showarrow": False, "xanchor": "left", "xshift": 6}
        for x, y, said in zip(added.tolist(), names, text, strict=True)
    ]
    low, high = min(added.min(initial=0.0), 0.0), max(added.max(initial=0.0), 0.0)
    figure.update_layout(annotations=words)
    figure.update_yaxes(autorange="reversed")
    wide = (high - low) or 1.0
    figure.update_xaxes(title_text="time added per request (s)", range=[low - 0.02 * wide, high + 0.32 * wide])
    styled(figure, title=title, height=140 + 44 * max(len(table), 1))
    return Chart(title, figure, table, description="time added per request by each hop; hatched bars are the bad hops")
