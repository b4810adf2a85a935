"""Where is the last good place? Probes both sides of every boundary of the request path and bisects between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from kit.health import Health, Reading
from kit.path_graph import Break, PathGraph
from kit.probes import ARROW, Probe, Probes, path_edges, probe_path, worst
from kit.result import Result

__all__ = ["ARROW", "Break", "Cut", "Probe", "Probes", "bisect", "path_edges", "probe_path"]

MATERIAL = 0.02
"""A call whose latency rises by less than this share of what the outermost node waits in all explains nothing there."""


@dataclass(frozen=True)
class Cut(Result):
    """Between the last good hop and the first bad one.

    `between` is the boundary of the foremost break ("checkout → postgres"; None: nothing is bad, or nothing can be
    said), `breaks` all of them, the foremost first; `unknown` the hops without a verdict that could still hide the
    fault, `next_probe` the one among them that splits the rest most evenly, `cuts_left` how many such probes
    remain; `routes` the cut of each route that has edges of its own.
    """

    between: str | None
    where: str
    last_good: tuple[str, ...]
    first_bad: tuple[str, ...]
    unknown: tuple[str, ...]
    next_probe: str | None
    cuts_left: int
    breaks: tuple[Break, ...] = ()
    routes: Mapping[str, Cut] = field(default_factory=dict)
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        if self.between is None:
            tail = f"; probe {self.next_probe} next" if self.next_probe else ""
            return ("Every boundary that is visible is good" if self.where == "none" else "Nothing is visible") + tail
        good = f"Good at {', '.join(self.last_good)}, f" if self.last_good else "F"
        place = self.between if self.where != "here" or not self.last_good else f"{', '.join(self.first_bad)}"
        hidden = len(self.unknown)
        tail = f"; {hidden} hop{'s' * (hidden != 1)} not visible" if hidden else ""
        return f"{good}irst bad at {place}{tail}"

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([_break_row(b) for b in self.breaks], columns=list(_BREAK_COLUMNS))


_BREAK_COLUMNS = ("between", "where", "last_good", "first_bad", "suspects", "size", "why")


def bisect(probes: Probes, *, places: Mapping[str, str] | None = None) -> Cut:
    """Where does the harm begin, following it from the outermost node inwards?

    Method: a node is passed over while one of the calls it makes is bad in the same way; the break is where no further
    call is. Assumes that harm travels from callee to caller and that PATH is complete. False alarms: simulated, none of
    450 quiet paths of two nodes had a break, 1 of 100 where signals scatter most (`tests.benchmarks.quiet`). It
    misleads as told last.

    Where the caller's side is bad and the callee's is good in the same kind of signal, the break is *between* them
    (two such gaps at one caller, its callees good: the caller itself). Unknown sides are walked around: what lies
    beyond them counts. Asynchronous edges carry no harm back to their caller and are followed only from their own end.

    A rise of latency below 2 % of the longest time seen at the outermost node is too small to be its reason and counts
    as good, however certain it is.

    Where more than two in a hundred requests fail at the outermost node and its latency, tail included, did not become
    bad, no slow call is the reason: who waits for one and fails is slow himself. Latency alone counts as good then.

    `places`: nodes of which one place alone is ill, by what tells it (instance = 'web-2'). What such a node calls is
    called by its well sisters, too, so that the break lies at the node itself, unless a callee has such a place.

    It misleads when a callee suffers from its caller (a retry storm makes the database slow): the deepest ill hop is
    *where* it shows first on the path, not why. Read traffic beside it.
    """
    routes = list(dict.fromkeys(e[2] for e in probes.edges if e[2] is not None))
    seen = _material(probes.probes)
    alone = places or {}
    whole = _cut(probes.edges, seen, alone)
    per_route = {}
    for route in routes:
        edges = tuple(e for e in probes.edges if e[2] in (None, route))
        taken = {(e[0], e[1], e[2]) for e in edges}
        part = tuple(p for p in seen if p.caller is None or (p.caller, p.callee, p.route) in taken)
        per_route[route] = _cut(edges, part, alone)
    if not per_route:
        return whole
    return Cut(**{**whole.__dict__, "routes": per_route})


def _material(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    """The same probes, latency that rose too little to matter at the outermost node put down as good."""
    longest = max((r.after for p in probes if p.caller is None for r in p.readings if r.kind == "latency"), default=0.0)
    no_slower = _fails_without_waiting(probes)
    if not longest > 0 and not no_slower:
        return probes

    def settled(reading: Reading) -> Reading:
        small = reading.kind == "latency" and (no_slower or reading.after - reading.before < MATERIAL * longest)
        return replace(reading, health=Health.GOOD) if small and reading.health is Health.BAD else reading

    out = []
    for probe in probes:
        readings = tuple(settled(r) for r in probe.readings)
        out.append(replace(probe, readings=readings, health=worst(r.health for r in readings)))
    return tuple(out)


def _fails_without_waiting(probes: tuple[Probe, ...]) -> bool:
    """Do more requests fail at the outermost node than its tail could hide, while none there became slow?"""
    outer = [r for p in probes if p.caller is None for r in p.readings]
    latency = {r.health for r in outer if r.kind == "latency"}
    failing = [r for r in outer if r.kind == "errors" and r.health is Health.BAD and r.after >= MATERIAL]
    return bool(failing) and Health.GOOD in latency and Health.BAD not in latency


def _cut(
    edges: tuple[tuple[str, str, str | None, str], ...], part: tuple[Probe, ...], places: Mapping[str, str]
) -> Cut:
    graph = PathGraph(edges, part, places)
    breaks = graph.breaks()
    nodes = graph.nodes
    if not breaks:
        suspects = [n for n in nodes if graph.health(n) is Health.UNKNOWN]
        seen = any(p.health is not Health.UNKNOWN for p in part)
        probe, left = graph.next_probe(suspects)
        state = "none" if seen else "not visible"
        why = ("no boundary is bad",) if seen else ("no boundary has data",)
        return Cut(None, state, (), (), tuple(suspects), probe, left, because=why)
    foremost = breaks[0]
    suspects = list(foremost.suspects)
    unknown = [n for n in suspects if ARROW not in n and graph.health(n) is Health.UNKNOWN]
    probe, left = graph.next_probe(suspects)
    good = (foremost.last_good,) if foremost.last_good else ()
    others = tuple(f"also {b.between}: {b.why}" for b in breaks[1:])
    return Cut(
        foremost.between, foremost.where, good, (foremost.first_bad,), tuple(unknown), probe, left, tuple(breaks),
        because=(foremost.why, *others),
    )  # fmt: skip


def _break_row(b: Break) -> dict[str, Any]:
    return {name: getattr(b, name) for name in _BREAK_COLUMNS} | {"suspects": list(b.suspects)}
