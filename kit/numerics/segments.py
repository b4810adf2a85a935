"""Which changes does one row hold, and where does each begin? From the scans' candidates to located, named changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from kit.numerics import noise, rarity, scan

ALPHA = 0.05
"""Changes with a larger p are not reported."""
WEIGHTS = {"step": 0.8, "run": 0.1, "level": 0.05, "spread": 0.015, "moves": 0.01, "lone": 0.025}
"""How the 5 % are split between the looks (weighted Bonferroni): most of it goes to the plain step."""
CONFIDENCE_DROP = 6.5
"""Positions whose fit is worse by at most this many noise variances stay in the interval (about 90 %)."""
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
    """What each look at a matrix found, a value a row; p are already shared out over the looks, NaN is withheld."""

    z: np.ndarray
    clean: np.ndarray
    lone: np.ndarray
    usual: np.ndarray
    rho: np.ndarray
    contrasts: dict[str, list[tuple[int, np.ndarray]]]
    at: dict[str, np.ndarray]
    p: dict[str, np.ndarray]
    likely: np.ndarray
    """Is there a step beyond the simulated noise whose p is withheld all the same?"""

    @property
    def least_p(self) -> np.ndarray:
        """The row's p that anything changed at all; NaN where every look was withheld."""
        return np.fmin.reduce(list(self.p.values()))


def look(x: np.ndarray) -> Looks:
    """Has anything changed in these rows? Six looks share the risk; see `WEIGHTS`."""
    n = x.shape[1]
    z = scan.standardize(x)[0].astype(np.float32)  # four digits of a z are plenty, and half the memory to go through
    step = scan.scan_step(z)
    clean, lone, usual = scan.despike(z)
    run = scan.scan_run(clean)
    spread = scan.scan_step(scan.step_sizes(clean), margin=scan.spread_margin(n))
    contrasts = {"level": list(scan.level_contrasts(clean)), "moves": list(scan.move_contrasts(clean))}
    statistics = {
        "step": (step.statistic, step.rho),
        "run": (run.statistic, run.rho),
        "level": (scan.largest(contrasts["level"], len(x)), step.rho),
        "spread": (spread.statistic, spread.rho),
        "moves": (scan.largest(contrasts["moves"], len(x)), step.rho),
        "lone": (scan.lone_size(lone, usual), step.rho),
    }
    p = {}
    for name, (statistic, rho) in statistics.items():
        value = np.minimum(noise.chance(name, statistic, n=n, rho=rho) / WEIGHTS[name], 1.0)
        value[(statistic <= 0) | (n < noise.LEAST_POINTS)] = np.nan
        p[name] = value
    worth = noise.effective_points(n, step.rho)
    likely = (worth < noise.LEAST_EFFECTIVE) & (worth >= noise.LEAST_TOLD) & (p["step"] <= ALPHA)
    p["step"][worth < noise.LEAST_EFFECTIVE] = np.nan
    p["run"][noise.effective_points(n, run.rho) < noise.LEAST_EFFECTIVE] = np.nan
    sparse = usual <= 1e-9
    if sparse.any():
        p["lone"][sparse] = np.fmax(p["lone"][sparse], _rare(lone[sparse]) / WEIGHTS["lone"])
    at = {"step": step.at, "spread": spread.at + 1, "run": run.at, "run_end": run.at + run.length}
    return Looks(z, clean, lone, usual, step.rho, contrasts, at, p, likely)


