"""What analysts added to the notebooks: carried over redacted, not run again, and said to be theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from connectors.durable import write_whole
from kit.redaction.notebook import learn_notebook, redact_notebook
from kit.redaction.redactor import Redactor
from kit.walk import WALK, shipped_notebooks

ADDED = "added-by-the-analyst"


def learn_own_cells(folder: Path, redactor: Redactor) -> None:
    """Learn what the cells that people added give away."""
    for name in WALK:
        learn_notebook({"cells": [cell for cell, _ in _own(folder, name)]}, redactor)


def add_own_cells(folder: Path, copy: Path, redactor: Redactor) -> int:
    """Put the added cells, redacted, where they stood among the walk's; gives how many pictures were left out."""
    pictures = 0
    for name in WALK:
        own, path = _own(folder, name), copy / "notebooks" / f"{name}.ipynb"
        if not own or not path.exists():
            continue
        notebook = orjson.loads(path.read_bytes())
        for cell, after in reversed(own):
            made, left = redact_notebook({"cells": [cell]}, redactor)
            pictures += left
            new = made["cells"][0]
            tags = new.setdefault("metadata", {}).get("tags", [])
            new["metadata"]["tags"] = [*tags, ADDED]
            notebook["cells"].insert(min(after, len(notebook["cells"])), new)
        write_whole(path, orjson.dumps(notebook, option=orjson.OPT_INDENT_2))
    return pictures


def _own(folder: Path, name: str) -> list[tuple[dict[str, Any], int]]:
    """The cells that the shipped notebook does not have, and after how many of its cells each stands."""
    path, shipped = folder / "notebooks" / f"{name}.ipynb", shipped_notebooks() / f"{name}.ipynb"
    if not path.exists() or not shipped.exists():
        return []
    known = [_source(cell) for cell in _cells(shipped)]
    own, at = [], 0
    for cell in _cells(path):
        source = _source(cell)
        if source in known[at:]:
            at = known.index(source, at) + 1
        else:
            own.append((cell, at))
    return own


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        return list(orjson.loads(path.read_bytes()).get("cells", []))
    except (orjson.JSONDecodeError, AttributeError):
        return []


def _source(cell: dict[str, Any]) -> str:
    """A cell's source to compare it by: the path of the case is everybody's own."""
    source = cell.get("source", "")
    text = "".join(source) if isinstance(source, list) else str(source)
    return "\n".join(line for line in text.splitlines() if not line.startswith("case_path ="))
