"""Ask every source something cheap before relying on it, and say what the whole of them cannot tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connectors.errors import AccessDenied, ConnectorError
from connectors.window import Window

if TYPE_CHECKING:
    from connectors.base import Answer
    from connectors.load import Recorded
    from connectors.probe import Probe
    from kit.case import Case

LAST = timedelta(minutes=15)
"""Fields are looked at in this last stretch of the look, so that the question stays cheap."""
ASIDE_S = 1.0
"""A clock further off than this, beyond what it is known to, is said to be off."""
PILLARS = {"logs": "logs", "metrics": "metrics", "spans": "traces"}
NAMED = 6
TRACES = 20
"""So many traces are looked at where a source keeps a list of its services."""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One source: whether it answered, and one line about what it has or why it did not answer.

    `took_s`: the cheap question, there and back. `clock_offset_s`: how far its clock is ahead of this one, known
    within `clock_error_s`; None for a source without a clock. `fields`: names of fields or metrics found. `denied`:
    what the credential in use may not do, in sentences. `services`: whose data it holds, as far as that was asked.
    """

    source: str
    table: str
    reached: bool
    says: str
    took_s: float | None = None
    engine: str = ""
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
    fields: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


def check_sources(case: Case) -> list[SourceCheck]:
    """Which sources answer, how fast, with what, by which clock, and with what privileges? Cheap questions each.

    A source that cannot be asked stops nothing: its line has the reason. A clock is compared by its own account, or by
    the date that its server writes on an answer (whole seconds); that it agrees now does not say that it did then.
    """
    return [_check(case, name, spec) for name, spec in case.catalog.sources.items()]


def ask_now(case: Case, name: str) -> tuple[bool, str]:
    """Does this source answer at this moment, and what does it say? Never from what is recorded, and not recorded.

    A case that may not ask (offline, or a bundle of somebody else's) says so.
    """
    spec = case.catalog.sources[name]
    if case.source(name).source is None:
        return False, "not asked: this case answers only from what is recorded"
    began = time.monotonic()
    try:
        answer = _cheap(case, case.catalog.open(name), spec.table)
    except ConnectorError as error:
        return False, str(error)
    row = SourceCheck(name, spec.table, True, "", took_s=time.monotonic() - began, engine=answer.fetch.engine)
    return True, _said(row, answer)


def pillar_gaps(case: Case, rows: Sequence[SourceCheck]) -> list[str]:
    """What can none of the sources tell, whatever is asked? A sentence each; empty when nothing is missing.

    By service of `incident.toml`: no log, no metric, no trace; then whole pillars without a source. Services are told
    from what the sources answered, so one that was silent all the time is named as well.
    """
    said = []
    for service in case.about.services:
        lacks = [
            word
            for table, word in PILLARS.items()
            if any(r.table == table and r.reached for r in rows)
            and not any(service in r.services for r in rows if r.table == table)
        ]
        if lacks:
            said.append(f"{service}: no {_listed(lacks)}")
    tables = {row.table for row in rows if row.reached}
    whole = [
        word for table, word in {**PILLARS, "changes": "changes", "alerts": "alerts"}.items() if table not in tables
    ]
    if whole:
        said.append(f"no source answers for {_listed(whole)}: add one to sources.toml if there is one")
    return said


def _check(case: Case, name: str, spec: Any) -> SourceCheck:
    source = case.source(name)
    may_ask = source.source is not None  # neither offline nor a stranger's bundle
    probe, denied = _probed(case, name) if may_ask else (None, ())
    listed = probe.services if probe is not None else ()
    began = time.monotonic()
    try:
        answer = (
            _few_traces(case, source, listed) if spec.table == "spans" and listed else _cheap(case, source, spec.table)
        )
    except ConnectorError as error:
        refused = (str(error),) if isinstance(error, AccessDenied) else ()
        return SourceCheck(name, spec.table, False, f"could not be asked: {error}", denied=refused or denied)
    row = SourceCheck(
        source=name,
        table=spec.table,
        reached=True,
        says="",
        took_s=probe.took_s if probe is not None else time.monotonic() - began,
        engine=answer.fetch.engine,
        denied=denied,
        services=tuple(sorted(listed)),
    )
    row = _with_clock(row, probe, spec) if may_ask else row
    row = _with_content(case, source, row, answer)
    said = [_said(row, answer), *getattr(source.source, "notes", ())]
    return replace(row, says="; ".join(said))


def _probed(case: Case, name: str) -> tuple[Probe | None, tuple[str, ...]]:
    """The source's own account of itself, where its kind gives one."""
    try:
        opened = case.catalog.open(name)
        probe = opened.probe() if hasattr(opened, "probe") else None
    except AccessDenied as error:
        return None, (str(error),)
    except ConnectorError:
        return None, ()  # the question itself will say so
    return probe, probe.may_not if probe is not None else ()


