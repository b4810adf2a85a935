"""The four golden signals of every service, before and during: which way they went, how far, since when.

Latency by its tail, traffic first, errors as a ratio, saturation as the leading indicator: which resource squeezed
first and how long before the errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.numerics.moments import length
from kit.result import Result
from kit.signal_names import is_share, shown, signal_kind
from kit.signal_reading import ARROWS, SignalReading, read_one
from kit.signals import rank_signals

__all__ = ["SignalBoard", "SignalReading", "is_share", "read_signals", "shown", "signal_kind"]

KINDS = ("latency", "traffic", "errors", "saturation")


@dataclass(frozen=True, slots=True)
class SignalBoard(Result):
    """All readings, moved ones first by onset; `squeezed_first` names the resources that squeezed first (ties shown).

    `lead_s`: seconds from the squeeze to the first rise of errors, or of latency where no errors rose; None: either is
    not dated. `unknown`: services that had data before and none during the incident.
    """

    readings: tuple[SignalReading, ...]
    baseline: Window
    incident: Window
    squeezed_first: tuple[str, ...]
    lead_s: float | None
    unknown: tuple[str, ...]
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        moved = [r for r in self.readings if r.arrow in ("up", "down")]
        if not moved:
            tail = f"; no data from {', '.join(self.unknown)}" if self.unknown else ""
            return f"No golden signal moved{tail}."
        if self.squeezed_first:
            lead = f", {length(self.lead_s)} before the harm rose" if self.lead_s and self.lead_s > 0 else ""
            return f"{' and '.join(_resources(self.squeezed_first))} squeezed first{lead}."
        return f"{len(moved)} of {len(self.readings)} signals moved, first {moved[0].text}; no resource is squeezed."

    @property
    def services(self) -> tuple[str, ...]:
        """All services on the board."""
        return tuple(dict.fromkeys(r.service for r in self.readings))

    def of(self, service: str | None = None, kind: str | None = None) -> tuple[SignalReading, ...]:
        """The readings of one service, or one kind, or both."""
        return tuple(
            r for r in self.readings if (service is None or r.service == service) and (kind is None or r.kind == kind)
        )

    def cell(self, service: str, kind: str) -> SignalReading | None:
        """What one cell of the board shows.

        The reading of that service and kind that moved most; None: not measured.
        """
        found = self.of(service, kind)
        tail = [r for r in found if r.signal.endswith(("p99", "p95"))] if kind == "latency" else []
        return max(tail or found, key=lambda r: (r.squeezed, r.arrow in ("up", "down"), _distance(r)), default=None)

    def cells(self) -> pd.DataFrame:
        """A row per service and kind, the reading that moved most.

        Service, kind, signal, direction, before, after, onset.
        """
        rows = []
        for service in self.services:
            for kind in KINDS:
                r = self.cell(service, kind)
                known = r is not None
                rows.append(
                    {
                        "service": service,
                        "kind": kind,
                        "signal": r.signal if known else None,
                        "direction": r.arrow if known else "unknown",
                        "before": r.before if known else np.nan,
                        "after": r.now if known else np.nan,
                        "onset": r.onset.time if known and r.onset else None,
                    }
                )
        frame = pd.DataFrame(rows, columns=["service", "kind", "signal", "direction", "before", "after", "onset"])
        return frame.assign(onset=pd.to_datetime(frame["onset"], utc=True))

    def to_frame(self) -> pd.DataFrame:
        """A row per signal.

        Service, kind, signal, arrow, before, after, size, p, earliest, onset, latest, squeezed, …
        """
        columns = [
            "service",
            "kind",
            "signal",
            "arrow",
            "before",
            "after",
            "size",
            "p",
            "earliest",
            "onset",
            "latest",
            "squeezed",
            "control_before",
            "control_after",
        ]
        rows = [
            {
                "service": r.service,
                "kind": r.kind,
                "signal": r.signal,
                "arrow": ARROWS[r.arrow],
                "before": r.before,
                "after": r.now,
                "size": r.size,
                "p": r.p,
                "earliest": r.onset.earliest if r.onset else None,
                "onset": r.onset.time if r.onset else None,
                "latest": r.onset.latest if r.onset else None,
                "squeezed": r.squeezed,
                "control_before": r.control_before,
                "control_after": r.control_now,
            }
            for r in self.readings
        ]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.assign(**{c: pd.to_datetime(frame[c], utc=True) for c in ("earliest", "onset", "latest")})


def read_signals(
    wide: pd.DataFrame,
    *,
    baseline: Window,
    incident: Window,
    slice: pd.DataFrame | None = None,
    kinds: Mapping[str, str] | None = None,
    services: Sequence[str] = (),
) -> SignalBoard:
    """What kind of sick is it: latency, traffic, errors and saturation per service, before and during?

    `wide` is an aligned frame; `slice` the same signals of the affected traffic alone (its columns take the place of
    those of the same name, the whole is kept as control). `kinds` says a signal's kind where its name does not.
    `services`: those that are expected, so that one without any data is told as unknown.

    Method: moves are judged by `rank_signals` (q ≤ .05; 4 robust deviations where p cannot be had, or not small
    enough), and must pass an effect floor: tails half again, other latency a quarter, traffic 30 %, errors half a
    point, shares a tenth, other resources half again. Assumes that the baseline is healthy and like what the incident
    would be without the fault. False alarms: simulated (`tests.benchmarks.quiet`: two services, 12 signals, AR(1) with
    ρ up to 0.8), none of 450 boards showed a move while signals scatter less than the floors, 2 of 100 at four times
    that scatter and ρ = 0.8. It misleads when the windows are wrong, and for a signal that moves for other reasons at
    the same time.

    >>> times = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s", name="time")
    >>> wide = pd.DataFrame({"shop/db.pool.usage.ratio": [0.3, 0.32] * 15 + [1.0] * 10}, index=times)
    >>> w = Window.of
    >>> board = read_signals(wide, baseline=w("2026-03-01T02:00Z", "2026-03-01T02:07Z"),
    ...     incident=w("2026-03-01T02:07:30Z", "2026-03-01T02:10Z"))
    >>> board.squeezed_first
    ('shop/db.pool.usage.ratio',)
    """
    kinds = kinds or {}
    control = wide
    if slice is not None:
        wide = wide.drop(columns=[c for c in slice.columns if c in wide.columns]).join(slice, how="left")
    if not len(wide.columns):
        return SignalBoard((), baseline, incident, (), None, tuple(services), ("there is no signal at all",))
    ranked = rank_signals(wide, baseline=baseline, incident=incident).set_index("signal")
    readings = []
    for signal in wide.columns:
        kind = kinds.get(signal) or signal_kind(signal)
        if kind not in KINDS:
            continue
        readings.append(
            read_one(signal, kind, wide[signal], ranked, baseline, incident, control if slice is not None else None)
        )
    readings.sort(key=_order)
    unknown = _unknown(readings, services)
    first, lead = _squeezed_first(readings)
    because = [r.text for r in readings if r.arrow in ("up", "down")][:8]
    because += [f"{service}: no data during the incident" for service in unknown]
    return SignalBoard(tuple(readings), baseline, incident, first, lead, unknown, tuple(because))


def _resources(signals: Sequence[str]) -> list[str]:
    """Which resources are these signals of, each named once, whatever the instance and the statistic?

    >>> _resources(["web@1/db.pool.usage_ratio.max", "web@2/db.pool.usage_ratio.ratio"])
    ['web/db.pool.usage_ratio']
    """
    names = (f"{s.split('/', 1)[0].split('@', 1)[0]}/{s.split('/', 1)[-1].rsplit('.', 1)[0]}" for s in signals)
    return list(dict.fromkeys(names))


def _squeezed_first(readings: list[SignalReading]) -> tuple[tuple[str, ...], float | None]:
    """Which resources squeezed first, ties shown, and how long before errors (or latency) rose?"""
    full = [
        r
        for r in readings
        if r.squeezed and (is_share(r.signal) or not any(q.squeezed and is_share(q.signal) for q in readings))
    ]
    dated = [r for r in full if r.onset is not None]
    if not dated:
        return tuple(r.signal for r in full[:1]), None
    first = min(dated, key=lambda r: (r.onset.time, r.onset.latest))  # type: ignore[union-attr]
    ties = tuple(r.signal for r in dated if r.onset.earliest <= first.onset.time)  # type: ignore[union-attr]
    for kind in ("errors", "latency"):
        harm = [r.onset for r in readings if r.kind == kind and r.arrow == "up" and r.onset is not None]
        if harm:
            lead = (min(m.time for m in harm) - first.onset.time).total_seconds()  # type: ignore[union-attr]
            return ties, lead
    return ties, None


def _unknown(readings: list[SignalReading], services: Sequence[str]) -> tuple[str, ...]:
    by_service: dict[str, list[str]] = {}
    for reading in readings:
        by_service.setdefault(reading.service, []).append(reading.arrow)
    silent = [s for s, arrows in by_service.items() if all(a == "unknown" for a in arrows)]
    return tuple(dict.fromkeys([*silent, *(s for s in services if s not in by_service)]))


def _order(reading: SignalReading) -> tuple[Any, ...]:
    moved = reading.arrow in ("up", "down")
    dated = reading.onset is not None
    when = reading.onset.time.timestamp() if reading.onset else 0.0
    return (not moved, not dated, when, -_distance(reading), reading.signal)


def _distance(reading: SignalReading) -> float:
    if np.isnan(reading.size):
        return 0.0
    if is_share(reading.signal):
        return abs(reading.size) * 10
    return abs(np.log(max(reading.size, 1e-9))) if np.isfinite(reading.size) else 20.0
