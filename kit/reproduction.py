"""How is it brought about again in a safe place: versions, settings, load, requests, the fault, and what must be seen?

A mechanism that is right can be run again. What is needed is taken from the record, without ids of users or traces; the
fault is a skeleton of a scenario to be filled in, never something to be run where users are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import tomli_w

from connectors.window import Window, utc
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.result import Result
from kit.verdict import Verdict

WARNING = "In a place without users or their data only: what is below brings the harm about."
SETTINGS = ("config", "flag", "scale")
EXEMPLARS = 3
ROUTES = 6


@dataclass(frozen=True, slots=True)
class Reproduction(Result):
    """What a safe place needs. `what` is rows of (kind, text); `scenario` a TOML skeleton, empty without a fault."""

    what: tuple[tuple[str, str], ...]
    must_see: tuple[str, ...]
    scenario: str
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Can it be tried at all?"""
        if not self.what and not self.scenario:
            return "There is nothing to reproduce: nobody was hurt."
        if not self.must_see:
            return "No mechanism is told yet: there is nothing to reproduce but the load."
        if not self.scenario:
            return (
                "No state change is known to have begun it: its first link has to be brought about by hand, and "
                f"{len(self.must_see)} things must then be seen."
            )
        place, seen = len(self.what), len(self.must_see)
        return f"To reproduce it safely: {place} facts of the place, one change, {seen} things that must be seen."

    def to_frame(self) -> pd.DataFrame:
        """A row per fact (kind, text), then what must be seen in order, then the scenario."""
        rows = [*self.what, *(("must be seen", text) for text in self.must_see)]
        rows += [("scenario", self.scenario)] if self.scenario else []
        return pd.DataFrame(rows, columns=["kind", "text"])


def how_to_reproduce(
    verdict: Verdict | None,
    *,
    changes: pd.DataFrame,
    requests: Table,
    baseline: Window,
    incident: Window,
    plans: Sequence[str] = (),
    recovered: datetime | None = None,
) -> Reproduction:
    """What does a safe place need so that the same chain would run there, if the mechanism is right?

    `verdict`: the best one that tells a mechanism; None: only versions, settings, load and requests are given.
    `changes` are CHANGES, `requests` user requests of both windows, `plans` query plans that the record has of the
    statement named. What must be seen is each link of the chain with the checks that showed it here; a link without
    evidence is said to be a guess. The load is that of the healthy window. No user, trace or client is named.

    Misleads where the place differs in what the record does not say: data size, hardware, what neighbours do.
    """
    at = pd.Timestamp(incident.start)
    trigger = _row(changes, verdict.hypothesis.change) if verdict is not None else None
    what = [
        *_versions(changes, at, trigger),
        *_settings(changes, at, trigger),
        *_load(requests, baseline),
        *_exemplars(requests, incident),
        *(("query plan", plan) for plan in plans),
    ]
    must_see = tuple(_link_seen(x) for x in verdict.links) if verdict is not None else ()
    scenario = _scenario(verdict, trigger, changes, baseline, incident, recovered) if verdict is not None else ""
    return Reproduction(tuple(what), must_see, scenario, (WARNING, *must_see))


def without_literals(plan: str) -> str:
    """A query plan with the values in its conditions replaced: whose row was asked for is nobody's business here.

    >>> without_literals("Filter: (customer_id = 140209)")
    'Filter: (customer_id = ?)'
    """
    return re.sub(r"(?m)^.*(?:Filter|Cond):.*$", lambda line: re.sub(r"'[^']*'|\b\d+\b", "?", line[0]), plan)


