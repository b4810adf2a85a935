"""The signs that tell classes of failure apart: each held, not held or unknown, with the numbers that say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import utc
from kit.golden_signals import SignalBoard, SignalReading, is_share, shown
from kit.numerics.moments import as_moment, clock

TRAFFIC_UP, TRAFFIC_DOWN = 1.4, 0.6
ATTEMPTS_UP = 1.3
POOL_FULL = 0.9
FASTER = 0.8
CLOSE_S = 120.0
"""A change lines up when it took effect no longer than this before the onset (or within its uncertainty)."""
EXPECTED = 0.3
"""Above this chance of coincidence, that a change is near says nothing."""

CERTIFICATE = re.compile(
    r"certificate (has )?expired|certificate is not yet valid|CERTIFICATE_VERIFY_FAILED|SSLCertVerification|x509"
    r"|certificate verify failed|tls.*(handshake|alert).*(expired|certificate)|notAfter",
    re.I,
)
DISK = re.compile(r"no space left|disk (is )?full|ENOSPC|could not extend file|disk quota exceeded", re.I)
POOL = re.compile(
    r"pool ?(timeout|exhausted|is full|limit)|QueuePool|too many (clients|connections)|connection slots"
    r"|(get|acquir\w+|wait\w+ for|no (free|available)) (a )?connection|connection from the pool",
    re.I,
)
_POOL_SIGNAL = re.compile(r"pool|client\.connection|db\.connection|threads?\.busy|worker.*busy")
_QUEUE_SIGNAL = re.compile(r"queue|backlog|messaging|consumer.*lag|message\.age")
_DISK_SIGNAL = re.compile(r"disk|filesystem|volume|tmpfs")
_LEAK_SIGNAL = re.compile(r"memory|heap|rss|fds?\b|file_descriptor|goroutine|handles")
_DATABASE = re.compile(r"postgres|mysql|mariadb|mongo|\bdb\b|database|sql|redis")
_DEPENDENCY_CALL = re.compile(r"(http|grpc|rpc)\.client\.(?P<peer>[\w\-]+)\.(duration|latency)")


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is so, is not so, or is not known (`held` None), in words with its numbers."""

    name: str
    held: bool | None
    says: str


def gather_signs(
    board: SignalBoard,
    *,
    symptom: Any = None,
    failures: Any = None,
    suspects: Any = None,
    differences: pd.DataFrame | None = None,
    templates: pd.DataFrame | None = None,
    cut: Any = None,
    path: pd.DataFrame | None = None,
    entry: str | None = None,
    jobs: pd.DataFrame | None = None,
) -> tuple[Sign, ...]:
    """What do the signals say, sign by sign? What was not given is unknown. For the arguments see `classify`."""
    nodes = _nodes(path)
    entry = entry or (next(iter(_outermost(path)), None) if path is not None else None)
    episode = _episode(symptom)
    found = [
        *_harm(board, symptom, episode, entry),
        *_kinds(failures, board, entry),
        *_traffic(board, episode, failures, entry),
        *_pools(board, templates),
        *_resources(board, templates, nodes),
        *_dependencies(board, nodes, cut),
        *_changes(suspects, episode, board),
        *_splits(differences),
        _certificate(templates),
        *_jobs(jobs, episode),
    ]
    return tuple(found)


# --- what users see ------------------------------------------------------------------------------------------------


def _harm(board: SignalBoard, symptom: Any, episode: Any, entry: str | None) -> list[Sign]:
    if symptom is not None:
        return _harm_of_symptom(board, symptom, episode, entry)
    mine = _entry(board, entry)
    errors = [r for r in mine if r.kind == "errors" and "client_errors" not in r.signal]
    latency = [r for r in mine if r.kind == "latency"]
    tails = [r for r in latency if r.signal.endswith(("p99", "p95", "mean", "max"))] or latency
    seen = [r for r in mine if r.arrow != "unknown"]
    return [
        _any("errors_up", errors, "up", "errors rose", "errors did not rise", "errors are not measured"),
        _any("latency_up", tails, "up", "latency rose", "latency did not rise", "latency is not measured"),
        _any(
            "latency_down",
            [r for r in latency if r.signal.endswith("p50")] or latency,
            "down",
            "latency fell",
            "latency did not fall",
            "latency is not measured",
        ),
        Sign(
            "entry_seen",
            bool(seen),
            "what users see is measured: " + "; ".join(r.text for r in seen[:3])
            if seen
            else f"{entry or 'the entry'} has no data during the incident",
        ),
    ]


