"""Which stretches of a series are ill? Evidence added up bin by bin, with a bound on how often chance does as much.

Each bin brings a log-likelihood ratio: ill at the effect floor against healthy. Added from any start, chance reaches a
total S with probability at most exp(−S) (Wald), so over n starts p ≤ n·exp(−S). Counts scatter more than chance
alone; the ratio is divided by the dispersion seen in the healthy bins, over blocks of several lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRICT = 1e-4
"""A stretch ends where the evidence for recovery would come up by chance no more often than this."""


ONE_BIN = 3.5
"""The most that one bin of a level may say: it takes three to be ill."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """Bins first … last (both included) that are ill, the evidence for it and a bound on its p."""

    first: int
    last: int
    evidence: float
    p: float


def excursions(llr: np.ndarray) -> list[Excursion]:
    """Which stretches add up most evidence? In order of time; NaN bins add nothing.

    >>> [(e.first, e.last) for e in excursions(np.array([-1.0] * 9 + [6.0] * 4 + [-3.0] * 9))]
    [(9, 12)]
    """
    steps = np.nan_to_num(llr)
    n = len(steps)
    enough = np.log(max(n, 2) / STRICT)
    found: list[Excursion] = []
    at = 0
    while at < n:
        if steps[at] <= 0:
            at += 1
            continue
        total = best = 0.0
        last = start = at
        while at < n:
            total += steps[at]
            if total > best:
                best, last = total, at
            if total <= 0 or total < best - enough:
                break
            at += 1
        found.append(Excursion(start, last, best, float(min(1.0, n * np.exp(-best)))))
        at = last + 1
    return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much each bin speaks for illness, and how to ask again once it is known how ill the ill bins are.

    `shape`: ratio (bad of total), drop (a count that fell) or level (a logarithm that rose). `usual` is the healthy
    value, `scatter` the dispersion (for levels the robust standard deviation of the logarithm).
    """

    shape: str
    llr: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    usual: float
    scatter: float

    def stretches(self) -> list[Excursion]:
        """Which stretches are ill, with their edges where the evidence at their own severity puts them?"""
        return [self._sharp(stretch) for stretch in excursions(self.llr)]

    def _sharp(self, stretch: Excursion) -> Excursion:
        """The same stretch, its edges drawn again: a mild alternative lets a stretch reach out into healthy bins."""
        first, last = stretch.first, stretch.last
        for _ in range(4):
            part = slice(first, last + 1)
            llr = self._llr(self._severity(part))[part]
            inner = max(excursions(llr), key=lambda e: e.evidence, default=None)
            if inner is None or (inner.first == 0 and inner.last == last - first):
                break
            first, last = first + inner.first, first + inner.last
        p = stretch.p if self.shape != "ratio" else max(stretch.p, self._by_chance(first, last))
        return Excursion(first, last, stretch.evidence, p)

    def _severity(self, part: slice) -> float:
        if self.shape == "level":
            return float(np.nanmean(np.log(np.where(self.top[part] > 0, self.top[part], np.nan))))
        if self.shape == "drop":
            return float(min(0.9, max(0.01, self.top[part].mean() / self.usual)))
        total = self.bottom[part].sum()
        return float(min(0.98, max(self.usual * 1.2 + 1e-4, self.top[part].sum() / max(total, 1.0))))

    def _llr(self, severity: float) -> np.ndarray:
        if self.shape == "level":
            return _level_llr(self.top, self.usual, self.scatter, severity - np.log(self.usual))
        if self.shape == "drop":
            return (self.top * np.log(severity) + (1 - severity) * self.usual) / self.scatter
        return _ratio_llr(self.top, self.bottom, self.usual, severity) / self.scatter

    def _by_chance(self, first: int, last: int) -> float:
        """How likely is it that some stretch holds that share of all bad ones? Chernoff's bound, for n²/2 stretches.

        It does not lean on the healthy ratio, which a handful of bad requests cannot tell.
        """
        n, total = len(self.top), self.top.sum()
        share = self.bottom[first : last + 1].sum() / max(self.bottom.sum(), 1e-9)
        inside = self.top[first : last + 1].sum() / max(total, 1e-9)
        if not 0 < share < 1 or inside <= share:
            return 1.0
        outside = (1 - inside) * np.log((1 - inside) / (1 - share)) if inside < 1 else 0.0
        exponent = total * (inside * np.log(inside / share) + outside) / self.scatter
        return float(min(1.0, n * n / 2 * np.exp(-exponent)))


