"""Which service is at fault? One ranking from whatever pillars there are, each rank with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window
from kit.clues.clue import Clue, strongest, workload
from kit.clues.logs import log_clues
from kit.clues.metrics import metric_clues
from kit.clues.traces import trace_clues
from kit.health import kind_of
from kit.path import path_edges

WEIGHTS = {
    "saturation": 1.0,
    "errors": 1.0,
    "latency": 1.0,
    "self time": 1.0,
    "calls": 1.0,
    "flow": 1.5,
    "lines": 0.5,
    "traffic": 0.3,
    "other": 0.2,
}
"""How much each kind of clue says. Traffic moves below every fault, so it says least."""
TRACED = 0.4
"""What is left of a metric's latency clue where spans are given: they measure the same, call by call."""
OTHER_SYMPTOM = 0.3
"""What is left of latency where the symptom is errors, and of errors where it is latency."""
TRANSPARENT, SEEN_THROUGH = ("lb", "cdn", "client"), 0.4
"""Kinds of node that show what is behind them, and what is left of their latency and errors."""
PASSED_ON = ("latency", "errors")
"""Kinds that reach a caller from its callee: there, only what no callee explains counts in full."""
UNREACHED = 0.5
"""What is left of the clues of a service that the symptom's service does not call, directly or not."""


def localize(
    *,
    symptom: str | None = None,
    metrics: Any = None,
    spans: Any = None,
    logs: Any = None,
    path: Any = None,
    baseline: Window,
    incident: Window,
) -> pd.DataFrame:
    """Which services are most suspect?

    `metrics` (METRICS or a wide frame), `spans`, `logs` (or a log source), `path` (PATH): any of them, pandas or
    pyarrow. `symptom` is the signal or the service where the harm was seen; None: the outermost node of the path.
    Baseline rows that lie in the incident are left out. Pods fold to their workload.

    A row per service, the most suspect first: `service`, `score` (0 and up; only its order and rough size mean
    anything, and it is no probability) and `because`, the clues behind it. Equal scores are equal suspicion.

    Method: each pillar gives clues (`kit.clues.metrics`, `kit.clues.traces`, `kit.clues.logs`); of each kind a
    service's strongest counts. Assumes that the windows are right within a few bins and that a fault shows more at its
    origin than it does further on. Latency and errors count only as far as no callee has as much of them: *elevated
    with no elevated dependency* is what points. A service that the symptom does not depend on counts half.

    It misleads when the faulty service is not measured at all (its callers then lead), when a fault sits in something
    shared that no table names (a host, a network), and over a baseline that was ill in the same way. It always ranks:
    whether anything is wrong is for `read_signals` to say, so there is no false-alarm rate. Measured on 60 real faults
    of three systems: the true service first in 78 %, among the first three in 92 %; with the kit's own date in place of
    the true one six points less (tests/benchmarks/README.md).

    >>> import pandas as pd
    >>> from connectors.window import Window
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=30, freq="1min", name="time")
    >>> wide = pd.DataFrame({"web/requests.duration.p99": [0.2] * 20 + [2.0] * 10,
    ...     "db/query.duration.p99": [0.1] * 20 + [1.9] * 10, "mail/send.duration.p99": [0.1] * 30}, index=times)
    >>> path = pd.DataFrame({"caller": ["web", "web"], "callee": ["db", "mail"]})
    >>> ranked = localize(metrics=wide, path=path, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:20Z"),
    ...     incident=Window.of("2026-03-01T02:20Z", "2026-03-01T02:30Z"))
    >>> ranked["service"].tolist()
    ['db', 'web']
    """
    found = gather(metrics=metrics, spans=spans, logs=logs, path=path, baseline=baseline, incident=incident)
    return rank(found.clues, found.edges, symptom=symptom, kinds=found.kinds, traced=found.traced)


@dataclass(frozen=True)
class Gathered:
    """What the pillars say: clues, who calls whom, what each node is (PATH's kind), and whether spans were given."""

    clues: tuple[Clue, ...]
    edges: frozenset[tuple[str, str]]
    kinds: Mapping[str, str]
    traced: bool


