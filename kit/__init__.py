"""Think and show: the method, a module a concept. Importing it defines names and does nothing else."""

from __future__ import annotations

from typing import Any

__distribution__ = "incident-notebook-kit"

_HOME = {
    "open_case": "case",
    "align_tables": "align",
    "rebin_by_start": "align",
    "find_symptom": "symptom",
    "find_onset": "onset",
    "find_changepoints": "onset",
    "rank_signals": "signals",
    "self_time": "traces",
    "critical_path": "traces",
    "compare_traces": "traces",
    "probe_path": "path",
    "bisect": "path",
    "mine_templates": "templates",
    "compare_templates": "templates",
    "explain_difference": "difference",
    "Hypothesis": "hypothesis",
    "Prediction": "hypothesis",
    "Mechanism": "hypothesis",
    "Window": "window",
}
__all__ = sorted([*_HOME, "plots"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "Window":
        return importlib.import_module("connectors.window").Window
    if name in _HOME:
        return getattr(importlib.import_module(f"kit.{_HOME[name]}"), name)
    if name == "plots":
        return importlib.import_module("kit.plots")
    raise AttributeError(f"module 'kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
