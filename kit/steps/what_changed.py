"""02: what moved before it did, and was it like this before?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.steps.harm import is_late

if TYPE_CHECKING:
    from kit.baselines import Baselines
    from kit.case import Case
    from kit.suspects import Suspects


def compare_baselines(case: Case) -> Baselines:
    """02: was it like this just before, and at the same clock time a day and a week earlier?"""
    from kit.coverage_questions import compare_case_baselines

    return compare_case_baselines(case)


def rank_suspects(case: Case) -> Suspects:
    """02: what moved before it did? Every change against the onset, with its base rate where there is a history."""
    from kit.changes import rank_changes

    ill = case.episode.signals[0].split("/")[0].split("@")[0] if is_late(case) else case.entry
    return rank_changes(
        case.changes, case.onset, path=case.path, symptom=ill, history=case.history, earlier=case.earlier_changes
    )  # fmt: skip
