"""Simulates what the scans of `kit.numerics.scan` find in noise, and writes the table `kit.numerics.noise` looks up.

`python -m tests.benchmarks.null_table` takes a few minutes and overwrites `kit/numerics/noise_table.json`. Noise is
Gaussian AR(1), each ρ equally often as long as n(1−ρ)/(1+ρ) is 10 or more (below that the kit withholds p); what is
stored is, for each length and each *estimated* ρ, the statistic that noise exceeds with a given probability.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kit.numerics.scan import (
    MARGIN,
    despike,
    largest,
    level_contrasts,
    lone_size,
    move_contrasts,
    scan_run,
    scan_step,
    spread_margin,
    standardize,
    step_sizes,
)

LENGTHS = (22, 30, 42, 60, 84, 120, 170, 240, 340, 480, 720, 1080, 1440, 2880)
TRUE_RHO = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97)
RHO = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
LEVELS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.025, 0.01, 0.005, 0.002)
LEAST_EFFECTIVE = 10.0
SHARES = (0.08, 0.17, 0.33, 0.5)
"""Steps are also looked for in the last part of a series alone, of these shares: after a known healthy stretch."""
LATE = tuple(f"late_{share}" for share in SHARES)
STATISTICS = ("step", "run", "level", "spread", "moves", "lone", *LATE)
SEED = 20260301


def ar1(rng: np.random.Generator, rows: int, n: int, rho: float) -> np.ndarray:
    """Rows of stationary Gaussian noise with lag-1 autocorrelation `rho` and standard deviation 1."""
    x = rng.standard_normal((rows, n))
    x[:, 1:] *= np.sqrt(1 - rho * rho)
    for t in range(1, n):
        x[:, t] += rho * x[:, t - 1]
    return x


def scans(x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each statistic of the kit, its value and the estimated ρ it is looked up with, a value a row."""
    z, _, _ = standardize(x)
    step = scan_step(z)
    clean, lone, usual = despike(z)
    run = scan_run(clean)
    spread = scan_step(step_sizes(clean), margin=spread_margin(x.shape[1]))
    return {
        "step": (step.statistic, step.rho),
        "run": (run.statistic, run.rho),
        "level": (largest(level_contrasts(clean), len(x)), step.rho),
        "spread": (spread.statistic, spread.rho),
        "moves": (largest(move_contrasts(clean), len(x)), step.rho),
        "lone": (lone_size(lone, usual), step.rho),
        **{name: _late(z, share) for name, share in zip(LATE, SHARES, strict=True)},
    }


def _late(z: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    step = scan_step(z, first=z.shape[1] - max(MARGIN, round(share * z.shape[1])))
    return step.statistic, step.rho


def table(*, runs: int = 4000) -> dict[str, object]:
    """The whole table: statistic → length → a row per estimated ρ, a column per probability."""
    rng = np.random.default_rng(SEED)
    out: dict[str, list[list[list[float]]]] = {name: [] for name in STATISTICS}
    for n in LENGTHS:
        parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in out}
        for rho in TRUE_RHO:
            if n * (1 - rho) / (1 + rho) < LEAST_EFFECTIVE:
                continue
            for _ in range(8):
                for name, pair in scans(ar1(rng, runs // 8, n, rho)).items():
                    parts[name].append(pair)
        for name, pairs in parts.items():
            value = np.concatenate([p[0] for p in pairs])
            found = np.concatenate([p[1] for p in pairs])
            out[name].append(_by_rho(value, found))
    return {"lengths": LENGTHS, "rho": RHO, "levels": LEVELS, **out}


def _by_rho(value: np.ndarray, found: np.ndarray) -> list[list[float]]:
    """Quantiles of the statistic for each estimated ρ of the grid, from the runs whose estimate is nearest to it.

    Where fewer than 1,000 runs came out there, the 1,000 nearest are taken.
    """
    rows = []
    grid = np.array(RHO)
    nearest = np.abs(found[:, None] - grid).argmin(axis=1)
    for i, rho in enumerate(RHO):
        chosen = nearest == i
        if chosen.sum() < 1000:
            chosen = np.argsort(np.abs(found - rho), kind="stable")[:1000]
        rows.append([round(float(np.quantile(value[chosen], 1 - p)), 3) for p in LEVELS])
    return rows


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "kit" / "numerics" / "noise_table.json"
    path.write_text(json.dumps(table()) + "\n")
    print(f"wrote {path.name}")