def ratio_evidence(bad: np.ndarray, total: np.ndarray, *, floor: float, factor: float) -> Evidence:
    """How much does each bin speak for a raised ratio of bad to total?

    Ill means at least `factor` times the healthy ratio and `floor` above it. The healthy ratio is that of the bins
    outside of what looks ill, found by going round a few times from the bins that are not above the typical.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = smooth(bad) / np.where(smooth(total) > 0, smooth(total), np.nan)
    healthy = ~(ratio > 1.5 * np.nanmedian(ratio) + floor / 2) if np.isfinite(ratio).any() else np.ones(len(bad), bool)
    llr, rate, scatter = np.zeros(len(bad)), 0.0, 1.0
    for _ in range(5):
        rate = float((bad[healthy].sum() + 0.5) / (total[healthy].sum() + 1.0)) if healthy.any() else 0.5
        rate = min(max(rate, 1e-5), 0.98)
        ill = min(max(rate + floor, factor * rate), (1 + rate) / 2)
        scatter = dispersion(bad, rate * total, (1 - rate) * rate * total, healthy)
        llr = _ratio_llr(bad, total, rate, ill) / scatter
        again = _outside(np.ones(len(bad), bool), llr)
        if not again.any() or (again == healthy).all():
            break
        healthy = again
    return Evidence("ratio", np.where(total > 0, llr, np.nan), bad, total, rate, scatter)


def drop_evidence(count: np.ndarray, *, remains: float) -> Evidence:
    """How much does each bin speak for traffic having fallen to `remains` of the typical count per bin?"""
    usual = float(np.median(count))
    if usual <= 0:
        return Evidence("drop", np.full(len(count), np.nan), count, count, max(usual, 1e-9), 1.0)
    healthy = smooth(count) > remains * usual * 5
    scatter = dispersion(count, np.full(len(count), usual), np.full(len(count), usual), healthy)
    return Evidence("drop", (count * np.log(remains) + (1 - remains) * usual) / scatter, count, count, usual, scatter)


def level_evidence(values: np.ndarray, *, factor: float) -> Evidence:
    """How much does each bin speak for a level (a p99, say) having risen `factor`-fold? For bins without their rows.

    The logarithm is compared; its scatter is the robust one of the bins' lower half, at least 5 %, and more where the
    healthy bins scatter more upwards or in blocks: the p99 of an hour with few requests wanders by itself. A p99 rests
    on a handful of requests, so no bin alone says more than `ONE_BIN`.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(np.where(values > 0, values, np.nan))
    if not np.isfinite(logs).any():
        return Evidence("level", np.full(len(values), np.nan), values, values, float("nan"), 1.0)
    usual = float(np.nanmedian(logs))
    low, high = np.nanpercentile(logs, [25, 50])
    sigma = max(0.05, 2 * (high - low) / 1.349)
    away = np.nan_to_num(logs - usual)
    healthy = np.isfinite(logs) & (away <= np.log(factor))
    spread, llr = sigma, np.zeros(len(values))
    for _ in range(5):
        of_blocks = dispersion(away, np.zeros(len(away)), np.full(len(away), sigma**2), healthy)
        spread = sigma * float(np.sqrt(of_blocks))
        llr = np.minimum(_level_llr(values, float(np.exp(usual)), spread, np.log(factor)), ONE_BIN)
        again = _outside(np.isfinite(logs), llr)
        if not again.any() or (again == healthy).all():
            break
        healthy = again
    return Evidence("level", llr, values, values, float(np.exp(usual)), spread)


def _outside(bins: np.ndarray, llr: np.ndarray) -> np.ndarray:
    """Those of the bins that lie outside of every stretch that looks ill (p ≤ .05)."""
    left = bins.copy()
    for stretch in excursions(llr):
        if stretch.p <= 0.05:
            left[stretch.first : stretch.last + 1] = False
    return left


def _ratio_llr(bad: np.ndarray, total: np.ndarray, healthy: float, ill: float) -> np.ndarray:
    return bad * np.log(ill / healthy) + (total - bad) * np.log((1 - ill) / (1 - healthy))


def _level_llr(values: np.ndarray, usual: float, sigma: float, rise: float) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.clip((np.log(np.where(values > 0, values, np.nan)) - np.log(usual)) / sigma, -8, 8)
    rise = min(rise, 8 * sigma)
    return z * (rise / sigma) - (rise / sigma) ** 2 / 2


def dispersion(seen: np.ndarray, expected: np.ndarray, variance: np.ndarray, healthy: np.ndarray) -> float:
    """How many times more do counts scatter than chance alone? At least 1; over blocks of 1, 4 and 12 healthy bins."""
    usable = healthy & (variance > 0)
    worst = 1.0
    gap, spread = (seen - expected)[usable], variance[usable]
    for block in (1, 4, 12):
        m = len(gap) // block
        if m < 8:
            break
        sums = gap[: m * block].reshape(m, block).sum(axis=1)
        widths = spread[: m * block].reshape(m, block).sum(axis=1)
        worst = max(worst, float(np.mean(sums**2 / widths)))
    return worst


def smooth(values: np.ndarray, width: int = 5) -> np.ndarray:
    """The sum over a few neighbouring bins."""
    return np.convolve(np.nan_to_num(values), np.ones(width), mode="same")