def _versions(changes: pd.DataFrame, at: pd.Timestamp, trigger: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What ran where when the harm began: the last deploy of each service, or what a later one replaced.

    The trigger is left to the scenario: its service stands at what it replaced.
    """
    if trigger is not None and trigger["time"] <= at:
        at = trigger["time"] - pd.Timedelta(microseconds=1)
    deploys = changes[changes["kind"].isin(["deploy", "schema"]) & ~changes["derived"].fillna(False).astype(bool)]
    deploys = deploys.sort_values("time", kind="stable")
    found = []
    for (service, kind), rows in deploys.groupby(["service", "kind"], sort=True):
        past, later = rows[rows["time"] <= at], rows[rows["time"] > at]
        if len(past):
            last = past.iloc[-1]
            found.append(("version", f"{service}: {_known(last['after']) or _known(last['ref'])} ({kind})"))
        elif len(later) and _known(later.iloc[0]["before"]):
            found.append(("version", f"{service}: {later.iloc[0]['before']} ({kind})"))
    return found


def _settings(changes: pd.DataFrame, at: pd.Timestamp, trigger: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Settings, flags and sizes as they stood when the harm began, the trigger's own left to the scenario."""
    rows = changes[changes["kind"].isin(SETTINGS) & (changes["time"] <= at)].sort_values("time", kind="stable")
    latest = {(r.service, r.ref or r.summary): r for r in rows.itertuples(index=False)}
    skipped = trigger["id"] if trigger is not None else None
    return [
        ("setting", f"{r.service}: {r.summary}" + (f" (now {r.after})" if _known(r.after) else ""))
        for r in latest.values()
        if r.id != skipped
    ]


def _load(requests: Table, baseline: Window) -> list[tuple[str, str]]:
    """Requests a second in the healthy window, and their routes."""
    frame = _rows(requests, baseline, ("route",))
    if frame.empty or baseline.seconds <= 0:
        return []
    rate = len(frame) / baseline.seconds
    shares = frame["route"].fillna("(no route)").value_counts(normalize=True) if "route" in frame else None
    mix = (
        ", ".join(f"{route} {share:.0%}" for route, share in shares.head(ROUTES).items()) if shares is not None else ""
    )
    return [("load", f"{rate:.1f} requests a second{f': {mix}' if mix else ''}")]


def _exemplars(requests: Table, incident: Window) -> list[tuple[str, str]]:
    """A few hurt requests by what they asked and how they ended: no ids, no addresses."""
    names = ("route", "http.request.method", "http.response.status_code", "failed", "duration_s")
    frame = _rows(requests, incident, names)
    if frame.empty:
        return []
    bad = frame[frame["failed"].astype(bool)] if "failed" in frame else frame.iloc[:0]
    worst = bad if len(bad) else frame.nlargest(EXEMPLARS, "duration_s")
    told: dict[str, str] = {}
    for r in worst.to_dict("records"):
        method, route = r.get("http.request.method"), r.get("route")
        status = r.get("http.response.status_code")
        said = " ".join(str(x) for x in (method, route) if _known(x)) or "a request"
        ended = f"{int(status)}" if status is not None and status == status else "no answer"
        told.setdefault(f"{said} → {ended}", f"{said} → {ended} after {r['duration_s']:.2g} s")
    return [("exemplar request", text) for text in list(told.values())[:EXEMPLARS]]


def _link_seen(tried: Any) -> str:
    shown = [t.result.sentence for t in tried.tested if t.supports]
    return f"{tried.link.text}: " + (f"here {shown[0]}" if shown else "not shown here, so a guess")


def _scenario(
    verdict: Verdict,
    trigger: Mapping[str, Any] | None,
    changes: pd.DataFrame,
    baseline: Window,
    incident: Window,
    recovered: datetime | None,
) -> str:
    """The fault as a skeleton in the form of the lab's scenarios: what to do at which minute, and what undoes it."""
    if trigger is None:
        return ""
    began = utc(trigger["time"])
    healthy = max(300.0, 6 * incident.seconds)
    events = [_event(trigger, healthy, "trigger")]
    cure = next(
        (r for r in changes.to_dict("records") if _known(r["reverts"]) in (trigger["ref"], trigger["id"])), None
    )
    if cure is not None:
        events.append(_event(cure, healthy + (utc(cure["time"]) - began).total_seconds(), "cure"))
    end = recovered or incident.end
    lasts = healthy + max(120.0, 2 * (end - began).total_seconds())
    head = {"title": verdict.hypothesis.statement, "lasts": f"{lasts:.0f}s", "healthy": f"{healthy:.0f}s"}
    text = tomli_w.dumps({**head, "event": events}, multiline_strings=False)
    return f"# A skeleton: say in each event how this place does it. {WARNING}\n{text}"


def _event(row: Mapping[str, Any], at_s: float, role: str) -> dict[str, str]:
    names = ("kind", "service", "ref", "summary", "before", "after")
    return {"at": f"{at_s:.0f}s", "role": role, **{n: _known(row[n]) for n in names if _known(row.get(n))}}


def _row(changes: pd.DataFrame, name: str | None) -> Mapping[str, Any] | None:
    if not name:
        return None
    return next((r for r in changes.to_dict("records") if name in (r["ref"], r["id"])), None)


def _rows(requests: Table, window: Window, names: Sequence[str]) -> pd.DataFrame:
    frame = requests if isinstance(requests, pd.DataFrame) else requests.to_pandas()
    if not columns.length(requests):
        return pd.DataFrame()
    inside = (frame["time"] >= pd.Timestamp(window.start)) & (frame["time"] < pd.Timestamp(window.end))
    return frame.loc[inside, [n for n in names if n in frame.columns]]


def _known(value: Any) -> str:
    return str(value) if value is not None and value == value and value != "" else ""
