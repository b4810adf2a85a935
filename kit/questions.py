"""The standing questions of the walk: which answers a case asks its sources for, and which frames they become.

Only small answers travel: counts, quantiles, exemplars. Raw rows are asked for the few bins around a candidate onset
and for the lines that a finding cites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from connectors.base import Answer, answered
from connectors.schema import TABLES
from connectors.where import all_of
from connectors.window import Window

if TYPE_CHECKING:
    from connectors.load import Recorded
    from kit.case import Case

FAILED = "http.response.status_code >= 500 OR http.response.status_code = 0"
"""How a request failed at a hop that `signals.toml` says nothing about."""

REQUEST_FIELDS = (
    "route", "http.request.method", "http.response.status_code", "duration_s", "upstream.duration_s", "upstream.status",
    "upstream.address", "attempts", "error.type", "trace_id", "region", "zone", "tenant", "client", "version",
    "instance",
)  # fmt: skip
TRACES_READ = 5_000
ROWS_AT_ONCE = 200_000


def but_not(condition: str | None) -> str | None:
    """The filter for everything else; None where there was no condition."""
    return f"NOT ({condition})" if condition else None


def field_names(case: Case, source: Recorded, *, where: str | None = None) -> frozenset[str]:
    """Which fields do the lines of this source (those that fit the filter) have in the look?"""
    answer = case.ask("logs", lambda: source.fields(case.look, where=where))
    return frozenset() if answer is None else frozenset(answer.table.column("name").to_pylist())


def has_statements(case: Case, name: str) -> bool:
    """Does this log name database statements?"""
    return "db.query.summary" in field_names(case, case.source(name))


def metrics(case: Case) -> pd.DataFrame:
    """METRICS of all sources over the look, as `signals.toml` reads them; empty when there are none."""
    signals = tuple(case.catalog.signals)
    window = case.grid
    sources = case.sources("metrics") if signals else []
    return _joined(
        (case.ask("metrics", lambda s=s: s.metrics(window, signals=signals, every=case.every)) for s in sources),
        "METRICS",
    )


def changes(case: Case, *, history_days: int) -> pd.DataFrame:
    """CHANGES of all sources, ordered by time, with so many days before the look for the base rate.

    A commit changes nothing before it is deployed: where another source says what was deployed when, commits are left
    out here and serve as the content of those changes (`commits`).
    """
    sources = [s for s in case.sources("changes") if not (_is_repository(case, s) or _is_history(case, s))]
    reported = _changes_of(case, sources, history_days)
    return reported if len(reported) else commits(case, history_days=history_days)


def earlier_changes(case: Case, *, history_days: int) -> pd.DataFrame:
    """CHANGES before the look, of the sources that are there for the base rate alone."""
    found = _changes_of(case, [s for s in case.sources("changes") if _is_history(case, s)], history_days)
    return found[found["time"] < case.look.start].reset_index(drop=True)


def commits(case: Case, *, history_days: int) -> pd.DataFrame:
    """CHANGES read from repositories: tags and commits, by the time they were made."""
    return _changes_of(case, [s for s in case.sources("changes") if _is_repository(case, s)], history_days)


def _changes_of(case: Case, sources: list[Recorded], history_days: int) -> pd.DataFrame:
    window = case.look.widen(before_s=history_days * 86400)
    found = _joined((case.ask("changes", lambda s=s: s.changes(window)) for s in sources), "CHANGES")
    told_twice = found["ref"].notna() & found.duplicated(["time", "kind", "service", "ref"])  # by two logs, of two ids
    found = found[~told_twice].drop_duplicates("id")
    return found.sort_values("time", kind="stable").reset_index(drop=True)


def _is_history(case: Case, source: Recorded) -> bool:
    return case.catalog.sources[source.name].history


def _is_repository(case: Case, source: Recorded) -> bool:
    return case.catalog.sources[source.name].kind == "git"


def alerts(case: Case) -> pd.DataFrame:
    """ALERTS of all sources, ordered by time."""
    found = _joined((case.ask("alerts", lambda s=s: s.alerts(case.look)) for s in case.sources("alerts")), "ALERTS")
    return found.sort_values("time", kind="stable").reset_index(drop=True)


def spans(case: Case, window: Window) -> pd.DataFrame:
    """SPANS of up to 5,000 traces of this window, whole traces only; empty when there are none."""
    return _joined(
        (case.ask("spans", lambda s=s: s.traces(window, n=TRACES_READ, order="time")) for s in case.sources("spans")),
        "SPANS",
    )


def derived_signals(case: Case, *, where: str | None = None) -> pd.DataFrame:
    """The signals that are counted in logs: requests, errors, tails and log levels of every service, on the grid.

    With `where`, a filter by route, only of the requests that it keeps, from the logs that name routes.
    """
    from kit.align import signals_from_answers

    parts: dict[str, list[Answer | None]] = {
        "counts": [], "failures": [], "durations": [], "upstream": [], "levels": [], "statements": [], "slow": [],
    }  # fmt: skip
    window, every = case.grid, case.every
    for source in case.sources("logs"):
        names = field_names(case, source)
        if where is not None and "route" not in names:
            continue
        if "level" in names and where is None:
            parts["levels"].append(
                case.ask("logs", lambda s=source: s.count(window, every=every, by=("service", "level")))
            )
        if "duration_s" not in names:
            continue
        if "http.response.status_code" in names:
            for users, failed in _requests_of(case, source, names):
                user = all_of(users, where)
                parts["counts"].append(
                    case.ask("logs", lambda s=source, u=user: s.count(window, every=every, by=("service",), where=u))
                )
                bad = all_of(user, failed)
                parts["failures"].append(
                    case.ask("logs", lambda s=source, b=bad: s.count(window, every=every, by=("service",), where=b))
                )
                parts["durations"].append(_durations(case, source, "duration_s", user))
                if "upstream.duration_s" in names:
                    parts["upstream"].append(_durations(case, source, "upstream.duration_s", user))
        if "db.query.summary" in names and where is None:
            parts["statements"].append(_durations(case, source, "duration_s", "db.query.summary IS NOT NULL"))
    _remember(case, parts)
    wide = signals_from_answers(
        window=window, every=every,
        **{name: _table(parts[name]) for name in ("counts", "failures", "durations", "upstream", "levels")},
    )  # fmt: skip
    statements = _table(parts["statements"])
    if statements is None:
        return wide
    slow = signals_from_answers(window=window, every=every, counts=statements, durations=statements)
    return wide.join(slow.rename(columns=lambda c: c.replace("/requests.", "/statements.")))


def wide(case: Case) -> pd.DataFrame:
    """The aligned frame: metrics and derived signals on one grid, NaN where there is no data."""
    from kit.align import align_tables

    measured = align_tables(_whole_or_none(case.metrics), window=case.grid, every=case.every)
    derived = derived_signals(case)
    return measured.join(derived[[c for c in derived.columns if c not in measured.columns]])


def request_rows(case: Case, window: Window, *, where: str | None = None) -> pd.DataFrame:
    """User requests of the outermost hop, a row each with `failed`; probes left out, at most 200,000."""
    requests = case.requests
    if requests is None:
        return pd.DataFrame()
    rows = requests.source.rows(window, where=all_of(requests.users, where), fields=requests.fields, limit=ROWS_AT_ONCE)
    return requests.judged(answered(rows).to_frame())


def request_logs(case: Case) -> list[tuple[Recorded, str | None, tuple[str, ...]]]:
    """The logs whose rows are requests, from the entry along the path: with the filter of users', and the fields to
    compare them by."""
    path = case.path
    order = [case.entry] if case.entry else []
    if path is not None:
        order += [name for pair in zip(path["caller"], path["callee"], strict=True) for name in pair]
    found = []
    for service in dict.fromkeys(order):
        placed = case.logs_of(service)
        names = field_names(case, placed[0]) if placed is not None else frozenset()
        if placed is None or "http.response.status_code" not in names or "duration_s" not in names:
            continue
        source, mine = placed
        users = all_of(mine, _user_requests(case, source, names), _present(names))
        fields = tuple(f for f in ("region", "client", "tenant", "route", "zone", "version") if f in names)
        found.append((source, users, fields))
    return found


def lines(case: Case, window: Window, *, n: int, where: Mapping[str, str | None]) -> pd.DataFrame:
    """A uniform sample of up to `n` lines of each log source that `where` names with its filter, LOGS with weights."""
    return _joined(
        (
            case.ask("logs", lambda s=s: s.sample(window, n, where=all_of("message IS NOT NULL", where[s.name])))
            for s in case.sources("logs")
            if s.name in where
        ),
        "LOGS",
    )


def spoken_lines(case: Case) -> dict[str, str | None]:
    """The log sources whose lines say more than that a request was answered, each with the filter of those lines.

    The log of the users' requests and access logs (lines without a level) are counted, not read; in a source that many
    services share, only such lines are left out.
    """
    found: dict[str, str | None] = {}
    for source in case.sources("logs"):
        names = field_names(case, source)
        answered_only = "http.response.status_code" in names
        if _shares(case, source) and case.requests is not None:
            access = "http.response.status_code IS NOT NULL" + (" AND level IS NULL" if "level" in names else "")
            found[source.name] = all_of(but_not(case.requests.spec.where), but_not(access if answered_only else None))
        elif not (answered_only and "level" not in names) and (
            case.requests is None or source.name != case.requests.source.name
        ):
            found[source.name] = None
    return found


def _shares(case: Case, source: Recorded) -> bool:
    """Do the users' requests stand in this source beside lines of other services?"""
    requests = case.requests
    return (
        requests is not None
        and source.name == requests.source.name
        and requests.spec.where == f"service = '{requests.service}'"
        and case.catalog.sources[source.name].service is None
    )


