"""05: what was said at the cornered hop?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kit import questions
from kit.steps.harm import at_the_cut

if TYPE_CHECKING:
    from kit.case import Case
    from kit.spot import Spot

LINES_READ = 50_000
STATEMENT = "db.query.summary"


def compare_lines(case: Case) -> pd.DataFrame:
    """05: which log templates are new, gone or changed since the onset? Request logs are left out: they are counted."""
    from kit.templates import compare_templates

    spoken = questions.spoken_lines(case)
    parts = [questions.lines(case, w, n=LINES_READ, where=spoken) for w in (case.baseline, case.incident)]
    rows = pd.concat([p for p in parts if len(p)], ignore_index=True) if any(len(p) for p in parts) else parts[0]
    if not len(rows):
        return pd.DataFrame(columns=["template", "class", "service", "level", "baseline_rate", "incident_rate", "id"])
    return compare_templates(rows, baseline=case.baseline, incident=case.incident)


def compare_statements(case: Case) -> pd.DataFrame:
    """05: how often did each database statement stand in a log, and how long did it take, before and during?"""
    parts = []
    for source in case.sources("logs"):
        if STATEMENT not in questions.field_names(case, source):
            continue
        before, during = (
            case.ask("logs", lambda w=w, s=source: s.measure(w, "duration_s", stats=("n", "p50"), by=(STATEMENT,)))
            for w in (case.baseline, case.incident)
        )
        if during is None:
            continue
        now = during.to_frame().rename(columns={STATEMENT: "statement", "n": "n_during", "p50": "p50_during"})
        then = before.to_frame() if before is not None else now.iloc[:0]
        then = then.rename(columns={STATEMENT: "statement", "n": "n_before", "p50": "p50_before"})
        parts.append(now.merge(then[["statement", "n_before", "p50_before"]], on="statement", how="left"))
    if not parts:
        return pd.DataFrame(columns=["statement", "n_before", "n_during", "p50_before", "p50_during"])
    table = pd.concat(parts, ignore_index=True)
    return table[~table["statement"].isin(["<missing>", "<other>"])]


def read_the_spot(case: Case) -> Spot:
    """05: what exactly was said at the cornered hop?"""
    from kit.spot import read_spot

    return read_spot(
        templates=case.templates,
        statements=compare_statements(case),
        services=at_the_cut(case),
        pillars=tuple(p for p in ("metrics", "spans", "logs") if case.sources(p)),
    )
