"""Do two signals move together, which first, and does a third explain both? Associations only, never a verdict.

Two graphs that move together may both follow a third. Every function returns an association with an interval that knows
that neighbouring bins resemble each other (block bootstrap), and a p-value against shifted or phase-randomised copies.
Seeds are fixed, so the same data give the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM_BINS = 12
_DRAWS = 400
_SEED = 20260301


@dataclass(frozen=True, slots=True)
class LeadLag(Result):
    """By how many seconds `one` runs ahead of `other` (negative: behind), with a 95 % interval.

    `r` is the correlation at that lag; `p` how often phase-randomised copies reach it at any lag. An interval that
    holds zero says that the order is unknown.
    """

    one: str
    other: str
    lag_s: float
    low_s: float
    high_s: float
    r: float
    p: float
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Which moves first, if that can be told."""
        if self.p > 0.05:
            return f"{self.one} and {self.other} do not move together"
        if self.low_s <= 0 <= self.high_s:
            return f"{self.one} and {self.other} move together; which first is unknown"
        first, second = (self.one, self.other) if self.lag_s > 0 else (self.other, self.one)
        return f"{first} moves {abs(self.lag_s):.0f} s before {second}"

    def to_frame(self) -> pd.DataFrame:
        """One row: the pair, lag and interval in seconds, r, p."""
        return pd.DataFrame(
            [{"one": self.one, "other": self.other, "lag_s": self.lag_s, "low_s": self.low_s, "high_s": self.high_s,
              "r": self.r, "p": self.p}]
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ThirdFactor(Result):
    """How two signals go together, and what is left of it once both are adjusted for a third.

    `r` is the rank correlation of both, `r_given` the partial one, each with a 95 % interval.
    """

    one: str
    other: str
    given: str
    r: float
    low: float
    high: float
    r_given: float
    low_given: float
    high_given: float
    because: tuple[str, ...] = ()

    @property
    def explains(self) -> bool:
        """Do they go together, and no longer when the third is held still?"""
        return self.low > 0.2 and self.low_given <= 0.2 and abs(self.r_given) <= abs(self.r) / 2

    @property
    def headline(self) -> str:
        """What the third makes of it; that it does not explain them says nothing of what does."""
        if self.low <= 0 <= self.high:
            return f"{self.one} and {self.other} do not go together"
        if self.explains:
            return f"{self.one} and {self.other} both follow {self.given}"
        return f"{self.one} and {self.other} go together; {self.given} does not account for it"

    def to_frame(self) -> pd.DataFrame:
        """Two rows: plain, and given the third."""
        return pd.DataFrame(
            [
                {"association": f"{self.one} ~ {self.other}", "r": self.r, "low": self.low, "high": self.high},
                {
                    "association": f"{self.one} ~ {self.other} | {self.given}",
                    "r": self.r_given,
                    "low": self.low_given,
                    "high": self.high_given,
                },
            ]
        )


@dataclass(frozen=True, slots=True)
class DoseResponse(Result):
    """How the response grows with the dose: rank correlation with a 99 % interval, p, and medians by dose quarter."""

    dose: str
    response: str
    rho: float
    low: float
    high: float
    p: float
    quarters: tuple[tuple[float, float], ...]
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Is there more where there is more?"""
        if self.p > 0.05:
            return f"{self.response} does not go with {self.dose}"
        way = "up" if self.rho > 0 else "down"
        return f"{self.response} goes {way} with {self.dose} (rank correlation {self.rho:.2f})"

    def to_frame(self) -> pd.DataFrame:
        """A row per quarter of the dose: its median, and the response's."""
        return pd.DataFrame(list(self.quarters), columns=["dose", "response"])


@dataclass(frozen=True, slots=True)
class NaturalExperiment(Result):
    """A treated part beside an untreated one, before and after: the difference of their differences, 95 % interval.

    In the signal's unit. It tells what the treatment changed only if both parts would have gone on alike without it;
    `parallel` says whether they did before.
    """

    treated: str
    untreated: str
    effect: float
    low: float
    high: float
    parallel: bool
    means: Mapping[str, float]
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What the treated part did that the untreated did not."""
        if not self.parallel:
            return f"{self.treated} and {self.untreated} did not go alike before: no comparison"
        if self.low <= 0 <= self.high:
            return f"{self.treated} changed no more than {self.untreated}"
        return f"{self.treated} changed by {self.effect:.3g} beyond {self.untreated}"

    def to_frame(self) -> pd.DataFrame:
        """A row per part: before, after."""
        return pd.DataFrame(
            [
                {"part": self.treated, "before": self.means["treated_before"], "after": self.means["treated_after"]},
                {"part": self.untreated, "before": self.means["rest_before"], "after": self.means["rest_after"]},
            ]
        )


def lead_lag(one: pd.Series, other: pd.Series, *, most_s: float = 120.0) -> LeadLag | None:
    """Which of two signals moves first, and by how much?

    Cross-correlation of the bin-to-bin differences of both series' ranks, at lags up to `most_s` seconds; the lag with
    the largest absolute correlation. Interval: the lags chosen in block-bootstrap copies (percentiles 2.5 and 97.5),
    widened by one bin on each side, as a bin's content is not dated finer. p: phase-randomised copies of `one` that
    reach it. None: fewer than 12 bins in common beyond twice the largest lag, or a signal that does not vary.

    >>> rng = np.random.default_rng(0)
    >>> index = pd.date_range("2026-03-01T02:00Z", periods=200, freq="10s")
    >>> driver = pd.Series(np.cumsum(rng.normal(size=200)), index=index, name="queue")
    >>> found = lead_lag(driver, driver.shift(3).rename("latency"))
    >>> found.lag_s, found.headline
    (30.0, 'queue moves 30 s before latency')
    """
    both, names, step = _common(one, other)
    reach = round(most_s / step) if step else 0
    if len(both) < MINIMUM_BINS + 2 * reach or reach < 1 or (both.nunique() < 3).any():
        return None
    x, y = (np.diff(_ranks(column)) for column in both.to_numpy().T)
    lags = np.arange(-reach, reach + 1)
    found = _cross(x, y, lags)
    best = int(np.argmax(np.abs(found)))
    rng = np.random.default_rng(_SEED)
    null = [np.max(np.abs(_cross(_phase_randomised(x, rng), y, lags))) for _ in range(_DRAWS // 2)]
    p = (1 + sum(n >= abs(found[best]) for n in null)) / (1 + len(null))
    chosen = []
    for take in _blocks(len(x) - 2 * reach, rng, _DRAWS // 2):
        rows = take + reach
        drawn = np.array([_pearson(x[rows], y[rows + lag]) for lag in lags])
        chosen.append(lags[int(np.argmax(np.abs(drawn)))])
    low, high = np.quantile(chosen, [0.025, 0.975])
    return LeadLag(
        *names,
        lag_s=float(lags[best] * step),
        low_s=float((low - 1) * step) if p <= 0.05 else -float(most_s),
        high_s=float((high + 1) * step) if p <= 0.05 else float(most_s),
        r=float(found[best]),
        p=float(p),
        because=(f"correlation {found[best]:.2f} at {lags[best] * step:.0f} s, {len(both)} bins of {step:.0f} s",),
    )


def third_factor(one: pd.Series, other: pd.Series, *, given: pd.Series) -> ThirdFactor | None:
    """Do two signals go together only because both follow a third?

    Method: rank correlation, and the partial rank correlation given the third: of what is left of both ranks after a
    straight-line fit on the third's ranks; intervals by block bootstrap. Assumes that what depends on the third does so
    steadily, up or down. False alarms: of unrelated AR(1) signals (ρ up to .5, 60 to 240 bins, 150 runs) the 95 %
    interval leaves out zero in 6–9 %, given the third as well as without it. Misleads when the third is measured badly
    (then something is always left) or is itself a consequence of one of both. None: fewer than 12 bins in common, or a
    signal that does not vary.

    >>> rng = np.random.default_rng(1)
    >>> index = pd.date_range("2026-03-01T02:00Z", periods=300, freq="15s")
    >>> slow = pd.Series(np.cumsum(rng.normal(size=300)), index=index, name="fraud-check latency")
    >>> cpu = (slow + rng.normal(0, 2, 300)).rename("CPU")
    >>> p99 = (slow + rng.normal(0, 2, 300)).rename("latency")
    >>> third_factor(cpu, p99, given=slow).headline
    'CPU and latency both follow fraud-check latency'
    """
    frame, names, step = _common(one, other, given)
    if len(frame) < MINIMUM_BINS or step == 0 or (frame.nunique() < 3).any():
        return None
    values = frame.to_numpy()
    rng = np.random.default_rng(_SEED)
    drawn = np.array([_plain_and_partial(values[take]) for take in _blocks(len(values), rng, _DRAWS)])
    r, r_given = _plain_and_partial(values)
    low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
    low_given, high_given = np.quantile(drawn[:, 1], [0.025, 0.975])
    a, b, c = names
    return ThirdFactor(
        a, b, c, r, float(low), float(high), r_given, float(low_given), float(high_given),
        because=(f"rank correlation {r:.2f}, given {c}: {r_given:.2f}, over {len(values)} bins",),
    )  # fmt: skip


def dose_response(dose: pd.Series, response: pd.Series) -> DoseResponse | None:
    """Is there more of the response where there is more of the dose?

    Spearman's rank correlation; interval by block bootstrap (99 %); p against circular shifts of the dose by at least a
    tenth of the length. A threshold or a ceiling makes the dose look weaker than it is. None: fewer than 12 bins in
    common or a series that does not vary.

    >>> index = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s")
    >>> up = pd.Series([1.0] * 30 + [float(i) for i in range(30)], index=index, name="attempts")
    >>> dose_response(up, (up * 3).rename("errors")).rho
    1.0
    """
    frame, names, step = _common(dose, response)
    if len(frame) < MINIMUM_BINS or step == 0 or (frame.nunique() < 2).any():
        return None
    x, y = frame.to_numpy().T
    rho = _spearman(x, y)
    rng = np.random.default_rng(_SEED)
    drawn = [_spearman(x[take], y[take]) for take in _blocks(len(x), rng, _DRAWS)]
    low, high = np.nanquantile(drawn, [0.005, 0.995])
    least = max(1, len(x) // 10)
    shifts = range(least, len(x) - least + 1)
    reached = sum(abs(_spearman(np.roll(x, s), y)) >= abs(rho) - 1e-12 for s in shifts)
    p = (1 + reached) / (1 + len(shifts))
    order = np.array_split(np.argsort(x, kind="stable"), 4)
    quarters = tuple((float(np.median(x[q])), float(np.median(y[q]))) for q in order)
    return DoseResponse(
        *names, rho, float(low), float(high), float(p), quarters,
        because=(f"rank correlation {rho:.2f} ({low:.2f} to {high:.2f}), {len(x)} bins",),
    )  # fmt: skip


def difference_in_differences(
    treated: pd.Series, untreated: pd.Series, *, before: Window, after: Window
) -> NaturalExperiment | None:
    """What did the treated part do, from before to after, that the untreated part did not?

    Parts are hosts, versions, zones, callers; the treatment is what only one of them got (the change, a rollback, more
    capacity). Mean per window; interval by block bootstrap of the bins' differences. `parallel`: the difference of both
    did not drift by more than its own spread from the first to the second half before. None: fewer than 12 bins in all
    or 4 in a window.
    """
    frame, names, step = _common(treated, untreated)
    index = frame.index
    early = frame[(index >= pd.Timestamp(before.start)) & (index < pd.Timestamp(before.end))].to_numpy()
    late = frame[(index >= pd.Timestamp(after.start)) & (index < pd.Timestamp(after.end))].to_numpy()
    if step == 0 or len(early) < 4 or len(late) < 4 or len(early) + len(late) < MINIMUM_BINS:
        return None
    gaps_early, gaps_late = early[:, 0] - early[:, 1], late[:, 0] - late[:, 1]
    rng = np.random.default_rng(_SEED)
    drawn = [
        gaps_late[b].mean() - gaps_early[a].mean()
        for a, b in zip(_blocks(len(early), rng, _DRAWS), _blocks(len(late), rng, _DRAWS), strict=True)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    effect = float(gaps_late.mean() - gaps_early.mean())
    half = len(gaps_early) // 2
    drift = abs(float(gaps_early[half:].mean() - gaps_early[:half].mean()))
    spread = float(gaps_early.std())
    means = {
        "treated_before": float(early[:, 0].mean()),
        "treated_after": float(late[:, 0].mean()),
        "rest_before": float(early[:, 1].mean()),
        "rest_after": float(late[:, 1].mean()),
    }
    return NaturalExperiment(
        *names, effect, float(low), float(high), drift <= max(spread, 1e-12), means,
        because=(f"difference of differences {effect:.3g} ({low:.3g} to {high:.3g})",),
    )  # fmt: skip


def _common(*series: pd.Series) -> tuple[pd.DataFrame, tuple[str, ...], float]:
    """The bins that all have, the names, and the step in seconds."""
    frame = pd.concat(list(series), axis=1, keys=range(len(series))).dropna()
    names = tuple(f"signal {i}" if s.name is None else str(s.name) for i, s in enumerate(series, 1))
    if len(frame) < 2:
        return frame, names, 0.0
    return frame, names, float(np.median(np.diff(pd.DatetimeIndex(frame.index).as_unit("us").asi8))) / 1e6


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing their mean."""
    return pd.Series(values).rank().to_numpy(dtype="float64")


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return round(_pearson(_ranks(x), _ranks(y)), 12)


def _plain_and_partial(values: NDArray[np.float64]) -> tuple[float, float]:
    a, b, c = (_ranks(column) for column in values.T)
    ab, ac, bc = _pearson(a, b), _pearson(a, c), _pearson(b, c)
    size = float(np.sqrt(max((1 - ac**2) * (1 - bc**2), 0.0)))
    return ab, (ab - ac * bc) / size if size > 1e-9 else 0.0


def _cross(x: NDArray[np.float64], y: NDArray[np.float64], lags: NDArray[np.int64]) -> NDArray[np.float64]:
    """Correlation of x with y that many bins later, over the bins both have."""
    n = len(x)
    return np.array([_pearson(x[max(0, -k) : n - max(0, k)], y[max(0, k) : n - max(0, -k)]) for k in lags])


def _phase_randomised(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A copy with the same spectrum, so the same autocorrelation, and nothing else in common (Theiler 1992)."""
    spectrum = np.fft.rfft(x - x.mean())
    phases = np.exp(2j * np.pi * rng.random(len(spectrum)))
    phases[0] = 1.0
    return np.fft.irfft(np.abs(spectrum) * phases, n=len(x))


def _blocks(n: int, rng: np.random.Generator, draws: int) -> list[NDArray[np.int64]]:
    """Row numbers of block-bootstrap copies: blocks of about n^(1/3) bins, at least 3, end to end (Künsch 1989)."""
    size = min(n, max(3, round(n ** (1 / 3))))
    count = -(-n // size)
    starts = rng.integers(0, n - size + 1, size=(draws, count))
    return list((starts[:, :, None] + np.arange(size)).reshape(draws, -1)[:, :n])
