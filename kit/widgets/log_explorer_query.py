"""The query line of the log explorer: completed while it is typed, asked with Enter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from connectors.errors import ConnectorError
from kit.errors import KitError
from kit.plain_text import visible

_HERE = Path(__file__).parent


class QueryInput(anywidget.AnyWidget):
    """A line of text with suggestions. `.value` is what was asked last; `complete(text, caret)` gives whole lines."""

    _esm = _HERE / "log_explorer_query.js"
    _css = _HERE / "log_explorer.css"
    value = traitlets.Unicode("").tag(sync=True)
    typed = traitlets.List().tag(sync=True)
    suggestions = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("find").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)

    def __init__(self, complete: Callable[[str, int], list[str]], *, value: str = "", placeholder: str = "") -> None:
        super().__init__(value=value, placeholder=placeholder)
        self._complete = complete
        self.observe(lambda change: self._suggest(change["new"]), names="typed")

    def _suggest(self, typed: list[object]) -> None:
        if len(typed) != 2 or not isinstance(typed[0], str) or not isinstance(typed[1], int):
            return
        try:
            found = self._complete(typed[0], typed[1])
        except (
            ConnectorError,
            KitError,
        ):  # completion is a help, not an answer: the question itself says what is wrong
            found = []
        self.suggestions = [line for line in found if line == visible(line)]
