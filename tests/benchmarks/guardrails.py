"""Rules that could be put in place, tried on every recording: what each would have spared, how often fired for nothing.

`python -m tests.benchmarks.guardrails [--walked DIR]` prints the tables of README.md. DIR holds cases walked before, a
folder a recording; what is not there is walked there (or in a temporary folder) first.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.window import Window
from kit.case import Case, open_case
from kit.guardrails import RULES, Trial
from kit.steps import try_guardrails
from tests.incidents.walking import recorded, walk_copy

Stretch = tuple[pd.DataFrame, pd.DataFrame, Window]


def walked_cases(folder: Path) -> dict[str, Case]:
    """Every recording, walked; of several cuts of one incident (without a pillar) the whole one alone."""
    cases = {}
    for slug in recorded():
        if "_without_" in slug:
            continue
        there = folder / slug / "findings.json"
        cases[slug] = open_case(folder / slug, offline=True) if there.exists() else walk_copy(slug, folder / slug)
    return cases


def healthy_stretches(cases: dict[str, Case]) -> dict[str, Stretch]:
    """The healthy part of each recording, without what another recording of the same minutes has given already."""
    taken: list[Window] = []
    found = {}
    for slug, case in cases.items():
        if case.requests is None:
            continue
        window = case.baseline if case.episode is not None else case.look
        for other in taken:
            if window.intersect(other) is not None:
                window = Window(max(window.start, other.end), window.end) if other.end < window.end else None
                if window is None:
                    break
        if window is not None and window.seconds >= 60:
            taken.append(window)
            found[slug] = (case.request_rows, case.reported_changes, window)
    return found


def row(slug: str, trials: tuple[Trial, ...]) -> str:
    """One line of the table: a cell a rule."""
    return f"| {slug} | {trials[0].hurt:,.0f} | {' | '.join(cell(t) for t in trials)} |"


def cell(trial: Trial) -> str:
    """What one rule would have done."""
    if trial.fired is None:
        return "silent"
    undone = f", {', '.join(trial.would_undo)}" if trial.would_undo else ""
    if trial.rule.after_deploy_s and not trial.right:
        known = "not what began it" if trial.right is False else "no trigger is known"
        return f"{trial.fired:%H:%M:%S}{undone} ({known}): 0"
    return f"{trial.fired:%H:%M:%S}{undone}: {trial.spared:,.0f}"


def tables(cases: dict[str, Case]) -> list[str]:
    """The table of what was spared, and the line of false firings."""
    stretches = healthy_stretches(cases)
    lines = ["| recording | hurt | " + " | ".join(r.name for r in RULES) + " |", "|---|---|" + "---|" * len(RULES)]
    false: Any = None
    for slug, case in cases.items():
        if case.episode is None or case.requests is None:
            continue
        others = [s for name, s in stretches.items() if name != slug]
        trials = try_guardrails(case, history=others).trials
        lines.append(row(slug, trials))
        false = false or trials
    minutes = sum(w.seconds for *_, w in stretches.values()) / 60
    lines += ["", f"False firings in {minutes:,.0f} healthy minutes of {len(stretches)} recordings: "
              + "; ".join(f"{t.rule.name} {t.false_firings}" for t in false or ()) + "."]  # fmt: skip
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--walked", type=Path)
    given = parser.parse_args().walked
    with tempfile.TemporaryDirectory() as made:
        print("\n".join(tables(walked_cases(given or Path(made)))))


if __name__ == "__main__":
    main()
