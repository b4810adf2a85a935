"""Which changes does one row hold, and where does each begin? From the scans' candidates to located, named changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from kit import noise, scan

ALPHA = 0.05
"""Changes with a larger p are not reported."""
WEIGHTS = {"step": 0.8, "run": 0.1, "local": 0.05, "spread": 0.025, "spike": 0.025}
"""How the 5 % are split between the looks (weighted Bonferroni): most of it goes to the plain step."""
CONFIDENCE_DROP = 6.5
"""Positions whose fit is worse by at most this many noise variances stay in the interval (about 90 %)."""
RESPLIT_P = 0.01
LEAST_GAIN = 12.0
RAMP_POINTS = 40
"""Slopes are looked for on at most about so many means of the segment."""


@dataclass(frozen=True)
class Change:
    """One change of a row; positions are indices of the row, `size` is in the series' own unit."""

    start: int
    earliest: int
    latest: int
    end: int
    kind: str
    direction: str
    size: float
    p: float


@dataclass(frozen=True)
class Looks:
    """What each look at a matrix found, a value a row: p already shared out over the looks; NaN is withheld."""

    z: np.ndarray
    clean: np.ndarray
    lone: np.ndarray
    scale: np.ndarray
    at: np.ndarray
    spread_at: np.ndarray
    rho: np.ndarray
    run_at: np.ndarray
    run_length: np.ndarray
    p_step: np.ndarray
    p_run: np.ndarray
    p_local: np.ndarray
    p_spread: np.ndarray
    p_spike: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """The row's p that anything changed at all; NaN where every look was withheld."""
        return np.fmin.reduce([self.p_step, self.p_run, self.p_local, self.p_spread, self.p_spike])