def late_step(x: np.ndarray, first: int) -> Change | None:
    """Is there a step at `first` or later, where it would be asked for beforehand? None: none beyond noise.

    Fewer places to look at than the whole row has, so that a smaller step is seen. Its p is NaN where it is withheld.
    """
    n = len(x)
    if n < noise.LEAST_POINTS or n - first < scan.MARGIN:
        return None
    step = scan.scan_step(scan.standardize(x[None, :])[0], first=first)
    rho = float(step.rho[0])
    p = noise.late_chance((n - first) / n, float(step.statistic[0]), n=n, rho=rho) / WEIGHTS["step"]
    worth = float(noise.effective_points(n, rho))
    if p > ALPHA or worth < noise.LEAST_TOLD:
        return None
    best, earliest, latest = locate(x, int(step.at[0]))
    size = median(x[best:]) - median(x[:best])
    told = p if worth >= noise.LEAST_EFFECTIVE else float("nan")
    return Change(best, earliest, latest, n - 1, "step", "up" if size > 0 else "down", size, told)


def _rare(lone: np.ndarray) -> np.ndarray:
    """Where hardly any point moves, rarity is the measure: (points that move + 1) / (n + 1)."""
    return ((np.abs(lone) > 1e-9).sum(axis=1) + 1) / (lone.shape[1] + 1)


