"""What moved before it did? Changes ranked against the onset, with what chance would bring anyway.

A change is a suspect by when it took effect, by whom it touches, by its dose and by its kind; how often such a change
comes near an onset by chance is told beside it. What came after the onset is kept and labelled a response.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window, utc
from kit.change_content import cut_nodes, distances, first_caller, scope_of_cut, version_split, words_in, words_of
from kit.change_effect import acts_slowly, effect_of, over_before, undoing_of
from kit.derived.traffic import FEWER
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.moments import Moment, as_moment, clock, length
from kit.suspects import Suspect, Suspects, told_when

CLOSE_S = 120.0
HALF_LIFE_S = 1800.0
SLOW_HALF_LIFE_S = 86400.0
LOOKBACK_S = 4 * 3600.0
PASSING = ("job", "traffic")
"""Kinds that end by themselves."""
SYMPTOMS = ("dependency",)
"""Derived kinds that say how something fared, not what state changed: they are told and never suspected."""
EXPECTED = 0.3
"""Where a change so near is expected by chance more often than this, time says nothing."""
SHORTEST = 1.5
"""A history of fewer of the stretches in question tells no base rate: half a change in it would be too many already."""
TOO_OFTEN = "changes come so often"
"""How the sentence begins that says why no change is a suspect by its time."""
FLOOR = 0.2
"""A suspect scores at least this; below it, a change is listed and not suspected."""
SCOPES = {
    "same service": 1.0,
    "next to it on the path": 0.7,
    "further along the path": 0.5,
    "everything": 0.5,
    "not on the path": 0.1,
    "unknown": 0.5,
}


def rank_changes(
    changes: Table,
    onset: Any,
    *,
    path: pd.DataFrame | None = None,
    symptom: str | None = None,
    history: Window | None = None,
    earlier: Table | None = None,
) -> Suspects:
    """What moved before it did, and would a change be there by chance anyway?

    `changes`: CHANGES. `onset`: anything with `earliest` and `latest` (UTC), one time, or None (then nothing is
    suspected). `path`: PATH, and `symptom` the service, or a signal of it, that is ill: they give the scope; without
    them it is unknown and counts for all alike. `history`: the span over which the change log is complete, which gives
    the base rate: λ changes a second of that scope outside of the candidate's own window, p = 1 − exp(−λ·w), w from its
    effect to the end of the onset, at least two minutes. Without it p is NaN: unknown, and said. `earlier`: CHANGES
    that count for that rate alone.

    Score = time × scope × dose. Time is 1 within two minutes before the onset's interval or in it, then halves every 30
    minutes (24 hours for certificates that run out, disks, jobs); where p > .3 time is worth nothing, and no change is
    a suspect by time alone. A change that takes effect later stands at the restart, deploy, schedule or expiry that
    woke it; one that was undone or replaced two minutes before the onset or earlier is none (`over`).

    Method: change correlation with a base rate, as told. Assumes that changes come independently of each other at one
    rate, and a change log that is complete. False alarms: simulated (`tests.benchmarks.quiet`: deploys of a day, an
    onset that has nothing to do with them), one had p ≤ .05 in 4 % of the days at a deploy in four hours, in 6 % at one
    an hour, in none at four; one stood out by its time (p ≤ .3) in 12, 29 and 29 %: a suspect is no finding. It
    misleads where changes come in bursts or in office hours, and where what began it was never logged; a coincidence in
    time is no cause.

    >>> changes = pd.DataFrame({"id": ["a", "b"], "time": pd.to_datetime(["2026-03-01T02:13Z", "2026-03-01T02:20Z"]),
    ...     "kind": "deploy", "summary": ["checkout 4.7", "checkout 4.6 again"], "reverts": [None, "a"]})
    >>> found = rank_changes(changes, "2026-03-01T02:14Z")
    >>> [(s.summary, s.rank, s.relation) for s in found.suspects]
    [('checkout 4.7', 1, 'before'), ('checkout 4.6 again', None, 'after')]
    """
    rows = _rows(changes)
    moment = as_moment(onset)
    if moment is None:
        return Suspects(tuple(_plain(row) for row in rows), None, ("there is no onset to compare the changes with",))
    hops = distances(path)
    ill = _service(symptom) or (first_caller(path) if path is not None else None)
    seen = [_seen(row, rows, moment, hops, ill, symptom is not None) for row in rows]
    past = _rows(earlier) if earlier is not None else []
    everyone = [*seen, *(_seen(row, past, moment, hops, ill, symptom is not None) for row in past)]
    slow = {row["id"] for row in rows if acts_slowly(row)}
    judged = [_judged(s, everyone, moment, history, slow=s.id in slow) for s in seen]
    return _ranked(judged, moment, history, second=False)


def rerank_changes(
    suspects: Suspects,
    *,
    cut: Any = None,
    differences: pd.DataFrame | None = None,
    texts: Iterable[str] = (),
    contents: Mapping[str, str] | None = None,
    doses: Mapping[str, float] | None = None,
    path: pd.DataFrame | None = None,
) -> Suspects:
    """The same suspects, now by where the break lies and what they hold.

    `cut` (from `bisect`: its `first_bad` and `last_good`) gives the scope; `differences` (from `explain_difference`)
    says whether failing requests differ by a version that a change brought; `texts` are the words found at the spot
    (slow statements, new log templates), compared with each change's summary, ref, before, after and `contents` (by
    id: a diff, a migration's text); `doses` (by id) the correlation of its fraction with the harm. `because` says
    what moved each. What neither time nor such a word singles out is no suspect for lying near the break alone; a
    change after the onset stays a response whatever it holds.

    Method: each factor multiplies the score of `rank_changes`. Assumes that cut and differences were found without
    looking at the changes. False alarms: those of the ranking given; words are no test (those in more than half of the
    changes count for nothing). It misleads where an innocent change speaks of the same table, route or version.

    >>> changes = pd.DataFrame({"id": ["a", "b"], "time": pd.to_datetime(["2026-03-01T02:13Z", "2026-03-01T02:14Z"]),
    ...     "kind": ["schema", "deploy"], "service": ["postgres", "web"],
    ...     "summary": ["drop index orders_customer", "web 12"]})
    >>> first = rank_changes(changes, "2026-03-01T02:14Z")
    >>> rerank_changes(first, texts=["SELECT * FROM orders WHERE customer = ?"]).ranked[0].summary
    'drop index orders_customer'
    """
    if suspects.onset is None:
        return suspects
    words = words_of(texts)
    own = {
        s.id: words_in(" ".join([s.summary, s.ref or "", s.after or "", *s.brings, (contents or {}).get(s.id, "")]))
        for s in suspects.suspects
    }
    common = {w for w in words if sum(w in o for o in own.values()) > max(1, len(own) / 2)}
    names = words_in(" ".join(s.service or "" for s in suspects.suspects))  # whose it is says the scope, no content
    nodes = cut_nodes(cut)
    hops = distances(path)
    found, told = [], set()
    for s in suspects.suspects:
        if s.relation == "after" or s.effect is None or s.over or _is_symptom(s):
            found.append(s)
            continue
        factor, why = 1.0, []
        if nodes:
            scope, weight = scope_of_cut(s.service, nodes, hops)
            factor *= weight
            why.append(scope)
        version = version_split(s, differences)
        if version:
            factor *= 2.0
            why.append(version)
        shared = sorted((own[s.id] & words) - common - names)
        if shared:
            factor *= 1.0 + min(2.0, 0.75 * len(shared))
            why.append(f"speaks of {', '.join(shared[:4])}, as do the lines at the break")
        dose = (doses or {}).get(s.id)
        if dose is not None and dose == dose:
            factor *= 0.5 + max(0.0, dose)
            why.append(f"its share of the traffic and the harm go together ({dose:.2f})")
        speaks = bool(version or shared or (dose is not None and dose >= 0.5))
        told |= {s.id} if speaks else set()
        base = max(s.score, 0.3) if speaks and not s.by_time else s.score
        found.append(replace(s, score=min(1.0, base * factor), because=(*s.because, *why)))
    return _ranked(found, suspects.onset, None, second=True, before=suspects, told=told)


# --- one change ----------------------------------------------------------------------------------------------------


def _rows(changes: Table) -> list[dict[str, Any]]:
    if not columns.length(changes):
        return []
    wanted = (
        "id",
        "time",
        "until",
        "kind",
        "service",
        "summary",
        "ref",
        "before",
        "after",
        "fraction",
        "takes_effect",
        "reverts",
        "derived",
    )
    frame = columns.column_frame(changes, wanted)
    missing = [name for name in ("time", "kind") if name not in frame]
    if missing:
        raise BadInput(f"This is no CHANGES table: the columns {' and '.join(missing)} are missing.")
    columns.times_us(changes)
    rows = []
    for n, record in enumerate(frame.to_dict("records")):
        row = {name: _value(record.get(name)) for name in wanted}
        row["id"] = str(row["id"] or row["ref"] or f"change {n + 1}")
        row["kind"] = str(row["kind"])
        row["summary"] = str(row["summary"] or row["ref"] or row["kind"])
        rows.append(row)
    return _folded(sorted(rows, key=lambda r: r["time"]))


def _folded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without what is told twice: a tag or merge that waits for a deploy, and the deploy that names it.

    A row that takes effect later and has the ref of one that takes effect at once is part of it.
    """
    events = {r["ref"]: r for r in rows if r["ref"] and (r["takes_effect"] or "now") == "now"}
    kept = []
    for row in rows:
        event = events.get(row["ref"])
        waits = row["takes_effect"] in ("restart", "schedule") and event is not None and event is not row
        if waits and row["time"] <= event["time"]:
            event["brings"] = (*event.get("brings", ()), row["summary"])
        else:
            kept.append(row)
    return kept


