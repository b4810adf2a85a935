"""The tested signals bin by bin: error ratio, share of slow requests and traffic, for all requests and per route."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.episodes.slowness import SLOW_FACTOR
from kit.numerics.excursions import Evidence, drop_evidence, level_evidence, ratio_evidence
from kit.numerics.grid import Grid, grouped_quantiles
from kit.requests import RequestArrays

ERRORS_FLOOR, SLOW_FLOOR, FACTOR = 0.005, 0.02, 2.0
"""A ratio is ill when it rises by this much and to at least so many times the healthy one."""
REMAINS = 0.8
"""Traffic is lost when no more than this share of the usual remains."""
ENDLESS_S = 1e6
MOST_ROUTES, FEWEST_OF_ROUTE = 50, 60


@dataclass(frozen=True, slots=True)
class Track:
    """One signal of one route, bin by bin, with the evidence of each bin.

    A ratio is `top` of `bottom`; `p99` are seconds, where known. `route` None: all requests.
    """

    signal: str
    route: str | None
    evidence: Evidence
    top: np.ndarray
    bottom: np.ndarray
    p99: np.ndarray | None = None

    @classmethod
    def ratio(
        cls, signal: str, route: str | None, bad: np.ndarray, count: np.ndarray, p99: np.ndarray | None = None
    ) -> Track:
        """Of the requests of each bin, so many were bad."""
        floor = ERRORS_FLOOR if signal == "errors_ratio" else SLOW_FLOOR
        return cls(signal, route, ratio_evidence(bad, count, floor=floor, factor=FACTOR), bad, count, p99)

    @classmethod
    def level(cls, signal: str, route: str | None, values: np.ndarray, count: np.ndarray) -> Track:
        """A p99 per bin, where the requests themselves are not at hand."""
        return cls(signal, route, level_evidence(values, factor=SLOW_FACTOR), values, count, values)

    @classmethod
    def traffic(cls, count: np.ndarray, step_s: float) -> Track:
        """Requests a second: may have fallen."""
        return cls("traffic_rps", None, drop_evidence(count, remains=REMAINS), count, np.full(len(count), step_s))

    def value(self, bins: np.ndarray) -> float:
        """What does it read over these bins?"""
        if self.signal == "latency_p99_s":
            known = self.top[bins][~np.isnan(self.top[bins])]
            return float(np.median(known)) if len(known) else float("nan")
        total = self.bottom[bins].sum()
        return float(self.top[bins].sum() / total) if total > 0 else float("nan")


def tracks_of_requests(
    grid: Grid, arrays: RequestArrays, slow: np.ndarray, given_up: np.ndarray, routes: np.ndarray | None
) -> list[Track]:
    """The tracks of all requests and of each of the most frequent routes, by the time requests began.

    How long a request would have taken that its client gave up is not known: in the tail it stands above all others.
    """
    bins, _ = grid.place(arrays.start_us)
    waited_s = np.where(given_up, ENDLESS_S, arrays.duration_s)
    inside = (bins >= 0) & (bins < grid.size)
    tracks = []
    groups: list[tuple[str | None, np.ndarray]] = [(None, inside)]
    if routes is not None:
        found, n = np.unique(routes[inside].astype(str), return_counts=True)
        often = [(r, k) for r, k in sorted(zip(found, n, strict=True), key=lambda x: -x[1]) if r != "None"]
        if len(found) > 1:
            wanted = [r for r, k in often[:MOST_ROUTES] if k >= FEWEST_OF_ROUTE]
            groups += [(str(r), inside & (routes == r)) for r in wanted]
    for route, mine in groups:
        at, weight = bins[mine], arrays.weight[mine]
        count = np.bincount(at, weights=weight, minlength=grid.size)
        failed = np.bincount(at, weights=weight * arrays.failed[mine], minlength=grid.size)
        late = np.bincount(at, weights=weight * slow[mine], minlength=grid.size)
        (p99,) = grouped_quantiles(at, waited_s[mine], (0.99,), grid.size)
        tracks.append(Track.ratio("errors_ratio", route, failed, count))
        tracks.append(Track.ratio("slow_ratio", route, late, count, p99))
        if route is None:
            tracks.append(Track.traffic(count, grid.step_us / 1e6))
    return tracks


def tracks_of_bins(bins: pd.DataFrame, grid: Grid, step_s: float) -> list[Track]:
    """The same from counts alone: a frame by `time` with `count`, `failed` and optionally `p99`, `route`."""
    tracks = []
    groups = [(None, bins)] if "route" not in bins else list(bins.groupby("route", sort=True))
    if "route" in bins:
        groups.insert(0, (None, bins.groupby(level=0)[["count", "failed"]].sum()))
    for route, part in groups:
        part = part[~part.index.duplicated()].reindex(grid.index)
        count = part["count"].to_numpy(float, na_value=0.0)
        failed = part["failed"].to_numpy(float, na_value=0.0)
        tracks.append(Track.ratio("errors_ratio", route, failed, count))
        if "p99" in part and part["p99"].notna().sum() >= 12:
            tracks.append(Track.level("latency_p99_s", route, part["p99"].to_numpy(float), count))
        if route is None:
            tracks.append(Track.traffic(count, step_s))
    return tracks
