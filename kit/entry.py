"""The outermost hop: what did users see there, and since when? Asks the case; the judgement is `kit.symptom`'s."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from kit.episodes.lateness import AGE
from kit.questions import ROWS_AT_ONCE, request_rows
from kit.symptom import Symptom, find_symptom, find_symptom_in_bins, refine_symptom

if TYPE_CHECKING:
    from connectors.window import Window
    from kit.case import Case
    from kit.episodes.quiet_hours import Fall


def entry_symptom(case: Case) -> Symptom:
    """Were users hurt in the look, how, on which routes, from when until when?

    Reads the log that `signals.toml` names under `[requests]`; where it cannot be read, the metrics of that service;
    where neither is there, the verdict is *cannot_tell*. Counts come first: a log of more than 200,000 user requests is
    counted where it is and dated from the few rows around each turn. Metrics with an objective, and the age of waiting
    work, are judged beside the requests. Where fewer requests came, the same time on earlier days is asked for.
    """
    symptom = _symptom(case)
    if any(e.hurts == "lost" for e in symptom.episodes):
        symptom = _against_earlier_days(case, symptom)
    return symptom


def _symptom(case: Case) -> Symptom:
    objectives = [o.model_dump() for o in case.about.objective]
    signals = case.wide if _judges_metrics(case) else None
    requests = case.requests
    if requests is None:
        bins = _bins_from_metrics(case)
        return find_symptom_in_bins(bins, window=case.grid, objectives=objectives, signals=signals)
    total = requests.source.count(case.look, where=requests.users).table.column("n").to_pylist()
    if sum(total) <= ROWS_AT_ONCE:
        return find_symptom(case.request_rows, window=case.look, objectives=objectives, signals=signals)
    symptom = find_symptom_in_bins(_bins_from_log(case), window=case.grid, objectives=objectives, signals=signals)
    near = [request_rows(case, window) for window in symptom.rows_wanted]
    return (
        refine_symptom(symptom, pd.concat(near).drop_duplicates(["time", "seq"]), objectives=objectives)
        if near
        else symptom
    )


def _judges_metrics(case: Case) -> bool:
    """Is an objective about a metric, or does a signal tell how long work has been waiting?"""
    about = (str(o.signal) for o in case.about.objective)
    return any("/" in s for s in about) or any(AGE.search(f"{s.name}.{s.unit or ''}") for s in case.catalog.signals)


def _against_earlier_days(case: Case, symptom: Symptom) -> Symptom:
    """The symptom without lost traffic that was as little at the same time on earlier days."""
    from kit.baselines import earlier_windows
    from kit.episodes.quiet_hours import without_quiet_hours

    earlier: dict[int, dict[str, Fall]] = {}
    for number, episode in enumerate(symptom.episodes):
        if episode.hurts == "lost" and case.requests is not None:
            before = earlier_windows(episode.baseline, zone=case.zone)
            now = earlier_windows(episode.incident, zone=case.zone)
            earlier[number] = {name: _fall(case, before[name], now[name]) for name in before}
    kept, said = without_quiet_hours(symptom.episodes, earlier)
    verdict = symptom.verdict if kept else "healthy"
    return replace(symptom, verdict=verdict, episodes=kept, because=(*symptom.because, *said))


def _fall(case: Case, before: Window, now: Window) -> Fall:
    from kit.episodes.quiet_hours import Fall

    counted = [_users(case, window) for window in (before, now)]
    rates = [n / w.seconds if w.seconds > 0 else 0.0 for n, w in zip(counted, (before, now), strict=True)]
    return Fall(rates[0], rates[1], sum(counted))


def _users(case: Case, window: Window) -> float:
    requests = case.requests
    assert requests is not None
    answer = case.ask("requests", lambda: requests.source.count(window, where=requests.users))
    return float(sum(answer.table.column("n").to_pylist())) if answer is not None else 0.0


def entry_series(case: Case) -> pd.DataFrame:
    """What users saw over time: failed share (0–1), p99 in seconds, requests a second; by start where rows are read."""
    from kit.requests import rebin_by_start

    requests = case.requests
    if requests is None:
        bins = _bins_from_metrics(case)
    else:
        total = requests.source.count(case.look, where=requests.users).table.column("n").to_pylist()
        if sum(total) <= ROWS_AT_ONCE:
            bins = rebin_by_start(case.request_rows, window=case.grid, every=case.every)
        else:
            bins = _bins_from_log(case)
            bins = bins.groupby(level=0).agg({"count": "sum", "failed": "sum", "p99": "max"})
    step = pd.Timedelta(case.every).total_seconds()
    failed = bins["failed"] / bins["count"].where(bins["count"] > 0)
    p99 = bins["p99"] if "p99" in bins else pd.Series(float("nan"), index=bins.index)
    return pd.DataFrame({"failed share": failed, "p99 (s)": p99, "requests/s": bins["count"] / step})


def _bins_from_log(case: Case) -> pd.DataFrame:
    requests = case.requests
    assert requests is not None
    by = ("route",) if "route" in requests.names else ()
    source, window, every = requests.source, case.grid, case.every
    keys = ["time", *by]
    counted = source.count(window, every=every, by=by, where=requests.users).to_frame().rename(columns={"n": "count"})
    failed = source.count(window, every=every, by=by, where=requests.failed).to_frame().rename(columns={"n": "failed"})
    tails = source.measure(
        window, "duration_s", stats=("n", "p99"), every=every, by=by, where=requests.users
    ).to_frame()
    bins = counted.merge(failed, on=keys, how="left").merge(tails[[*keys, "p99"]], on=keys, how="left")
    return bins.assign(failed=bins["failed"].fillna(0.0)).set_index("time").sort_index()


def _bins_from_metrics(case: Case) -> pd.DataFrame:
    """Requests and failures per bin as the entry service's own metrics count them; empty when it counts none."""
    wide, spec = case.wide, case.catalog.requests
    service = spec.service if spec is not None else ""
    counts = [
        c for c in wide.columns if _is_of(c, service, ("requests.count", "requests.delta", "request.duration.count"))
    ]
    errors = [c for c in wide.columns if _is_of(c, service, ("errors.count", "errors.delta"))]
    if not counts:
        return pd.DataFrame({"count": [], "failed": []}, index=pd.DatetimeIndex([], name="time", tz="UTC"))
    values: dict[str, Any] = {
        "count": wide[counts].sum(axis=1, min_count=1),
        "failed": wide[errors].sum(axis=1, min_count=1).fillna(0.0) if errors else 0.0,
    }
    tails = [c for c in wide.columns if _is_of(c, service, ("duration.p99",))]
    if tails:
        values["p99"] = wide[tails].max(axis=1)
    return pd.DataFrame(values, index=wide.index).dropna(subset=["count"])


def _is_of(signal: str, service: str, endings: tuple[str, ...]) -> bool:
    return signal.split("/", 1)[0].split("@", 1)[0] == service and signal.endswith(endings)
