"""Hypotheses against evidence, and the chain that carries the surviving one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.plots.chart import CITES_ITSELF, Chart, cited_as
from kit.plots.theme import BAD, GOOD, GREY, YELLOW, plain, styled

if TYPE_CHECKING:
    import pandas as pd

_MARKS = {"held": ("+", 1.0), "failed": ("−", -1.0), "no data": ("?", 0.0), "could not fail": ("0", 0.3)}


def hypothesis_matrix(matrix: pd.DataFrame, *, title: str) -> Chart:
    """Which prediction of which hypothesis held, and which one failed?

    `matrix` has a row per prediction that was run: `hypothesis`, `state`, `prediction`, `result` (held, failed, no
    data, could not fail), `says` (the sentence with the numbers).
    """
    import plotly.graph_objects as go

    hypotheses = list(dict.fromkeys(matrix["hypothesis"]))
    state = dict(zip(matrix["hypothesis"], matrix["state"], strict=True))
    width = max((int((matrix["hypothesis"] == h).sum()) for h in hypotheses), default=1)
    marks, values, words = [], [], []
    for hypothesis in hypotheses:
        rows = matrix[matrix["hypothesis"] == hypothesis]
        pad = width - len(rows)
        marks.append([_MARKS.get(r, ("?", 0.0))[0] for r in rows["result"]] + [""] * pad)
        values.append([_MARKS.get(r, ("?", 0.0))[1] for r in rows["result"]] + [None] * pad)
        words.append(
            [plain(f"{p}: {r}. {s}") for p, r, s in zip(rows["prediction"], rows["result"], rows["says"], strict=True)]
            + [""] * pad
        )
    names = [plain(f"{_short(h)}  [{state[h]}]") for h in hypotheses]
    figure = go.Figure(
        go.Heatmap(
            z=values, y=names, text=marks, texttemplate="%{text}", customdata=words, zmin=-1, zmax=1, showscale=False,
            colorscale=[[0, BAD], [0.5, GREY], [0.65, YELLOW], [1, GOOD]], xgap=3, ygap=3, textfont={"size": 16},
            hovertemplate="%{customdata}<extra></extra>", hoverongaps=False,
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(
        title_text="predictions: + held · − failed · ? no data · 0 could not have failed", showticklabels=False
    )
    styled(figure, title=title, height=130 + 44 * max(len(hypotheses), 1))
    return Chart(title, figure, matrix, description="hypotheses by rows, their predictions by columns")


def mechanism_chain(links: pd.DataFrame, *, title: str) -> Chart:
    """Can the way from the change to the symptom be told, and does each link have evidence?

    `links` has a row per link in order: `from`, `to`, `evidence` (list of ids; empty: a gap).
    """
    import plotly.graph_objects as go

    nodes = [*links["from"][:1], *links["to"]] if len(links) else []
    figure = go.Figure()
    for i, evidence in enumerate(links["evidence"]):
        carried = bool(len(evidence))
        figure.add_annotation(
            x=i + 0.86, y=0, ax=i + 0.14, ay=0, xref="x", yref="y", axref="x", ayref="y", showarrow=True, arrowhead=3,
            arrowwidth=3 if carried else 1.5, arrowcolor=GOOD if carried else BAD, text="",
        )  # fmt: skip
        figure.add_annotation(
            x=i + 0.5, y=0.28, showarrow=False, text="evidence" if carried else "NO EVIDENCE",
            font={"size": 11, "color": GOOD if carried else BAD},
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=list(range(len(nodes))), y=[0] * len(nodes), mode="markers+text", showlegend=False,
            marker={"size": 22, "color": GREY, "line": {"width": 2, "color": "white"}},
            text=[_wrapped(plain(n)) for n in nodes], textposition="bottom center", meta=CITES_ITSELF,
            hovertext=[_told(n, e) for n, e in zip(nodes, [[None], *links["evidence"]], strict=False)],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-0.6, max(len(nodes) - 0.4, 0.6)])
    figure.update_yaxes(visible=False, range=[-1.3, 0.6])
    styled(figure, title=title, height=260)
    return Chart(title, figure, links, description="the mechanism, link by link")


def _told(node: str, evidence: Sequence[str | None]) -> str:
    """What hovering says of a node: its words, and what the link to it rests on (None: it is the first)."""
    if list(evidence) == [None]:
        return plain(node)
    cited = cited_as([str(e) for e in evidence])
    return f"{plain(node)}<br>{plain(cited) if cited else 'no evidence for the link to it'}"


def _short(text: str, limit: int = 64) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _wrapped(text: str, width: int = 20) -> str:
    import textwrap

    return "<br>".join(textwrap.wrap(text, width)[:5])
