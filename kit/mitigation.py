"""How do we make it stop, now? Levers with what speaks for them, the harm clock, and whether what was done helped.

Enough to act is not enough to conclude: a lever is pulled on a suspicion, and says what must be seen if it works.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from connectors.window import utc
from kit.actions import LAG_S, Effect
from kit.class_levers import CLASS_LEVERS
from kit.numerics.columns import Table
from kit.numerics.grid import micros
from kit.numerics.moments import as_moment, clock, length
from kit.requests import request_arrays
from kit.result import Result
from kit.suspects import Suspect, Suspects
from kit.undoing import how_to_undo

_LOSES = re.compile(r"drop[ _]+(table|column|database|schema)|truncate|delete|purge|drop[ _]+\w+[ _]+col(umn)?\b", re.I)
UNDOABLE = ("deploy", "config", "flag", "schema", "scale")


@dataclass(frozen=True, slots=True)
class Lever:
    """Something that may stop the harm. `reversible` None: not known. `speaks_for`: what was seen that it fits."""

    do: str
    speaks_for: tuple[str, ...]
    risk: str
    reversible: bool | None
    erases: str
    watch: str
    within_s: float
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class HarmClock:
    """How long harm has gone on and how many requests failed so far. `going_on`: still, where the data ends."""

    minutes: float
    failed: float
    going_on: bool
    complete_until: datetime | None = None

    def __str__(self) -> str:
        state = "and still going on" if self.going_on else "and over"
        return f"{length(self.minutes * 60)} of harm, {self.failed:,.0f} requests failed so far, {state}"


@dataclass(frozen=True, slots=True)
class Levers(Result):
    """What can be done, the best first; what was done and whether it helped; the harm clock (None: no harm)."""

    levers: tuple[Lever, ...]
    effects: tuple[Effect, ...]
    clock: HarmClock | None
    enough_to_act: bool
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.clock is None:
            return "Nothing to stop: nobody is being hurt."
        helped = [e for e in self.effects if e.effect == "helped"]
        if not self.clock.going_on:
            over = f"It is over after {length(self.clock.minutes * 60)}"
            return f"{over}: {helped[0].summary} helped." if helped else f"{over}; no single action can be credited."
        if not self.levers:
            return "No lever fits yet: shed load at the entry if the harm cannot wait."
        first = self.levers[0]
        undo = {True: "Reversible", False: "Not reversible", None: "Whether it can be undone is not known"}
        enough = "enough to act, not to conclude" if self.enough_to_act else "a guess so far: weigh its risk first"
        return f"{first.do[0].upper()}{first.do[1:]}. {undo[first.reversible]}; {enough}."

    def to_frame(self) -> pd.DataFrame:
        """A row per lever: do, speaks for it, risk, reversible, erases, watch, within_s."""
        names = ["do", "speaks_for", "risk", "reversible", "erases", "watch", "within_s"]
        rows = [
            {n: getattr(lever, n) for n in names} | {"speaks_for": "; ".join(lever.speaks_for)} for lever in self.levers
        ]
        return pd.DataFrame(rows, columns=names)

    def effects_frame(self) -> pd.DataFrame:
        """A row per action that was recorded: time, ref, summary, effect, why."""
        names = ["time", "ref", "summary", "effect", "why"]
        return pd.DataFrame([{n: getattr(e, n) for n in names} for e in self.effects], columns=names)


def propose_levers(
    diagnosis: Any,
    suspects: Suspects,
    *,
    playbook: Iterable[Any] = (),
    clock: HarmClock | None = None,
    effects: Sequence[Effect] = (),
    switch_off: str | None = None,
) -> Levers:
    """What would make it stop, what speaks for each, and what does it cost?

    `diagnosis` from `classify`, `suspects` from `rank_changes`. `playbook`: levers of the class as mappings or objects
    with do, fits, risk, reversible, erases, watch, within_s; without any, the built-in ones. `clock` from
    `read_harm_clock` (None: nobody is hurt), `effects` from `judge_actions`. `switch_off` names the route or statement
    with the largest share of what is squeezed.

    Undoing the first suspect comes first when it stands out; where a migration that loses data lies between the
    versions, the lever says roll forward. A lever whose action is already recorded is left out.
    """
    if clock is None:
        return Levers((), tuple(effects), None, False, ())
    levers = []
    done = {e.ref for e in effects}
    for s in suspects.ranked[:3]:
        if s.kind in UNDOABLE and s.reverted_by is None and (s.ref or s.id) not in done:
            levers.append(_undo(s, suspects))
    if switch_off:
        levers.append(
            Lever(
                f"switch off {switch_off}",
                (f"{switch_off} takes the largest share of what is squeezed",),
                "its users get nothing",
                True,
                "traces of its requests end",
                "the squeezed resource below four fifths",
                60.0,
            )
        )
    given = [_given(item) for item in playbook]
    levers += given or [Lever(d, (f,), r, v, e, w, s) for d, f, r, v, e, w, s in CLASS_LEVERS.get(diagnosis.name, ())]
    enough = bool(suspects.enough_to_act and levers and levers[0].ref is not None)
    if not enough and diagnosis.name in CLASS_LEVERS:
        # without a suspect that stands out, what fits the class comes before undoing at a guess
        levers.sort(key=lambda lever: lever.ref is not None)
    because = [str(clock)]
    because += [f"{e.summary} ({clock_of(e)}): {e.effect.replace('_', ' ')}: {e.why}" for e in effects]
    if clock.going_on and not effects:
        because.append("no mitigation is recorded")
    unique = list({lever.do: lever for lever in levers}.values())
    return Levers(tuple(unique), tuple(effects), clock, enough, tuple(because))


def clock_of(effect: Effect) -> str:
    """When the action was taken, time of day in UTC."""
    return f"{clock(effect.time)} UTC"


def read_harm_clock(
    requests: Table, *, onset: Any, recovered: Any = None, until: datetime | None = None
) -> HarmClock | None:
    """How long has it hurt, and how many requests failed so far? None without an onset.

    `requests` are the entry hop's rows; `until` the watermark, where harm that has not ended is counted to.
    """
    start = as_moment(onset)
    if start is None:
        return None
    arrays = request_arrays(requests)
    end = as_moment(recovered)
    last = (
        utc(until)
        if until is not None
        else pd.Timestamp(int(arrays.start_us.max()), unit="us", tz="UTC").to_pydatetime()
    )
    stop = end.latest if end is not None else max(last, start.time)
    mine = (arrays.start_us >= micros(start.earliest)) & (arrays.start_us < micros(stop)) & arrays.failed
    minutes = ((end.time if end is not None else stop) - start.time).total_seconds() / 60
    return HarmClock(minutes, float(arrays.weight[mine].sum()), end is None, utc(until) if until is not None else None)


def _undo(s: Suspect, suspects: Suspects) -> Lever:
    """Undo this change, or roll forward where a change that loses data lies between."""
    between = [
        o
        for o in suspects.suspects
        if o.kind == "schema"
        and o.id != s.id
        and o.relation != "after"
        and o.time >= s.time - timedelta(minutes=30)
        and _LOSES.search(o.summary)
    ]
    name = s.summary
    speaks = (f"{name} at {clock(s.time)}: {s.because[0]}" if s.because else f"{name} at {clock(s.time)}",)
    if s.kind == "schema" and _LOSES.search(s.summary):
        return Lever(
            f"roll forward from {name}: what it dropped cannot be put back by undoing it",
            speaks,
            "takes longer than a roll back",
            False,
            "little",
            "the symptom back in its range",
            600.0,
            s.ref or s.id,
        )
    if between:
        return Lever(
            f"roll forward from {name}: {between[0].summary} lies between the versions",
            speaks,
            "takes longer than a roll back",
            False,
            "little",
            "the symptom back in its range",
            600.0,
            s.ref or s.id,
        )
    risk = (
        "an index takes time to build and may lock writes"
        if s.kind == "schema"
        else (
            "it is also a restart with cold caches" if s.kind == "deploy" else "what it was made for is missing again"
        )
    )
    return Lever(
        how_to_undo(s),
        speaks,
        risk,
        True,
        "the failing state: snapshot metrics, failing requests and logs first",
        "the symptom back in its range",
        LAG_S,
        s.ref or s.id,
    )


def _given(item: Any) -> Lever:
    get = item.get if isinstance(item, Mapping) else lambda name, default=None: getattr(item, name, default)
    fits = get("fits", "")
    return Lever(
        str(get("do")),
        (str(fits),) if fits else (),
        str(get("risk", "")),
        get("reversible", None),
        str(get("erases", "")),
        str(get("watch", "")),
        float(get("within_s", LAG_S)),
    )
