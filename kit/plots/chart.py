"""A chart with its table and its evidence: the figure a notebook draws and an exported page draws again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.plain_text import escaped, visible
from kit.result import table_html

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

PLOTLY_MIME = "application/vnd.plotly.v1+json"
CHART_MIME = "application/vnd.incident-kit.chart+json"
"""What an exported page needs beside the figure: title, description and the table behind it."""
CITES_ITSELF = "each point names its own evidence"
"""The `meta` of a trace whose hover names the recorded answers point by point."""


@dataclass(frozen=True)
class Chart:
    """One drawn finding. `title` says what it shows; `table` has the very numbers that are drawn.

    Nothing is rendered until it is shown: the notebook gets plotly's own mime type, so no renderer is looked for.
    """

    title: str
    figure: go.Figure
    table: pd.DataFrame
    description: str = ""
    evidence: tuple[str, ...] = field(default=())

    def to_frame(self) -> pd.DataFrame:
        """The numbers that are drawn."""
        return self.table

    def citing(self, *evidence: str) -> Chart:
        """The same chart, with the recorded answers it was drawn from."""
        return Chart(self.title, self.figure, self.table, self.description, tuple(dict.fromkeys(evidence)))

    def __str__(self) -> str:
        return f"[chart] {visible(self.title)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        figure = json.loads(self.figure.to_json())
        _cite_on_hover(figure, self.evidence)
        figure["config"] = {"displaylogo": False, "responsive": True}
        return {
            PLOTLY_MIME: figure,
            CHART_MIME: {
                "title": self.title,
                "description": self.description,
                "evidence": list(self.evidence),
                "table": table_html(self.table, limit=200),
            },
            "text/html": f"<p>{escaped(self.title)}</p>{table_html(self.table)}",
            "text/plain": str(self),
        }


def cited_as(evidence: Sequence[str]) -> str:
    """The first of these recorded answers, and how many more; empty where there is none.

    >>> cited_as(["ev_0123456789abcdef", "ev_1123456789abcdef"])
    'ev_0123456789abcdef and 1 more'
    """
    return f"{evidence[0]}{f' and {len(evidence) - 1} more' if len(evidence) > 1 else ''}" if evidence else ""


def _cite_on_hover(figure: dict[str, Any], evidence: tuple[str, ...]) -> None:
    """Name the recorded answers on whatever the pointer stands on: the first, and how many more."""
    if not evidence:
        return
    cited = cited_as(evidence)
    for trace in figure.get("data", []):
        if trace.get("meta") == CITES_ITSELF:
            continue
        told = trace.get("hovertemplate")
        if isinstance(told, str) and told:
            text, tail, rest = told.partition("<extra>")
            trace["hovertemplate"] = f"{text}<br>{cited}{tail}{rest}"
