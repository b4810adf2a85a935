"""Think and show: the method, a module a concept. Importing it defines names and does nothing else."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__distribution__ = "incident-notebook-kit"

_HOME = {
    "open_case": "case",
    "align": "align",
    "align_tables": "align",
    "rebin_by_start": "align",
    "find_symptom": "symptom",
    "find_onset": "onset",
    "find_common_onset": "common_onset",
    "find_changepoints": "onset",
    "rank_signals": "signals",
    "read_signals": "golden_signals",
    "classify": "classify",
    "rank_changes": "changes",
    "rerank_changes": "changes",
    "localize": "localize",
    "self_time": "traces",
    "critical_path": "critical_path",
    "compare_traces": "cohorts",
    "probe_path": "path",
    "bisect": "path",
    "mine_templates": "templates",
    "compare_templates": "templates",
    "extract_variable": "templates",
    "explore": "explore",
    "explain_difference": "difference",
    "explain_source_difference": "difference",
    "Hypothesis": "hypothesis",
    "Prediction": "hypothesis",
    "Mechanism": "hypothesis",
    "Link": "hypothesis",
    "judge": "board",
    "third_factor": "correlation",
    "measure_impact": "impact",
    "draft_postmortem": "postmortem",
    "lint_postmortem": "lint",
}
__all__ = sorted([*_HOME, "Window", "plots", "widgets"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "Window":
        return importlib.import_module("connectors.window").Window
    if name in _HOME:
        return getattr(importlib.import_module(f"kit.{_HOME[name]}"), name)
    if name in ("plots", "widgets"):
        return importlib.import_module(f"kit.{name}")
    raise AttributeError(f"module 'kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class _Face(ModuleType):
    """`kit.classify` is the verb, also after something imported the module of that name and bound it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
