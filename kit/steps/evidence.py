"""00: what do we have, and what can it not tell us?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from kit.case import Case
    from kit.clocks import Clocks
    from kit.coverage import Coverage


def cover(case: Case) -> Coverage:
    """00: what do we have, from when to when, and what can it not tell us?"""
    from kit.coverage import count_records, measure_coverage
    from kit.coverage_questions import field_tables
    from kit.field_coverage import field_gaps

    window, every = case.grid, case.every
    seen = []
    for source in case.sources("logs"):
        counted = case.ask("logs", lambda s=source: s.count(window, every=every, by=("service",)))
        if counted is not None and counted.table.num_rows:
            seen.append(counted.to_frame().assign(source=source.name, pillar="logs"))
    tables = {
        "metrics": case.metrics.assign(source=_first_name(case, "metrics")),
        "spans": pd.concat(case.spans_in_look, ignore_index=True),
        "changes": case.changes_in_look,
        "alerts": case.alerts,
    }
    for pillar, table in tables.items():
        name = _first_name(case, pillar)
        if name is not None and len(table):
            seen.append(count_records(table, source=name, pillar=pillar, window=window, every=every))
    columns = ["source", "pillar", "service", "time", "n"]
    found = pd.concat([s[columns] for s in seen], ignore_index=True) if seen else pd.DataFrame(columns=columns)
    coverage = measure_coverage(
        found,
        window=window,
        every=every,
        services=case.about.services,
        sources={n: s.table for n, s in case.catalog.sources.items() if s.kind != "git" and not s.history},
        wide=case.wide,
        refused=case.gaps,
        incident=case.incident if case.episode is not None else None,
    )
    more = (*_unknown_checks(case), *case.clocks.gaps, *field_gaps(field_tables(case)))
    if not case.reported_changes["time"].between(case.look.start, case.look.end).any():
        told = (
            "only what the data itself shows to have moved is known"
            if len(case.changes_in_look)
            else ("what moved before the harm cannot be told")
        )
        more = (f"no changes were reported: {told}", *more)
    return replace(coverage, gaps=(*coverage.gaps, *more), because=(*coverage.because, *more))


def _unknown_checks(case: Case) -> tuple[str, ...]:
    """What cannot be concluded for want of healthy or earlier data."""
    from kit.field_coverage import healthy_gap

    if case.episode is None:
        return ()
    return (*healthy_gap(case.baseline.seconds, case.incident.seconds), *case.baselines.because)


def _first_name(case: Case, pillar: str) -> str | None:
    return next((n for n, s in case.catalog.sources.items() if s.table == pillar and s.kind != "git"), None)


def compare_clocks(case: Case) -> Clocks:
    """00: do the clocks of the sources agree?"""
    from kit.coverage_questions import compare_source_clocks

    return compare_source_clocks(case)
