"""04: where on the path of the requests is the last good place?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.where import all_of
from kit import questions
from kit.steps.harm import slow_from

if TYPE_CHECKING:
    from kit.case import Case
    from kit.episodes.told import Episodes
    from kit.path import Cut, Probes
    from kit.places import Place


def find_places(case: Case) -> tuple[Place, ...]:
    """04: of which services on the path is one place alone ill? Each hop's own log is asked, the entry's left out."""
    from kit.places import HopLog, find_places

    if case.episode is None or case.requests is None or case.path is None or case.episode.hurts in ("lost", "late"):
        return ()
    slow = None if "errors_ratio" in case.episode.signals else f"duration_s > {slow_from(case)}"
    logs = []
    for service in dict.fromkeys(case.path["callee"]):
        placed = case.logs_of(service)
        names = questions.field_names(case, placed[0]) if placed is not None else frozenset()
        if placed is None or not {"http.response.status_code", "duration_s"} <= names:
            continue
        source, mine = placed
        hurt = slow or questions.failed_at(case, source, names)
        logs.append(HopLog(service, source, all_of(mine, "http.response.status_code IS NOT NULL"), hurt, names))
    return find_places(logs, incident=case.incident)


def probe(case: Case) -> Probes:
    """04: is a call healthy leaving each hop, and healthy arriving at the next?"""
    from kit.path import Probes, probe_path
    from kit.slices import slice_path

    spans = [s for s in _spans_of_slice(case) if len(s)]
    if case.path is None or case.episode is None:
        return Probes((), (), ("there is no harm to follow" if case.episode is None else "the case has no path.toml",))
    wide, path, signals = case.wide, case.path, case.slice_signals
    if signals is not None:
        path = slice_path(path, case.episode.routes, signals)
        wide = wide.drop(columns=[c for c in signals.columns if c in wide.columns]).join(signals)
    return probe_path(
        path,
        metrics=wide,
        spans=pd.concat(spans, ignore_index=True) if spans else None,
        baseline=case.baseline,
        incident=case.incident,
    )


def _spans_of_slice(case: Case) -> tuple[pd.DataFrame, ...]:
    """The spans of the traces that a slice's requests left; all of them where the whole is looked at."""
    from kit.slices import spans_on_routes

    if case.slice_signals is None or case.episode is None:
        return case.spans
    return tuple(spans_on_routes(part, case.episode.routes) for part in case.spans)


def cut_path(case: Case) -> Cut:
    """04: where is the last good place?"""
    from kit.lost_traffic import cut_before_entry
    from kit.path import bisect

    if case.episode is not None and case.episode.hurts == "lost":
        return cut_before_entry(case.path, case.entry)
    return bisect(case.probes, places={p.service: f"{p.predicate} ill" for p in case.places})


def tell_episodes(case: Case) -> Episodes:
    """04: does this break carry all of the harm, or is there another fault beside it? Each other episode is walked."""
    from kit.contributions import contribution
    from kit.episodes.told import Episodes, ToldEpisode

    told = []
    for number, episode in enumerate(case.symptom.episodes):
        mine = case if number == case.episode_number else case.focused(number)
        results = (mine.suspects, mine.diagnosis, mine.cut)
        values: dict[str, Any] = {}
        for result in results if mine is not case else ():
            for found in contribution(result)[1].get("episodes", []):
                values |= found
        ranked = mine.suspects.ranked
        first = (ranked[0].ref or ranked[0].id) if ranked else None
        told.append(ToldEpisode(episode, mine.diagnosis.name, first, mine.cut.between, values))
    said = ((t.episode.where, t.failure.replace("_", " "), t.between or "no break found") for t in told)
    because = tuple(f"{where}: {failure} at {between}" for where, failure, between in said)
    return Episodes(tuple(told), case.episode_number, because)