def _value(value: Any) -> Any:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    return utc(value) if isinstance(value, datetime) else value


def _plain(row: Mapping[str, Any]) -> Suspect:
    return Suspect(
        row["id"],
        None,
        "before",
        float("nan"),
        row["ref"],
        row["kind"],
        row["service"],
        row["time"],
        row["summary"],
        (),
        0.0,
        row["time"],
        False,
        "unknown",
        None,
        row["reverts"],
        _number(row["fraction"]),
        row["after"],
        tuple(row.get("brings", ())),
        bool(row["derived"]),
    )


def _seen(
    row: Mapping[str, Any],
    rows: list[dict[str, Any]],
    onset: Moment,
    distance: Mapping[tuple[str, str], int],
    ill: str | None,
    ill_is_given: bool,
) -> Suspect:
    """The change with its effect, its relation to the onset, its scope, and what undid it."""
    effect, woken = effect_of(row, rows, onset)
    why = [woken] if woken else []
    at = effect or row["time"]
    if row["time"] > onset.latest or (effect is not None and effect > onset.latest):
        relation = "after"
    else:
        relation = "before" if at <= onset.earliest else "within_uncertainty"
    scope = _scope(row["service"], ill, distance, ill_is_given)
    over = over_before(row, rows, onset)
    undone = undoing_of(row, rows)
    if over:
        why.append(over)
    elif undone:
        why.append(f"undone at {clock(undone['time'])}")
    if row["reverts"]:
        why.append(f"undoes {row['reverts']}")
    return Suspect(
        row["id"],
        None,
        relation,
        float("nan"),
        row["ref"],
        row["kind"],
        row["service"],
        row["time"],
        row["summary"],
        tuple(why),
        0.0,
        effect,
        False,
        scope,
        undone["id"] if undone else None,
        row["reverts"],
        _number(row["fraction"]),
        row["after"],
        tuple(row.get("brings", ())),
        bool(row["derived"]),
        over is not None,
        row["until"],
    )


