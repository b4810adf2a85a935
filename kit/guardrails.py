"""Which guardrails were there and held, and what would a rule have spared: tried on the recording, not imagined.

A rule that would have helped this once is worth its price only with how often it would have fired for nothing: it is
run over the healthy part of the record too, and over any other history that is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from connectors.window import Window, iso
from kit.numerics.columns import Table
from kit.numerics.grid import micros
from kit.numerics.moments import from_us, length
from kit.requests import request_arrays
from kit.result import Result

if TYPE_CHECKING:
    from kit.requests import RequestArrays

_LIMITED = re.compile(
    r"\b(?:time[- ]?out|timed out|deadline exceeded|circuit|breaker|rate limit|too many|no free connection|shed)", re.I
)
State = Literal["held", "acted", "failed", "missing", "unknown"]
"""*acted*: it did what it does; whether that spared anybody is not known."""
TICK_S = 5.0
"""How often a rule looks."""
LEAST_REQUESTS = 20
"""Fewer requests than this in its window say nothing to a rule."""
QUIET_S = 600.0
"""A rule that has fired is quiet for so long: what it says twice within is one firing."""
DEPLOYS = ("deploy", "config", "flag")
"""What a rule can take back by itself; a migration is not among them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that could be put in place: what it watches, and what it does.

    `signal`: "errors_ratio" (share of failed requests) or "slow_ratio" (share of requests slower than `slow_s`).
    `above` is a share, `over_s` the seconds it is taken over, `after_deploy_s` the seconds after a change in which the
    rule is armed (None: always). `acts_in_s` is how long its action takes to work; what fails until then is not spared.
    """

    name: str
    signal: Literal["errors_ratio", "slow_ratio"]
    above: float
    over_s: float
    does: str
    acts_in_s: float
    after_deploy_s: float | None = None


RULES = (
    Rule("auto rollback at > 2 % errors within 5 min of a deploy, config or flag change", "errors_ratio", 0.02, 30.0,
         "rolls it back",
         30.0, 300.0),
    Rule("page at > 2 % errors over 1 min", "errors_ratio", 0.02, 60.0, "pages; somebody acts 5 min later", 300.0),
    Rule("page at > 10 % slow over 1 min", "slow_ratio", 0.10, 60.0, "pages; somebody acts 5 min later", 300.0),
    Rule("auto rollback at > 10 % slow within 5 min of a deploy, config or flag change", "slow_ratio", 0.10, 30.0,
         "rolls it back",
         30.0, 300.0),
)  # fmt: skip
"""The rules that are tried where no others are given."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one rule would have done on this record.

    `fired` UTC, None: it stayed silent through the harm. `would_undo`: refs of the changes it would have rolled back.
    `right`: was one of them the trigger; None where no trigger is known or the rule undoes nothing. `spared` of `hurt`
    requests; 0 when it fired late or at the wrong change. `false_firings` in `healthy_minutes` of healthy record.
    `noticed`: when people noticed, as far as it is known.
    """

    rule: Rule
    fired: datetime | None
    would_undo: tuple[str, ...]
    right: bool | None
    spared: float
    hurt: float
    false_firings: int
    healthy_minutes: float
    noticed: datetime | None = None

    @property
    def alarm(self) -> str:
        """When it would have paged, and how long before somebody noticed; empty: it is no page, or did not fire.

        Empty, too, where it fired falsely in the healthy part, or later than somebody noticed.
        """
        if self.fired is None or self.rule.after_deploy_s is not None or self.false_firings:
            return ""
        if self.noticed is None:
            return f"{self.rule.name} would have fired at {self.fired:%H:%M:%S} UTC"
        ahead = (self.noticed - self.fired).total_seconds()
        return f"{self.rule.name} would have fired {length(ahead)} before somebody noticed" if ahead > 0 else ""

    @property
    def says(self) -> str:
        """The trial in one sentence."""
        price = f"{self.false_firings} false firings in {self.healthy_minutes:,.0f} healthy minutes"
        if self.fired is None:
            return f"{self.rule.name}: would have stayed silent; {price}."
        at = f"would have fired at {self.fired:%H:%M:%S} UTC"
        if self.right is False:
            return f"{self.rule.name}: {at} at {', '.join(self.would_undo)}, which was not it: spared 0; {price}."
        if self.would_undo and self.right is None:
            undone = ", ".join(self.would_undo)
            return f"{self.rule.name}: {at} at {undone}, which nothing shows to have begun it: spared 0; {price}."
        of = f"{self.spared:,.0f} of {self.hurt:,.0f} hurt requests spared"
        if self.rule.after_deploy_s is None:
            ahead = self._ahead()
            sooner = ": the harm was over sooner" if self.hurt and not self.spared else ""
            acted = f"if somebody then ended it within {length(self.rule.acts_in_s)}, {of}{sooner}"
            return f"{self.rule.name}: {at}{ahead}; {acted}; {price}."
        undone = f" and undone {', '.join(self.would_undo)}"
        return f"{self.rule.name}: {at}{undone}; if that works within {length(self.rule.acts_in_s)}, {of}; {price}."

    def _ahead(self) -> str:
        """How long before or after somebody noticed did it fire?"""
        if self.noticed is None or self.fired is None:
            return ""
        ahead = (self.noticed - self.fired).total_seconds()
        return f", {length(ahead)} {'before' if ahead > 0 else 'after'} somebody noticed"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One guardrail: what it is, whether it held, and what shows that."""

    what: str
    state: State
    because: str


