"""What a case asks its sources for, to say what they cannot tell: their fields, their clocks, an earlier day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from connectors.base import answered
from connectors.where import all_of
from connectors.window import Window
from kit import questions

if TYPE_CHECKING:
    from kit.baselines import Baselines
    from kit.case import Case
    from kit.clocks import Clocks

ROWS_COMPARED = 2_000


def field_tables(case: Case) -> dict[str, pd.DataFrame]:
    """The fields of each log source in the look, by the source's name."""
    found = {}
    for source in case.sources("logs"):
        answer = case.ask("logs", lambda s=source: s.fields(case.look))
        if answer is not None and answer.table.num_rows:
            found[source.name] = answer.to_frame()
    return found


def compare_source_clocks(case: Case) -> Clocks:
    """How far do the clocks differ: of the logs along the request path, and of the hosts that made the look's spans?

    Reads up to 2,000 rows of each request log with a trace id, from the last healthy minutes; writes nothing back.
    """
    from kit.clocks import compare_clocks

    rows: dict[str, pd.DataFrame] = {}
    path = case.path
    pairs = [] if path is None else list(zip(path["caller"].astype(str), path["callee"].astype(str), strict=True))
    for service in dict.fromkeys(name for pair in pairs for name in pair):
        found = _request_rows(case, service)
        if found is not None and len(found):
            rows[service] = found
    calls = [(a, rows[a], b, rows[b]) for a, b in pairs if a in rows and b in rows]
    return compare_clocks(calls, spans=pd.concat(case.spans_in_look, ignore_index=True))


def _request_rows(case: Case, service: str) -> pd.DataFrame | None:
    placed = case.logs_of(service)
    if placed is None:
        return None
    source, mine = placed
    names = questions.field_names(case, source)
    if not names >= {"trace_id", "duration_s"}:
        return None
    statements = "db.query.summary IS NULL" if "db.query.summary" in names else None
    where = all_of(mine, "trace_id IS NOT NULL", "duration_s IS NOT NULL", statements)
    fields = ("trace_id", "duration_s")
    answer = case.ask(
        "logs",
        lambda: answered(source.rows(case.baseline, where=where, fields=fields, order="-time", limit=ROWS_COMPARED)),
    )
    return None if answer is None else answer.to_frame()


def compare_case_baselines(case: Case) -> Baselines:
    """What users saw during the harm, just before, and at the same clock time a day and a week earlier."""
    from kit.baselines import compare_baselines, earlier_windows

    if case.requests is None or case.episode is None:
        return compare_baselines({}, {}, {})
    earlier = {}
    for name, window in earlier_windows(case.incident, zone=case.zone).items():
        earlier[name] = _figures(case, window)
    return compare_baselines(_figures(case, case.incident), _figures(case, case.baseline), earlier)


def _figures(case: Case, window: Window) -> dict[str, float]:
    requests = case.requests
    assert requests is not None
    source = requests.source
    count = case.ask("logs", lambda: source.count(window, where=requests.users))
    failed = case.ask("logs", lambda: source.count(window, where=requests.failed))
    total = float(sum(count.table.column("n").to_pylist())) if count is not None else 0.0
    if count is None or failed is None or not total:
        return {"requests": 0.0}
    tail = case.ask("logs", lambda: source.measure(window, "duration_s", stats=("n", "p99"), where=requests.users))
    p99 = tail.table.column("p99").to_pylist()[0] if tail is not None and tail.table.num_rows else None
    bad = float(sum(failed.table.column("n").to_pylist()))
    return {
        "requests": total,
        "failed share": bad / total,
        "p99 (s)": float("nan") if p99 is None else float(p99),
        "requests/s": total / max(window.seconds, 1.0),
    }
