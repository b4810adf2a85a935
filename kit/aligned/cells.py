"""Rows reduced to one value a service and bin: totals, means, quantiles; NaN where there is no row."""

from __future__ import annotations

import numpy as np

from kit.numerics.grid import Grid, grouped_quantiles


def reduce(key: np.ndarray, values: np.ndarray, how: str, size: int) -> np.ndarray:
    """The values of each cell as one, by sum, mean, max or min; NaN for a cell without any. `key` numbers the cells."""
    if how in ("mean", "sum"):
        n = np.bincount(key, minlength=size)
        total = np.bincount(key, weights=values, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(n > 0, total / n if how == "mean" else total, np.nan)
    out = np.full(size, np.nan)
    if len(key):
        if (key[1:] < key[:-1]).any():
            order = np.argsort(key, kind="stable")
            key, values = key[order], values[order]
        first = np.concatenate([[0], np.flatnonzero(np.diff(key)) + 1])
        out[key[first]] = (np.maximum if how == "max" else np.minimum).reduceat(values, first)
    return out


def distribution(
    bins: np.ndarray,
    service: np.ndarray,
    services: list[str],
    values: np.ndarray,
    rows: np.ndarray,
    grid: Grid,
    name: str,
) -> dict[str, np.ndarray]:
    """p50 and p99 of each service's values a bin, as `<service>/<name>.p50|p99`."""
    key = _numbered(bins, service, rows, grid)
    quantiles = grouped_quantiles(key, values[rows], (0.5, 0.99), len(services) * grid.size)
    found = {}
    for cells, stat in zip(quantiles, ("p50", "p99"), strict=True):
        for s, label in enumerate(services):
            part = cells[s * grid.size : (s + 1) * grid.size]
            if not np.isnan(part).all():
                found[f"{label}/{name}.{stat}"] = part
    return found


def totals(
    bins: np.ndarray, service: np.ndarray, services: list[str], rows: np.ndarray, grid: Grid, name: str
) -> dict[str, np.ndarray]:
    """How many rows has each service a bin? NaN where none."""
    key = _numbered(bins, service, rows, grid)
    n = np.bincount(key, minlength=len(services) * grid.size).astype(float).reshape(len(services), grid.size)
    return {f"{label}/{name}": np.where(n[s] > 0, n[s], np.nan) for s, label in enumerate(services) if n[s].any()}


def means(
    bins: np.ndarray,
    service: np.ndarray,
    services: list[str],
    values: np.ndarray,
    rows: np.ndarray,
    grid: Grid,
    name: str,
) -> dict[str, np.ndarray]:
    """The mean of each service's values a bin; NaN where there is no row."""
    key = _numbered(bins, service, rows, grid)
    cells = reduce(key, values[rows], "mean", len(services) * grid.size).reshape(len(services), grid.size)
    return {f"{label}/{name}": cells[s] for s, label in enumerate(services) if not np.isnan(cells[s]).all()}


def _numbered(bins: np.ndarray, service: np.ndarray, rows: np.ndarray, grid: Grid) -> np.ndarray:
    """The cell of each row: the bins of one service after those of the one before."""
    return service[rows].astype(np.int64) * grid.size + bins[rows]
