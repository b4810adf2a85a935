"""What do a service's metrics say against it? Each signal against its own level and noise, and against its peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from connectors.window import Window
from kit.clues.clue import Clue, shared_gaps, sureness, workload
from kit.health import kind_of

NEAR = 3
"""Bins just before the incident whose median is the level to compare with: drift over hours is no news."""
RELATIVE_FLOOR = 0.1
ABSOLUTE_FLOOR = {"errors": 0.005, "latency": 0.001, "utilization": 0.02}
"""The least noise a signal is taken to have: a tenth of its level, half a point of errors, a millisecond,
2 % of a CPU."""
BORROWED = 6
"""So many bins' worth of noise is borrowed from the same signal of the other services: two bins tell no noise."""
PEERS = 5
"""From so many services with the same signal on, a change that most of them share counts for less."""
RISES = ("latency", "errors", "saturation")


@dataclass(frozen=True, slots=True)
class Change:
    """One signal's change: `z` in units of its own noise, level before and during, `name` without the service."""

    service: str
    signal: str
    name: str
    kind: str
    z: float
    before: float
    during: float


def metric_clues(
    metrics: Any, *, baseline: Window, incident: Window, path: Sequence[Mapping[str, Any]] = ()
) -> list[Clue]:
    """Which signals of which service changed beyond their noise?

    `path`: edges with their `leaves` and `arrives`. Latency that a caller measures on its calls speaks of the callee,
    not of the caller: what it rose beyond the callee's own measure is a gap on the way.

    Only rises of latency, errors and saturation are clues; traffic counts in both directions. A change that most
    services show in the same signal is divided by the usual one: what everybody has, nobody began.
    """
    changes = signal_changes(metrics, baseline=baseline, incident=incident)
    usual = _usual(changes)
    clues = _gaps(changes, path)
    outward = {signal for edge in path for signal in edge["leaves"]}
    for change in changes:
        if change.signal in outward and change.kind == "latency":
            continue
        size = max(change.z, 0.0) if change.kind in RISES else abs(change.z)
        strength = float(np.log1p(size / usual.get(change.name, 1.0))) / 2
        if strength > 0.2:
            why = f"{change.name} {change.before:.4g} → {change.during:.4g} ({change.z:+.1f} × its noise)"
            rise = change.during - change.before
            clues.append(Clue(change.service, change.kind, strength, why, change.name, rise))
    return clues


def signal_changes(metrics: Any, *, baseline: Window, incident: Window) -> list[Change]:
    """How far did each signal move, against the level just before and the noise from one bin to the next?

    Rows of the baseline that lie in the incident are left out. The level is the median of the last `NEAR` bins before
    the incident (of the whole baseline where there are under 2), the noise the typical step between neighbouring bins:
    neither is spoilt by an earlier fault in the baseline. Signals without 2 baseline bins or 1 incident bin are absent.
    """
    seen = []
    for signal, service, kind, time, value in _series(metrics):
        keep = np.isfinite(value)
        time, value = time[keep], value[keep]
        during = (time >= _at(incident.start)) & (time < _at(incident.end))
        before = (time >= _at(baseline.start)) & (time < _at(baseline.end)) & ~during
        old, new = value[before], value[during]
        if len(old) < 2 or not len(new):
            continue
        near = old[time[before] < _at(incident.start)][-NEAR:]
        level = float(np.median(near if len(near) >= 2 else old))
        step = 1.4826 * float(np.median(np.abs(np.diff(old)))) / np.sqrt(2)
        seen.append((workload(service), signal, kind, level, float(np.median(new)), step, len(old)))
    common = _common_noise(seen)
    out = []
    for service, signal, kind, level, now, step, count in seen:
        name = _name(signal)
        borrowed = BORROWED if name in common else 0
        variance = (count * step**2 + borrowed * (common.get(name, 0.0) * level) ** 2) / (count + borrowed)
        floor = max(ABSOLUTE_FLOOR.get(kind, 0.0), ABSOLUTE_FLOOR["utilization"] if "cpu" in name else 0.0)
        noise = float(np.sqrt(variance + (RELATIVE_FLOOR * level) ** 2 + floor**2))
        if noise <= 0:
            noise = max(abs(now - level) / 10, 1e-12)
        out.append(Change(service, signal, name, kind, (now - level) / noise, level, now))
    return out


