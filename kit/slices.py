"""The part of the traffic that carries the excess: its own signals and its own part of the path, the rest as control.

A fault on a small part of the traffic leaves the whole unmoved; of two faults that overlap each moves the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.where import In
from kit.signals import service_of
from kit.symptom import Episode, Symptom

if TYPE_CHECKING:
    from kit.case import Case

UNMOVED = 0.01
"""Below this rise of the failed share of all requests no boundary shows it."""
_OF_REQUESTS = re.compile(r"/http\.server\.(errors|request\.duration)")


def slice_where(symptom: Symptom, episode: Episode | None) -> str | None:
    """Which requests should be looked at alone, as a `where`? None: the whole shows the harm as well.

    Those on the episode's routes, where another episode overlaps it all the time, or the failures of all requests rose
    by less than a point.
    """
    if episode is None or not episode.routes or episode.hurts not in ("failed", "slow"):
        return None
    others = [e for e in symptom.episodes if e is not episode and e.routes != episode.routes]
    overlaps = episode.alone is None and any(e.incident.intersect(episode.incident) is not None for e in others)
    if not overlaps and not _unmoved(episode):
        return None
    return str(In("route", episode.routes))


def slice_signals(case: Case) -> pd.DataFrame | None:
    """The request signals of the slice alone, by every hop whose log names the route; None: the whole is looked at."""
    from kit.questions import derived_signals

    where = slice_where(case.symptom, case.episode)
    if where is None:
        return None
    found = derived_signals(case, where=where)
    of_requests = [c for c in found.columns if "/requests." in c or "/upstream." in c]
    return found[of_requests]


def slice_path(path: pd.DataFrame, routes: tuple[str, ...], signals: pd.DataFrame) -> pd.DataFrame:
    """The path that the slice takes: edges of other routes left out, sides read from the slice's own signals.

    What a service's metrics say of all its requests is replaced by what its log says of these; where it has no log of
    requests, it is left as it is.
    """
    # two services may share a pair of nodes on several routes: an edge without a route is everybody's
    mine = path[path["route"].isna() | path["route"].isin(routes)].copy()
    for side in ("leaves", "arrives"):
        mine[side] = [[_sliced(s, signals) for s in _listed(named)] for named in mine[side]]
    return mine.reset_index(drop=True)


def spans_on_routes(spans: pd.DataFrame, routes: tuple[str, ...]) -> pd.DataFrame:
    """The spans of the traces that have a span of one of these routes; all of them where no span names its route."""
    if not len(spans) or "route" not in spans.columns or not spans["route"].notna().any():
        return spans
    wanted = spans.loc[spans["route"].isin(routes), "trace_id"].unique()
    return spans[spans["trace_id"].isin(wanted)].reset_index(drop=True)


def _sliced(signal: str, signals: pd.DataFrame) -> str:
    found = _OF_REQUESTS.search(signal)
    if found is None:
        return signal
    service = service_of(signal)
    own = f"{service}/requests.errors_ratio" if found[1] == "errors" else f"{service}/requests.duration.p99"
    counted = f"{service}/requests.count" in signals.columns
    return own if counted else signal


def _unmoved(episode: Episode) -> bool:
    """Is the harm failures that the whole hardly shows?"""
    whole = [r for r in episode.readings if r.signal == "errors_ratio" and r.route is None]
    return episode.hurts == "failed" and all(r.now - r.before < UNMOVED for r in whole)


def _listed(named: Any) -> list[str]:
    return [] if named is None else [str(n) for n in named]