def _harm_of_symptom(board: SignalBoard, symptom: Any, episode: Any, entry: str | None) -> list[Sign]:
    verdict = getattr(symptom, "verdict", "incident")
    if verdict == "cannot_tell":
        unknown = [Sign(n, None, "too few requests to say") for n in ("errors_up", "latency_up", "latency_down")]
        return [*unknown, Sign("entry_seen", False, "; ".join(symptom.because))]
    readings = [r for r in episode.readings if r.ill] if episode is not None else []
    errors = [r for r in readings if r.signal == "errors_ratio"]
    slow = [r for r in readings if r.signal in ("slow_ratio", "latency_p99_s")]
    latency = [r for r in _entry(board, entry) if r.kind == "latency" and r.signal.endswith("p50")]
    tested = getattr(symptom, "headline", "the entry hop was tested")
    return [
        Sign("errors_up", bool(errors), _ratio_text("failed requests", errors) or "failed requests did not rise"),
        Sign("latency_up", bool(slow), _ratio_text("slow requests", slow) or "requests did not become slower"),
        _any("latency_down", latency, "down", "latency fell", "latency did not fall", "latency is not measured"),
        Sign("entry_seen", True, tested),
    ]


def _kinds(failures: Any, board: SignalBoard, entry: str | None) -> list[Sign]:
    if failures is None:
        ratios = [r for r in _entry(board, entry) if r.signal.endswith("client_errors_ratio")]
        return [
            _any("client_errors_up", ratios, "up", "4xx rose", "4xx did not rise", "4xx are not told apart"),
            *(
                Sign(n, None, t)
                for n, t in (
                    ("auth_errors_up", "401 and 403 are not told apart"),
                    ("throttled", "429 are not told apart"),
                    ("latency_fixed", "durations of failures are not known"),
                    ("failures_fast", "durations of failures are not known"),
                )
            ),
        ]
    auth, client, throttled = failures.share("401/403"), failures.share("other 4xx"), failures.share("429")
    fast = (
        bool(failures.failed_s <= FASTER * failures.usual_s)
        if np.isfinite([failures.failed_s, failures.usual_s]).all()
        else None
    )
    return [
        Sign("client_errors_up", _rose(client), _share_text("other 4xx", client)),
        Sign("auth_errors_up", _rose(auth), _share_text("401 and 403", auth)),
        Sign("throttled", _rose(throttled), _share_text("429", throttled)),
        Sign(
            "latency_fixed",
            failures.fixed_s is not None,
            f"failures end at {failures.fixed_s:.3g} s, as a timeout makes them"
            if failures.fixed_s
            else "failures have no common duration",
        ),
        Sign(
            "failures_fast",
            fast,
            f"failures take {shown(failures.failed_s, 'x/duration.p50')}, successes took "
            f"{shown(failures.usual_s, 'x/duration.p50')}",
        ),
    ]


def _traffic(board: SignalBoard, episode: Any, failures: Any, entry: str | None) -> list[Sign]:
    mine = [r for r in _entry(board, entry) if r.kind == "traffic" and r.arrow != "unknown" and r.size == r.size]
    mine = [r for r in mine if "requests" in r.signal] or mine
    factor = mine[0].size if mine else None
    lost = episode is not None and any(r.ill and r.signal == "traffic_rps" for r in episode.readings)
    said = (
        f"traffic {factor:.2f} times the usual ({mine[0].signal})" if factor is not None else "traffic is not measured"
    )
    attempts = _attempts(board, failures)
    inner = [r for r in board.readings if r.kind == "traffic" and r.service != (mine[0].service if mine else None)]
    grown = [r for r in inner if r.arrow == "up" and factor is not None and r.size >= ATTEMPTS_UP * max(factor, 0.5)]
    return [
        Sign("traffic_up", None if factor is None else factor >= TRAFFIC_UP, said),
        Sign("traffic_down", True if lost else None if factor is None else factor <= TRAFFIC_DOWN, said),
        Sign("traffic_steady", None if factor is None else TRAFFIC_DOWN < factor < TRAFFIC_UP, said),
        attempts,
        Sign(
            "inner_traffic_up",
            bool(grown) if inner and factor is not None else None,
            _texts(grown) or "no inner hop gets more requests than the entry explains",
        ),
    ]


def _attempts(board: SignalBoard, failures: Any) -> Sign:
    before = now = float("nan")
    if failures is not None and np.isfinite([failures.attempts_before, failures.attempts_now]).all():
        before, now = failures.attempts_before, failures.attempts_now
    if not np.isfinite(before):
        return Sign("attempts_up", None, "attempts per request are not logged")
    return Sign("attempts_up", now >= ATTEMPTS_UP * before, f"attempts per request {before:.2f} → {now:.2f}")


