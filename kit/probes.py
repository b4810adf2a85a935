"""Is a call healthy leaving one hop, and healthy arriving at the next? Both sides of every boundary of the path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
        return worst(r.health for r in self.readings if r.kind == kind)

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


def probe_path(
    path: Any, *, metrics: Any = None, spans: Any = None, logs: Any = None, baseline: Window, incident: Window
) -> Probes:
    """At each boundary of the path: healthy on its way out, healthy on its way in?

    `path` is PATH; its `leaves` and `arrives` name the signals of each side. They are looked for in `metrics` (a wide
    aligned frame, or long METRICS; instances fold to their service) and, for `<service>/requests.*` and
    `<service>/upstream.duration.*`, in the rows of `logs` (LOGS, or a log source) as well. `spans` add what client and
    server spans of each edge measured. An edge that names no signals is read from whatever its callee's service has.
    Log rows count as failed at status 0 or ≥ 500; leave health checks out of them beforehand.

    Method: latency is bad past +50 % (tails) or +20 % (medians, means) and three times the baseline's own spread;
    errors past one point, double and beyond chance; under 30 requests there is no verdict, only the interval. Assumes a
    healthy baseline of the same traffic. False alarms: simulated (`tests.benchmarks.quiet`: two nodes, AR(1) with ρ up
    to 0.8), no probe of 450 quiet paths was bad while signals scatter less than the floors, 5 in 1,000 at four times
    that scatter and ρ = 0.8. Every boundary is looked at once, without correction for their number: the longer the
    path, the likelier one bad probe, which is why the cut follows the harm from the outermost node inwards. It misleads
    where an edge's signals mix routes or instances of which one alone is ill.

    >>> import pandas as pd
    >>> from connectors.window import Window
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s", name="time")
    >>> slow = [0.01] * 40 + [0.9] * 20
    >>> wide = pd.DataFrame({"web/requests.duration.p99": slow, "db/query.duration.p99": slow}, index=times)
    >>> path = pd.DataFrame({"caller": ["web"], "callee": ["db"], "kind": ["database"], "mode": ["sync"]})
    >>> probes = probe_path(path, metrics=wide, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z"),
    ...     incident=Window.of("2026-03-01T02:10Z", "2026-03-01T02:15Z"))
    >>> from kit.path import bisect
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
        into = readings_of(plain, _with_own_requests(edge) if named else [f"{callee}/*"])
        if traced:
            out, into = out + traced.leaves(caller, callee), into + traced.arrives(caller, callee)
        probes.append(_probe(caller, callee, route, "leaves", out))
        probes.append(_probe(caller, callee, route, "arrives", into))
    known = sum(p.health is not Health.UNKNOWN for p in probes)
    because = (f"{known} of {len(probes)} probes have a verdict",)
    shape = tuple((e["caller"], e["callee"], e["route"], e["mode"]) for e in edges)
    return Probes(tuple(probes), shape, because)


def _with_own_requests(edge: dict[str, Any]) -> list[str]:
    """What arrives, and of it what fails by the callee's own request log: what users call failed, a counter may not."""
    own = f"{edge['callee']}/requests.errors_ratio"
    return [*edge["arrives"], *([own] if own not in edge["arrives"] else [])]


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


def worst(states: Iterable[Health]) -> Health:
    """Bad where one of them is, good where one is and none is bad, else unknown."""
    seen = set(states)
    return Health.BAD if Health.BAD in seen else Health.GOOD if Health.GOOD in seen else Health.UNKNOWN


def _outermost(edges: list[dict[str, Any]]) -> list[str]:
    callees = {e["callee"] for e in edges}
    return list(dict.fromkeys(e["caller"] for e in edges if e["caller"] not in callees))


def _probe(caller: str | None, callee: str, route: str | None, side: str, readings: list[Reading]) -> Probe:
    kept = tuple(r for r in readings if r.kind in ("latency", "errors", "saturation", "traffic"))
    ill = [r for r in kept if r.kind == "errors" and r.before >= 0.05 and r.n_before >= 3]
    usable = [r for r in kept if r.health is not Health.UNKNOWN]
    before = Health.BAD if ill else Health.GOOD if usable else Health.UNKNOWN
    return Probe(caller, callee, route, side, before, worst(r.health for r in kept), kept)


def _reading_row(r: Reading) -> dict[str, Any]:
    names = ("signal", "kind", "before", "after", "low", "high", "n_before", "n_after", "why")
    return {name: getattr(r, name) for name in names} | {"verdict": str(r.health)}
