"""Looking instead of reading: widgets over results and views, each with a value, a static twin and the code it does."""

from __future__ import annotations

from typing import Any

_HOME = {
    "Brush": "brush",
    "ChangeTimeline": "change_timeline",
    "EvidenceTray": "evidence_tray",
    "GoldenBoard": "golden_board",
    "HypothesisBoard": "hypothesis_board",
    "LoadForm": "load_form",
    "LogExplorer": "log_explorer",
    "PathProbe": "path_probe",
    "SourcePicker": "source_picker",
    "TraceWaterfall": "trace_waterfall",
    "WindowPicker": "window_picker",
}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"kit.widgets.{_HOME[name]}"), name)
    raise AttributeError(f"module 'kit.widgets' has no attribute {name!r}")