@dataclass(frozen=True, slots=True)
class Guardrails(Result):
    """The guardrails of this incident, and the rules tried on its record."""

    guardrails: tuple[Guardrail, ...]
    trials: tuple[Trial, ...]
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Which rule would have spared most, at which price? Of equals, the one that fires falsely least."""
        useful = [t for t in self.trials if t.spared > 0]
        if not self.trials or self.trials[0].hurt == 0:
            return "Nobody was hurt: there is nothing that a rule could have spared."
        if not useful:
            return "None of the rules that were tried would have spared anything."
        return max(useful, key=lambda t: (t.spared, -t.false_firings)).says

    def to_frame(self) -> pd.DataFrame:
        """A row each: `what`, `state` (held failed missing unknown, or tried) and `because`."""
        rows = [(g.what, g.state, g.because) for g in self.guardrails]
        rows += [(t.rule.name, "tried", t.says) for t in self.trials]
        return pd.DataFrame(rows, columns=["what", "state", "because"])


def try_rules(
    rows: Table,
    *,
    changes: pd.DataFrame,
    healthy: Window,
    incident: Window,
    slow_s: float | None = None,
    trigger: Sequence[str] = (),
    rules: Iterable[Rule] = RULES,
    history: Iterable[tuple[Table, pd.DataFrame, Window]] = (),
    noticed: datetime | None = None,
) -> tuple[Trial, ...]:
    """What would each rule have done, how much would it have spared, and how often would it have fired for nothing?

    `rows` are user requests (`time` UTC at completion, `duration_s`, how they ended); `changes` have `time`, `kind`,
    `ref`. `healthy` and `incident` are windows of this record; `history` adds further healthy (rows, changes, window).
    `noticed`: when people noticed.
    `trigger` are refs that the tested cause holds to be the trigger. `slow_s` None: rules about slowness stay silent.

    Method: every 5 s, the share over the rule's window of the requests that *ended* by then (what a rule can know),
    at least 20 of them; a firing is followed by ten quiet minutes. Spared is what was hurt and began after firing plus
    the time the action takes, up to the end of the incident, and only where the change undone is the trigger (or the
    rule undoes nothing, as a page). It misleads in that a rollback is taken to work, in the time it is said to.

    >>> times = pd.date_range("2026-03-01T00:00Z", periods=1200, freq="500ms")
    >>> rows = pd.DataFrame({"time": times, "duration_s": 0.1, "failed": [i >= 600 for i in range(1200)]})
    >>> deploy = pd.DataFrame({"time": [times[560]], "kind": ["deploy"], "ref": ["v2"]})
    >>> trial = try_rules(rows, changes=deploy, trigger=["v2"], slow_s=None,
    ...     healthy=Window(times[0].to_pydatetime(), times[600].to_pydatetime()),
    ...     incident=Window(times[600].to_pydatetime(), times[-1].to_pydatetime()))[0]
    >>> trial.right, trial.false_firings, trial.spared > 500
    (True, 0, True)
    """
    requests = request_arrays(rows)
    began = (requests.start_us >= micros(incident.start)) & (requests.start_us < micros(incident.end))
    past = [(requests, changes, healthy), *((request_arrays(r), c, w) for r, c, w in history)]
    tried = (_tried(rule, requests, changes, incident, began, slow_s, tuple(trigger), past) for rule in rules)
    return tuple(replace(t, noticed=noticed) for t in tried)


def _tried(
    rule: Rule,
    requests: RequestArrays,
    changes: pd.DataFrame,
    incident: Window,
    began: np.ndarray,
    slow_s: float | None,
    trigger: tuple[str, ...],
    past: Sequence[tuple[RequestArrays, pd.DataFrame, Window]],
) -> Trial:
    hurt = began & (requests.failed | _slow(requests, slow_s))
    fired = _firings(rule, requests, changes, incident, slow_s)
    undo = _armed_by(rule, changes, fired[0]) if fired else ()
    right = (bool(set(undo) & set(trigger)) if trigger and undo else None) if rule.after_deploy_s else None
    spared = 0.0
    if fired and right is not False and (right or rule.after_deploy_s is None):
        works = fired[0] + rule.acts_in_s * 1e6
        spared = float(requests.weight[hurt & (requests.start_us >= works)].sum())
    false = sum(len(_firings(rule, r, c, w, slow_s)) for r, c, w in past)
    minutes = sum(w.seconds for *_, w in past) / 60.0
    first = from_us(int(fired[0])) if fired else None
    return Trial(rule, first, undo, right, spared, float(requests.weight[hurt].sum()), false, minutes)


def _slow(requests: RequestArrays, slow_s: float | None) -> np.ndarray:
    return requests.duration_s > slow_s if slow_s is not None else np.zeros(len(requests.failed), bool)


def _firings(
    rule: Rule, requests: RequestArrays, changes: pd.DataFrame, window: Window, slow_s: float | None
) -> list[int]:
    """When would it have fired in this window? Microseconds; firings within the quiet time are one."""
    if rule.signal == "slow_ratio" and slow_s is None:
        return []
    ended = requests.start_us + np.round(requests.duration_s * 1e6).astype(np.int64)
    order = np.argsort(ended, kind="stable")
    ended = ended[order]
    bad = requests.failed if rule.signal == "errors_ratio" else _slow(requests, slow_s)
    weight = requests.weight[order]
    seen, counted = (np.concatenate([[0.0], np.cumsum(x)]) for x in (weight, weight * bad[order]))
    step, over = int(TICK_S * 1e6), int(rule.over_s * 1e6)
    ticks = np.arange(micros(window.start), micros(window.end) + 1, step)
    high, low = np.searchsorted(ended, ticks), np.searchsorted(ended, ticks - over)
    n, share = seen[high] - seen[low], np.zeros(len(ticks))
    np.divide(counted[high] - counted[low], n, out=share, where=n > 0)
    ready = (n >= LEAST_REQUESTS) & (share > rule.above)
    found: list[int] = []
    for at in ticks[ready]:
        if (not found or at - found[-1] > QUIET_S * 1e6) and (
            rule.after_deploy_s is None or _armed_by(rule, changes, int(at))
        ):
            found.append(int(at))
    return found


def _armed_by(rule: Rule, changes: pd.DataFrame, at_us: int) -> tuple[str, ...]:
    """Which changes had just been made when the rule fired? Refs, the latest first."""
    if rule.after_deploy_s is None or changes.empty:
        return ()
    times = pd.DatetimeIndex(changes["time"]).tz_convert("UTC").as_unit("us").asi8
    since = at_us - times
    near = (since >= 0) & (since <= rule.after_deploy_s * 1e6) & changes["kind"].isin(DEPLOYS).to_numpy()
    found = changes[near].assign(_since=since[near]).sort_values("_since", kind="stable")
    return tuple(str(ref) for ref in found["ref"] if ref is not None and ref == ref)


def list_guardrails(
    *,
    trigger: Mapping[str, Any] | None,
    alerts: pd.DataFrame | None,
    onset: datetime | None,
    recovered: datetime | None,
    effects: Sequence[Any] = (),
    reversals: Sequence[str] = (),
    said: Sequence[str] = (),
) -> tuple[Guardrail, ...]:
    """Which guardrails stood between the trigger and the harm, and did they hold?

    `trigger` is the row of CHANGES that the tested cause names, None where none is known; `alerts` None or empty: no
    alert source was given; `effects` are the judged actions (`ref`, `effect`), `reversals` the refs of those that undid
    a change: another action is no rollback. `said` are new log lines of the harm: a line about a timeout, a limit or a
    breaker says that one acted. What no record speaks of is *unknown*: it is not taken as missing.
    """
    if onset is None:
        return ()
    return (
        _review(trigger),
        _gradual(trigger),
        Guardrail("automatic rollback", "unknown", "No record says whether one is set up."),
        _rollback([e for e in effects if e.ref in set(reversals)]),
        _alert(alerts, onset, recovered),
        _limits(said),
    )


def _review(trigger: Mapping[str, Any] | None) -> Guardrail:
    what = "review, test or staging check"
    said = _attributes(trigger)
    for name in ("review", "approved_by", "reviewers", "checks", "ci"):
        if said.get(name):
            return Guardrail(what, "failed", f"{_ref(trigger)} went through it ({name}: {said[name]}) and did harm.")
    if trigger is None:
        return Guardrail(what, "unknown", "No change is known to be the trigger.")
    return Guardrail(what, "unknown", f"The record of {_ref(trigger)} does not say whether it was reviewed or tested.")


def _gradual(trigger: Mapping[str, Any] | None) -> Guardrail:
    what = "gradual rollout"
    said = _attributes(trigger)
    if trigger is None:
        return Guardrail(what, "unknown", "No change is known to be the trigger.")
    if "fraction" not in said:
        return Guardrail(what, "unknown", f"The record of {_ref(trigger)} gives no fraction.")
    fraction = float(said["fraction"])
    if fraction < 1.0:
        return Guardrail(what, "held", f"{_ref(trigger)} reached {fraction:.0%}, not everything.")
    return Guardrail(what, "missing", f"{_ref(trigger)} went to everything{_within(trigger)}, by the change log.")


def _within(trigger: Mapping[str, Any]) -> str:
    """In which time it reached everything, where its end is recorded."""
    time, until = trigger.get("time"), trigger.get("until")
    if time is None or until is None or until != until or time != time:
        return ""
    return f" within {length(max(0.0, (until - time).total_seconds()))}"


def _rollback(effects: Sequence[Any]) -> Guardrail:
    what = "rollback that works"
    helped = [e for e in effects if e.effect == "helped"]
    if helped:
        return Guardrail(what, "held", f"{helped[0].ref or helped[0].summary}: the harm ended after it.")
    told = [e for e in effects if e.effect in ("none", "worse")]
    if told:
        return Guardrail(what, "failed", f"{told[0].ref or told[0].summary}: the symptom did not follow.")
    if effects:
        return Guardrail(what, "unknown", f"Whether {effects[0].ref or effects[0].summary} helped cannot be told.")
    return Guardrail(what, "unknown", "No rollback is recorded.")


def _limits(said: Sequence[str]) -> Guardrail:
    what = "timeout, limit or breaker"
    line = next((text for text in said if _LIMITED.search(text)), None)
    if line is None:
        return Guardrail(what, "unknown", "No new log line speaks of one.")
    text = f"One acted, by what was logged: “{line[:120]}”"
    return Guardrail(what, "acted", f"{text}; whether that spared anybody is not known.")


def _alert(alerts: pd.DataFrame | None, onset: datetime, recovered: datetime | None) -> Guardrail:
    if alerts is None or alerts.empty:
        return Guardrail("alert", "unknown", "No alert source was given.")
    end = recovered or datetime.max.replace(tzinfo=onset.tzinfo)
    during = alerts[(alerts["time"] >= onset) & (alerts["time"] <= end)].sort_values("time", kind="stable")
    if during.empty:
        return Guardrail("alert", "missing", "No alert fired while users were hurt.")
    first = during.iloc[0]
    took = (first["time"] - onset).total_seconds()
    return Guardrail("alert", "held", f"{first.get('name', 'an alert')} fired {took:,.0f} s after the onset.")


def _attributes(trigger: Mapping[str, Any] | None) -> dict[str, Any]:
    if trigger is None:
        return {}
    return {str(k).rsplit(".", 1)[-1]: v for k, v in trigger.items() if v is not None and v == v}


def _ref(trigger: Mapping[str, Any] | None) -> str:
    found = trigger or {}
    return str(found.get("ref") or found.get("id") or iso(found["time"]))


def guard(trials: Sequence[Trial], guardrails: Sequence[Guardrail]) -> Guardrails:
    """The two tables as one answer."""
    because = tuple(t.says for t in trials) + tuple(f"{g.what}: {g.state} ({g.because})" for g in guardrails)
    return Guardrails(tuple(guardrails), tuple(trials), because)
