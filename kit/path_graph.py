"""The path as a graph with a verdict per edge: where does harm begin, and which probe would say most?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, log2

from kit.health import Health
from kit.probes import ARROW, Probe, worst


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


class PathGraph:
    """The path with a verdict per edge: *bad* (the callee), *gap*, *beyond* (callee unseen), *good* or *unknown*."""

    def __init__(
        self,
        edges: Iterable[tuple[str, str, str | None, str]],
        probes: Iterable[Probe],
        places: Mapping[str, str] | None = None,
    ) -> None:
        self.places = places or {}
        self.probes: dict[tuple[str | None, str], dict[str, list[Probe]]] = {}
        for probe in probes:
            side = self.probes.setdefault((probe.caller, probe.callee), {"leaves": [], "arrives": []})
            side[probe.side].append(probe)
        pairs = dict.fromkeys((a, b) for a, b, _, mode in edges if mode != "async")
        every = dict.fromkeys((a, b) for a, b, _, _ in edges)
        self.nodes = list(dict.fromkeys(n for pair in every for n in pair))
        self.calls = {n: [b for a, b in pairs if a == n] for n in self.nodes}
        self.callers = {n: [a for a, b in every if b == n] for n in self.nodes}
        self.takers = {n: [b for a, b in every if a == n and (a, b) not in pairs] for n in self.nodes}
        self.filled = {n for n in self.nodes if self.callers[n] and all((a, n) not in pairs for a in self.callers[n])}
        self.states = {pair: self._state(pair) for pair in every}

    def health(self, node: str) -> Health:
        """What do all the boundaries into this node say of it? Its own measurements decide before its callers'."""
        own = [p.health for (_, b), sides in self.probes.items() if b == node for p in sides["arrives"]]
        own = [h for h in own if h is not Health.UNKNOWN]
        if own:
            return worst(own)
        seen = [p.health for (_, b), sides in self.probes.items() if b == node for p in sides["leaves"]]
        return Health.GOOD if seen and all(h is Health.GOOD for h in seen) else Health.UNKNOWN

    def _state(self, pair: tuple[str, str]) -> str:
        sides = self.probes.get(pair, {"leaves": [], "arrives": []})
        verdicts = set()
        for kind in ("latency", "errors", "saturation"):
            out = worst(p.of(kind) for p in sides["leaves"])
            into = worst(p.of(kind) if kind != "saturation" else p.health for p in sides["arrives"])
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

    def _without_shared(self, ill: list[str]) -> list[str]:
        """The same without what lies below a node of which one place alone is ill: its well sisters share that."""
        shared = {n for node in ill if node in self.places for n in self._below(node, _CARRIES)}
        return [n for n in ill if n in self.places or n not in shared]

    def _entry(self, node: str) -> Health:
        return worst(p.health for p in self.probes.get((None, node), {"arrives": []})["arrives"])

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
        ill = self._without_shared(self._ill())
        found: list[Break] = []
        for node in ill:
            if node in self.places and not any(n in self.places for n in self._below(node, _CARRIES) if n in ill):
                why = f"of it only {self.places[node]}: its sisters call the same things and are well"
                found.append(self._here(node, why))
                continue
            deeper = [n for n in self._below(node, ("bad", "unknown", "beyond")) if n in ill]
            gaps, beyond = self._ends([node, *self._below(node, ("unknown", "beyond"))])
            if deeper or self._waits_for_taker(node, ill):
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

    def _waits_for_taker(self, node: str, ill: list[str]) -> bool:
        """Is it a queue that is long because who takes from it is ill?"""
        return node in self.filled and any(taker in ill for taker in self.takers[node])

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
