"""The lines of the log explorer: one is chosen by mouse or keys, its fields are shown, and it can be gone on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from kit.plain_text import visible
from kit.result import cell_text
from kit.widgets.alive import script

_HERE = Path(__file__).parent
SHOWN_MESSAGE, SHOWN_VALUE, SHOWN_FIELDS = 2_000, 500, 200
"""Characters of a message and of a value, and fields of a line, that go to the browser."""
ACTS = (("around", "Lines around it"), ("follow", "Follow its request"), ("hide", "Hide its kind"), ("pin", "Save"))
FOLLOWED = ("trace_id", "http.request.id", "request_id", "correlation_id", "span_id")


class LogLines(anywidget.AnyWidget):
    """Lines as text. `chosen` is the number of the chosen one, -1 for none; `on_act` is told what to do with it."""

    _esm = script("log_explorer_lines")
    _css = _HERE / "log_explorer.css"
    rows = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    acts = traitlets.List().tag(sync=True)
    empty = traitlets.Unicode("No line fits.").tag(sync=True)
    key = traitlets.Unicode("").tag(sync=True)

    def __init__(self, on_act: Callable[[str, pd.Series], None]) -> None:
        super().__init__(acts=[list(act) for act in ACTS], key=f"ik-line-{id(self)}")
        self._table = pd.DataFrame()
        self._on_act = on_act
        self.on_msg(self._acted)

    def show(self, table: pd.DataFrame, *, chosen: int = -1) -> None:
        """Draw these lines; control characters show as symbols, long texts are cut and say by how much."""
        self._table = table
        with self.hold_sync():
            self.rows = [_line(row) for _, row in table.iterrows()]
            self.chosen = chosen

    def line(self, number: int) -> pd.Series:
        """The line with this number."""
        return self._table.iloc[number]

    def _acted(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("act") not in dict(ACTS):
            return
        number = content.get("row")
        if isinstance(number, int) and 0 <= number < len(self._table):
            self._on_act(content["act"], self._table.iloc[number])


def _line(row: pd.Series) -> dict[str, Any]:
    there = {str(name): value for name, value in row.items() if not _missing(value)}
    fields = [
        [visible(name), _cut(cell_text(value), SHOWN_VALUE)] for name, value in there.items() if name != "message"
    ]
    if len(fields) > SHOWN_FIELDS:
        fields = [*fields[:SHOWN_FIELDS], ["…", f"{len(fields) - SHOWN_FIELDS:,} more fields"]]
    time = there.get("time")
    return {
        "time": "" if time is None else pd.Timestamp(time).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "service": visible(there.get("service", "")),
        "level": visible(there.get("level", "")),
        "message": _cut(visible(there.get("message", "")), SHOWN_MESSAGE),
        "fields": fields,
        "follows": any(name in there for name in FOLLOWED),
    }


def followed(row: pd.Series) -> str | None:
    """The id by which this line's request is followed; None where it has none."""
    return next((str(row[n]) for n in FOLLOWED if n in row and not _missing(row[n])), None)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… {len(text) - most:,} more characters"


__all__ = ["LogLines", "followed"]
