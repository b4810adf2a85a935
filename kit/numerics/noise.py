"""How often does noise alone do that? The null distribution of the scans, looked up by length and autocorrelation.

The table beside this module was simulated once with the scans of `kit.numerics.scan` on Gaussian AR(1) noise
(`python -m tests.benchmarks.null_table` makes it again).
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

LEAST_EFFECTIVE = 20.0
"""Below so many independent points' worth, as estimated, p is withheld: too short to say."""
LEAST_TOLD = 13.0
"""Down to so many, what is beyond the simulated noise is told all the same, without a p. The correlation of a short
series is known so roughly that of those truly worth 20 a third is put below."""
LATE_SHARES = (0.08, 0.17, 0.33, 0.5, 1.0)
"""Which last parts of a series the table has steps for; all of it is the plain step."""
LEAST_POINTS = 22


@cache
def _table() -> dict[str, np.ndarray]:
    raw = json.loads(files("kit.numerics").joinpath("noise_table.json").read_text())
    return {name: np.array(values, dtype=float) for name, values in raw.items()}


def effective_points(n: int, rho: np.ndarray | float) -> np.ndarray:
    """How many independent points are n points with lag-1 autocorrelation ρ worth? n(1−ρ)/(1+ρ)."""
    rho = np.asarray(rho, dtype=float)
    return n * (1 - rho) / (1 + rho)


def chance(name: str, statistic: np.ndarray, *, n: int, rho: np.ndarray) -> np.ndarray:
    """How likely does noise of this length and autocorrelation reach such a statistic? One p a row.

    `name` is one of step, run, level, spread, moves, lone, late_… (see `late_chance`). Linear in log p against the
    squared statistic between the simulated quantiles and beyond them, linear in log n and in ρ between the table's
    lines; lengths outside it use its nearest line. On AR(1) noise p ≤ .05 comes out in 2–6 % of runs. It misleads on
    noise that is not AR(1): long memory, a drifting mean or an untreated season make it too small.

    >>> float(chance("step", np.array([1.0]), n=100, rho=np.array([0.0]))[0]) > 0.3
    True
    >>> float(chance("step", np.array([9.0]), n=100, rho=np.array([0.0]))[0]) < 1e-6
    True
    """
    table = _table()
    logp = np.log(table["levels"])
    squares = _lines(name, n, np.asarray(rho, dtype=float)) ** 2
    q = np.asarray(statistic, dtype=float) ** 2
    j = np.clip((squares <= q[:, None]).sum(axis=1), 1, len(logp) - 1)
    row = np.arange(len(q))
    left, right = squares[row, j - 1], squares[row, j]
    slope = (logp[j] - logp[j - 1]) / np.maximum(right - left, 1e-9)
    beyond = q > squares[:, -1]
    tail = (logp[-1] - logp[-4]) / np.maximum(squares[:, -1] - squares[:, -4], 1e-9)
    value = np.where(beyond, logp[-1] + tail * (q - squares[:, -1]), logp[j - 1] + slope * (q - left))
    return np.exp(np.clip(value, -700.0, 0.0))


def late_chance(share: float, statistic: float, *, n: int, rho: float) -> float:
    """How likely does noise reach such a statistic with a step in the last `share` of it alone?

    Linear in log p between the shares simulated.

    >>> late_chance(0.2, 3.0, n=100, rho=0.3) < late_chance(1.0, 3.0, n=100, rho=0.3) < 0.1
    True
    """
    names = [f"late_{s}" for s in LATE_SHARES[:-1]] + ["step"]
    p = [float(chance(name, np.array([statistic]), n=n, rho=np.array([rho]))[0]) for name in names]
    return float(np.exp(np.interp(share, LATE_SHARES, np.log(np.maximum(p, 1e-300)))))


def critical(name: str, p: float, *, n: int, rho: float) -> float:
    """Which statistic does noise exceed with probability p (between .5 and .002; smaller p are extrapolated)?"""
    table = _table()
    logp = np.log(table["levels"])
    squares = _lines(name, n, np.array([rho]))[0] ** 2
    want = np.log(p)
    if want < logp[-1]:
        return float(np.sqrt(squares[-1] + (want - logp[-1]) * (squares[-1] - squares[-4]) / (logp[-1] - logp[-4])))
    return float(np.sqrt(np.interp(-want, -logp, squares)))


def _lines(name: str, n: int, rho: np.ndarray) -> np.ndarray:
    by_length = _for_length(name, n)
    grid = _table()["rho"]
    y = np.interp(rho, grid, np.arange(len(grid)))
    k = np.minimum(y.astype(int), len(grid) - 2)
    w = (y - k)[:, None]
    return by_length[k] * (1 - w) + by_length[k + 1] * w


@lru_cache(maxsize=256)
def _for_length(name: str, n: int) -> np.ndarray:
    table = _table()
    lengths, lines = table["lengths"], table[name]
    x = np.interp(np.log(n), np.log(lengths), np.arange(len(lengths)))
    i = min(int(x), len(lengths) - 2)
    return lines[i] * (1 - (x - i)) + lines[i + 1] * (x - i)
