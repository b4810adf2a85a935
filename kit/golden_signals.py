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
from kit.health import kind_of
from kit.numerics.moments import Moment, as_moment, length
from kit.result import Result
from kit.signals import rank_signals, service_of

KINDS = ("latency", "traffic", "errors", "saturation")
ARROWS = {"up": "↑", "down": "↓", "flat": "→", "unknown": "?"}
SPARK_POINTS = 60
FULL = 0.8
"""A share of a resource from which it counts as squeezed."""
_INVERSE = ("available", "free", "idle", "remaining")
_SHARES = ("ratio", "utilization", "utilisation", "share")


@dataclass(frozen=True, slots=True)
class SignalReading:
    """One signal of one service: its level before and during, in its own unit, and whether that is a move.

    `arrow`: up, down, flat, unknown (no data while there was harm). `size`: factor during ÷ before (for shares the
    difference). `onset` None: not dated. `p` NaN: too short to say. `squeezed`: a resource that is (nearly) used up.
    `control_*`: the same signal over all traffic where the board shows a slice, else NaN.
    """

    signal: str
    service: str
    kind: str
    arrow: str
    before: float
    now: float
    size: float
    p: float
    onset: Moment | None
    squeezed: bool
    spark: tuple[float, ...]
    control_before: float = float("nan")
    control_now: float = float("nan")

    @property
    def text(self) -> str:
        """The reading in words."""
        if self.arrow == "unknown":
            return f"{self.signal}: no data during the incident"
        return f"{self.signal} {ARROWS[self.arrow]} {shown(self.before, self.signal)} → {shown(self.now, self.signal)}"


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
    `services`: those that are expected, so that one without any data is told as unknown. Moves are judged by
    `rank_signals` (q ≤ .05; 4 robust deviations where p cannot be had, or not small enough), and must pass an effect
    floor: tails half
    again, other latency a quarter, traffic 30 %, errors half a point, shares a tenth, other resources half again.

    Misleads when the windows are wrong, and for a signal that moves for other reasons at the same time.

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
            _reading(signal, kind, wide[signal], ranked, baseline, incident, control if slice is not None else None)
        )
    readings.sort(key=_order)
    unknown = _unknown(readings, services)
    first, lead = _squeezed_first(readings)
    because = [r.text for r in readings if r.arrow in ("up", "down")][:8]
    because += [f"{service}: no data during the incident" for service in unknown]
    return SignalBoard(tuple(readings), baseline, incident, first, lead, unknown, tuple(because))


def signal_kind(signal: str) -> str:
    """Which golden signal is this, by its name? `other`: none of the four, e.g. counts of log lines.

    >>> [signal_kind(s) for s in ("web/requests.count", "web/log.error.count", "web/db.connection.usage_ratio.ratio")]
    ['traffic', 'other', 'saturation']
    """
    name = signal.rpartition("/")[2].lower()
    if name.startswith(("log.", "change.", "statements.count", "requests.attempts")):
        return "other"
    if any(word in name for word in ("usage", "utilization", "utilisation", "available", "pending", "waiting_for")):
        return "saturation"
    return kind_of(signal)


def shown(value: float, signal: str) -> str:
    """A value as a reader wants it: seconds for latency, per cent for shares, else three digits.

    >>> shown(0.0425, "web/requests.duration.p99"), shown(0.5, "web/errors.ratio")
    ('42.5 ms', '50 %')
    """
    if value != value:
        return "no data"
    name = signal.rpartition("/")[2].lower()
    if any(w in name for w in ("duration", "latency")) and not name.endswith(("count", "rate", "delta")):
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    if is_share(signal) and abs(value) <= 1.5:
        return f"{value * 100:.3g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def is_share(signal: str) -> bool:
    """Is it a share of a whole, 0 to 1, by its name?"""
    name = signal.rpartition("/")[2].lower()
    return any(word in name for word in _SHARES) and not any(w in name for w in ("duration", "latency"))


