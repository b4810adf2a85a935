"""When did it turn? The onset of a departure from the baseline, as an interval, with what chance would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window, iso
from kit.errors import TooShort
from kit.numerics import placebo, segments
from kit.numerics.changepoints import find_changepoints, find_changepoints_each
from kit.numerics.season import calendar_periods, without_season
from kit.result import Result

__all__ = ["Onset", "find_changepoints", "find_changepoints_each", "find_onset"]

LEAST_BUCKETS = 22
LEAST_BASELINE = 8
DEPARTED = 2.0
"""A level counts as departed when it is this many baseline standard deviations (of its own length's mean) away."""
SLIGHT = 0.2
"""A departure of less than this share of what follows it is drift before the harm, not its beginning."""
LOOKS = 4
"""So many times at most is the series looked at: once, and again without each earlier event in the baseline."""
CLEAR = 4.0
"""Without a p, an onset is only told when the typical point is this many baseline standard deviations away."""


@dataclass(frozen=True)
class Onset(Result):
    """When a series left its baseline: somewhere in [earliest, latest], most likely in the bin that starts at `time`.

    `size` is the level after minus the baseline's, in the series' unit. `p`: how often a fault-free series of this
    kind shows as much; NaN when that is too short to say. `censored`: it had begun before the data did, and `earliest`
    is only the first instant seen.
    """

    earliest: datetime
    time: datetime
    latest: datetime
    censored: bool
    kind: str
    direction: str
    size: float
    p: float
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The answer, in one plain sentence."""
        if self.censored:
            return f"Already {self.direction} when the data begins at {iso(self.time)}: the onset lies before it."
        return f"{self.kind.capitalize()} {self.direction} between {iso(self.earliest)} and {iso(self.latest)}."

    def to_frame(self) -> pd.DataFrame:
        """The onset as one row."""
        names = ("earliest", "time", "latest", "censored", "kind", "direction", "size", "p")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


def find_onset(
    series: pd.Series, *, baseline: Window, direction: Literal["up", "down", "either"] = "either"
) -> Onset | None:
    """When did the series leave its baseline?

    `series` has a DatetimeIndex with a zone, one value a bin labelled by its start; NaN is no data. `baseline` is the
    healthy stretch. What lies before it only serves to learn days and weeks from; when nothing follows it, what lies
    before is searched instead. `direction`: which way harm lies (latency and errors harm upwards); the other way does
    not count then. None: no departure that the data can show. Raises `TooShort` with the step or stretch
    that would do, `BadInput` for an index without zone or order.

    Assumes noise that is roughly AR(1) and a baseline that is mostly healthy; a fault that came and went inside it is
    recognised and left out. Method: change points of baseline and after (`find_changepoints`), levels compared with the
    baseline's median in the baseline's robust spread; the strongest departed run is the harm, and its onset is the
    first departed change without a return before it. Where that shows nothing, a step is looked for after the baseline
    alone, with a null of its own. The interval holds every bin whose AR(1) likelihood is near the best one's (about
    90 % coverage of a step in simulation), the time of a whole bin, and any gap before it. Where the points are worth
    fewer than 20 independent ones, p comes from windows of the same length in the baseline, if 19 or more fit, and is
    NaN otherwise. False alarms: p ≤ .05 in at most 7 % of AR(1) series, ρ from 0 to 0.9 (1–5 % where the points are
    worth 20 or more); a step of 2 standard deviations in the last quarter is found in 85 % and more there.

    It misleads when the baseline is ill itself, when requests are binned by completion (slow failures date late), and
    when a daily ramp is seen less than twice.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s")
    >>> ratio = pd.Series([0.0] * 30 + [0.4, 0.5] * 5, index=times)
    >>> onset = find_onset(ratio, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:07Z"))
    >>> print(onset.headline)
    Step up between 2026-03-01T02:07:30Z and 2026-03-01T02:07:45Z.
    """
    times, values, step_s = _searched(series, baseline)
    in_baseline = (times >= pd.Timestamp(baseline.start)) & (times < pd.Timestamp(baseline.end))
    _refuse_short(len(values), int(in_baseline.sum()), step_s)
    normal = float(np.median(values[in_baseline]))
    spread = _baseline_spread(values[in_baseline])
    run, kept = _harm(values, in_baseline, normal, spread, direction)
    if run is None:
        return None
    x, inside, place = values[kept], in_baseline[kept], np.flatnonzero(kept)
    change, end, censored = run
    level = float(np.median(x[change.start : end + 1]))
    p, why_p = _chance(change, x, inside, end + 1 - change.start, level - normal)
    if np.isnan(p) and abs(level - normal) < CLEAR * spread and not _late(x, inside, normal, spread, direction):
        return None
    first = change if censored or change.kind in ("spike", "dip", "variance") else _first_bins(
        change, x, normal, spread, level
    )  # fmt: skip
    because = [
        f"baseline {_number(normal)} ± {_number(spread)} over {int(in_baseline.sum())} bins, then {_number(level)} "
        f"for {end + 1 - first.start} bins",
        why_p,
    ]
    begins_inside = bool(inside[first.start])
    first = segments.replace(
        first, start=place[first.start], earliest=place[first.earliest], latest=place[first.latest]
    )
    earliest, latest, gap = _instants(first, times, step_s)
    moved = first.direction if first.kind == "variance" else ("up" if level > normal else "down")
    if gap:
        because.append(f"no data for {gap:.0f} s before it: the interval spans the gap")
    if not kept.all():
        because.append(f"left out: {int((~kept).sum())} bins of the baseline that had departed and come back before")
    if begins_inside:
        because.append("it begins inside the stated baseline")
    return Onset(earliest, times[first.start].to_pydatetime(), latest, censored, first.kind, moved,
                 level - normal, p, tuple(because))  # fmt: skip


def _searched(series: pd.Series, baseline: Window) -> tuple[pd.DatetimeIndex, np.ndarray, float]:
    """The observed points to search, deseasoned: from the baseline's start on, or all when nothing follows it."""
    index = series.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise BadInput("find_onset needs a DatetimeIndex with a zone: series.index = series.index.tz_localize('UTC').")
    if not index.is_monotonic_increasing:
        raise BadInput("The series' index must increase: sort it first (series.sort_index()).")
    values = series.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    if not known.any():
        raise TooShort("The series holds no data at all: check the signal's name and the window it was loaded for.")
    step_s = float(np.median(np.diff(index.as_unit("ns").asi8))) / 1e9 if len(index) > 1 else 0.0
    if step_s > 0 and len(values) >= 2 * LEAST_BUCKETS:
        values, _ = without_season(values, calendar_periods(step_s, len(values)))
    after_start = known & (index >= pd.Timestamp(baseline.start))
    follows = (known & (index >= pd.Timestamp(baseline.end))).any()
    kept = after_start if follows else known
    return index[kept].tz_convert("UTC"), values[kept], step_s


def _refuse_short(n: int, in_baseline: int, step_s: float) -> None:
    if n >= LEAST_BUCKETS and in_baseline >= LEAST_BASELINE:
        return
    if in_baseline < LEAST_BASELINE:
        needed, present, what = LEAST_BASELINE, in_baseline, "baseline buckets"
    else:
        needed, present, what = LEAST_BUCKETS, n, "buckets"
    finer = step_s * present / needed
    advice = f"use {_step_text(finer)} buckets or " if present and finer >= 1 else ""
    raise TooShort(
        f"Too short for an onset: {needed} {what} needed, {present} present: {advice}"
        f"start {_step_text((needed - present) * max(step_s, 1.0))} earlier."
    )


def _step_text(seconds: float) -> str:
    """A round step not longer than this, as people write it."""
    for size, unit in ((60.0, "min"), (1.0, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "1 s"


def _baseline_spread(values: np.ndarray) -> float:
    """The baseline's robust standard deviation; for one that never moves, a thousandth of its level."""
    spread = segments.robust_spread(values - np.median(values))
    return max(spread, 1e-3 * abs(float(np.median(values))), 1e-12)


_Run = tuple[segments.Change, int, bool]
"""The change that a departed run begins with, its last point, and whether it had begun before the data did."""


def _harm(
    values: np.ndarray, in_baseline: np.ndarray, normal: float, spread: float, direction: str
) -> tuple[_Run | None, np.ndarray]:
    """The strongest departed run that outlasts the baseline, and which points were looked at to find it.

    What departed and came back inside the stated baseline was another event: it is taken out and the rest looked at
    again, because beside the strongest change of a short series a weaker one is not seen. Two like ones may hide each
    other; so where nothing is seen, the baseline is looked at by itself.
    """
    kept = np.ones(len(values), dtype=bool)
    run = None
    for _ in range(LOOKS):
        x, inside = values[kept], in_baseline[kept]
        changes = _changes(x)
        runs = _departed_runs(changes, x, inside, normal, spread)
        beyond = [r for r in runs if not inside[r[1][0].start : r[1][1] + 1].all()] if not inside.all() else runs
        beyond = [r for r in beyond if _leads(x, r[1][0].start, r[1][1], normal, direction)]
        run = max(beyond, key=lambda r: r[0])[1] if beyond else None
        if run is None:
            run = _lone([c for c in changes if direction in (c.direction, "either")], inside)
        place = np.flatnonzero(kept)
        if run is None and not runs:
            place = place[inside]
            alone = values[place]
            runs = _departed_runs(_changes(alone), alone, np.ones(len(alone), dtype=bool), normal, spread)
        if run is None and not runs:
            run = _late(x, inside, normal, spread, direction)
        if run is not None or not runs:
            break
        _, (change, end, _) = max(runs, key=lambda r: r[0])
        again = kept.copy()
        again[place[change.start : end + 1]] = False
        if again.sum() < LEAST_BUCKETS or (again & in_baseline).sum() < LEAST_BASELINE:
            break
        kept = again
    return run, kept


def _late(values: np.ndarray, in_baseline: np.ndarray, normal: float, spread: float, direction: str) -> _Run | None:
    """A step after the baseline that the whole series is too long a place to look for."""
    if in_baseline.all():
        return None
    change = segments.late_step(values, int(np.flatnonzero(in_baseline)[-1]) + 1)
    if change is None or not _leads(values, change.start, change.end, normal, direction):
        return None
    away = abs(float(np.median(values[change.start :])) - normal)
    departed = away > DEPARTED * spread / np.sqrt(min(change.end + 1 - change.start, 4))
    return (change, change.end, False) if departed else None


def _changes(values: np.ndarray) -> list[segments.Change]:
    return segments.changes_of(values, segments.look(values[None, :]), 0)


def _leads(values: np.ndarray, first: int, last: int, normal: float, direction: str) -> bool:
    """Does this stretch lie on the side that was asked for?"""
    up = float(np.median(values[first : last + 1])) > normal
    return direction == "either" or up == (direction == "up")


def _departed_runs(
    changes: list[segments.Change], values: np.ndarray, in_baseline: np.ndarray, normal: float, spread: float
) -> list[tuple[float, _Run]]:
    """Every departed run with its evidence."""
    lasting = [c for c in changes if c.kind in ("step", "ramp")]
    bounds = [0, *[c.start for c in lasting], len(values)]
    runs: list[tuple[float, segments.Change | None, int]] = []
    open_run: list[tuple[segments.Change | None, int, int, float]] = []
    for i, (lo, hi) in enumerate(pairwise(bounds)):
        if hi <= lo:
            continue
        away = float(np.median(values[lo:hi])) - normal
        mostly_baseline = bool(in_baseline[lo:hi].mean() > 0.5) and (in_baseline[lo:hi].sum() > in_baseline.sum() / 3)
        departed = not mostly_baseline and abs(away) > DEPARTED * spread / np.sqrt(min(hi - lo, 4))
        if departed:
            open_run.append((lasting[i - 1] if i else None, lo, hi, abs(away)))
        if open_run and (not departed or hi == len(values)):
            most = max(away for *_, away in open_run)
            while open_run[0][3] < SLIGHT * most:
                del open_run[0]
            weight = sum(abs(float(np.sum(values[a:b] - normal))) / np.sqrt(b - a) for _, a, b, _ in open_run)
            runs.append((weight, open_run[0][0], open_run[-1][2] - 1))
            open_run = []
    unseen = float("nan")
    return [
        (weight, (change or segments.Change(0, 0, 0, end, "step", "up", unseen, unseen), end, change is None))
        for weight, change, end in runs
    ]


def _lone(changes: list[segments.Change], in_baseline: np.ndarray) -> _Run | None:
    """The surest spike, dip or change of spread after the baseline."""
    rest = [c for c in changes if c.kind not in ("step", "ramp") and not in_baseline[c.start]]
    if rest:
        strongest = min(rest, key=lambda c: c.p)
        return strongest, strongest.end, False
    return None


def _first_bins(
    change: segments.Change, values: np.ndarray, normal: float, spread: float, level: float
) -> segments.Change:
    """The change moved back to the first bin that had left the baseline in its direction: a bin may be ill in part."""
    away = (values - normal) if level > normal else (normal - values)
    start = change.start
    while start > 0 and away[start - 1] > max(3.0 * spread, SLIGHT * abs(level - normal)):
        start -= 1
    in_part = start - 1 if start > 0 and away[start - 1] > 3.0 * spread else start
    return segments.replace(
        change, start=start, earliest=min(change.earliest, in_part), latest=max(change.latest, start)
    )


def _chance(
    change: segments.Change, values: np.ndarray, in_baseline: np.ndarray, length: int, away: float
) -> tuple[float, str]:
    if np.isfinite(change.p):
        return change.p, f"noise with this autocorrelation shows as much with p = {change.p:.2g}"
    p, count = placebo.shift_chance(values[in_baseline], length=length, away=away, location=np.median)
    if count >= placebo.LEAST_WINDOWS:
        return p, f"{count} windows of the same length in the baseline: p = {p:.2g}"
    return float("nan"), (
        f"too short to give a p: {count} windows of the same length fit into the baseline, {placebo.LEAST_WINDOWS} "
        f"needed: a baseline 6 times as long as the harm would do"
    )


def _instants(change: segments.Change, times: pd.DatetimeIndex, step_s: float) -> tuple[datetime, datetime, float]:
    """The interval in time: from the end of the last bin seen before it to the end of its last possible bin."""
    step = pd.Timedelta(seconds=step_s)
    earliest, gap = times[change.earliest], 0.0
    if change.earliest > 0:
        previous = times[change.earliest - 1] + step
        gap = max(0.0, (earliest - previous).total_seconds())
        earliest = min(earliest, previous)
    return earliest.to_pydatetime(), (times[change.latest] + step).to_pydatetime(), gap if gap >= step_s else 0.0


def _number(value: float) -> str:
    return f"{value:.4g}"