def look(x: np.ndarray) -> Looks:
    """Has anything changed in these rows? Five looks: a step, a stretch, a local step, the spread, single points."""
    n = x.shape[1]
    z, _, scale = scan.standardize(x)
    step = scan.scan_step(z)
    clean, lone = scan.despike(z)
    run = scan.scan_run(clean)
    local = scan.scan_local(clean)
    spread = scan.scan_step(scan.step_sizes(clean), margin=max(scan.MARGIN, min(8, n // 3)))
    p_step = noise.chance("step", step.statistic, n=n, rho=step.rho) / WEIGHTS["step"]
    withheld = (noise.effective_points(n, step.rho) < noise.LEAST_EFFECTIVE) | (n < noise.LEAST_POINTS)
    p_run = noise.chance("run", run.statistic, n=n, rho=run.rho) / WEIGHTS["run"]
    p_run[(noise.effective_points(n, run.rho) < noise.LEAST_EFFECTIVE) | (n < noise.LEAST_POINTS)] = np.nan
    p_local = np.where(local > 0, noise.chance("local", local, n=n, rho=step.rho) / WEIGHTS["local"], np.nan)
    p_spread = noise.chance("spread", spread.statistic, n=n, rho=spread.rho) / WEIGHTS["spread"]
    p_spike = lone_chance(lone, np.abs(lone).max(axis=1)[:, None])[:, 0] / WEIGHTS["spike"]
    short = n < noise.LEAST_POINTS
    return Looks(
        z, clean, lone, scale, step.at, spread.at + 1, step.rho, run.at, run.length,
        np.where(withheld, np.nan, np.minimum(p_step, 1.0)), np.minimum(p_run, 1.0), np.minimum(p_local, 1.0),
        np.where(short, np.nan, np.minimum(p_spread, 1.0)), np.where(short, np.nan, np.minimum(p_spike, 1.0)),
    )  # fmt: skip


def lone_chance(lone: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How likely is it that any single point stands out this far, judged by the row's own tail?

    The upper tenth of the distances is taken for exponential beyond its start, fitted without its own top fifth. Where
    less than a tenth of the points move at all, rarity itself is the measure: (points that move + 1) / (n + 1).
    """
    n = lone.shape[1]
    size = np.abs(lone)
    stride = max(1, n // 512)
    ordered = np.sort(size[:, ::stride], axis=1)
    m = ordered.shape[1]
    from_, top = int(0.9 * m), max(int(0.98 * m) - 1, int(0.9 * m))
    start = ordered[:, from_]
    beyond = np.minimum(ordered[:, from_:], ordered[:, top : top + 1]) - start[:, None]
    mean_excess = 1.25 * beyond.mean(axis=1)
    moving = (size > 1e-9).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 0.1 * n * np.exp(-np.maximum(sizes - start[:, None], 0.0) / mean_excess[:, None])
    tail = -np.expm1(-expected)
    rare = np.where(sizes > 1e-9, (moving * n + 1)[:, None] / (n + 1), 1.0)
    return np.where((start <= 1e-9)[:, None] | (mean_excess <= 1e-9)[:, None], rare, tail)


def changes_of(x: np.ndarray, looks: Looks, row: int) -> list[Change]:
    """Which changes does this row hold, in order? Empty when no look found any."""
    n = len(x)
    z, clean, rho = looks.z[row], looks.clean[row], float(looks.rho[row])
    found: dict[int, float] = {}
    if looks.p_local[row] <= ALPHA:
        found.update(_local_peaks(clean, rho))
    if looks.p_step[row] <= ALPHA or (np.isnan(looks.p_step[row]) and not found and _plain_step(z, looks.at[row])):
        _add(found, int(looks.at[row]), float(looks.p_step[row]), reach=max(3, n // 50))
    if looks.p_run[row] <= ALPHA:
        begin, finish = int(looks.run_at[row]), int(looks.run_at[row] + looks.run_length[row])
        for at in (begin, finish):
            if scan.MARGIN <= at <= n - scan.MARGIN:
                _add(found, at, float(looks.p_run[row]), reach=max(3, int(looks.run_length[row]) // 3))
    found = _settle(clean, found)
    changes = [_describe(x, clean, k, found[k], lo, hi) for k, lo, hi in _neighbours(sorted(found), n)]
    if looks.p_spread[row] <= ALPHA and not found:
        changes.append(_spread_change(x, int(looks.spread_at[row]), float(looks.p_spread[row])))
    if looks.p_spike[row] <= ALPHA:
        changes += _spikes(x, looks.lone[row], [c.start for c in changes])
    changes.sort(key=lambda c: c.start)
    return _with_ends(changes, n)


def _add(found: dict[int, float], at: int, p: float, *, reach: int) -> None:
    """Note a position, or lower the p of one that is already there within reach."""
    near = min(found, key=lambda k: abs(k - at), default=None)
    if near is None or abs(near - at) > reach:
        found[at] = p
    elif not np.isnan(p):
        found[near] = float(np.fmin(found[near], p))


def _plain_step(z: np.ndarray, at: int) -> bool:
    """Do the two sides of a step that cannot be given a p hardly overlap?"""
    before, after = np.sort(z[:at]), np.sort(z[at:])
    low, high = (before, after) if before[len(before) // 2] < after[len(after) // 2] else (after, before)
    return bool(low[int(0.9 * (len(low) - 1))] < high[int(np.ceil(0.1 * (len(high) - 1)))])


def _local_peaks(clean: np.ndarray, rho: float) -> dict[int, float]:
    """Positions at which a local contrast is beyond noise, strongest first, each claiming its own neighbourhood."""
    n = len(clean)
    limit = noise.critical("local", ALPHA * WEIGHTS["local"], n=n, rho=rho)
    peaks: list[tuple[float, int, int]] = []
    for length, contrast in scan.local_contrasts(clean[None, :]):
        size = np.abs(contrast[0])
        for j in np.flatnonzero(size > limit):
            if size[j] >= size[max(0, j - length) : j + length + 1].max():
                peaks.append((float(size[j]), int(j) + length, length))
    peaks.sort(reverse=True)
    chosen: list[tuple[float, int, int]] = []
    for value, at, length in peaks:
        if all(abs(at - other) >= max(3, min(length, reach)) for _, other, reach in chosen):
            chosen.append((value, at, length))
    p = noise.chance("local", np.array([c[0] for c in chosen]), n=n, rho=np.full(len(chosen), rho))
    return {at: min(1.0, float(q) / WEIGHTS["local"]) for (_, at, _), q in zip(chosen, p, strict=True)}


def _settle(y: np.ndarray, found: dict[int, float]) -> dict[int, float]:
    """Move each position to its best fit between its neighbours, split what is left, drop what no longer stands out."""
    n = len(y)
    if not found:
        return {}
    for _ in range(2):
        moved: dict[int, float] = {}
        for k, lo, hi in _neighbours(sorted(found), n):
            at = lo + best_split(y[lo:hi]) if hi - lo >= 4 else k
            moved[at] = min(found[k], moved.get(at, 1.0)) if not np.isnan(found[k]) else found[k]
        found = moved
    for lo, hi in _segments(sorted(found), n):
        if hi - lo >= noise.LEAST_POINTS:
            again = scan.scan_step(scan.standardize(y[None, lo:hi])[0])
            p = float(noise.chance("step", again.statistic, n=hi - lo, rho=again.rho)[0])
            enough = noise.effective_points(hi - lo, again.rho)[0] >= noise.LEAST_EFFECTIVE
            if enough and p <= RESPLIT_P:
                found[lo + int(again.at[0])] = p
    return _prune(y, found)


def _prune(y: np.ndarray, found: dict[int, float]) -> dict[int, float]:
    n = len(y)
    while len(found) > 1:
        gains = {k: _gain(y, lo, k, hi) for k, lo, hi in _neighbours(sorted(found), n)}
        weakest = min(gains, key=lambda k: gains[k])
        if gains[weakest] >= LEAST_GAIN:
            break
        del found[weakest]
    return found


def _gain(y: np.ndarray, lo: int, k: int, hi: int) -> float:
    """How many noise variances does the step at k spare between its neighbours, autocorrelation discounted?"""
    before, after = y[lo:k], y[k:hi]
    b, a = len(before), len(after)
    residual = np.concatenate([before - before.mean(), after - after.mean()])
    variance = float(residual @ residual) / max(a + b - 2, 1)
    rho = autocorrelation(residual)
    difference = before.mean() - after.mean()
    return float(difference**2 * a * b / (a + b) / max(variance, 1e-12) * (1 - rho) / (1 + rho))


def autocorrelation(residual: np.ndarray) -> float:
    """Lag-1 autocorrelation of residuals, corrected for the bias of short series; never negative, at most 0.98."""
    total = float(residual @ residual)
    if total <= 0 or len(residual) < 4:
        return 0.0
    rho = float(residual[1:] @ residual[:-1]) / total
    return float(np.clip(rho + (1 + 4 * max(rho, 0.0)) / len(residual), 0.0, scan.RHO_MAX))


def best_split(y: np.ndarray) -> int:
    """Index of the first point after the best two-level fit."""
    m = len(y)
    k = np.arange(1, m)
    sums = np.cumsum(y - y.mean())[:-1]
    return 1 + int(np.argmax(sums * sums / (k * (m - k))))


def _neighbours(positions: list[int], n: int) -> list[tuple[int, int, int]]:
    edges = [0, *positions, n]
    return [(edges[i], edges[i - 1], edges[i + 1]) for i in range(1, len(edges) - 1)]


def _segments(positions: list[int], n: int) -> list[tuple[int, int]]:
    edges = [0, *positions, n]
    return list(zip(edges[:-1], edges[1:], strict=True))


def locate(x: np.ndarray, at: int) -> tuple[int, int, int]:
    """Between which points did the step near `at` begin? Returns (best, earliest, latest), the first point after it.

    Levels and noise are read off both sides robustly; every position's AR(1) likelihood is compared with the best
    one's, and those within `CONFIDENCE_DROP` noise variances stay.
    """
    before, after = float(np.median(x[:at])), float(np.median(x[at:]))
    residual = np.where(np.arange(len(x)) < at, x - before, x - after)
    spread = robust_spread(residual)
    if spread <= 0 or before == after:
        return at, at, at
    low, high = min(before, after) - 3 * spread, max(before, after) + 3 * spread
    y = np.clip(x, low, high)
    residual = np.where(np.arange(len(x)) < at, y - before, y - after)
    rho = min(autocorrelation(residual), 0.95)
    u = y[1:] - rho * y[:-1]
    stay = (u - before * (1 - rho)) ** 2
    turn = (u - after + rho * before) ** 2
    gone = (u - after * (1 - rho)) ** 2
    misfit = np.concatenate([[0.0], np.cumsum(stay)[:-1]]) + turn + (gone.sum() - np.cumsum(gone))
    variance = max(float(residual[1:] @ residual[1:]) / len(residual) * (1 - rho * rho), 1e-24)
    best = int(np.argmin(misfit))
    kept = np.flatnonzero(misfit <= misfit[best] + CONFIDENCE_DROP * variance)
    return best + 1, int(kept[0]) + 1, int(kept[-1]) + 1


def robust_spread(residual: np.ndarray) -> float:
    """Standard deviation by the 68 % quantile of the absolute residuals; by 90 % or all of them when that is 0."""
    size = np.sort(np.abs(residual))
    for share, width in ((0.6827, 1.0), (0.9, 1.645)):
        value = float(size[min(len(size) - 1, int(share * len(size)))]) / width
        if value > 0:
            return value
    return float(np.sqrt(np.mean(size**2)))


def _describe(x: np.ndarray, clean: np.ndarray, at: int, p: float, lo: int, hi: int) -> Change:
    best, earliest, latest = locate(x[lo:hi], at - lo)
    k = lo + best
    size = float(np.median(x[k:hi]) - np.median(x[lo:k]))
    kind = "step"
    ramp = find_ramp(clean[lo:hi], k - lo)
    if ramp is not None:
        kind = "ramp"
        k, earliest, latest = lo + ramp[0], ramp[1], ramp[2]
    return Change(k, lo + earliest, lo + latest, hi - 1, kind, "up" if size > 0 else "down", size, p)


def find_ramp(y: np.ndarray, at: int) -> tuple[int, int, int] | None:
    """Does a slope describe it clearly better than a step? Returns (first point of the slope, earliest, latest)."""
    n = len(y)
    if n < 12:
        return None
    bin_ = -(-n // RAMP_POINTS)
    m = n // bin_
    coarse = y[: m * bin_].reshape(m, bin_).mean(axis=1)
    centred = coarse - coarse.mean()
    begin, finish, shapes, norms = _ramps(m)
    left = float(centred @ centred) - (shapes @ centred) ** 2 / norms
    best = int(np.argmin(left))
    fitted = shapes[best] * ((shapes[best] @ centred) / norms[best])
    residual = centred - fitted
    rho = autocorrelation(residual)
    variance = max(left[best], 1e-12) / max(m - 4, 1) * (1 + rho) / (1 - rho)
    edge = at / bin_
    step = np.clip(np.arange(m) + 1 - edge, 0, 1)
    if _left_over(centred, step[None, :])[0] - left[best] <= 10.0 * variance:
        return None
    near = begin[left <= left[best] + CONFIDENCE_DROP * variance] * bin_
    return int(begin[best]) * bin_, int(near.min()), int(near.max())


@cache
def _ramps(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of every begin and length over m points: (begin, finish, centred shape a row, its sum of squares)."""
    t = np.arange(m, dtype=float)
    begin, finish = (g.ravel() for g in np.meshgrid(np.arange(m), np.arange(m), indexing="ij"))
    keep = finish - begin >= 3
    begin, finish = begin[keep], finish[keep]
    shapes = np.clip((t - begin[:, None] + 1) / (finish - begin + 1)[:, None], 0, 1)
    shapes -= shapes.mean(axis=1, keepdims=True)
    return begin, finish, shapes, np.maximum(np.einsum("ij,ij->i", shapes, shapes), 1e-12)


def _left_over(centred: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    norm = np.maximum(np.einsum("ij,ij->i", shapes, shapes), 1e-12)
    return float(centred @ centred) - (shapes @ centred) ** 2 / norm


def _spread_change(x: np.ndarray, at: int, p: float) -> Change:
    before, after = robust_spread(x[:at] - np.median(x[:at])), robust_spread(x[at:] - np.median(x[at:]))
    moves = np.abs(np.diff(x))
    _, earliest, latest = locate(np.minimum(moves, 3 * max(before, after)), at - 1)
    return Change(at, min(earliest + 1, at), max(latest + 1, at), len(x) - 1, "variance",
                  "up" if after > before else "down", after - before, p)  # fmt: skip


def _spikes(x: np.ndarray, lone: np.ndarray, taken: list[int]) -> list[Change]:
    p = lone_chance(lone[None, :], np.abs(lone)[None, :])[0] / WEIGHTS["spike"]
    out: list[Change] = []
    for i in np.flatnonzero(p <= ALPHA):
        if any(abs(int(i) - k) <= 1 for k in taken):
            continue
        around = np.concatenate([x[max(0, i - 2) : i], x[i + 1 : i + 3]])
        size = float(x[i] - np.median(around))
        if out and out[-1].end == i - 1 and (out[-1].size > 0) == (size > 0):
            out[-1] = replace(out[-1], end=int(i), size=max(out[-1].size, size, key=abs), p=min(out[-1].p, float(p[i])))
            continue
        kind, direction = ("spike", "up") if size > 0 else ("dip", "down")
        out.append(Change(int(i), int(i), int(i), int(i), kind, direction, size, float(p[i])))
    return out


def _with_ends(changes: list[Change], n: int) -> list[Change]:
    """A level lasts until the next change of level; a spike ends by itself."""
    lasting = [c.start for c in changes if c.kind not in ("spike", "dip")]
    out = []
    for c in changes:
        if c.kind in ("spike", "dip"):
            out.append(c)
        else:
            out.append(replace(c, end=min([s - 1 for s in lasting if s > c.start], default=n - 1)))
    return out
