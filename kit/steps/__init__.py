"""The walk's own calls, a file a notebook: which frames of a case each analysis is given.

The notebooks show these answers; the analysis itself takes frames and knows no case, and can be called with other
frames by anybody. Nothing here decides anything.
"""

from kit.steps.after_it import draft, measure_harm, tell_timeline, try_guardrails
from kit.steps.evidence import compare_clocks, cover
from kit.steps.golden_signals import diagnose, read_board, who_is_hurt
from kit.steps.request_path import cut_path, find_places, probe, tell_episodes
from kit.steps.stop_the_bleeding import propose
from kit.steps.the_cause import (
    associate,
    case_facts,
    describe_case,
    judge_hypotheses,
    put_up_hypotheses,
    rank_suspects_again,
    reproduce,
)
from kit.steps.the_spot import compare_lines, compare_statements, read_the_spot
from kit.steps.what_changed import compare_baselines, rank_suspects

__all__ = [
    "associate",
    "case_facts",
    "compare_baselines",
    "compare_clocks",
    "compare_lines",
    "compare_statements",
    "cover",
    "cut_path",
    "describe_case",
    "diagnose",
    "draft",
    "find_places",
    "judge_hypotheses",
    "measure_harm",
    "probe",
    "propose",
    "put_up_hypotheses",
    "rank_suspects",
    "rank_suspects_again",
    "read_board",
    "read_the_spot",
    "reproduce",
    "tell_episodes",
    "tell_timeline",
    "try_guardrails",
    "who_is_hurt",
]
