"""One signal before and during: its levels, and whether that is a move beyond chance and large enough to matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.numerics.moments import Moment, as_moment
from kit.signal_names import is_share, shown
from kit.signals import service_of

ARROWS = {"up": "↑", "down": "↓", "flat": "→", "unknown": "?"}
SPARK_POINTS = 60
FULL = 0.8
"""A share of a resource from which it counts as squeezed."""
_INVERSE = ("available", "free", "idle", "remaining")


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


def read_one(
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