def _with_clock(row: SourceCheck, probe: Probe | None, spec: Any) -> SourceCheck:
    if probe is not None and probe.clock_offset_s is not None:
        return replace(row, clock_offset_s=probe.clock_offset_s, clock_error_s=probe.clock_error_s)
    url = getattr(spec, "url", None)
    if not isinstance(url, str):
        return row
    from connectors.http import Http
    from connectors.probe import clock_by_date

    try:
        offset, error = clock_by_date(Http(url, authority=getattr(spec, "authority", None), deadline_s=5.0), "")
    except ConnectorError:
        return row
    return replace(row, clock_offset_s=offset, clock_error_s=error)


def _with_content(case: Case, source: Recorded, row: SourceCheck, answer: Answer) -> SourceCheck:
    fields: list[str] = []
    services: list[str | None] = []
    try:
        if row.table == "logs":
            last = Window(max(case.look.start, case.look.end - LAST), case.look.end)
            fields = source.fields(last).table.column("name").to_pylist()
            services = source.count(case.look, by=("service",)).table.column("service").to_pylist()
        elif row.table == "metrics":
            fields = answer.table.column("metric").to_pylist()
            services = [spec.service for spec in case.catalog.signals]
        elif row.table == "spans" and row.services:
            services = list(row.services)
        elif row.table == "spans":
            services = [v for side in ("caller", "callee") for v in answer.table.column(side).to_pylist()]
        elif "service" in answer.table.column_names:
            services = answer.table.column("service").unique().to_pylist()
    except AccessDenied as error:
        return replace(row, denied=(*row.denied, str(error)))
    except ConnectorError:
        return row
    named = sorted({str(s) for s in services if s and not str(s).startswith("<")})
    return replace(row, fields=tuple(fields), services=tuple(named))


def _cheap(case: Case, source: Any, table: str) -> Answer:
    if table == "logs":
        return source.count(case.look)
    if table == "metrics":
        return source.catalogue(case.look)
    if table == "spans":
        return source.edges(case.look)
    return source.changes(case.look) if table == "changes" else source.alerts(case.look)


def _few_traces(case: Case, source: Recorded, services: Sequence[str]) -> Answer:
    """A few traces of the look's last stretch, of the first service that has any there; no window is read whole."""
    last = Window(max(case.look.start, case.look.end - LAST), case.look.end)
    first, *others = ("service = '" + name.replace("'", "''") + "'" for name in services[:NAMED])
    answer = source.traces(last, where=first, n=TRACES, order="time")
    while others and not answer.table.num_rows:
        answer = source.traces(last, where=others.pop(0), n=TRACES, order="time")
    return answer


def _said(row: SourceCheck, answer: Answer) -> str:
    parts = [f"{_has(answer, row)} in {(row.took_s or 0) * 1000:,.0f} ms"]
    if row.engine:
        parts[0] += f" ({row.engine})"
    if row.table == "logs" and row.fields:
        more = f" and {len(row.fields) - NAMED} more" if len(row.fields) > NAMED else ""
        parts.append(f"{len(row.fields)} fields: {', '.join(row.fields[:NAMED])}{more}")
    if row.clock_offset_s is not None:
        parts.append(_clock(row.clock_offset_s, row.clock_error_s or 0.0))
    parts += [f"may not: {reason}" for reason in row.denied]
    if answer.fetch.partial:
        parts.append(f"partial: {answer.fetch.partial}")
    return "; ".join(parts)


def _clock(offset: float, error: float) -> str:
    """How a clock's offset reads: no number where it cannot be told from none.

    >>> _clock(0.3, 0.5), _clock(-42.0, 0.5)
    ('clock agrees within 0.5 s', 'its clock is 42.0 s behind this one (± 0.5 s)')
    """
    if abs(offset) <= error + ASIDE_S:
        return f"clock agrees within {max(error, abs(offset)):.1g} s"
    return f"its clock is {abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this one (± {error:.1g} s)"


def _has(answer: Answer, row: SourceCheck) -> str:
    table = row.table
    if table == "logs":
        total: Any = sum(answer.table.column("n").to_pylist())
        return f"{total:,.0f} lines"
    if answer.fetch.question == "traces":
        return f"{len(row.services)} services, {answer.table.num_rows:,} spans of a few traces"
    what = {"metrics": "metrics", "spans": "call edges", "changes": "changes", "alerts": "alerts"}[table]
    return f"{answer.table.num_rows:,} {what}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
