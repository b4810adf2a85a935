"""Which signals moved? Every signal of an incident against its own baseline, with what chance would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window, utc
from kit.errors import TooShort
from kit.numerics import columns, placebo, segments
from kit.numerics.contrast import benjamini_hochberg
from kit.numerics.noise import LEAST_EFFECTIVE, effective_points
from kit.numerics.scan import mean_inflation
from kit.onset import find_onset

COLUMNS = [
    "signal", "service", "score", "p", "q", "direction", "onset", "earliest", "latest", "change", "baseline",
    "incident", "spread_ratio", "placebos", "group",
]  # fmt: skip
LEAST_BASELINE = 8
FLAT = 0.01
"""A scale is at least this share of the median: a gauge that never moves is not infinitely surprised."""
GONE_SCORE = 5.0
"""What a signal that appeared or vanished counts for, in standard deviations."""
SPREAD_DOUBLED = 2.0
"""What a doubled (or halved) spread counts for, in standard deviations."""
SHOWN_ONSET = 3.0
"""Onsets are looked for where the score is at least this, or p ≤ .05."""
COPY_CORRELATION = 0.95
COPY_CORRELATION_BASELINE = 0.8


@dataclass(frozen=True)
class _Signal:
    name: str
    service: str | None
    times: np.ndarray
    values: np.ndarray

    def inside(self, window: Window) -> np.ndarray:
        begin, end = _us(window.start), _us(window.end)
        return self.values[(self.times >= begin) & (self.times < end)]


def rank_signals(metrics: columns.Table | pd.DataFrame, *, baseline: Window, incident: Window) -> pd.DataFrame:
    """Which signals left their baseline in the incident, and which of them first?

    `metrics` is a canonical METRICS table (pandas or pyarrow) or a wide aligned frame (DatetimeIndex in UTC, a column a
    signal, named service[@instance]/name.stat). Returns a row a signal, most suspect first:

    - `score`: |trimmed mean in the incident − median of the baseline| in robust standard deviations of the baseline, or
      what the change of spread, an appearance or a vanishing count for, whichever is more; larger = more suspect;
    - `p`: how often the baseline's AR(1) noise is as far off; when 19 or more windows of the same length fit before the
      incident, no less than (1 + those as far) / (1 + windows). NaN, too short to say, where fewer fit and the baseline
      is worth fewer than 20 independent points; `q`: the same after Benjamini–Hochberg over all signals; `placebos`:
      windows that fit;
    - `direction` up, down or flat; `change` moved, spread, appeared, vanished or none;
    - `onset`, `earliest`, `latest`: from `find_onset` where something moved; NaT otherwise or when too short;
    - `baseline`, `incident`: the levels; `spread_ratio`: incident over baseline spread;
    - `group`: the first signal of which this is a copy (correlation of .95 and more, also in the baseline).

    Sorted by q (at most .01, at most .05, unknown, the rest), then score. Nothing of the input is changed.

    Method: as told for `score` and `p`. Assumes that history and baseline are like what the incident would be without
    the fault. False alarms: p ≤ .05 in at most 7 % of AR(1) series, ρ up to 0.9. It misleads when the baseline holds
    another fault (its spread hides this one), at a daily ramp without earlier days to learn from, and in what order
    means: the signal that moved most need not be where it began.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s")
    >>> signals = {"shop/errors.ratio": [0.0] * 30 + [0.4] * 10, "shop/cpu.gauge": [0.5, 0.6] * 20}
    >>> wide = pd.DataFrame(signals, index=times)
    >>> b, i = Window.of("2026-03-01T02:00Z", "2026-03-01T02:07Z"), Window.of("2026-03-01T02:07Z", "2026-03-01T02:10Z")
    >>> rank_signals(wide, baseline=b, incident=i)[["signal", "direction", "change"]]
                  signal direction change
    0  shop/errors.ratio        up  moved
    1     shop/cpu.gauge      flat   none
    """
    signals = _signals(metrics)
    rows = [_row(signal, baseline, incident) for signal in signals]
    rows = [r for r in rows if r is not None]
    if not rows:
        return pd.DataFrame({c: [] for c in COLUMNS})
    frame = pd.DataFrame(rows)
    frame["q"] = benjamini_hochberg(frame["p"])
    q = frame["q"].fillna(0.2)
    frame["_band"] = np.select([q <= 0.01, q <= 0.05, frame["q"].isna()], [0, 1, 2], 3)
    frame = frame.sort_values(["_band", "score", "signal"], ascending=[True, False, True], ignore_index=True)
    by_name = {s.name: s for s in signals}
    frame["group"] = _groups([by_name[name] for name in frame["signal"]], frame["change"].tolist(), baseline, incident)
    for name in ("onset", "earliest", "latest"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame[COLUMNS]


def _row(signal: _Signal, baseline: Window, incident: Window) -> dict[str, object] | None:
    before, during = signal.inside(baseline), signal.inside(incident)
    row: dict[str, object] = {
        "signal": signal.name, "service": signal.service, "score": 0.0, "p": np.nan, "direction": "flat",
        "onset": pd.NaT, "earliest": pd.NaT, "latest": pd.NaT, "change": "none", "spread_ratio": np.nan, "placebos": 0,
        "baseline": float(np.median(before)) if len(before) else np.nan,
        "incident": _location(during) if len(during) else np.nan,
    }  # fmt: skip
    if not len(before) and not len(during):
        return None
    if not len(before) or not len(during):
        there = len(during) > 0
        row |= {
            "score": GONE_SCORE,
            "change": "appeared" if there else "vanished",
            "direction": "up" if there else "down",
        }
        return row
    history = signal.values[signal.times < _us(incident.start)]
    scale, away = _scale(before, history, during), _location(during) - float(np.median(before))
    z = abs(away) / scale
    inner, outer = _spread(during), _spread(before)
    row["spread_ratio"] = inner / outer if outer > 0 else (1.0 if inner == 0 else np.inf)
    wider = _spread_score(before, during)
    row["score"] = max(z, wider)
    row["p"], row["placebos"] = _chance(history, before, during, away, scale)
    moved = z >= wider
    if z >= SHOWN_ONSET or (np.isfinite(row["p"]) and row["p"] <= 0.05 and z >= 1):
        row["direction"] = "up" if away > 0 else "down"
    row["change"] = ("moved" if row["direction"] != "flat" else "none") if moved or wider < SHOWN_ONSET else "spread"
    if row["change"] != "none":
        way: Literal["up", "down", "either"] = "up" if away > 0 else "down"
        row |= _onset(signal, baseline, incident, way if row["change"] == "moved" else "either")
    return row


def _location(values: np.ndarray) -> float:
    """Mean of the middle four fifths: not moved by a lone point, moved when a fifth of the bins are."""
    ordered = np.sort(values)
    cut = len(ordered) // 10
    return float(ordered[cut : len(ordered) - cut].mean())


def _spread(values: np.ndarray) -> float:
    return segments.robust_spread(values - np.median(values))


def _scale(before: np.ndarray, history: np.ndarray, during: np.ndarray) -> float:
    """The baseline's robust standard deviation, at least a hundredth of its median and the series' own resolution."""
    distinct = np.unique(np.concatenate([history, before, during]))
    resolution = float(np.diff(distinct).min()) if len(distinct) > 1 else 0.0
    span = float(distinct[-1] - distinct[0])
    return max(_spread(before), FLAT * abs(float(np.median(before))), min(resolution, 0.02 * span), 1e-3 * span, 1e-12)


def _spread_score(before: np.ndarray, during: np.ndarray) -> float:
    """How much does the change of spread count, in standard deviations of a log ratio of spreads?"""
    if len(during) < LEAST_BASELINE or len(before) < LEAST_BASELINE:
        return 0.0
    inner, outer = _spread(during), _spread(before)
    if inner <= 0 or outer <= 0:
        return 0.0
    standard_error = np.sqrt(1.0 / len(during) + 1.0 / len(before))
    ratio = np.log(inner / outer)
    return float(SPREAD_DOUBLED * abs(ratio) / np.log(2)) if abs(ratio) > 3 * standard_error else 0.0


def _chance(
    history: np.ndarray, before: np.ndarray, during: np.ndarray, away: float, scale: float
) -> tuple[float, int]:
    p, count = placebo.shift_chance(history, length=len(during), away=away, location=_location)
    rho = segments.autocorrelation(before - np.median(before))
    worth = float(effective_points(len(before), rho))
    from_windows = count >= placebo.LEAST_WINDOWS
    if len(before) < LEAST_BASELINE or (worth < LEAST_EFFECTIVE and not from_windows):
        return float("nan"), count
    from scipy import stats

    error = scale * np.sqrt(
        float(mean_inflation(len(before), np.array(rho))) / len(before)
        + float(mean_inflation(len(during), np.array(rho))) / len(during)
    )
    by_noise = float(2 * stats.t.sf(abs(away) / error, max(worth - 2, 1.0)))
    return max(p, by_noise) if from_windows else by_noise, count  # windows overlap, so that they alone say too much


def _onset(
    signal: _Signal, baseline: Window, incident: Window, direction: Literal["up", "down", "either"]
) -> dict[str, object]:
    until = signal.times < _us(max(incident.end, baseline.end))
    index = pd.DatetimeIndex(signal.times[until].astype("datetime64[us]")).tz_localize("UTC")
    try:
        onset = find_onset(pd.Series(signal.values[until], index=index), baseline=baseline, direction=direction)
    except TooShort:
        onset = None
    if onset is None:
        return {}
    return {"onset": onset.time, "earliest": onset.earliest, "latest": onset.latest}


def _groups(signals: list[_Signal], changes: list[str], baseline: Window, incident: Window) -> list[str]:
    """For each signal the first before it, among those that moved, of which it is a copy; itself when there is none."""
    leaders: list[_Signal] = []
    groups = []
    for signal, change in zip(signals, changes, strict=True):
        leader = None
        if change in ("moved", "spread"):
            leader = next((other for other in leaders if _copies(other, signal, baseline, incident)), None)
            if leader is None:
                leaders.append(signal)
        groups.append(leader.name if leader is not None else signal.name)
    return groups


def _copies(a: _Signal, b: _Signal, baseline: Window, incident: Window) -> bool:
    if not np.array_equal(a.times, b.times):
        common, i, j = np.intersect1d(a.times, b.times, return_indices=True)
        x, y = a.values[i], b.values[j]
    else:
        common, x, y = a.times, a.values, b.values
    span = (common >= _us(baseline.start)) & (common < _us(incident.end))
    healthy = (common >= _us(baseline.start)) & (common < _us(baseline.end))
    return (
        abs(_correlation(x[span], y[span])) >= COPY_CORRELATION
        and abs(_correlation(x[healthy], y[healthy])) >= COPY_CORRELATION_BASELINE
    )


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < LEAST_BASELINE:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


def _signals(metrics: columns.Table | pd.DataFrame) -> list[_Signal]:
    if isinstance(metrics, pd.DataFrame) and isinstance(metrics.index, pd.DatetimeIndex) and "signal" not in metrics:
        return _wide_signals(metrics)
    if not {"time", "signal", "value"} <= set(columns.names(metrics)):
        raise BadInput(
            "rank_signals takes a METRICS table (time, signal, value …) or a wide frame with a DatetimeIndex in UTC; "
            f"this has {', '.join(columns.names(metrics)[:8]) or 'no columns'}."
        )
    return _long_signals(metrics)


def _wide_signals(wide: pd.DataFrame) -> list[_Signal]:
    if wide.index.tz is None:
        raise BadInput("The frame's times have no zone: wide.index = wide.index.tz_localize('UTC').")
    if not wide.index.is_monotonic_increasing:
        raise BadInput("The frame's index must increase: sort it first (wide.sort_index()).")
    times = wide.index.as_unit("us").asi8
    out = []
    for name in wide.columns:
        values = wide[name].to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(values)
        out.append(_Signal(str(name), service_of(str(name)), times[known], values[known]))
    return out


def _long_signals(metrics: columns.Table) -> list[_Signal]:
    codes, names = columns.codes(metrics, "signal")
    times, values = columns.times_us(metrics), columns.numbers(metrics, "value")
    services: dict[int, str | None] = {}
    if "service" in columns.names(metrics):
        service_codes, service_names = columns.codes(metrics, "service")
        for code, service in zip(codes, service_codes, strict=True):
            services.setdefault(int(code), str(service_names[service]) if service >= 0 else None)
    known = np.isfinite(values) & (codes >= 0)
    codes, times, values = codes[known], times[known], values[known]
    order = np.lexsort((times, codes))
    codes, times, values = codes[order], times[order], values[order]
    edges = np.flatnonzero(np.diff(codes)) + 1
    out = []
    for lo, hi in zip([0, *edges], [*edges, len(codes)], strict=True):
        if hi > lo:
            name = str(names[codes[lo]])
            out.append(_Signal(name, services.get(int(codes[lo]), service_of(name)), times[lo:hi], values[lo:hi]))
    return out


def service_of(signal: str) -> str | None:
    """Which service does this key belong to? The text before `@` or `/`; None when the key has no slash.

    >>> service_of("shop@pod-1/http.duration.p99"), service_of("load")
    ('shop', None)
    """
    return signal.split("/", 1)[0].split("@", 1)[0] or None if "/" in signal else None


def _us(time: object) -> int:
    return int(np.datetime64(utc(time).replace(tzinfo=None), "us").astype(np.int64))
