"""What each analysis says of itself: how it works, what it assumes, how often chance fools it, how it misleads."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

import kit

NO_ANALYSES = {
    "Hypothesis", "Link", "Mechanism", "Prediction", "Window", "align", "align_tables", "draft_postmortem", "explore",
    "extract_variable", "judge", "lint_postmortem", "open_case", "plots", "rebin_by_start", "widgets",
}  # fmt: skip
"""They hold, show, read or write; none says from samples what is so."""
FURTHER = ("kit.mix:split_rate_change", "kit.symptom:find_symptom_in_bins")


@pytest.mark.parametrize("name", [*sorted(set(kit.__all__) - NO_ANALYSES), *FURTHER])
def test_an_analysis_says_method_assumptions_false_alarms_and_how_it_misleads(name):
    module, _, inside = name.rpartition(":")
    of = getattr(import_module(module) if module else kit, inside)
    text = " ".join((inspect.getdoc(of) or "").lower().split())
    missing = [word for word in ("method", "assume", "mislead") if word not in text]
    assert not missing, f"{name} does not say: {missing}"
    assert "false alarm" in text or "false-alarm" in text or "false- alarm" in text, f"{name}: no false-alarm rate"