def _requests_of(case: Case, source: Recorded, names: frozenset[str]) -> list[tuple[str | None, str]]:
    """The filters of a source's requests without probes, and of those that failed: the users' apart where shared."""
    parts = [(all_of(_user_requests(case, source, names), _present(names)), failed_at(case, source, names))]
    if _shares(case, source):
        assert case.requests is not None
        parts.append(
            (
                all_of(but_not(case.requests.spec.where), _no_probes(names), _present(names)),
                failed_at(case, source, names),
            )
        )
    return parts


def _remember(case: Case, parts: Mapping[str, list[Answer | None]]) -> None:
    for answer in (a for answers in parts.values() for a in answers if a is not None):
        for service in set(answer.table.column("service").to_pylist()):
            ids = case.derived_evidence.setdefault(str(service), [])
            if answer.evidence not in ids:
                ids.append(answer.evidence)


def _user_requests(case: Case, source: Recorded, names: frozenset[str]) -> str | None:
    requests = case.requests
    if requests is not None and source.name == requests.source.name:
        return requests.users
    return _no_probes(names)


def _no_probes(names: frozenset[str]) -> str | None:
    probes = [
        "url.path IN ('/healthz', '/health', '/ready', '/readyz', '/livez', '/metrics', '/nginx_status')"
        if "url.path" in names
        else "",
        "has(user_agent.original, 'kube-probe')" if "user_agent.original" in names else "",
    ]
    return but_not(" OR ".join(p for p in probes if p) or None)