def _reading(
    signal: str,
    kind: str,
    series: pd.Series,
    ranked: pd.DataFrame,
    baseline: Window,
    incident: Window,
    control: pd.DataFrame | None,
) -> SignalReading:
    before_values, now_values = _inside(series, baseline), _inside(series, incident)
    service = service_of(signal) or signal
    spark = _spark(_inside(series, Window(baseline.start, max(incident.end, baseline.end))))
    extra: dict[str, float] = {}
    if control is not None and signal in control:
        extra = {
            "control_before": _level(_inside(control[signal], baseline)),
            "control_now": _level(_inside(control[signal], incident)),
        }
    before, now = _level(before_values), _level(now_values)
    if np.isnan(now) or _filled(now_values) < 0.2 <= _filled(before_values):
        arrow = "unknown" if not np.isnan(before) else "flat"
        return SignalReading(signal, service, kind, arrow, before, now, np.nan, np.nan, None, False, spark, **extra)
    row: Any = ranked.loc[signal] if signal in ranked.index else None
    p = float(row["p"]) if row is not None else np.nan
    size = now - before if is_share(signal) else (now / before if before else np.inf if now else 1.0)
    moved = row is not None and _stands_out(row)
    direction = "up" if (now > before or np.isnan(before)) else "down"
    arrow = direction if moved and _passes(signal, kind, before, now) else "flat"
    onset = None
    if arrow != "flat" and row is not None and not pd.isna(row["earliest"]):
        onset = as_moment(_OnsetRow(row["earliest"], row["onset"], row["latest"]))
    return SignalReading(
        signal,
        service,
        kind,
        arrow,
        before,
        now,
        float(size),
        p,
        onset,
        _squeezed(signal, kind, arrow, now),
        spark,
        **extra,
    )


@dataclass(frozen=True, slots=True)
class _OnsetRow:
    earliest: Any
    time: Any
    latest: Any


def _resources(signals: Sequence[str]) -> list[str]:
    """Which resources are these signals of, each named once, whatever the instance and the statistic?

    >>> _resources(["web@1/db.pool.usage_ratio.max", "web@2/db.pool.usage_ratio.ratio"])
    ['web/db.pool.usage_ratio']
    """
    names = (f"{s.split('/', 1)[0].split('@', 1)[0]}/{s.split('/', 1)[-1].rsplit('.', 1)[0]}" for s in signals)
    return list(dict.fromkeys(names))


def _stands_out(row: Any) -> bool:
    """Is it further off than chance takes it?

    q ≤ .05; where so few healthy windows fit that no p could pass the correction for all signals, the smallest p there
    can be and four robust deviations; without any p four deviations.
    """
    if np.isnan(row["q"]):
        return bool(row["score"] >= 4.0)
    smallest = 1.0 / (1.0 + row["placebos"]) if row["placebos"] else 0.0
    return bool(row["q"] <= 0.05 or (row["p"] <= max(smallest * 1.01, 0.0) <= 0.055 and row["score"] >= 4.0))


def _passes(signal: str, kind: str, before: float, now: float) -> bool:
    """Is the effect large enough to matter?"""
    before = 0.0 if np.isnan(before) else before
    if kind == "errors":
        return abs(now - before) >= 0.005 if is_share(signal) else (now >= 2 * before and now > 0) or now <= before / 2
    if is_share(signal):
        return abs(now - before) >= 0.1
    factor = {"traffic": 1.3}.get(kind, 1.5)
    if kind == "latency" and not signal.endswith(("p99", "p95", "p90", "max")):
        factor = 1.25
    if kind == "latency" and abs(now - before) < 0.002:
        return False
    return now >= factor * before or now <= before / factor


def _squeezed(signal: str, kind: str, arrow: str, now: float) -> bool:
    if kind != "saturation" or arrow == "flat":
        return False
    name = signal.rpartition("/")[2].lower()
    if any(word in name for word in _INVERSE):
        return arrow == "down"
    return arrow == "up" and (now >= FULL if is_share(signal) else True)


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


def _inside(series: pd.Series, window: Window) -> np.ndarray:
    mine = (series.index >= pd.Timestamp(window.start)) & (series.index < pd.Timestamp(window.end))
    return series[mine].to_numpy(float)


def _level(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    cut = len(known) // 5
    return float(np.sort(known)[cut : len(known) - cut].mean())


def _filled(values: np.ndarray) -> float:
    return float((~np.isnan(values)).mean()) if len(values) else 0.0


def _spark(values: np.ndarray) -> tuple[float, ...]:
    """At most 60 points; each the mean of its part, NaN where there is no data."""
    if len(values) <= SPARK_POINTS:
        return tuple(float(v) for v in values)
    parts = np.array_split(values, SPARK_POINTS)
    return tuple(float(np.nanmean(p)) if (~np.isnan(p)).any() else float("nan") for p in parts)
