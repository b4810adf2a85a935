"""LOGS on the grid: lines counted by level and by template, in blocks; requests and statements beside them."""

from __future__ import annotations

import numpy as np

from kit.aligned.requests import request_columns
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid

BLOCK = 1 << 17
"""Rows of logs that are counted at a time, so that memory does not grow with their number."""


def log_columns(logs: Table, grid: Grid) -> dict[str, np.ndarray]:
    """Lines by level and template, and what the request-like rows among them say."""
    times = columns.times_us(logs)
    service, services = columns.codes(logs, "service")
    weight = columns.numbers(logs, "weight") if columns.has(logs, "weight") else None
    found: dict[str, np.ndarray] = {}
    level, levels = columns.codes(logs, "level")
    found.update(_counts(times, service, services, level, levels, weight, grid, "log"))
    if columns.has(logs, "template"):
        template, templates = columns.codes(logs, "template")
        found.update(_counts(times, service, services, template, templates, weight, grid, "log.template"))
    if columns.has(logs, "duration_s"):
        bins, inside = grid.place(times)
        found.update(request_columns(logs, grid, bins, inside & (service >= 0), service, services))
    return found


def _counts(
    times: np.ndarray,
    service: np.ndarray,
    services: list[str],
    value: np.ndarray,
    values: list[str],
    weight: np.ndarray | None,
    grid: Grid,
    prefix: str,
) -> dict[str, np.ndarray]:
    n = np.zeros((len(services), len(values) + 1, grid.size))
    for at in range(0, len(times), BLOCK):
        part = slice(at, at + BLOCK)
        weights = None if weight is None else weight[part]
        _count_block(n, times[part], service[part], value[part], weights, grid)
    alive = n.sum(axis=1) > 0
    found = {}
    for s, v in zip(*np.nonzero(n.sum(axis=2)), strict=True):
        name = "unknown" if v == 0 else values[v - 1].lower()
        if prefix == "log.template" and v == 0:
            continue
        found[f"{services[s]}/{prefix}.{name}.count"] = np.where(alive[s], n[s, v], np.nan)
    return found


def _count_block(
    n: np.ndarray, times: np.ndarray, service: np.ndarray, value: np.ndarray, weight: np.ndarray | None, grid: Grid
) -> None:
    """Adds a block of rows to `n`, by service, by value (0: none) and by bin."""
    bins, inside = grid.place(times)
    mine = inside & (service >= 0)
    if not mine.all():
        bins, service, value = bins[mine], service[mine], value[mine]
        weight = None if weight is None else weight[mine]
    if not len(bins):
        return
    if weight is not None and (weight == 1.0).all():
        weight = None
    low, high = int(bins.min()), int(bins.max()) + 1
    cells = service.astype(np.int64)
    cells *= n.shape[1]
    cells += value
    cells += 1
    if n.shape[0] * n.shape[1] * (high - low) > 8 * BLOCK:  # far more cells than rows: only those that are met
        met, which = np.unique(cells * n.shape[2] + bins, return_inverse=True)
        n.reshape(-1)[met] += np.bincount(which, weights=weight)
        return
    cells *= high - low
    cells += bins
    cells -= low
    counted = np.bincount(cells, weights=weight, minlength=n.shape[0] * n.shape[1] * (high - low))
    n[:, :, low:high] += counted.reshape(n.shape[0], n.shape[1], high - low)
