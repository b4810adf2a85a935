"""Ask every source something cheap before relying on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import ConnectorError

if TYPE_CHECKING:
    from connectors.base import Answer
    from connectors.load import Recorded
    from kit.case import Case


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One source: whether it answered, and one line about what it has or why it did not answer."""

    source: str
    table: str
    reached: bool
    says: str


def check_sources(case: Case) -> list[SourceCheck]:
    """Which sources answer, how fast, and with what? One cheap question each."""
    return [_check(case, name, spec.table) for name, spec in case.catalog.sources.items()]


def _check(case: Case, name: str, table: str) -> SourceCheck:
    source = case.source(name)
    began = time.monotonic()
    try:
        answer = _cheap(case, source, table)
    except ConnectorError as error:
        return SourceCheck(name, table, False, f"could not be asked: {error}")
    took = time.monotonic() - began
    lacks = f"; partial: {answer.fetch.partial}" if answer.fetch.partial else ""
    return SourceCheck(name, table, True, f"{_has(answer, table)} in {took * 1000:,.0f} ms{lacks}")


def _cheap(case: Case, source: Recorded, table: str) -> Answer:
    if table == "logs":
        return source.count(case.look)
    if table == "metrics":
        return source.catalogue(case.look)
    if table == "spans":
        return source.edges(case.look)
    return source.changes(case.look) if table == "changes" else source.alerts(case.look)


def _has(answer: Answer, table: str) -> str:
    if table == "logs":
        total: Any = sum(answer.table.column("n").to_pylist())
        return f"{total:,.0f} lines"
    what = {"metrics": "metrics", "spans": "call edges", "changes": "changes", "alerts": "alerts"}[table]
    return f"{answer.table.num_rows:,} {what}"
