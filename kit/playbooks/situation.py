"""What do the words of a playbook stand for in this incident? Names, signals and filters, all of them text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.checks_changes import ACTIONS, Change, change_rows
from kit.facts import Facts, Track, service_of

WORDS: Mapping[str, tuple[str, ...]] = {
    "pool": (
        r"pool.*(ratio|usage|utili[sz]ation)",
        r"connection.*(ratio|usage|utili[sz]ation)",
        r"pool.*(in_use|used|busy)",
    ),
    "cpu": (r"cpu.*(ratio|usage|utili[sz]ation)", r"cpu"),
    "memory": (r"memory.*(ratio|usage|utili[sz]ation)", r"(memory|rss|heap)"),
    "disk": (r"(disk|filesystem|volume|tmpfs).*(ratio|usage|utili[sz]ation)", r"(disk|filesystem|volume)"),
    "queue": (r"queue.*(depth|length|size|messages|ratio)", r"(queue|backlog|lag|pending)"),
    "delay": (r"(queue|job|worker|message).*(delay|age|wait|latency|duration)",),
    "attempts": (r"(attempt|retr(y|ies))",),
    "restarts": (r"(restart|start_time|uptime)",),
}
"""Kinds of signal by what their name says, the best first."""

NEEDS: Mapping[str, str] = {
    "pool": "how full {service}'s connection pool is",
    "cpu": "the CPU use of {service}",
    "memory": "the memory use of {service}",
    "disk": "how full {service}'s disk is",
    "queue": "the depth of the queue",
    "delay": "how long work waits in the queue",
    "attempts": "attempts per request",
    "squeezed": "a saturation signal of {service}",
    "callee": "which dependency {service} waits for",
    "callee_latency": "how long {service} waits for {callee}",
    "service_errors": "the error ratio of {service} itself",
    "statement": "the slow statement by name, from {callee}'s slow-query log",
    "traffic": "requests counted at {entry}",
    "independent": "two independent measurements of the harm",
    "requests_log": "a request log that names the field",
    "failed": "which requests count as failed",
}
"""What has to be collected where a placeholder cannot be filled."""

FALLBACK: Mapping[str, str] = {
    "statement": "a statement",
    "route": "the failing route",
    "callee": "its dependency",
    "service": "the failing service",
    "entry": "the entry",
    "change.ref": "an unrecorded change",
    "change.after": "the new version",
    "symptom_words": "failing and slow requests",
    "squeezed": "its scarcest resource",
    "pool": "the connection pool",
    "queue": "the queue",
    "location": "one place",
    "client": "one client",
    "traffic": "traffic",
}
"""How a sentence speaks of what is not known."""

POOL_WORDS = " OR ".join(
    f"has(message, '{w}')"
    for w in (
        "pool timeout", "PoolTimeout", "pool exhausted", "QueuePool limit", "get a connection", "acquire connection",
        "connection from the pool", "waiting for a connection", "too many clients", "remaining connection slots",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """The bindings of a playbook's placeholders, without those of a single change; a missing name is not known.

    `words` are text, numbers or lists of text. `changes` is the change log, `onset_s` the onset in epoch seconds.
    """

    words: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def with_words(self, words: Mapping[str, Any]) -> Situation:
        """The same with some names set by hand, e.g. `{"statement": "SELECT …"}`; None removes one."""
        kept = {k: v for k, v in {**self.words, **words}.items() if v is not None}
        return Situation(kept, self.changes)


def describe_situation(
    facts: Facts,
    *,
    entry: str,
    symptom: str | None = None,
    between: tuple[str, str] | str | None = None,
    path: Any = None,
    failed: str | None = None,
    requests_log: str | None = None,
    route: str | None = None,
) -> Situation:
    """What can be said of this incident in a playbook's words?

    `entry` is the outermost service; `symptom` the signal where the harm was seen (default: the entry's error ratio, or
    its p99 where errors did not rise). `between` is the cut, `("checkout", "postgres")` or "checkout → postgres"; a
    single name cuts into that service. `path` has PATH's columns. `failed` is the filter of failing requests in
    `requests_log` (default: the entry's log). What is not found is left out, and the predictions that need it say so.
    """
    keys = facts.signals()
    service, callee = _cut(between, entry)
    edges = _edges(path)
    symptom = symptom or _symptom(facts, entry)
    words: dict[str, Any] = {
        "entry": entry,
        "service": service,
        "callee": callee,
        "symptom": symptom,
        "symptom_words": _symptom_words(symptom, entry),
        "symptom_floor": 0.005 if symptom and "ratio" in symptom else 0.0,
        "traffic": _first(keys, entry, (r"requests\.count$", r"requests?.*(rate|count|delta)$")),
        "service_errors": _first(keys, service, (r"errors?.*ratio", r"errors?")),
        "service_latency": _first(keys, service, (r"duration.*p99$", r"duration|latency")),
        "callee_latency": _callee_latency(keys, edges, service, callee),
        "callee_errors": _callee_errors(keys, edges, service, callee),
        "independent": _independent(keys, edges, entry, service),
        "pool_words": POOL_WORDS,
        "loop": _first(keys, service, WORDS["attempts"]) or _first(keys, entry, WORDS["attempts"]) or "",
        "failed": failed,
        "requests_log": requests_log or (entry if failed else None),
        "route": route,
        "reach": _reach(edges, service, callee),
        "change_or_traffic": "traffic",
    }
    for name in ("pool", "cpu", "memory", "disk", "queue", "delay", "attempts", "restarts"):
        words[name] = _saturation(keys, name, service, callee)
    words["squeezed"] = words["pool"] or words["cpu"]
    if callee is not None:
        words["statement"] = grown_value(facts, callee, "db.query.summary")
    changes = change_rows(facts.changes())
    words |= _remedies(changes, facts)
    return Situation({k: v for k, v in words.items() if v is not None and v != []}, changes)


def grown_value(facts: Facts, service: str, by: str, *, where: str | None = None) -> str | None:
    """Which value of a field of this log grew most, in lines a second, from baseline to incident? None: not there.

    The value with the largest rise of its rate; `<missing>` and `<other>` are not values.
    """
    groups = facts.lines_by(service, by, where=where)
    grown = {v: _growth(t, facts) for v, t in (groups or {}).items() if not v.startswith("<")}
    best = max(grown, key=lambda v: (grown[v], v), default=None)
    return best if best is not None and grown[best] > 0 else None


def _growth(track: Track, facts: Facts) -> float:
    windows = facts.windows
    before, during = track.within(windows.baseline).mean(), track.within(windows.incident).mean()
    return float(during - before) if during == during and before == before else 0.0


def _cut(between: tuple[str, str] | str | None, entry: str) -> tuple[str, str | None]:
    if between is None:
        return entry, None
    parts = [p.strip() for p in re.split(r"→|->", between)] if isinstance(between, str) else list(between)
    return (parts[0], parts[1]) if len(parts) > 1 else (parts[0], None)


def _edges(path: Any) -> list[dict[str, Any]]:
    if path is None:
        return []
    if hasattr(path, "to_pylist"):
        return path.to_pylist()
    if hasattr(path, "to_dict"):
        return path.to_dict("records")
    return [dict(edge) for edge in path]


def _symptom(facts: Facts, entry: str) -> str | None:
    """The entry's signal that moved: errors before latency before traffic; None when it has none of them."""
    from kit.shift import Shift, shift

    candidates = [f"{entry}/requests.errors_ratio", f"{entry}/requests.duration.p99", f"{entry}/requests.count"]
    present = [c for c in candidates if facts.series(c) is not None]
    for key in present:
        moved = shift(facts.series(key), facts.windows)  # type: ignore[arg-type]
        if isinstance(moved, Shift) and (moved.low > 0 or moved.high < 0):
            return key
    return present[0] if present else None


def _symptom_words(symptom: str | None, entry: str) -> str:
    if symptom is None:
        return f"failing and slow requests at {entry}"
    if "error" in symptom:
        return f"failing requests at {service_of(symptom)}"
    if "duration" in symptom or "latency" in symptom:
        return f"slow requests at {service_of(symptom)}"
    return f"less traffic at {service_of(symptom)}"


def _first(keys: Sequence[str], service: str | None, patterns: Sequence[str]) -> str | None:
    own = [k for k in keys if service is not None and service_of(k) == service]
    for pattern in patterns:
        found = [k for k in own if re.search(pattern, k.split("/", 1)[-1], re.IGNORECASE)]
        if found:
            return _pattern(sorted(found)[0], own)
    return None


def _pattern(key: str, keys: Sequence[str]) -> str:
    """The key, or with `*` for the instance when several instances have it."""
    owner, _, name = key.partition("/")
    service = owner.split("@", 1)[0]
    alike = [k for k in keys if k.partition("/")[2] == name and k.partition("/")[0].startswith(f"{service}@")]
    return f"{service}@*/{name}" if len(alike) > 1 else key


def _saturation(keys: Sequence[str], name: str, service: str, callee: str | None) -> str | None:
    wanted = [k for k in keys if not re.search(r"(wait|timeout|limit|size|max)\b", k.rsplit(".", 1)[0])]
    for owner in (service, callee):
        found = _first(wanted, owner, WORDS[name])
        if found:
            return found
    return None


def _callee_latency(
    keys: Sequence[str], edges: Sequence[Mapping[str, Any]], service: str, callee: str | None
) -> str | None:
    return _on_edge(keys, edges, service, callee, r"(duration|latency|time)") or _first(
        keys, callee, (r"duration.*p99$", r"(duration|latency)")
    )


def _callee_errors(
    keys: Sequence[str], edges: Sequence[Mapping[str, Any]], service: str, callee: str | None
) -> str | None:
    return _on_edge(keys, edges, service, callee, r"error") or _first(keys, callee, (r"errors?.*ratio", r"errors?"))


def _on_edge(
    keys: Sequence[str], edges: Sequence[Mapping[str, Any]], service: str, callee: str | None, pattern: str
) -> str | None:
    for edge in edges:
        if edge.get("caller") == service and edge.get("callee") == callee:
            signals = [*_list(edge.get("leaves")), *_list(edge.get("arrives"))]
            for key in signals:
                if re.search(pattern, key, re.IGNORECASE) and (key in keys or "*" in key):
                    return key
    return None


def _independent(keys: Sequence[str], edges: Sequence[Mapping[str, Any]], entry: str, service: str) -> list[str] | None:
    """Measurements of the same requests by different hops: errors where two hops have them, else latency."""
    hops = list(dict.fromkeys(["client", entry, *(e["callee"] for e in edges if e.get("caller") == entry), service]))
    for patterns in ((r"errors?.*ratio",), (r"duration.*p99$",)):
        found = [k for k in (_first(keys, hop, patterns) for hop in hops) if k]
        if len(found) >= 2:
            return found
    return None


def _reach(edges: Sequence[Mapping[str, Any]], service: str, callee: str | None) -> list[str] | None:
    """What can act on the failing place: it, all it calls, and everyone who calls any of these."""
    if not edges:
        return None
    reach = {service, *([callee] if callee else [])}
    while True:
        more = {e["callee"] for e in edges if e["caller"] in reach} - reach
        if not more:
            break
        reach |= more
    return sorted(reach | {e["caller"] for e in edges if e["callee"] in reach})


def _remedies(changes: Sequence[Change], facts: Facts) -> dict[str, Any]:
    """What was tried during the harm: the first scale-out and the first restart, by id."""
    end = facts.windows.recovered.latest if facts.windows.recovered else facts.windows.incident.end
    tried = {}
    for kind in sorted(ACTIONS & {"scale", "restart"}):
        for row in changes:
            if row.kind == kind and facts.windows.onset.latest < row.time <= end and not row.reverts:
                tried[f"{kind}.id"] = row.id
                break
    return tried


def _list(value: Any) -> list[str]:
    return [] if value is None else [str(v) for v in value]
