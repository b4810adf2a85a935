"""Requests among LOGS on the grid: how many, how many failed, how long they and their upstream took."""

from __future__ import annotations

import numpy as np

from kit.aligned.cells import distribution, means, totals
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid
from kit.requests import failed_rows


def request_columns(
    logs: Table, grid: Grid, bins: np.ndarray, mine: np.ndarray, service: np.ndarray, services: list[str]
) -> dict[str, np.ndarray]:
    """Counts, tails and shares of failed ones, of requests and of statements apart; probes are left out."""
    duration = columns.numbers(logs, "duration_s")
    mine = mine & ~np.isnan(duration)
    if columns.has(logs, "probe"):
        mine &= ~columns.flags(logs, "probe")
    statement = np.zeros(len(mine), bool)
    for field in ("db.query.summary", "db.query.text"):
        if columns.has(logs, field):
            statement |= columns.codes(logs, field)[0] >= 0
    found: dict[str, np.ndarray] = {}
    for rows, name in ((mine & ~statement, "requests"), (mine & statement, "statements")):
        found.update(distribution(bins, service, services, duration, rows, grid, f"{name}.duration"))
        found.update(totals(bins, service, services, rows, grid, f"{name}.count"))
    if columns.has(logs, "upstream.duration_s"):
        upstream = columns.numbers(logs, "upstream.duration_s")
        rows = mine & ~statement & ~np.isnan(upstream)
        found.update(distribution(bins, service, services, upstream, rows, grid, "upstream.duration"))
    if columns.has(logs, "http.response.status_code"):
        status = columns.numbers(logs, "http.response.status_code")
        rows = mine & ~statement & ~np.isnan(status)
        failed = failed_rows(logs)
        client = (status >= 400) & (status < 500)
        for flag, name in ((failed, "requests.errors_ratio"), (client, "requests.client_errors_ratio")):
            found.update(means(bins, service, services, flag.astype(float), rows, grid, name))
    if columns.has(logs, "attempts"):
        attempts = columns.numbers(logs, "attempts")
        rows = mine & ~np.isnan(attempts)
        found.update(means(bins, service, services, attempts, rows, grid, "requests.attempts.mean"))
    return found
