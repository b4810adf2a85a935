"""The executed walk as a list of cells, in order: what the exports to a notebook and to Markdown are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kit.plots.chart import PLOTLY_MIME


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of one notebook of the walk."""

    notebook: str
    kind: str
    source: str
    outputs: tuple[Mapping[str, Any], ...]
    tags: tuple[str, ...]


def walk_cells(notebooks: Sequence[Path]) -> Iterator[Cell]:
    """The cells of these notebooks, one notebook after the other."""
    for path in notebooks:
        for cell in orjson.loads(path.read_bytes()).get("cells", []):
            yield Cell(
                path.stem,
                str(cell.get("cell_type")),
                joined(cell.get("source", "")),
                tuple(cell.get("outputs", ())),
                tuple(cell.get("metadata", {}).get("tags", ())),
            )


def figures_of(cells: Sequence[Cell]) -> list[Mapping[str, Any]]:
    """Every chart of these cells, in order."""
    return [o["data"][PLOTLY_MIME] for c in cells for o in c.outputs if PLOTLY_MIME in o.get("data", {})]


def joined(value: Any) -> str:
    """A notebook's text, which may be a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)
