"""Where is the last good place? Probes both sides of every boundary of the request path and bisects between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, log2
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from connectors.window import Window
from kit.health import Health, Reading
from kit.probing import LogSignals, MetricSignals, SpanSignals, readings_of
from kit.result import Result

ARROW = " → "
MATERIAL = 0.02
"""A call whose latency rises by less than this share of what the outermost node waits in all explains nothing there."""


@dataclass(frozen=True)
class Probe:
    """One side of one boundary: is a call healthy as this side measures it?

    `side` is *leaves* (the caller, on the call's way out) or *arrives* (the callee, on its way in). `caller` is None
    for what the outermost node itself measures. `before` is the baseline's own health, `health` the incident's.
    """

    caller: str | None
    callee: str
    route: str | None
    side: str
    before: Health
    health: Health
    readings: tuple[Reading, ...] = ()

    @property
    def boundary(self) -> str:
        """`caller → callee`."""
        return f"{self.caller or 'user'}{ARROW}{self.callee}"

    def of(self, kind: str) -> Health:
        """The verdict in one kind of signal (latency, errors, saturation)."""
        return _worst(r.health for r in self.readings if r.kind == kind)

    @property
    def size(self) -> float:
        """The largest effect among what is bad."""
        return max((r.size for r in self.readings if r.health is Health.BAD), default=0.0)


@dataclass(frozen=True)
class Probes(Result):
    """Every boundary, probed from both sides; `edges` is the path they lie on: (caller, callee, route, mode)."""

    probes: tuple[Probe, ...]
    edges: tuple[tuple[str, str, str | None, str], ...]
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        bad = list(dict.fromkeys(p.boundary for p in self.probes if p.health is Health.BAD))
        seen = {p.boundary for p in self.probes if p.health is not Health.UNKNOWN}
        unknown = {p.boundary for p in self.probes} - seen
        tail = f", {len(unknown)} not visible" if unknown else ""
        return (f"Bad at {', '.join(bad)}" if bad else "No boundary is bad") + tail

    def to_frame(self) -> pd.DataFrame:
        """A row per probe and signal: boundary, side, route, health, signal, kind, before, after, low, high, n, why."""
        rows = []
        for p in self.probes:
            common = {"boundary": p.boundary, "side": p.side, "route": p.route, "health": str(p.health)}
            rows += [common | _reading_row(r) for r in p.readings] or [common | {"why": "no data"}]
        columns = [*_PROBE_COLUMNS]
        return pd.DataFrame(rows, columns=columns)


_PROBE_COLUMNS = (
    "boundary", "side", "route", "health", "signal", "kind", "verdict", "before", "after", "low", "high", "n_before",
    "n_after", "why",
)  # fmt: skip


@dataclass(frozen=True)
class Break:
    """One place where harm begins.

    `where`: *here* (in the callee), *between* (network, queue, pool) or *below* (in the callee, past it or on the way
    to it: not visible from here).
    """

    between: str
    where: str
    last_good: str | None
    first_bad: str
    suspects: tuple[str, ...]
    size: float
    why: str


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


def probe_path(
    path: Any, *, metrics: Any = None, spans: Any = None, logs: Any = None, baseline: Window, incident: Window
) -> Probes:
    """At each boundary of the path: healthy on its way out, healthy on its way in?

    `path` is PATH; its `leaves` and `arrives` name the signals of each side. They are looked for in `metrics` (a wide
    aligned frame, or long METRICS; instances fold to their service) and, for `<service>/requests.*` and
    `<service>/upstream.duration.*`, in the rows of `logs` (LOGS, or a log source) as well. `spans` add what client and
    server spans of each edge measured. An edge that names no signals is read from whatever its callee's service has.
    Log rows count as failed at status 0 or ≥ 500; leave health checks out of them beforehand.

    Latency is bad past +50 % (tails) or +20 % (medians, means) and three times the baseline's own spread; errors past
    one point, double and beyond chance; under 30 requests there is no verdict, only the interval. Every boundary is
    looked at once, without correction for their number: over a healthy stretch of noisy signals expect a bad probe
    now and then, which is why the cut follows the harm from the outermost node inwards.

    >>> import pandas as pd
    >>> from connectors.window import Window
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s", name="time")
    >>> slow = [0.01] * 40 + [0.9] * 20
    >>> wide = pd.DataFrame({"web/requests.duration.p99": slow, "db/query.duration.p99": slow}, index=times)
    >>> path = pd.DataFrame({"caller": ["web"], "callee": ["db"], "kind": ["database"], "mode": ["sync"]})
    >>> probes = probe_path(path, metrics=wide, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z"),
    ...     incident=Window.of("2026-03-01T02:10Z", "2026-03-01T02:15Z"))
    >>> bisect(probes).between
    'web → db'
    """
    edges = path_edges(path)
    windows = (baseline, incident)
    sources = [
        MetricSignals(metrics, windows) if metrics is not None else None,
        LogSignals(logs, windows) if logs is not None else None,
    ]
    traced = SpanSignals(spans, windows) if spans is not None else None
    plain = [s for s in sources if s is not None]
    probes = []
    for node in _outermost(edges):
        route_free = readings_of(plain, [f"{node}/*"]) + (traced.entry(node) if traced else [])
        probes.append(_probe(None, node, None, "arrives", route_free))
    for edge in edges:
        caller, callee, route = edge["caller"], edge["callee"], edge["route"]
        named = bool(edge["leaves"] or edge["arrives"])
        out = readings_of(plain, edge["leaves"])
        into = readings_of(plain, edge["arrives"] if named else [f"{callee}/*"])
        if traced:
            out, into = out + traced.leaves(caller, callee), into + traced.arrives(caller, callee)
        probes.append(_probe(caller, callee, route, "leaves", out))
        probes.append(_probe(caller, callee, route, "arrives", into))
    known = sum(p.health is not Health.UNKNOWN for p in probes)
    because = (f"{known} of {len(probes)} probes have a verdict",)
    shape = tuple((e["caller"], e["callee"], e["route"], e["mode"]) for e in edges)
    return Probes(tuple(probes), shape, because)


def bisect(probes: Probes) -> Cut:
    """Where does the harm begin, following it from the outermost node inwards?

    A node is passed over while one of the calls it makes is bad in the same way; the break is where no further call is.
    Where the caller's side is bad and the callee's is good in the same kind of signal, the break is *between* them
    (two such gaps at one caller, its callees good: the caller itself). Unknown sides are walked around: what lies
    beyond them counts. Asynchronous edges carry no harm back to their caller and are followed only from their own end.

    A rise of latency below 2 % of the longest time seen at the outermost node is too small to be its reason and counts
    as good, however certain it is.

    It misleads when a callee suffers from its caller (a retry storm makes the database slow): the deepest ill hop is
    *where* it shows first on the path, not why. Read traffic beside it.
    """
    routes = list(dict.fromkeys(e[2] for e in probes.edges if e[2] is not None))
    seen = _material(probes.probes)
    whole = _cut(probes.edges, seen)
    per_route = {}
    for route in routes:
        edges = tuple(e for e in probes.edges if e[2] in (None, route))
        taken = {(e[0], e[1], e[2]) for e in edges}
        part = tuple(p for p in seen if p.caller is None or (p.caller, p.callee, p.route) in taken)
        per_route[route] = _cut(edges, part)
    if not per_route:
        return whole
    return Cut(**{**whole.__dict__, "routes": per_route})


def path_edges(path: Any) -> list[dict[str, Any]]:
    """The rows of PATH (pandas or pyarrow) as plain dicts, lists for the signals, None for what is not given."""
    frame = path.to_pandas() if isinstance(path, pa.Table) else path
    if not {"caller", "callee"} <= set(getattr(frame, "columns", ())):
        raise BadInput("The path lacks its columns caller and callee: give the PATH table, an edge a row.")
    rows = []
    for row in frame.to_dict("records"):
        texts = {k: (v if isinstance(v, str) and v else None) for k, v in row.items()}
        given = {k: row.get(k) for k in ("arrives", "leaves")}
        lists = {k: list(v) if isinstance(v, list | tuple | np.ndarray) else [] for k, v in given.items()}
        rows.append(
            {
                "caller": str(row["caller"]),
                "callee": str(row["callee"]),
                "kind": texts.get("kind") or "service",
                "route": texts.get("route"),
                "mode": texts.get("mode") or "sync",
                **lists,
            }
        )
    return rows


def _material(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    """The same probes, latency that rose too little to matter at the outermost node put down as good."""
    longest = max((r.after for p in probes if p.caller is None for r in p.readings if r.kind == "latency"), default=0.0)
    if not longest > 0:
        return probes

    def settled(reading: Reading) -> Reading:
        small = reading.kind == "latency" and reading.after - reading.before < MATERIAL * longest
        return replace(reading, health=Health.GOOD) if small and reading.health is Health.BAD else reading

    out = []
    for probe in probes:
        readings = tuple(settled(r) for r in probe.readings)
        out.append(replace(probe, readings=readings, health=_worst(r.health for r in readings)))
    return tuple(out)


def _cut(edges: tuple[tuple[str, str, str | None, str], ...], part: tuple[Probe, ...]) -> Cut:
    graph = _Graph(edges, part)
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


class _Graph:
    """The path with a verdict per edge: *bad* (the callee), *gap*, *beyond* (callee unseen), *good* or *unknown*."""

    def __init__(self, edges: Iterable[tuple[str, str, str | None, str]], probes: Iterable[Probe]) -> None:
        self.probes: dict[tuple[str | None, str], dict[str, list[Probe]]] = {}
        for probe in probes:
            side = self.probes.setdefault((probe.caller, probe.callee), {"leaves": [], "arrives": []})
            side[probe.side].append(probe)
        pairs = dict.fromkeys((a, b) for a, b, _, mode in edges if mode != "async")
        every = dict.fromkeys((a, b) for a, b, _, _ in edges)
        self.nodes = list(dict.fromkeys(n for pair in every for n in pair))
        self.calls = {n: [b for a, b in pairs if a == n] for n in self.nodes}
        self.callers = {n: [a for a, b in every if b == n] for n in self.nodes}
        self.states = {pair: self._state(pair) for pair in every}

    def health(self, node: str) -> Health:
        """What do all the boundaries into this node say of it? Its own measurements decide before its callers'."""
        own = [p.health for (_, b), sides in self.probes.items() if b == node for p in sides["arrives"]]
        own = [h for h in own if h is not Health.UNKNOWN]
        if own:
            return _worst(own)
        seen = [p.health for (_, b), sides in self.probes.items() if b == node for p in sides["leaves"]]
        return Health.GOOD if seen and all(h is Health.GOOD for h in seen) else Health.UNKNOWN

    def _state(self, pair: tuple[str, str]) -> str:
        sides = self.probes.get(pair, {"leaves": [], "arrives": []})
        verdicts = set()
        for kind in ("latency", "errors", "saturation"):
            out = _worst(p.of(kind) for p in sides["leaves"])
            into = _worst(p.of(kind) if kind != "saturation" else p.health for p in sides["arrives"])
            verdicts.add(_EDGE[out, into])
        for state in ("bad", "gap", "beyond", "good"):
            if state in verdicts:
                return state
        return "unknown"

    def size(self, pair: tuple[str | None, str]) -> float:
        sides = self.probes.get(pair, {"leaves": [], "arrives": []})
        return max((p.size for p in sides["leaves"] + sides["arrives"]), default=0.0)

    def _ill(self) -> list[str]:
        """Nodes that are bad by themselves: the outermost ones that are, and callees of edges that are."""
        outer = [n for n in self.nodes if (None, n) in self.probes and self._entry(n) is Health.BAD]
        return list(dict.fromkeys([*outer, *(b for (_, b), s in self.states.items() if s == "bad")]))

    def _entry(self, node: str) -> Health:
        return _worst(p.health for p in self.probes.get((None, node), {"arrives": []})["arrives"])

    def _below(self, node: str, through: tuple[str, ...]) -> list[str]:
        """The nodes reached from here over synchronous edges in these states, this one left out."""
        seen, stack = [], [node]
        while stack:
            here = stack.pop()
            for callee in self.calls.get(here, ()):
                if self.states[here, callee] in through and callee not in seen and callee != node:
                    seen.append(callee)
                    stack.append(callee)
        return seen

    def breaks(self) -> list[Break]:
        """Every place where harm begins, the one farthest down the worst chain first."""
        ill = self._ill()
        found: list[Break] = []
        for node in ill:
            deeper = [n for n in self._below(node, ("bad", "unknown", "beyond")) if n in ill]
            gaps, beyond = self._ends([node, *self._below(node, ("unknown", "beyond"))])
            if deeper:
                continue
            if len(gaps) >= 2 and not beyond and all(a == node for a, _ in gaps):
                found.append(self._here(node, "calls to several healthy callees are slow on its side alone"))
            elif gaps or beyond:
                found += [self._between(e) for e in gaps] + [self._beyond(e) for e in beyond]
            else:
                found.append(self._here(node, "no call it makes is bad"))
        if not ill:  # nothing measures itself as bad, but a caller may see its call fail
            found += [self._between(e) for e, s in self.states.items() if s == "gap"]
            found += [self._beyond(e) for e, s in self.states.items() if s == "beyond"]
        carried = {n for top in ill if self._entry(top) is Health.BAD for n in [top, *self._below(top, _CARRIES)]}
        found.sort(key=lambda b: (b.first_bad.split(ARROW)[0] not in carried, -b.size))
        return list({b.between + b.where: b for b in found}.values())

    def _ends(self, reach: list[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The gaps, and the calls into the unseen, that these nodes make; of a chain of such calls the last one."""
        edges = [(a, b) for a in reach for b in self.calls.get(a, ()) if self.states[a, b] in ("gap", "beyond")]
        last = []
        for a, b in edges:
            further = {b, *self._below(b, ("unknown", "beyond"))}
            if self.states[a, b] == "gap" or not any(x in further and (x, y) != (a, b) for x, y in edges):
                last.append((a, b))
        gaps = [e for e in last if self.states[e] == "gap"]
        return gaps, [e for e in last if self.states[e] == "beyond"]

    def _here(self, node: str, why: str) -> Break:
        into = [(a, node) for a in self.callers.get(node, ()) if self.states[a, node] == "bad"]
        into = into or [(a, node) for a in self.callers.get(node, ())]
        pair = max(into, key=self.size, default=(None, node))
        hidden = self._below(node, ("unknown",))
        where = "below" if hidden else "here"
        boundary = f"{pair[0] or 'user'}{ARROW}{node}"
        reason = f"{node} is bad and {why}{f', {len(hidden)} of them unseen' if hidden else ''}{self._numbers(pair)}"
        return Break(boundary, where, pair[0], node, (node, *hidden), max(self.size(pair), 1e-9), reason)

    def _between(self, pair: tuple[str, str]) -> Break:
        name = ARROW.join(pair)
        why = f"bad as {pair[0]} measures it, good as {pair[1]} does: network, queue or pool{self._numbers(pair)}"
        return Break(name, "between", pair[0], name, (name,), self.size(pair), why)

    def _beyond(self, pair: tuple[str, str]) -> Break:
        name = ARROW.join(pair)
        hidden = tuple(n for n in self._below(pair[1], ("unknown", "beyond")))
        why = f"bad as {pair[0]} measures the call; {pair[1]} is not visible{self._numbers(pair)}"
        return Break(name, "below", pair[0], name, (name, pair[1], *hidden), self.size(pair), why)

    def _numbers(self, pair: tuple[str | None, str]) -> str:
        sides = self.probes.get(pair, {"leaves": [], "arrives": []})
        bad = [r for p in sides["leaves"] + sides["arrives"] for r in p.readings if r.health is Health.BAD]
        worst = sorted(bad, key=lambda r: -r.size)[:2]
        return f" ({'; '.join(f'{r.signal} {r.why}' for r in worst)})" if worst else ""

    def next_probe(self, suspects: list[str]) -> tuple[str | None, int]:
        """The suspect without a verdict that leaves the fewest whatever it answers; and how many such probes."""
        if len(suspects) < 2:
            return (suspects[0], 1) if suspects and self.health(suspects[0]) is Health.UNKNOWN else (None, 0)
        rest = set(suspects)

        def left_at_worst(node: str) -> int:
            inside = len(rest & {node, *self._below(node, ("unknown", "beyond", "bad"))})
            return max(inside, len(rest) - inside)

        open_nodes = [n for n in suspects if ARROW not in n and self.health(n) is Health.UNKNOWN]
        best = min(open_nodes, key=left_at_worst, default=None)
        return best, ceil(log2(len(suspects))) if best else 0


_CARRIES = ("bad", "unknown", "beyond", "gap")
_G, _B, _U = Health.GOOD, Health.BAD, Health.UNKNOWN
_EDGE = {
    (_B, _B): "bad", (_B, _G): "gap", (_B, _U): "beyond",
    (_U, _B): "bad", (_U, _G): "good", (_U, _U): "unknown",
    (_G, _B): "good", (_G, _G): "good", (_G, _U): "good",
}  # fmt: skip
"""(as it leaves, as it arrives) → state. Bad for the callee but not for this caller is another caller's harm."""


def _outermost(edges: list[dict[str, Any]]) -> list[str]:
    callees = {e["callee"] for e in edges}
    return list(dict.fromkeys(e["caller"] for e in edges if e["caller"] not in callees))


def _probe(caller: str | None, callee: str, route: str | None, side: str, readings: list[Reading]) -> Probe:
    kept = tuple(r for r in readings if r.kind in ("latency", "errors", "saturation", "traffic"))
    ill = [r for r in kept if r.kind == "errors" and r.before >= 0.05 and r.n_before >= 3]
    usable = [r for r in kept if r.health is not Health.UNKNOWN]
    before = Health.BAD if ill else Health.GOOD if usable else Health.UNKNOWN
    return Probe(caller, callee, route, side, before, _worst(r.health for r in kept), kept)


def _worst(states: Iterable[Health]) -> Health:
    seen = set(states)
    return Health.BAD if Health.BAD in seen else Health.GOOD if Health.GOOD in seen else Health.UNKNOWN


def _reading_row(r: Reading) -> dict[str, Any]:
    names = ("signal", "kind", "before", "after", "low", "high", "n_before", "n_after", "why")
    return {name: getattr(r, name) for name in names} | {"verdict": str(r.health)}


def _break_row(b: Break) -> dict[str, Any]:
    return {name: getattr(b, name) for name in _BREAK_COLUMNS} | {"suspects": list(b.suspects)}
