"""Looking instead of reading: widgets over results and views, each with a value, a static twin and the code it does."""

from __future__ import annotations

from typing import Any

_HOME = {"Brush": "brush", "LogExplorer": "log_explorer"}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"kit.widgets.{_HOME[name]}"), name)
    raise AttributeError(f"module 'kit.widgets' has no attribute {name!r}")
