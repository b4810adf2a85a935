"""What do the words of a playbook stand for in this incident? Names, signals and filters, all of them text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import ConnectorError
from kit.checks.change_log import Change, change_rows
from kit.checks.facts import Facts, service_of, tracks
from kit.derived.statements import scanned_tables
from kit.errors import KitError
from kit.playbooks.discover import CLIENT_FIELDS, LOCATION_FIELDS, REFUSED, grown_value, standing_out, values_seen
from kit.playbooks.measured import (
    busiest,
    first_signal,
    fullest_disk,
    signal_of_kind,
    waits_for,
    who_says,
)
from kit.playbooks.words import PHRASES, SIGNALS


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
    slow_s: float | None = None,
) -> Situation:
    """What can be said of this incident in a playbook's words?

    `entry` is the outermost service; `symptom` the signal where the harm was seen (default: the entry's error ratio, or
    its p99 where errors did not rise). `between` is the cut, `("checkout", "postgres")` or "checkout → postgres"; a
    single name cuts into that service. `path` has PATH's columns. `failed` is the filter of failing requests in
    `requests_log` (default: the entry's log). `slow_s`: where requests were hurt
    by being slow beside the failed ones, from so many seconds on. What is not
    found is left out, and the predictions that need it say so.
    """
    keys = facts.signals()
    service, callee = _cut(between, entry)
    edges = _edges(path)
    kinds = {e["callee"]: e.get("kind") for e in edges}
    ill = callee if callee is not None and kinds.get(callee, "service") in ("service", "worker") else service
    symptom = symptom or _symptom(facts, entry)
    log = requests_log or entry
    logged = log if facts.lines(log) is not None else None
    words: dict[str, Any] = {
        "entry": entry,
        "service": service,
        "callee": callee,
        "ill": ill,
        "symptom": symptom,
        "symptom_words": _symptom_words(symptom, entry, slow_too=slow_s is not None),
        "slow_where": f"duration_s > {slow_s:g}" if slow_s is not None and logged is not None else None,
        "symptom_floor": 0.005 if symptom and "ratio" in symptom else 0.0,
        "traffic": first_signal(keys, entry, (r"requests\.count$", r"requests?.*(rate|count|delta)$")),
        "entry_errors": first_signal(keys, entry, (r"errors?.*ratio",)),
        "entry_median": first_signal(keys, entry, (r"requests\.duration\.p50$", r"duration.*p50$")),
        "outside_errors": first_signal(keys, "client", (r"errors?.*ratio",)) if entry != "client" else None,
        "ill_errors": first_signal(keys, ill, (r"errors?.*ratio", r"errors?")),
        "service_latency": first_signal(
            keys,
            service,
            # the log's own durations are exact, those of a histogram only to its buckets
            (r"^requests\.duration\.p99$", r"(server|requests).*duration.*p99$", r"duration.*p99$", r"latency"),
        ),
        "callee_latency": _callee_signal(keys, edges, service, callee, (r"duration.*p99$", r"(duration|latency|time)")),
        "callee_errors": _callee_signal(keys, edges, service, callee, (r"errors?.*ratio", r"errors?")),
        "independent": _independent(keys, edges, entry, service, symptom),
        "failed": failed,
        "requests_log": logged,
        "route": route,
        "reach": _reach(edges, service, callee, callers=False),
        "reach_callers": _reach(edges, service, callee, callers=True),
        "change_or_traffic": "traffic",
        "hurts": "fails" if symptom is None or "error" in symptom else "is slow",
        "hurt": "fail" if symptom is None or "error" in symptom else "are slow",
        **PHRASES,
    }
    for name in SIGNALS:
        words[name] = signal_of_kind(facts, name, entry, service, callee)
    cannot_write = who_says(facts, (ill, service, callee, log), PHRASES["disk_words"])
    words["disk"] = fullest_disk(facts, told=cannot_write is not None)
    words |= waits_for(facts, service, callee, words)
    words["full_says"] = who_says(facts, (ill,), PHRASES["full_words"])
    words["attempts"] = words["attempts"] or _attempts(facts, log)
    words["loop"] = words["attempts"] or ""
    words["squeezed"] = words["pool"] or words["cpu"]
    words["cpu"] = busiest(facts) or words["cpu"]
    words["cpu_owner"] = service_of(words["cpu"]) if words["cpu"] else None
    words["disk_owner"] = cannot_write or (service_of(words["disk"]) if words["disk"] else None)
    words["disk_reach"] = sorted({words["disk_owner"], service_of(words["disk"])}) if words["disk"] else None
    words["memory"] = first_signal(keys, ill, SIGNALS["memory"]) or words["memory"]
    words |= _stand_outs(facts, words, log)
    changes = change_rows(facts.changes())
    words |= _remedies(changes, facts)
    return Situation({k: v for k, v in words.items() if v is not None and v != []}, changes)


def _stand_outs(facts: Facts, words: Mapping[str, Any], log: str) -> dict[str, Any]:
    """What the logs themselves name: the statement that grew, the client that is refused, the place that fails."""
    found: dict[str, Any] = {}
    ill, callee, failed = words["ill"], words["callee"], words["failed"]
    logs = tuple(dict.fromkeys((ill, log)))
    if callee is not None:
        found["statement"] = grown_value(facts, callee, "db.query.summary")
        table = _scanned(facts, callee)
        found["scanned_words"] = f" ({table} are read without an index)" if table else None
    place = standing_out(facts, logs, LOCATION_FIELDS, where=failed)
    if place is not None:
        found |= dict(zip(("location_log", "location_field", "location"), place, strict=True))
    client = standing_out(facts, tuple(dict.fromkeys((log, ill))), CLIENT_FIELDS, where=REFUSED)
    if client is not None:
        found |= dict(zip(("client_log", "client_field", "client"), client, strict=True))
    for name in logs:
        versions = values_seen(facts, name, "version")
        if failed is not None and len(versions) > 1:
            return found | {"split_log": name, "versions": versions}
    return found


def _scanned(facts: Facts, callee: str) -> str | None:
    """Which table do the plans in the database's log read row by row far more often than before? None: not said."""
    plan = grown_value(facts, callee, "postgresql.plan", where="has(postgresql.plan, 'Seq Scan')")
    tables = scanned_tables([plan]) if plan is not None else ()
    return tables[0] if tables else None


def _attempts(facts: Facts, log: str) -> str | None:
    """Attempts as a column of the request log, where no signal counts them."""
    key = f"{log}/lines[attempts > 0].attempts.mean"
    try:
        return key if any(t.values.notna().any() for t in tracks(facts, key)) else None
    except (ConnectorError, KitError):
        return None


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
    from kit.numerics.shift import Shift, shift

    candidates = [f"{entry}/requests.errors_ratio", f"{entry}/requests.duration.p99", f"{entry}/requests.count"]
    present = [c for c in candidates if facts.series(c) is not None]
    for key in present:
        moved = shift(facts.series(key), facts.windows)  # type: ignore[arg-type]
        if isinstance(moved, Shift) and (moved.low > 0 or moved.high < 0):
            return key
    return present[0] if present else None


def _symptom_words(symptom: str | None, entry: str, *, slow_too: bool = False) -> str:
    if symptom is None or ("error" in symptom and slow_too):
        return f"failing and slow requests at {entry}"
    if "error" in symptom:
        return f"failing requests at {service_of(symptom)}"
    if ".age" in symptom or "lag" in symptom or "depth" in symptom:
        return f"late work at {service_of(symptom)}"
    if "duration" in symptom or "latency" in symptom:
        return f"slow requests at {service_of(symptom)}"
    if "requests" in symptom or "traffic" in symptom:
        return f"less traffic at {service_of(symptom)}"
    return f"late work at {service_of(symptom)}"


def _callee_signal(
    keys: Sequence[str],
    edges: Sequence[Mapping[str, Any]],
    service: str,
    callee: str | None,
    patterns: Sequence[str],
) -> str | None:
    """As the caller measures it on the edge; else as the callee does."""
    return _on_edge(keys, edges, service, callee, patterns) or first_signal(keys, callee, patterns)


def _on_edge(
    keys: Sequence[str],
    edges: Sequence[Mapping[str, Any]],
    service: str,
    callee: str | None,
    patterns: Sequence[str],
) -> str | None:
    for edge in edges:
        if edge.get("caller") == service and edge.get("callee") == callee:
            signals = [*_list(edge.get("leaves")), *_list(edge.get("arrives"))]
            known = [k for k in signals if k in keys]
            for pattern in patterns:
                found = next((k for k in known if re.search(pattern, k.split("/", 1)[-1], re.IGNORECASE)), None)
                if found:
                    return found
    return None


def _independent(
    keys: Sequence[str], edges: Sequence[Mapping[str, Any]], entry: str, service: str, symptom: str | None
) -> list[str] | None:
    """Measurements of the same requests by different hops, of the symptom's own kind."""
    called = [e["callee"] for e in edges if e.get("caller") == entry]
    hops = list(dict.fromkeys(["client", entry, *called, service]))
    errors = symptom is None or "error" in symptom
    patterns = (r"errors?.*ratio",) if errors else (r"(server|requests).*duration.*p99$", r"duration.*p99$")
    found = [k for k in (first_signal(keys, hop, patterns) for hop in hops) if k]
    return found if len(found) >= 2 else None


def _reach(edges: Sequence[Mapping[str, Any]], service: str, callee: str | None, *, callers: bool) -> list[str] | None:
    """What can act on the failing place: both sides of the cut, all they call, and who else calls the ill one.

    With `callers` everyone who calls any of these, too: by what they send.
    """
    if not edges:
        return None
    reach = {service, *([callee] if callee else [])}
    # who takes work from a queue later does not act on who put it there
    waited_for = [e for e in edges if e.get("mode") != "async"]
    while more := {e["callee"] for e in waited_for if e["caller"] in reach} - reach:
        reach |= more
    beside = reach if callers else {callee or service}
    return sorted(reach | {e["caller"] for e in edges if e["callee"] in beside})


def _remedies(changes: Sequence[Change], facts: Facts) -> dict[str, Any]:
    """What was tried during the harm, by id: the first scale-out, and the last action of any kind before it ended."""
    windows = facts.windows
    end = windows.recovered.latest if windows.recovered else windows.incident.end
    actions = [r for r in changes if r.is_action and windows.onset.latest < r.time <= end]
    scaled = next((r for r in actions if r.kind == "scale" and not r.reverts), None)
    tried = {"scale.id": scaled.id} if scaled is not None else {}
    return {**tried, "remedy.id": actions[-1].id} if actions else tried


def _list(value: Any) -> list[str]:
    return [] if value is None else [str(v) for v in value]