def _common_noise(seen: list[tuple[str, str, str, float, float, float, int]]) -> dict[str, float]:
    """The usual noise of each signal as a share of its level, over the services that have it."""
    shares: dict[str, list[float]] = {}
    for _, signal, _, level, _, step, _ in seen:
        if level:
            shares.setdefault(_name(signal), []).append(step / abs(level))
    return {name: float(np.median(values)) for name, values in shares.items() if len(values) >= PEERS}


def _name(signal: str) -> str:
    return signal.partition("/")[2] or signal


def _gaps(changes: list[Change], path: Sequence[Mapping[str, Any]]) -> list[Clue]:
    """The time between both sides of each edge, in the statistic that both measure, before and during."""
    known = {c.signal: c for c in changes if c.kind == "latency"}
    gap: dict[tuple[str, str], tuple[float, str, float]] = {}
    for edge in path:
        ends = {stat: known[s] for s in edge["arrives"] if s in known and (stat := s.rpartition(".")[2])}
        for signal in edge["leaves"]:
            if (out := known.get(signal)) is None or (into := ends.get(signal.rpartition(".")[2])) is None:
                continue
            before, during = max(out.before - into.before, 0.0), max(out.during - into.during, 0.0)
            floor = max(ABSOLUTE_FLOOR["latency"], RELATIVE_FLOOR * abs(out.before))
            strength = max(float(np.log((during + floor) / (before + floor))), 0.0) * float(sureness(max(out.z, 0.0)))
            pair = workload(edge["caller"]), workload(edge["callee"])
            if strength >= gap.get(pair, (0.0, "", 0.0))[0]:
                why = f"{pair[0]} waits {before:.3g} → {during:.3g} s beyond what {pair[1]} measures"
                gap[pair] = strength, why, during - before
    return shared_gaps(gap)


def _usual(changes: list[Change]) -> dict[str, float]:
    """The median size of change of each signal over the services that have it, at least 1."""
    sizes: dict[str, list[float]] = {}
    for change in changes:
        sizes.setdefault(change.name, []).append(abs(change.z))
    return {name: max(1.0, float(np.median(z))) for name, z in sizes.items() if len(z) >= PEERS}


def _series(metrics: Any) -> list[tuple[str, str, str, np.ndarray, np.ndarray]]:
    """(signal, service, kind, times in µs, values) of each series, by time; from long METRICS or a wide frame."""
    frame = metrics.to_pandas() if isinstance(metrics, pa.Table) else metrics
    if {"signal", "time", "value"} <= set(frame.columns):
        frame = frame[["signal", "time", "value", *(c for c in ("service", "kind", "workload") if c in frame)]]
        frame = frame.sort_values("time", kind="stable")
        time, value = _micros(frame["time"]), frame["value"].to_numpy(dtype=float)
        out = []
        for signal, rows in frame.groupby("signal", observed=True, sort=True).indices.items():
            first = frame.iloc[rows[0]]
            service = next((v for c in ("workload", "service") if isinstance(v := first.get(c), str) and v), None)
            kind = first.get("kind")
            known = isinstance(kind, str) and kind in ("latency", "traffic", "errors", "saturation", "other")
            text = str(signal)
            out.append((text, service or _service_of(text), kind if known else kind_of(text), time[rows], value[rows]))
        return out
    wide = frame.set_index("time") if "time" in frame.columns else frame
    if not isinstance(wide.index, pd.DatetimeIndex) or (wide.index.tz is None and len(wide)):
        raise BadInput("The metrics have no times in UTC: give METRICS, or a frame with an aware DatetimeIndex.")
    wide = wide.sort_index()
    time = _micros(wide.index.to_series())
    return [(str(c), _service_of(str(c)), kind_of(str(c)), time, wide[c].to_numpy(dtype=float)) for c in wide.columns]


def _service_of(signal: str) -> str:
    return signal.partition("/")[0].partition("@")[0]


def _micros(time: pd.Series) -> np.ndarray:
    return time.dt.as_unit("us").astype("int64").to_numpy()


def _at(moment: Any) -> int:
    return round(moment.timestamp() * 1e6)
