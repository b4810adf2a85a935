"""The executed walk as one `.ipynb`: charts stay charts in JupyterLab, and show as pictures where none are drawn."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from kit.export.pictures import draw_pictures
from kit.export.walk_cells import figures_of, joined, walk_cells
from kit.plots.chart import CHART_MIME, PLOTLY_MIME
from kit.summary import Summary

_NO_PICTURES = "Charts show in JupyterLab only: there was no Chromium to draw pictures of them."


def notebook_file(notebooks: Sequence[Path], *, summary: Summary, band: str | None, notes: Sequence[str]) -> bytes:
    """The first screen and the executed walk as one notebook, nbformat 4.5.

    Every chart carries plotly's data, which JupyterLab draws, and a PNG, which GitHub and every other viewer shows.
    """
    cells = list(walk_cells(notebooks))
    pictures = iter(draw_pictures(figures_of(cells)))
    out = [_markdown(_first(summary, band, notes))]
    missing = False
    for cell in cells:
        if cell.kind != "code":
            out.append(_markdown(cell.source))
            continue
        outputs = []
        for output in cell.outputs:
            if PLOTLY_MIME in output.get("data", {}):
                picture = next(pictures)
                missing = missing or picture is None
                output = _with_picture(output, picture)
            outputs.append(output)
        out.append(
            {
                "cell_type": "code", "execution_count": None, "metadata": {"tags": list(cell.tags)},
                "source": cell.source, "outputs": outputs,
            }
        )  # fmt: skip
    if missing:
        out[0]["source"] += f"\n\n{_NO_PICTURES}"
    for number, cell in enumerate(out):
        cell["id"] = f"cell-{number}"
    whole = {
        "cells": out,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _first(summary: Summary, band: str | None, notes: Sequence[str]) -> str:
    lines = [f"# {summary.title}", *([f"**{band}**"] if band else [])]
    for heading, sentences in summary.sections():
        if sentences:
            lines += [f"## {heading}", "\n".join(f"- {s}" for s in sentences)]
    lines += [f"_{note}_" for note in notes]
    return "\n\n".join(lines)


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _with_picture(output: Any, picture: bytes | None) -> dict[str, Any]:
    data = {k: v for k, v in output["data"].items() if k != "text/html" or picture is None}
    chart = data.get(CHART_MIME) or {}
    told = ". ".join(str(chart[k]) for k in ("title", "description") if chart.get(k))
    data["text/plain"] = told or joined(data.get("text/plain", ""))
    if picture is not None:
        data["image/png"] = base64.b64encode(picture).decode()
    return {**output, "data": data}
