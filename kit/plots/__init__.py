"""Charts of the walk. Each takes frames, never a case; each title is a finding; each carries its table."""

from __future__ import annotations

from typing import Any

_HOME = {
    "Chart": "chart", "incident_strip": "strip", "latency_by_hop": "hops", "who_is_hurt": "who",
    "signal_board": "board", "timeline_lanes": "lanes", "hypothesis_matrix": "matrix", "mechanism_chain": "matrix",
    "coverage_strips": "strips", "template_changes": "said",
}  # fmt: skip
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"kit.plots.{_HOME[name]}"), name)
    raise AttributeError(f"module 'kit.plots' has no attribute {name!r}")