# --- inside --------------------------------------------------------------------------------------------------------


def _pools(board: SignalBoard, templates: pd.DataFrame | None) -> list[Sign]:
    pools = [r for r in board.of(kind="saturation") if _POOL_SIGNAL.search(_name(r)) and "pending" not in _name(r)]
    shares = [r for r in pools if is_share(r.signal)]
    full = [r for r in shares if r.arrow == "up" and r.now >= POOL_FULL]
    waits = [r for r in board.readings if _POOL_SIGNAL.search(_name(r)) and re.search("pending|wait|timeout", _name(r))]
    said = _lines(templates, POOL)
    return [
        Sign(
            "pool_full",
            bool(full) if any(r.arrow != "unknown" for r in shares) else None,
            f"pool full: {_texts(full)}"
            if full
            else f"no pool is full: {_texts(shares)}"
            if shares
            else "no pool is measured",
        ),
        _any(
            "pool_waits",
            waits,
            "up",
            "requests wait for a connection",
            "nobody waits for a connection",
            "waiting for a connection is not measured",
        ),
        Sign(
            "pool_says",
            None if templates is None else bool(said),
            f"new lines: {said[0]}" if said else "no line speaks of the pool",
        ),
    ]


def _resources(board: SignalBoard, templates: pd.DataFrame | None, nodes: dict[str, str]) -> list[Sign]:
    saturation = board.of(kind="saturation")
    squeezed = [r for r in saturation if r.squeezed and is_share(r.signal)]
    queues = [
        r
        for r in board.readings
        if (_QUEUE_SIGNAL.search(_name(r)) or nodes.get(r.service) == "queue")
        and not _POOL_SIGNAL.search(_name(r))
        and re.search("depth|backlog|lag|age|length|size|pending", _name(r))
    ]
    disks = [r for r in saturation if _DISK_SIGNAL.search(_name(r)) and (is_share(r.signal) or "avail" in _name(r))]
    full = [
        r
        for r in disks
        if (is_share(r.signal) and r.now >= 0.97) or ("avail" in _name(r) and r.arrow == "down" and r.size <= 0.05)
    ]
    creeping = [r for r in saturation if _LEAK_SIGNAL.search(_name(r)) and "avail" not in _name(r) and _creeps(r)]
    restarts = [r for r in board.readings if re.search("restart|start_time|uptime", _name(r))]
    said = _lines(templates, DISK)
    growing = [r for r in queues if r.arrow == "up" and (r.size >= 3 or not np.isfinite(r.size))]
    return [
        Sign(
            "resource_squeezed",
            bool(squeezed) if saturation else None,
            f"squeezed: {_texts(squeezed)}"
            if squeezed
            else "no resource is squeezed"
            if saturation
            else "no resource is measured",
        ),
        Sign(
            "queue_grows",
            bool(growing) if queues else None,
            f"a queue grows: {_texts(growing)}" if growing else "no queue grows" if queues else "no queue is measured",
        ),
        Sign(
            "disk_full",
            bool(full) if disks else None,
            f"disk full: {_texts(full)}" if full else "no disk is full" if disks else "no disk is measured",
        ),
        Sign(
            "disk_says",
            None if templates is None else bool(said),
            f"new lines: {said[0]}" if said else "no line speaks of a full disk",
        ),
        Sign(
            "resource_creeps",
            bool(creeping) if any(_LEAK_SIGNAL.search(_name(r)) for r in saturation) else None,
            f"it had been filling before: {_texts(creeping)}" if creeping else "nothing fills slowly",
        ),
        _any("restarts", restarts, "up", "restarts", "no restarts", "restarts are not measured"),
    ]