def changes_of(x: np.ndarray, looks: Looks, row: int) -> list[Change]:
    """Which changes does this row hold, in order? Empty when no look found any."""
    n = len(x)
    p = {name: float(value[row]) for name, value in looks.p.items()}
    clean = looks.clean[row]
    found: dict[int, float] = {}
    if p["level"] <= ALPHA:
        found.update(_local_peaks("level", looks, row))
    if p["run"] <= ALPHA:
        begin, finish = int(looks.at["run"][row]), int(looks.at["run_end"][row])
        for at in (begin, finish):
            if scan.MARGIN <= at <= n - scan.MARGIN:
                _add(found, at, p["run"], reach=max(3, (finish - begin) // 3))
    plain = np.isnan(p["step"]) and not found and _plain_step(looks.z[row], looks.at["step"][row])
    if p["step"] <= ALPHA or looks.likely[row] or plain:
        _add(found, int(looks.at["step"][row]), p["step"], reach=max(3, n // 50))
    found = _settle(clean, found)
    changes = [_describe(x, clean, k, found[k], lo, hi) for k, lo, hi in _neighbours(sorted(found), n)]
    changes += _spread_changes(x, looks, row, p, sorted(found))
    if p["lone"] <= ALPHA:
        changes += _spikes(x, looks, row, [c.start for c in changes])
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
    """Is a step that cannot be given a p plain to see: sides that hardly overlap, and no straight line fits as well?"""
    before, after = np.sort(z[:at]), np.sort(z[at:])
    low, high = (before, after) if before[len(before) // 2] < after[len(after) // 2] else (after, before)
    if low[int(0.9 * (len(low) - 1))] >= high[int(np.ceil(0.1 * (len(high) - 1)))]:
        return False
    bin_ = -(-len(z) // RAMP_POINTS)
    coarse = z[: len(z) // bin_ * bin_].reshape(-1, bin_).mean(axis=1)
    centred = coarse - coarse.mean()
    _, shapes, norms = _ramps(len(coarse))
    bent_left = float(centred @ centred) - ((shapes @ centred) ** 2 / norms).max()
    t = np.arange(len(coarse), dtype=float)
    step_left, line_left = _left_over(centred, np.stack([(t * bin_ >= at).astype(float), t]))
    return bool(2 * min(step_left, bent_left) < line_left)


def _local_peaks(name: str, looks: Looks, row: int) -> dict[int, float]:
    """Positions at which a local contrast is beyond noise and beyond the series' habits, strongest first.

    Each claims its own neighbourhood, as wide as its window.
    """
    n, rho = looks.z.shape[1], float(looks.rho[row])
    limit = noise.critical(name, ALPHA * WEIGHTS[name], n=n, rho=rho)
    peaks: list[tuple[float, int, int]] = []
    for length, contrast in looks.contrasts[name]:
        size = np.abs(contrast[row])
        if size.max() <= limit:
            continue
        maxima, at = rarity.block_maxima(size, 4 * length)
        beyond = (maxima > limit) & (rarity.expected_count(maxima, maxima) <= rarity.OFTEN)
        peaks += [(float(v), int(k) + length, length) for v, k in zip(maxima[beyond], at[beyond], strict=True)]
        rest = size[len(size) // (4 * length) * 4 * length :]
        if (
            len(rest)
            and rest.max() > limit
            and rarity.expected_count(maxima, rest.max(keepdims=True))[0] <= rarity.OFTEN
        ):
            peaks.append((float(rest.max()), len(size) - len(rest) + int(rest.argmax()) + length, length))
    peaks.sort(reverse=True)
    chosen: list[tuple[float, int, int]] = []
    for value, at_, length in peaks:
        if all(abs(at_ - other) >= max(3, length, reach) for _, other, reach in chosen):
            chosen.append((value, at_, length))
    if not chosen:
        return {}
    p = noise.chance(name, np.array([c[0] for c in chosen]), n=n, rho=np.full(len(chosen), rho))
    return {at_: min(1.0, float(q) / WEIGHTS[name]) for (_, at_, _), q in zip(chosen, p, strict=True)}


def _settle(y: np.ndarray, found: dict[int, float]) -> dict[int, float]:
    """Move each position to its best fit between its neighbours, drop what no longer stands out."""
    n = len(y)
    if not found:
        return {}
    for _ in range(2):
        moved: dict[int, float] = {}
        for k, lo, hi in _neighbours(sorted(found), n):
            at = lo + best_split(y[lo:hi]) if hi - lo >= 4 else k
            moved[at] = min(found[k], moved.get(at, 1.0)) if not np.isnan(found[k]) else found[k]
        settled = len(found) == 1 or moved.keys() == found.keys()
        found = moved
        if settled:
            break
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
    b, a = k - lo, hi - k
    difference = float(y[lo:k].sum()) / b - float(y[k:hi].sum()) / a
    middle = float(y[lo:hi].sum()) / (a + b)
    residual = y[lo:hi] - (middle + difference * a / (a + b))
    residual[b:] += difference
    variance = float(residual @ residual) / max(a + b - 2, 1)
    rho = autocorrelation(residual)
    return float(difference**2 * a * b / (a + b) / max(variance, 1e-12) * (1 - rho) / (1 + rho))


def autocorrelation(residual: np.ndarray) -> float:
    """Lag-1 autocorrelation of residuals, corrected for the bias of short series; never negative, at most 0.98."""
    total = float(residual @ residual)
    if total <= 0 or len(residual) < 4:
        return 0.0
    rho = float(residual[1:] @ residual[:-1]) / total
    return min(max(rho + (1 + 4 * max(rho, 0.0)) / len(residual), 0.0), scan.RHO_MAX)


def best_split(y: np.ndarray) -> int:
    """Index of the first point after the best two-level fit."""
    sums = np.cumsum(y)
    sums -= _shares(len(y)) * sums[-1]
    sums = sums[:-1]
    return 1 + int(np.argmax(sums * sums * _split_weights(len(y))))


@lru_cache(maxsize=32)
def _shares(m: int) -> np.ndarray:
    """Which share of m points lies up to each one?"""
    return np.arange(1, m + 1) / m


@lru_cache(maxsize=32)
def _split_weights(m: int) -> np.ndarray:
    k = np.arange(1, m)
    return 1.0 / (k * (m - k))


def median(x: np.ndarray) -> float:
    """The median of a row without NaN; several times as fast as numpy's, which asks more questions first."""
    n = len(x)
    part = np.partition(x, (n // 2,) if n % 2 else (n // 2 - 1, n // 2))
    return float(part[n // 2]) if n % 2 else float(part[n // 2 - 1] + part[n // 2]) / 2


def _neighbours(positions: list[int], n: int) -> list[tuple[int, int, int]]:
    edges = [0, *positions, n]
    return [(edges[i], edges[i - 1], edges[i + 1]) for i in range(1, len(edges) - 1)]


def locate(x: np.ndarray, at: int) -> tuple[int, int, int]:
    """Between which points did the step near `at` begin? Returns (best, earliest, latest), the first point after it.

    Levels and noise are read off both sides robustly; every position's AR(1) likelihood is compared with the best
    one's, and those within `CONFIDENCE_DROP` noise variances stay.
    """
    before, after = median(x[:at]), median(x[at:])
    spread = robust_spread(np.concatenate([x[:at] - before, x[at:] - after]))
    if spread <= 0 or before == after:
        return at, at, at
    y = np.clip(x, min(before, after) - 3 * spread, max(before, after) + 3 * spread)
    residual = np.concatenate([y[:at] - before, y[at:] - after])
    rho = min(autocorrelation(residual), 0.95)
    u = y[1:] - rho * y[:-1]
    stays, turns, gone = before * (1 - rho), after - rho * before, after * (1 - rho)
    # squares of the three ways to go on, less those of having gone: linear in u
    misfit = (gone - turns) * (2 * u - gone - turns)
    misfit[1:] += np.cumsum((gone - stays) * (2 * u - gone - stays))[:-1]
    variance = max(float(residual[1:] @ residual[1:]) / len(residual) * (1 - rho * rho), 1e-24)
    best = int(np.argmin(misfit))
    kept = np.flatnonzero(misfit <= misfit[best] + CONFIDENCE_DROP * variance)
    return best + 1, int(kept[0]) + 1, int(kept[-1]) + 1


def robust_spread(residual: np.ndarray) -> float:
    """Standard deviation by the 68 % quantile of the absolute residuals; by 90 % or all of them when that is 0."""
    n = len(residual)
    places = [min(n - 1, int(share * n)) for share in (0.6827, 0.9)]
    size = np.partition(np.abs(residual), places)
    for place, width in zip(places, (1.0, 1.645), strict=True):
        if (value := float(size[place]) / width) > 0:
            return value
    return float(np.sqrt(np.mean(size**2)))


def _describe(x: np.ndarray, clean: np.ndarray, at: int, p: float, lo: int, hi: int) -> Change:
    best, earliest, latest = locate(x[lo:hi], at - lo)
    k = lo + best
    size = median(x[k:hi]) - median(x[lo:k])
    kind = "step"
    ramp = find_ramp(clean[lo:hi], k - lo)
    if ramp is not None:
        kind = "ramp"
        k, earliest, latest = lo + max(ramp[0], 1), max(ramp[1], 1), max(ramp[2], 1)
    return Change(k, lo + earliest, lo + latest, hi - 1, kind, "up" if size > 0 else "down", size, p)


def find_ramp(y: np.ndarray, at: int) -> tuple[int, int, int] | None:
    """Does a slope describe it clearly better than a step? Returns (first point of the slope, earliest, latest)."""
    n = len(y)
    if n < 12:
        return None
    bin_ = -(-n // RAMP_POINTS)
    m = n // bin_
    coarse = y[: m * bin_].reshape(m, bin_).mean(axis=1)
    centred = coarse - coarse.sum() / m
    begin, shapes, norms = _ramps(m)
    left = float(centred @ centred) - (shapes @ centred) ** 2 / norms
    best = int(np.argmin(left))
    step = np.arange(m) + (1 - at / bin_)
    step = np.minimum(np.maximum(step, 0.0), 1.0)
    step -= step.sum() / m
    gained = float(centred @ centred) - float(step @ centred) ** 2 / max(float(step @ step), 1e-12) - left[best]
    variance = max(left[best], 1e-12) / max(m - 4, 1)
    if gained <= 10.0 * variance:
        return None
    fitted = shapes[best] * ((shapes[best] @ centred) / norms[best])
    rho = autocorrelation(centred - fitted)
    variance *= (1 + rho) / (1 - rho)
    if gained <= 10.0 * variance:
        return None
    near = begin[left <= left[best] + CONFIDENCE_DROP * variance] * bin_
    return int(begin[best]) * bin_, int(near.min()), int(near.max())


@cache
def _ramps(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of every begin and length over m points: (begin, centred shape a row, its sum of squares)."""
    t = np.arange(m, dtype=float)
    begin, finish = (g.ravel() for g in np.meshgrid(np.arange(m), np.arange(m), indexing="ij"))
    keep = finish - begin >= 3
    begin, finish = begin[keep], finish[keep]
    shapes = np.clip((t - begin[:, None] + 1) / (finish - begin + 1)[:, None], 0, 1)
    shapes -= shapes.mean(axis=1, keepdims=True)
    return begin, shapes, np.maximum(np.einsum("ij,ij->i", shapes, shapes), 1e-12)


def _left_over(centred: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    norm = np.maximum(np.einsum("ij,ij->i", shapes, shapes), 1e-12)
    return float(centred @ centred) - (shapes @ centred) ** 2 / norm


def _spread_changes(x: np.ndarray, looks: Looks, row: int, p: dict[str, float], taken: list[int]) -> list[Change]:
    """Changes of spread; those beside a change of level are part of it."""
    n = len(x)
    found: dict[int, float] = {}
    if p["moves"] <= ALPHA:
        found.update(_local_peaks("moves", looks, row))
    if p["spread"] <= ALPHA:
        _add(found, int(looks.at["spread"][row]), p["spread"], reach=max(8, n // 50))
    near = scan.spread_margin(n)
    found = {k: q for k, q in found.items() if all(abs(k - other) > 2 * near for other in taken)}
    changes = []
    for k, lo, hi in _neighbours(sorted(found), n):
        lo, hi = max([lo, *[t for t in taken if t <= k]]), min([hi, *[t for t in taken if t > k]])
        if k - lo >= 4 and hi - k >= 4:
            changes.append(_spread_change(x[lo:hi], k - lo, lo, found[k]))
    return changes


def _spread_change(x: np.ndarray, at: int, offset: int, p: float) -> Change:
    before, after = robust_spread(x[:at] - np.median(x[:at])), robust_spread(x[at:] - np.median(x[at:]))
    moves = np.minimum(np.abs(np.diff(x)), 3 * max(before, after))
    best, earliest, latest = (k + 1 + offset for k in locate(moves, at - 1))
    return Change(best, earliest, latest, offset + len(x) - 1, "variance", "up" if after > before else "down",
                  after - before, p)  # fmt: skip


def _spikes(x: np.ndarray, looks: Looks, row: int, taken: list[int]) -> list[Change]:
    """Lone points beyond noise and beyond the series' habits; two in a row are one."""
    n = len(x)
    size = np.abs(looks.lone[row])
    usual = float(looks.usual[row])
    scaled = size / (usual if usual > 1e-9 else 1.0)
    out: list[Change] = []
    limit = noise.critical("lone", ALPHA * WEIGHTS["lone"], n=n, rho=float(looks.rho[row]))
    at = np.flatnonzero(scaled > limit)
    maxima, _ = rarity.block_maxima(size, 4)
    at = at[rarity.expected_count(maxima, size[at]) <= min(rarity.OFTEN, rarity.LONE_RATE * n)]
    p = noise.chance("lone", scaled[at], n=n, rho=np.full(len(at), float(looks.rho[row]))) / WEIGHTS["lone"]
    for i, q in zip(at.tolist(), np.minimum(p, 1.0).tolist(), strict=True):
        if any(abs(i - k) <= 1 for k in taken):
            continue
        around = np.concatenate([x[max(0, i - 2) : i], x[i + 1 : i + 3]])
        away = float(x[i] - np.median(around))
        if out and out[-1].end == i - 1 and (out[-1].size > 0) == (away > 0):
            out[-1] = replace(out[-1], end=i, size=max(out[-1].size, away, key=abs), p=min(out[-1].p, q))
            continue
        kind, direction = ("spike", "up") if away > 0 else ("dip", "down")
        out.append(Change(i, i, i, i, kind, direction, away, q))
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