def failed_at(case: Case, source: Recorded, names: frozenset[str]) -> str:
    """How a request failed at this hop: as `signals.toml` says it of users' requests, in the fields that the hop has.

    Where a refusal is harm to users it is harm at every hop; where the hop has none of those fields, the usual.
    """
    from connectors.where_fold import fold_missing

    requests = case.requests
    if requests is None:
        return FAILED
    if source.name == requests.source.name:
        return requests.fails
    said = fold_missing(requests.spec.failed, names)
    return said if isinstance(said, str) else FAILED


def _present(names: frozenset[str]) -> str:
    statements = " AND db.query.summary IS NULL" if "db.query.summary" in names else ""
    return f"duration_s IS NOT NULL{statements}"


def _durations(case: Case, source: Recorded, field: str, where: str | None) -> Answer | None:
    return case.ask(
        "logs",
        lambda: source.measure(
            case.grid, field, stats=("n", "p50", "p99"), every=case.every, by=("service",), where=where
        ),
    )


def _table(answers: Iterable[Answer | None]) -> pd.DataFrame | None:
    frames = [a.to_frame() for a in answers if a is not None and a.table.num_rows]
    return pd.concat(frames, ignore_index=True) if frames else None


def _joined(answers: Iterable[Answer | None], table: str) -> pd.DataFrame:
    frames = [a.to_frame() for a in answers if a is not None]
    filled = [f for f in frames if len(f)]
    if not filled:
        return frames[0] if frames else TABLES[table].empty_table().to_pandas()
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]


def _whole_or_none(frame: pd.DataFrame) -> pd.DataFrame | None:
    return frame if len(frame) else None