def _creeps(reading: SignalReading) -> bool:
    """Had it been rising before the incident already, by most of its points, and is it high now?

    The rank correlation of the baseline's values with time, and at least half again between its ends.
    """
    values = np.array(reading.spark)
    values = values[~np.isnan(values)]
    if len(values) < 12 or reading.arrow != "up":
        return False
    early, late = values[: len(values) // 4].mean(), values[-len(values) // 4 :].mean()
    half = values[: 2 * len(values) // 3]
    ranks = np.argsort(np.argsort(half))
    rho = float(np.corrcoef(ranks, np.arange(len(half)))[0, 1]) if len(half) > 4 else 0.0
    return rho >= 0.9 and late >= 1.5 * max(early, 1e-12)


def _dependencies(board: SignalBoard, nodes: dict[str, str], cut: Any) -> list[Sign]:
    calls = [r for r in board.of(kind="latency") if _is_dependency(r, nodes)]
    slow = _tails(r for r in calls if r.arrow == "up")
    failing = [
        r
        for r in board.readings
        if r.kind in ("errors", "other") and _is_dependency(r, nodes, of="(failures|errors)") and r.arrow == "up"
    ]
    databases = [
        r
        for r in board.of(kind="latency")
        if (nodes.get(r.service) == "database" or _DATABASE.search(f"{r.service} {_name(r)}"))
    ]
    slow_database = _tails(r for r in databases if r.arrow == "up")
    measured = [r for r in calls if r.arrow != "unknown"]
    late = [r for r in slow_database if not slow or (_gain(r) > max(_gain(s) for s in slow))]
    between = str(getattr(cut, "between", "") or "")
    at = any(kind == "third_party" and name in between for name, kind in nodes.items())
    return [
        Sign(
            "dependency_slow",
            bool(slow) if measured else None,
            f"a dependency is slow: {_texts(slow)}"
            if slow
            else "no dependency became slower"
            if measured
            else "no call to a third party is measured",
        ),
        Sign(
            "dependency_errors_up",
            bool(failing) if calls or failing else None,
            f"calls to a dependency fail: {_texts(failing)}" if failing else "calls to dependencies do not fail more",
        ),
        Sign(
            "database_slow",
            bool(slow_database) if databases else None,
            f"the database is slow: {_texts(slow_database)}"
            if slow_database
            else "the database did not become slower"
            if databases
            else "the database is not measured",
        ),
        Sign(
            "database_slower",
            bool(late) if databases else None,
            f"the database is slow, more so than any dependency: {_texts(late)}"
            if late
            else "no database lost more time than a dependency",
        ),
        Sign(
            "cut_at_dependency",
            at if cut is not None and nodes else None,
            f"the break lies at {between}" if between else "the break is not located",
        ),
    ]


def _is_dependency(reading: SignalReading, nodes: dict[str, str], of: str = "(duration|latency)") -> bool:
    """Is this a call to somebody else's service: a third party of the path, or, without a path, any client call?"""
    if nodes.get(reading.service) == "third_party":
        return True
    name = _name(reading)
    peers = [n for n, kind in nodes.items() if kind == "third_party"]
    if nodes:
        return any(re.search(rf"client\.{re.escape(p.lower())}\.", name) and re.search(of, name) for p in peers)
    return bool(re.search(rf"(http|grpc|rpc)\.client\.([\w\-]+\.)?{of}", name))


def _gain(reading: SignalReading) -> float:
    return reading.now - (0.0 if np.isnan(reading.before) else reading.before)


# --- what changed, where -------------------------------------------------------------------------------------------


def _changes(suspects: Any, episode: Any, board: SignalBoard) -> list[Sign]:
    if suspects is None:
        return [Sign("change_lines_up", None, "the changes were not looked at")]
    frame = suspects.to_frame() if hasattr(suspects, "to_frame") else suspects
    onset = as_moment(episode.onset) if episode is not None else None
    onset_at = onset.latest if onset else board.incident.start
    near = []
    for row in frame.itertuples():
        if str(row.kind) not in ("deploy", "config", "flag", "schema") or row.relation == "after":
            continue
        effect = getattr(row, "effect", None)
        effect = row.time if effect is None or pd.isna(effect) else effect
        p = row.p_coincidence
        if (onset_at - utc(effect)).total_seconds() <= CLOSE_S and not (p == p and p > EXPECTED):
            near.append(row)
    if not near:
        return [Sign("change_lines_up", False, "no change took effect right before")]
    top = near[0]
    return [Sign("change_lines_up", True, f"{top.summary or top.ref} ({top.kind}, {clock(top.time)}) lines up")]


def _splits(differences: pd.DataFrame | None) -> list[Sign]:
    names = {
        "location_splits": ("zone", "host", "instance", "region", "upstream.address", "node", "pod"),
        "version_splits": ("version", "service.version"),
        "one_client": ("client", "user_agent.original", "client.version", "tenant"),
    }
    if differences is None:
        return [Sign(n, None, "failing and good requests were not compared") for n in names]
    found = []
    for name, fields in names.items():
        rows = [
            r
            for r in differences.itertuples()
            if r.sign in ("+", "more", 1) and r.depth == 1 and any(f in r.fields for f in fields) and r.explains >= 0.5
        ]
        found.append(
            Sign(
                name,
                bool(rows),
                f"{rows[0].predicate}: {rows[0].bad_share:.0%} of failing, {rows[0].good_share:.0%} of good"
                if rows
                else f"failing requests do not differ by {fields[0]}",
            )
        )
    return found


def _certificate(templates: pd.DataFrame | None) -> Sign:
    said = _lines(templates, CERTIFICATE)
    return Sign(
        "certificate_says",
        None if templates is None else bool(said),
        f"new lines: {said[0]}" if said else "no line speaks of a certificate",
    )


def _jobs(jobs: pd.DataFrame | None, episode: Any) -> list[Sign]:
    due = Sign("certificate_due", None, "no certificate's expiry is known")
    if jobs is None or episode is None:
        return [Sign("job_spans", None, "no job's run is known"), due]
    certificates = jobs[jobs["kind"].astype(str) == "certificate"]
    runs = jobs[(jobs["kind"].astype(str) == "job") & jobs["until"].notna()]
    onset, end = as_moment(episode.onset), as_moment(episode.recovered)
    slack = timedelta(seconds=30)
    spans = [
        r
        for r in runs.itertuples()
        if onset.earliest - 4 * slack <= utc(r.time) <= onset.latest
        and end is not None
        and end.earliest - slack <= utc(r.until) + slack
        and utc(r.until) <= end.latest + slack
    ]
    if len(certificates):
        at = [r for r in certificates.itertuples() if abs((utc(r.time) - onset.time).total_seconds()) <= 300]
        due = Sign("certificate_due", bool(at), at[0].summary if at else "no certificate expired then")
    return [
        Sign(
            "job_spans",
            bool(spans),
            f"{spans[0].summary} ran from {clock(spans[0].time)} to {clock(spans[0].until)}"
            if spans
            else "no job ran just as long",
        ),
        due,
    ]


# --- small ---------------------------------------------------------------------------------------------------------


def _entry(board: SignalBoard, entry: str | None) -> list[SignalReading]:
    mine = list(board.of(entry)) if entry is not None else []
    if mine:
        return mine
    requests = [r for r in board.readings if _name(r).startswith("requests.")]
    return requests or list(board.readings)


def _episode(symptom: Any) -> Any:
    if symptom is None:
        return None
    episodes = getattr(symptom, "episodes", None)
    if episodes is None:
        return symptom
    return episodes[0] if episodes else None


def _nodes(path: pd.DataFrame | None) -> dict[str, str]:
    if path is None:
        return {}
    return {str(r.callee): str(r.kind) for r in path.itertuples()}


def _outermost(path: pd.DataFrame) -> list[str]:
    callees = set(path["callee"])
    return [c for c in dict.fromkeys(path["caller"]) if c not in callees]


def _any(name: str, readings: list[SignalReading], arrow: str, yes: str, no: str, unknown: str) -> Sign:
    hits = [r for r in readings if r.arrow == arrow]
    if hits:
        return Sign(name, True, f"{yes}: {_texts(hits)}")
    known = [r for r in readings if r.arrow != "unknown"]
    return Sign(name, False, no) if known else Sign(name, None, unknown)


def _tails(readings: Iterable[SignalReading]) -> list[SignalReading]:
    """The tail where there is one, else whatever there is; each call once."""
    best: dict[str, SignalReading] = {}
    for r in readings:
        key = r.signal.rsplit(".", 1)[0]
        if key not in best or r.signal.endswith("p99"):
            best[key] = r
    return list(best.values())


def _name(reading: SignalReading) -> str:
    return reading.signal.rpartition("/")[2].lower()


def _texts(readings: Iterable[SignalReading]) -> str:
    return ", ".join(r.text for r in list(readings)[:3])


def _lines(templates: pd.DataFrame | None, pattern: re.Pattern[str]) -> list[str]:
    """Which templates that are new or more frequent speak of it?"""
    if templates is None or not len(templates):
        return []
    louder = templates["class"].astype(str).isin(["new", "changed"])
    if "ratio" in templates:
        louder &= ~(templates["ratio"] < 1)
    return [t for t in templates.loc[louder, "template"].astype(str) if pattern.search(t)]


def _rose(shares: tuple[float, float]) -> bool:
    before, now = shares
    return bool(now - before >= 0.01 and now >= 2 * before)


def _share_text(what: str, shares: tuple[float, float]) -> str:
    return f"{what}: {shares[0]:.2%} → {shares[1]:.2%} of requests"


def _ratio_text(what: str, readings: list[Any]) -> str:
    if not readings:
        return ""
    whole = next((r for r in readings if r.route is None), readings[0])
    where = f" on {whole.route}" if whole.route else ""
    if whole.signal == "latency_p99_s":
        return f"p99{where} {whole.before:.3g} s → {whole.now:.3g} s"
    return f"{what}{where} {whole.before:.2%} → {whole.now:.1%}"
