"""What each analysis says of itself: how it works, what it assumes, how often chance fools it, how it misleads."""

from __future__ import annotations

import inspect

import pytest

import kit

ANALYSES = (
    "find_onset",
    "find_common_onset",
    "find_changepoints",
    "rank_signals",
    "localize",
    "self_time",
    "critical_path",
    "compare_traces",
    "mine_templates",
    "compare_templates",
    "explain_difference",
    "third_factor",
)


@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis_says_method_assumptions_false_alarms_and_how_it_misleads(name):
    text = " ".join((inspect.getdoc(getattr(kit, name)) or "").lower().split())
    missing = [word for word in ("method", "assume", "mislead") if word not in text]
    assert not missing, f"kit.{name} does not say: {missing}"
    assert "false alarm" in text or "false-alarm" in text or "false- alarm" in text, f"kit.{name}: no false-alarm rate"
