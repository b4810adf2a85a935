"""What a case asks its sources for, to find the changes that nobody reported; what cannot be asked stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kit import questions
from kit.derived import certificates, dependencies, statements
from kit.derived.rows import Row

if TYPE_CHECKING:
    from connectors.base import Answer
    from kit.case import Case

LINES_READ = 500


def derive_changes(case: Case) -> list[Row]:
    """All changes that the data of this case shows, reported or not, as rows; see `kit.derived_changes.join_changes`.

    Asks every log for lines of refused certificates, and the databases' logs for statements that change a schema.
    """
    return [*_schemas(case), *_certificates(case), *_dependencies(case)]


def _schemas(case: Case) -> list[Row]:
    found: list[Row] = []
    where = " OR ".join(f"has(message, '{words}')" for words in statements.DDL_WORDS)
    for source in case.sources("logs"):
        if not _is_database(case, source.name):
            continue
        lines = _lines(case, source, where)
        service = case.catalog.sources[source.name].service or source.name
        if len(lines):
            found += statements.schema_changes(lines, service=service)
    return found


def _certificates(case: Case) -> list[Row]:
    where = " OR ".join(f"has(message, '{words}')" for words in certificates.EXPIRED_WORDS)
    parts = []
    for source in case.sources("logs"):
        names = questions.field_names(case, source)
        if "message" in names and ("level" in names or "http.response.status_code" not in names):
            parts.append(_lines(case, source, where))
    filled = [p for p in parts if len(p)]
    lines = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame({"time": [], "message": []})
    return certificates.refused_certificates(lines, window=case.look)


def _dependencies(case: Case) -> list[Row]:
    if case.path is None or case.episode is None:
        return []
    calls = [
        (str(edge.callee), str(signal))
        for edge in case.path.itertuples(index=False)
        if str(edge.kind) in ("third_party", "service")
        for signal in (edge.leaves if edge.leaves is not None else ())
        if str(signal).endswith(".p99")
    ]
    return dependencies.passing_slowness(case.wide, calls, baseline=case.baseline, incident=case.incident)


def _is_database(case: Case, name: str) -> bool:
    spec = case.catalog.sources[name]
    kinds = {} if case.path is None else dict(zip(case.path["callee"], case.path["kind"], strict=True))
    return kinds.get(spec.service or name) == "database" or questions.has_statements(case, name)


def _lines(case: Case, source: object, where: str) -> pd.DataFrame:
    """The first lines that fit, in order of time, with who was called where the log says so."""
    names = questions.field_names(case, source)  # type: ignore[arg-type]
    if "message" not in names:
        return pd.DataFrame()
    fields = tuple(f for f in ("service", "message", "peer.service") if f in names)
    answer: Answer | None = case.ask(
        "logs",
        lambda: _answered(source.rows(case.look, where=where, fields=fields, order="time", limit=LINES_READ)),  # type: ignore[attr-defined]
    )
    if answer is None:
        return pd.DataFrame()
    case.derived_evidence.setdefault("changes", []).append(answer.evidence)
    frame = answer.to_frame()
    if "message" not in frame:
        return frame.iloc[:0]
    own = case.catalog.sources[source.name].service  # type: ignore[attr-defined]
    service = (
        frame["service"].astype(object) if "service" in frame else pd.Series(None, index=frame.index, dtype=object)
    )
    return frame.assign(service=service.where(service.notna(), own))[frame["message"].notna()]


def _answered(rows: object) -> Answer:
    return rows.answer() if hasattr(rows, "answer") else rows  # type: ignore[return-value]