def _scope(service: str | None, ill: str | None, distance: Mapping[tuple[str, str], int], given: bool) -> str:
    if service is None:
        return "everything"
    if ill is None:
        return "unknown"
    if service == ill:
        return "same service"
    hops = distance.get((ill, service))
    if hops is None:
        return "not on the path" if distance else "unknown"
    if not given:
        return "further along the path"
    return "next to it on the path" if hops == 1 else "further along the path"


def _judged(s: Suspect, everyone: list[Suspect], onset: Moment, history: Window | None, *, slow: bool) -> Suspect:
    """The change with its chance of coincidence and its score."""
    if s.relation == "after":
        return replace(s, because=(f"{length((s.time - onset.latest).total_seconds())} after the onset", *s.because))
    if s.effect is None:
        return s
    ahead = (onset.earliest - s.effect).total_seconds()
    span = max((onset.latest - s.effect).total_seconds(), CLOSE_S + onset.width_s)
    why = [told_when(s, onset)]
    if _is_symptom(s):
        return replace(s, because=(*why, "seen in the data: a symptom, no change of state", *s.because))
    if s.derived:
        why.append("nobody reported it: the data shows it")
    p = _coincidence(s, everyone, onset, history, span)
    if s.over:
        return replace(s, p_coincidence=p, because=(*why, *s.because))
    half_life = SLOW_HALF_LIFE_S if slow else HALF_LIFE_S
    time = 1.0 if ahead <= CLOSE_S else 0.5 ** ((ahead - CLOSE_S) / half_life)
    by_time = time >= 0.5 and not p > EXPECTED
    if p > EXPECTED:
        time *= FLOOR
        why.append(f"a {s.kind} so near is expected {p:.0%} of the time: time says nothing")
    elif p == p:
        why.append(f"a {s.kind} so near is expected {p:.0%} of the time")
    scope = SCOPES[s.scope]
    why.append(
        {"unknown": "which service is ill is not known", "everything": "touches everything"}.get(s.scope, s.scope)
    )
    dose = 1.0
    if s.effect != s.time and s.service is None:
        dose = 0.5
        why.append("which service it is part of is not recorded")
    if s.fraction == s.fraction and s.fraction < 1:
        why.append(f"{s.fraction:.0%} had it")
    if s.reverts:
        dose *= 0.5
    return replace(s, p_coincidence=p, score=time * scope * dose, by_time=by_time, because=(*why, *s.because))


