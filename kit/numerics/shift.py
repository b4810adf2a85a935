"""How much did a level move between two windows, and when did it leave its usual range?

Small robust answers for checks: medians with an interval that knows that neighbouring bins resemble each other. The
ranking of hundreds of signals has methods of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from connectors.window import Window
from kit.checks.facts import MINIMUM_BASELINE_BINS, Track
from kit.checks.windows import Instant, Windows

MINIMUM_INCIDENT_BINS = 3
MINIMUM_REQUESTS = 30
_Z = 2.576  # two-sided 99 %


@dataclass(frozen=True, slots=True)
class Shift:
    """The move of a level, in the track's unit: medians before and during, 99 % interval of their difference."""

    before: float
    during: float
    low: float
    high: float
    spread: float

    @property
    def change(self) -> float:
        """During minus before."""
        return self.during - self.before


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why the data cannot answer; a sentence."""

    reason: str


def shift(track: Track, windows: Windows) -> Shift | TooLittle:
    """How much did the level move from the baseline to the incident?

    Median of the incident's bins minus median of the baseline's (of a ratio of counted requests: the shares of all
    requests themselves), with a 99 % interval from both spreads and an effective number of bins n(1−ρ)/(1+ρ), ρ the
    baseline's lag-one autocorrelation. Bins without data are left out; with fewer than 8 bins before, 3 during or half
    of the incident covered the answer is `TooLittle`. Misleads when the level moved for less than half of the incident:
    the median does not see that.

    >>> import pandas as pd
    >>> index = pd.date_range("2026-03-01T02:00Z", periods=20, freq="1min")
    >>> track = Track("a/pool.ratio", pd.Series([0.2, 0.3] * 8 + [1.0] * 4, index=index))
    >>> w = Windows.of(baseline=(index[0], index[16]), incident=(index[16], index[19] + pd.Timedelta("1min")))
    >>> round(shift(track, w).change, 2)
    0.75
    """
    before = track.within(windows.baseline).dropna().to_numpy()
    during_all = track.within(windows.incident, until=windows.complete_until)
    during = during_all.dropna().to_numpy()
    missing = _too_little(track, windows, before, during, len(during_all))
    if missing:
        return TooLittle(missing)
    if track.counts is not None and _is_share(track):
        return _share_shift(track, windows)
    rho = _autocorrelation(before)
    middle, level = float(np.median(before)), float(np.median(during))
    error = np.hypot(_error_of_median(before, rho), _error_of_median(during, rho))
    half = float(_Z * (1 + 2 / len(during)) * error)
    return Shift(middle, level, level - middle - half, level - middle + half, _spread(before))


def _is_share(track: Track) -> bool:
    return "ratio" in track.key.rpartition("/")[2]


def _share_shift(track: Track, windows: Windows) -> Shift:
    """The same for a share of counted requests: of all requests of each window, not the median of its bins.

    Failures that come in bursts leave half of the bins without any, where a median sees nothing. The error is that of
    a ratio estimate over bins, so that one bad bin alone makes it wide.
    """
    healthy = track.within(windows.baseline).dropna().to_numpy()
    rho = _autocorrelation(healthy)
    before, error_before = _share(track, windows.baseline, windows, rho)
    during, error_during = _share(track, windows.incident, windows, rho)
    bins = max(1, int(track.within(windows.incident, until=windows.complete_until).notna().sum()))
    half = float(_Z * (1 + 2 / bins) * np.hypot(error_before, error_during))
    return Shift(before, during, during - before - half, during - before + half, _spread(healthy))


def _share(track: Track, window: Window, windows: Windows, rho: float) -> tuple[float, float]:
    """The share of all requests of this window, and its standard error from how the bins scatter about it."""
    values = track.within(window, until=windows.complete_until).dropna()
    counts = track.counts.reindex(values.index).fillna(0.0).to_numpy()  # type: ignore[union-attr]
    total = float(counts.sum())
    if total <= 0:
        return float(np.median(values.to_numpy())), 0.0
    share = float((values.to_numpy() * counts).sum()) / total
    rest = (values.to_numpy() - share) * counts
    scatter = float(np.sqrt((rest**2).sum() * len(rest) / max(len(rest) - 1, 1)))
    return share, scatter / total * float(np.sqrt((1 + rho) / (1 - rho)))


def departure(
    track: Track, windows: Windows, *, direction: Literal["up", "down", "either"] = "up", floor: float = 0.0
) -> Instant | TooLittle | None:
    """When did the track leave its usual range for good? None: it did not.

    The usual range is the baseline's median ± the largest of four robust spreads, `floor` and 5 % of the median. Looked
    for from the end of the baseline to the end of the incident; out means out in at least two of three bins with data.
    The interval spans from the start of the last bin inside to the end of the first bin outside.

    >>> import pandas as pd
    >>> index = pd.date_range("2026-03-01T02:00Z", periods=20, freq="1min")
    >>> track = Track("a/pool.ratio", pd.Series([0.2, 0.3] * 8 + [0.3, 1.0, 1.0, 1.0], index=index))
    >>> w = Windows.of(baseline=(index[0], index[16]), incident=(index[16], index[19] + pd.Timedelta("1min")))
    >>> departure(track, w).earliest.strftime("%H:%M"), departure(track, w).latest.strftime("%H:%M")
    ('02:16', '02:18')
    """
    before = track.within(windows.baseline).dropna().to_numpy()
    end = min(windows.incident.end, windows.complete_until)
    if windows.baseline.end >= end:
        return TooLittle(f"{track.key}: the incident does not come after the baseline")
    after = track.within(Window(windows.baseline.end, end)).dropna()
    if len(before) < MINIMUM_BASELINE_BINS or len(after) < MINIMUM_INCIDENT_BINS:
        return TooLittle(f"{track.key} has {len(before)} bins before and {len(after)} after; 8 and 3 are needed")
    out = _outside(after.to_numpy(), before, direction=direction, floor=floor)
    for i in np.flatnonzero(out):
        if out[i : i + 3].sum() >= 2:
            step = timedelta(seconds=track.step_s)
            first = after.index[i].to_pydatetime()
            last_inside = after.index[i - 1].to_pydatetime() if i else first - step
            return Instant(last_inside, first + step)
    return None


def back_in_range(
    track: Track, windows: Windows, span: Window, *, floor: float = 0.0, for_s: float = 30.0
) -> Instant | TooLittle | None:
    """When within `span` did the track return to its baseline range and stay for at least `for_s`? None: it did not.

    The range is that of `departure`, both directions. A stay that `span` or the watermark cuts off does not count.
    """
    before = track.within(windows.baseline).dropna().to_numpy()
    inside = track.within(span, until=windows.complete_until).dropna()
    if len(before) < MINIMUM_BASELINE_BINS or not len(inside):
        return TooLittle(f"{track.key} has {len(before)} bins before and {len(inside)} in {span}")
    out = _outside(inside.to_numpy(), before, direction="either", floor=floor)
    need = max(2, int(np.ceil(for_s / track.step_s))) if track.step_s else 2
    step = timedelta(seconds=track.step_s)
    for i in range(len(out) - need + 1):
        if not out[i : i + need].any():
            first = inside.index[i].to_pydatetime()
            return Instant(inside.index[i - 1].to_pydatetime() if i else first, first + step)
    return None


def is_out(track: Track, windows: Windows, span: Window, *, floor: float = 0.0) -> bool | None:
    """Was the track outside its baseline range in most bins of `span`? None: too little data to say."""
    before = track.within(windows.baseline).dropna().to_numpy()
    inside = track.within(span, until=windows.complete_until).dropna().to_numpy()
    if len(before) < MINIMUM_BASELINE_BINS or len(inside) < 2:
        return None
    out = _outside(inside, before, direction="up", floor=floor) | _outside(
        inside, before, direction="down", floor=floor
    )
    return bool(out.mean() > 0.5)


def _too_little(track: Track, windows: Windows, before: np.ndarray, during: np.ndarray, bins: int) -> str:
    if len(before) < MINIMUM_BASELINE_BINS:
        return f"{track.key} has {len(before)} bins with data in the baseline; {MINIMUM_BASELINE_BINS} are needed"
    if len(during) < MINIMUM_INCIDENT_BINS:
        return f"{track.key} has {len(during)} bins with data in the incident; {MINIMUM_INCIDENT_BINS} are needed"
    expected = max(bins, windows.incident.seconds / track.step_s if track.step_s else bins)
    if len(during) < expected / 2:
        return f"{track.key} has a gap: {len(during)} of {expected:.0f} bins of the incident"
    if track.counts is not None:
        requests = float(track.counts.reindex(track.within(windows.incident).index).sum())
        if requests < MINIMUM_REQUESTS:
            return f"{track.key} rests on {requests:.0f} requests in the incident; {MINIMUM_REQUESTS} are needed"
    return ""


def _outside(values: np.ndarray, before: np.ndarray, *, direction: str, floor: float) -> np.ndarray:
    middle = float(np.median(before))
    width = max(4 * _spread(before), floor, 0.05 * abs(middle), 1e-12)
    above, below = values > middle + width, values < middle - width
    return {"up": above, "down": below, "either": above | below}[direction]


def _spread(values: np.ndarray) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / 1.349) or float(np.std(values))


def _error_of_median(values: np.ndarray, rho: float) -> float:
    effective = max(2.0, len(values) * (1 - rho) / (1 + rho))
    return 1.2533 * _spread(values) / float(np.sqrt(effective))


def _autocorrelation(values: np.ndarray) -> float:
    centred = values - values.mean()
    total = float((centred**2).sum())
    if total == 0 or len(values) < 4:
        return 0.0
    return float(np.clip((centred[1:] * centred[:-1]).sum() / total, 0.0, 0.95))
