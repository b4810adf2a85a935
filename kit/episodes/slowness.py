"""Which requests were slow? Those beyond the usual of their route, and those whose client did not wait any longer."""

from __future__ import annotations

import numpy as np

from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import grouped_quantiles
from kit.requests import RequestArrays

SLOW_FACTOR = 1.5
"""A request is slow beyond so many times the usual p99 of its route."""
SLOW_LEAST_S = 0.1
"""And by no less than this, which a person just notices: a route that answers in 10 ms is not slow at 16."""
GIVEN_UP = (499, 460)
"""Statuses that a proxy writes when the client closed the connection before the answer was there."""


def slow_requests(
    arrays: RequestArrays,
    routes: np.ndarray | None,
    given_up: np.ndarray,
    *,
    objective_s: float | None = None,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """Which requests were slow? `among`: the healthy ones that the usual p99 is taken from; None: all that succeeded.

    Slow is what takes 1.5 times the usual p99 of its route, the middle of its minutes' p99, and a tenth of a second
    more than that; less where the objective, `objective_s`, lies between. A client that gave up tells of slowness
    whatever time it waited; it is not the client's fault.
    """
    return (arrays.duration_s > slow_limits(arrays, routes, given_up, objective_s, among)) | given_up


def given_up_requests(rows: Table, arrays: RequestArrays) -> np.ndarray:
    """Which requests did their client close before the answer was there (499)? None where no status is logged."""
    if not columns.has(rows, "http.response.status_code"):
        return np.zeros(len(arrays.rows), bool)
    return np.isin(columns.numbers(rows, "http.response.status_code")[arrays.rows], GIVEN_UP)


def slow_limits(
    arrays: RequestArrays,
    routes: np.ndarray | None,
    given_up: np.ndarray,
    objective_s: float | None,
    among: np.ndarray | None,
) -> np.ndarray:
    """Beyond how many seconds is each slow?"""
    limits = np.full(len(arrays.start_us), np.inf)
    group = routes.astype(str) if routes is not None else np.full(len(limits), "")
    chunk = arrays.start_us // 60_000_000
    well = ~arrays.failed & ~given_up
    for route in np.unique(group):
        mine = group == route
        healthy = mine & well if among is None else mine & among & well
        if healthy.sum() < 20:
            continue
        at = chunk[healthy] - chunk[healthy].min()
        (p99,) = grouped_quantiles(at, arrays.duration_s[healthy], (0.99,), int(at.max()) + 1)
        usual = float(np.nanmedian(p99))
        limit = max(SLOW_FACTOR * usual, usual + SLOW_LEAST_S)
        within = objective_s is not None and usual < objective_s < limit
        limits[mine] = objective_s if within else limit
    return limits