def gather(
    *, metrics: Any = None, spans: Any = None, logs: Any = None, path: Any = None, baseline: Window, incident: Window
) -> Gathered:
    """Which clues and calls do these pillars show? What `localize` ranks by; same arguments."""
    if metrics is None and spans is None and logs is None:
        raise BadInput("There is nothing to localize from: give metrics, spans or logs.")
    rows = path_edges(path) if path is not None else []
    edges = {(workload(e["caller"]), workload(e["callee"])) for e in rows}
    kinds = {workload(e["callee"]): e["kind"] for e in rows}
    clues: list[Clue] = []
    if metrics is not None:
        clues += metric_clues(metrics, baseline=baseline, incident=incident, path=rows)
    if spans is not None:
        found, called = trace_clues(spans, baseline=baseline, incident=incident)
        clues += found
        edges |= set(called)
    if logs is not None:
        clues += log_clues(logs, baseline=baseline, incident=incident)
    return Gathered(tuple(clues), frozenset(edges), kinds, spans is not None)


def rank(
    clues: Sequence[Clue],
    edges: Set[tuple[str, str]],
    *,
    symptom: str | None = None,
    kinds: Mapping[str, str] | None = None,
    traced: bool = False,
) -> pd.DataFrame:
    """The ranking that these clues and call edges give; see `localize`. `kinds`: what each node is (PATH's kind)."""
    kinds = kinds or {}
    harm = kind_of(symptom) if symptom and "/" in symptom else None
    callees: dict[str, list[str]] = {}
    for caller, callee in sorted(edges):
        callees.setdefault(caller, []).append(callee)
    best = strongest(clues)
    beside = _fronted(callees)
    reach = _reached(callees, _start(edges, symptom))
    rows = []
    for service in sorted({c.service for c in best.values()}):
        parts = []
        for kind, weight in WEIGHTS.items():
            if (clue := best.get((service, kind))) is None:
                continue
            below = callees.get(service, []) or beside.get(service, [])
            left = 1.0 - _explained(clue, below, clues) if kind in PASSED_ON else 1.0
            if kind in PASSED_ON:
                weight *= OTHER_SYMPTOM if harm in PASSED_ON and kind != harm else 1.0
                weight *= SEEN_THROUGH if kinds.get(service) in TRANSPARENT else 1.0
                weight *= TRACED if traced and kind == "latency" else 1.0
            parts.append((weight * left * clue.strength, clue, left))
        parts.sort(key=lambda p: -p[0])
        score = sum(p[0] for p in parts)
        if reach is not None and service not in reach:
            score *= UNREACHED
        rows.append((service, score, [_said(clue, left) for value, clue, left in parts if value > 0.1]))
    frame = pd.DataFrame(rows, columns=["service", "score", "because"])
    return frame.sort_values(["score", "service"], ascending=[False, True], kind="stable").reset_index(drop=True)


def _fronted(callees: dict[str, list[str]]) -> dict[str, list[str]]:
    """For nodes that call nobody: the other callees of their callers that do, and not them.

    A front door (a balancer, a gateway) is often known from its callers alone, beside the service behind it: what that
    service shows as well did not begin at the door.
    """
    depends = {s: _reached(callees, [s]) or {s} for s in callees}
    out: dict[str, list[str]] = {}
    for called in callees.values():
        for leaf in (c for c in called if c not in callees):
            out.setdefault(leaf, []).extend(s for s in called if s in callees and leaf not in depends[s])
    return out


def _explained(clue: Clue, callees: list[str], clues: Sequence[Clue]) -> float:
    """Which share of this rise do the callees show as well, in the same signal where they have it?"""
    if clue.rise <= 0:
        return 0.0
    below = [c for c in clues if c.service in callees and c.kind == clue.kind and c.rise > 0]
    alike = [c for c in below if c.signal == clue.signal]
    return min(1.0, max((c.rise / clue.rise for c in alike or below), default=0.0))


def _start(edges: Set[tuple[str, str]], symptom: str | None) -> list[str]:
    if symptom is not None:
        return [workload(symptom.partition("/")[0].partition("@")[0])]
    called = {b for a, b in edges if a != b}
    return sorted({a for a, _ in edges} - called)


def _reached(callees: dict[str, list[str]], start: list[str]) -> set[str] | None:
    """Every service that these depend on, themselves included; None when they are on no known edge."""
    if not any(s in callees for s in start):
        return None
    seen, stack = set(start), list(start)
    while stack:
        for callee in callees.get(stack.pop(), []):
            if callee not in seen:
                seen.add(callee)
                stack.append(callee)
    return seen


def _said(clue: Clue, left: float) -> str:
    return clue.why if left > 0.99 else f"{clue.why}; {1 - left:.0%} of it is its callees'"