def _is_symptom(s: Suspect) -> bool:
    """Does the data show how something fared, rather than that a state changed?"""
    return s.derived and (s.kind in SYMPTOMS or s.after == FEWER)


def _coincidence(s: Suspect, everyone: list[Suspect], onset: Moment, history: Window | None, span: float) -> float:
    """How likely is a change of the same kind and scope within that span of an onset, by the rate in the history?

    Of what passes by itself only what lasted at least half as long counts. Its own window is left out of history, else
    every change would be its own base rate; half a change is added, so that a short history never claims certainty.
    """
    if history is None or s.effect is None:
        return float("nan")
    end = min(history.end, s.effect - timedelta(microseconds=1))
    seconds = (end - history.start).total_seconds()
    if seconds < SHORTEST * span or seconds <= 0:
        return float("nan")
    alike = [
        o
        for o in everyone
        if o.id != s.id
        and o.effect is not None
        and history.start <= o.effect < end
        and o.kind == s.kind
        and o.scope == s.scope
        and _lasted_like(o, s)
    ]
    return float(1 - np.exp(-(len(alike) + 0.5) / seconds * span))


def _lasted_like(other: Suspect, s: Suspect) -> bool:
    """Did the other last at least half as long? What is over in a moment is no base rate for what runs for a minute.

    Only for what passes by itself and whose end is known.
    """
    if s.kind not in PASSING or s.until is None:
        return True
    mine = (s.until - s.time).total_seconds()
    return other.until is not None and (other.until - other.time).total_seconds() >= mine / 2


def _ranked(
    found: list[Suspect],
    onset: Moment,
    history: Window | None,
    *,
    second: bool,
    before: Suspects | None = None,
    told: Collection[str] = (),
) -> Suspects:
    """Ranks those that time, or in the second ranking what they hold (`told`, by id), singles out."""
    order = sorted(found, key=lambda s: (-s.score, -(s.effect or s.time).timestamp(), s.id))
    out, rank = [], 0
    was = {s.id: s.rank for s in before.suspects} if before else {}
    for s in order:
        eligible = s.relation != "after" and s.effect is not None and s.score >= FLOOR and not (s.reverts or s.over)
        eligible = eligible and (s.by_time or s.id in told)
        rank += eligible
        why = s.because
        if second and eligible and was.get(s.id) not in (None, rank):
            why = (*why, f"was number {was[s.id]} by time")
        out.append(replace(s, rank=rank if eligible else None, because=why))
    out.sort(key=lambda s: (s.rank is None, s.rank or 0, s.relation == "after", -s.score, s.time))
    return Suspects(tuple(out), onset, _overall(out, onset, history, second), second)


def _overall(found: list[Suspect], onset: Moment, history: Window | None, second: bool) -> tuple[str, ...]:
    earlier = [s for s in found if s.relation != "after"]
    near = [s for s in earlier if s.effect is not None and (onset.earliest - s.effect).total_seconds() <= LOOKBACK_S]
    said = []
    busy = [s for s in near if s.p_coincidence > EXPECTED]
    if busy and not any(s.rank for s in found):
        said.append(f"{TOO_OFTEN} ({max(s.p_coincidence for s in busy):.0%} by chance) that being near says nothing")
    elif not near:
        said.append("no recorded change took effect before the onset")
    if not second and history is None:
        said.append("base rate unknown: there is no history of changes to take it from")
    first = next((s for s in found if s.rank == 1), None)
    if first:
        said.append(f"{first.summary}: {'; '.join(first.because)}")
    after = [s for s in found if s.relation == "after"]
    if after:
        said.append(f"{len(after)} after the onset, kept as response or consequence")
    return tuple(said)


def _service(symptom: str | None) -> str | None:
    return symptom.split("/", 1)[0].split("@", 1)[0] if symptom else None


def _number(value: Any) -> float:
    return float(value) if value is not None else float("nan")
