"""What a case asks its sources for, to find the changes that nobody reported; what cannot be asked stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from connectors.base import answered
from kit import questions
from kit.derived import (
    certificates,
    dependencies,
    disks,
    jobs,
    reloads,
    restarts,
    scaling,
    statements,
    traffic,
    versions,
)
from kit.derived.rows import Row

if TYPE_CHECKING:
    from connectors.base import Answer
    from kit.case import Case

LINES_READ = 500
LOADS = ("cpu", "statements.count", "disk.read", "messaging.processed")
"""What a periodic job shows in: parts of signal names, each of which says what bursts."""


def derive_changes(case: Case) -> list[Row]:
    """All changes that the data of this case shows, reported or not, as rows; see `kit.derived_changes.join_changes`.

    Asks every log for lines of refused certificates, killed processes, configurations read anew and versions, and the
    databases' logs for statements that change a schema; the rest is read from the aligned frame.
    """
    wide, window = case.wide, case.look
    return [
        *_schemas(case),
        *_certificates(case),
        *_killed(case),
        *reloads.reloaded(_said(case, reloads.RELOAD_WORDS)),
        *_versions(case),
        *_traffic(case),
        *disks.filling_disks(wide, window=window),
        *restarts.restarted(wide, window=window),
        *scaling.scaled(wide),
        *_jobs(wide),
        *_dependencies(case),
    ]


def _schemas(case: Case) -> list[Row]:
    found: list[Row] = []
    where = " OR ".join(f"has(message, '{words}')" for words in statements.DDL_WORDS)
    for source in case.sources("logs"):
        if not _is_database(case, source.name):
            continue
        lines = _lines(case, source, where)
        if not len(lines):
            continue
        for service, part in lines.groupby(lines["service"].fillna(source.name).astype(str), sort=True):
            found += statements.schema_changes(part, service=str(service))
    return found


def _certificates(case: Case) -> list[Row]:
    """By what clients say, and by a probe's metric. (PEM files are a source of changes like any other.)"""
    refused = certificates.refused_certificates(_said(case, certificates.EXPIRED_WORDS), window=case.look)
    named = {row["service"] for row in refused}
    probed = case.metrics[case.metrics["name"].astype(str).str.contains("cert_expiry|certificate.*expiry", regex=True)]
    ends = certificates.probed_ends(probed) if len(probed) else {}
    return [*refused, *(r for r in certificates.expiring(ends, window=case.look) if r["service"] not in named)]


def _killed(case: Case) -> list[Row]:
    return restarts.killed_for_memory(_said(case, restarts.OOM_WORDS))


def _versions(case: Case) -> list[Row]:
    """From the logs that name a version; from the spans where no log does."""
    at = case.onset.latest if case.onset is not None else None
    found: list[Row] = []
    counted = False
    for source in case.sources("logs"):
        if "version" not in questions.field_names(case, source):
            continue
        counts = case.ask(
            "logs",
            lambda s=source: s.count(
                case.grid, every=case.every, by=("service", "version"), where="version IS NOT NULL"
            ),
        )
        if counts is None:
            continue
        counted = True
        case.count_as("changes", counts)
        for service, part in counts.to_frame().groupby("service", sort=True):
            found += versions.appeared(part, service=str(service), at=at)
    if counted:
        return found
    for service, part in _span_versions(case).groupby("service", sort=True):
        found += versions.appeared(part, service=str(service), at=at)
    return found


def _span_versions(case: Case) -> pd.DataFrame:
    spans = pd.concat(case.spans_in_look, ignore_index=True)
    if not len(spans) or "version" not in spans or spans["version"].isna().all():
        return pd.DataFrame({"service": [], "time": [], "version": [], "n": []})
    known = spans.loc[spans["version"].notna(), ["service", "version", "start"]].astype({"version": str})
    bins = known["start"].dt.floor(case.every)
    return known.groupby([known["service"], bins.rename("time"), "version"], observed=True).size().reset_index(name="n")


def _traffic(case: Case) -> list[Row]:
    signal = f"{case.entry}/requests.count"
    return traffic.traffic_changes(case.wide[signal], service=str(case.entry)) if signal in case.wide else []


def _jobs(wide: pd.DataFrame) -> list[Row]:
    """The signals of load that burst at a fixed distance; of several of a service the first counts."""
    found: dict[str, list[Row]] = {}
    for signal in wide.columns:
        service, _, name = str(signal).partition("/")
        service = service.split("@", 1)[0]
        load = next((w for w in LOADS if w in name), None)
        if load is not None and service not in found:
            runs = jobs.recurring_bursts(wide[signal], service=service, what=load)
            found |= {service: runs} if runs else {}
    return [row for runs in found.values() for row in runs]


def _said(case: Case, phrases: tuple[str, ...]) -> pd.DataFrame:
    """The lines of all logs but the plain request logs that hold one of these phrases."""
    where = " OR ".join(f"has(message, '{words}')" for words in phrases)
    parts = []
    for source in case.sources("logs"):
        names = questions.field_names(case, source)
        if "message" in names and ("level" in names or "http.response.status_code" not in names):
            parts.append(_lines(case, source, where))
    filled = [p for p in parts if len(p)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame({"time": [], "service": [], "message": []})


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
        lambda: answered(source.rows(case.look, where=where, fields=fields, order="time", limit=LINES_READ)),  # type: ignore[attr-defined]
    )
    if answer is None:
        return pd.DataFrame()
    case.count_as("changes", answer)
    frame = answer.to_frame()
    if "message" not in frame:
        return frame.iloc[:0]
    own = case.catalog.sources[source.name].service  # type: ignore[attr-defined]
    service = (
        frame["service"].astype(object) if "service" in frame else pd.Series(None, index=frame.index, dtype=object)
    )
    return frame.assign(service=service.where(service.notna(), own))[frame["message"].notna()]
