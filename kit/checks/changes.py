"""Checks of changes: did the harm follow, did it end with the change undone, does the change touch what fails?

A reversal is weighed, not counted: another action within the same recovery lag makes both inseparable, a reversal
without recovery says nothing while a loop keeps the harm going or something irreversible lies between, and a lag that
is not over is no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from connectors.window import Window, iso
from kit.checks.change_log import (
    Change,
    actions_within,
    change_rows,
    find_change,
    name_of,
    other_actions,
    reversals,
    undoes,
)
from kit.checks.facts import Facts, Track, tracks
from kit.checks.registry import FAILED, HELD, Outcome, check, no_data
from kit.checks.windows import Instant, Windows
from kit.checks.wording import named
from kit.numerics.moments import length
from kit.numerics.shift import TooLittle, back_in_range, departure, is_out

SHORT_STAY_S = 10.0
SETTLING_S = 30.0
"""An action this shortly before may still be what brought the recovery."""
ENDS_WITH = timedelta(seconds=10)
"""What ends this shortly after the recovery ended with it: when a disk has room again is read from samples."""


@check(about=["change"], claim="onset within its lag")
def onset_follows(facts: Facts, windows: Windows, *, change: str, within_s: float = 300.0) -> Outcome:
    """Did the harm begin after the change took effect and within `within_s` seconds?

    Failed when the onset's interval lies wholly before the change, or wholly past the lag. A change that acts at the
    next restart counts from there. That something came first never makes it the cause: base rates say how often a
    change precedes any moment.
    """
    found = find_change(facts, change)
    if isinstance(found, Outcome):
        return found
    row, ids = found
    if row.effect is None:
        return no_data(f"{change} takes effect at a moment that is not recorded.", evidence=ids)
    earliest, latest = row.effect.earliest, row.effect.latest
    gap = (windows.onset.earliest - latest).total_seconds()
    lag = (windows.onset.latest - earliest).total_seconds()
    numbers = {"lag_s": lag}
    if lag < 0:
        return Outcome(FAILED, f"{change} came {-lag:.0f} s after the harm had begun.", numbers, ids)
    if gap > within_s:
        text = f"{change} had been in effect for {length(gap)} before the harm began"
        return Outcome(FAILED, f"{text}; the rule here is {length(within_s)} at most.", numbers, ids)
    return Outcome(HELD, f"The harm began at most {length(lag)} after {change}.", numbers, ids)


@check(about=["change", "signal"], claim="change first", cost=2.0)
def change_precedes(facts: Facts, windows: Windows, *, change: str, signal: str, within_s: float = 300.0) -> Outcome:
    """Did this signal leave its usual range after the change took effect, and within `within_s` seconds?

    Failed when it left before the change, later than the lag, or never. Intervals that overlap so that the order is
    unknown still hold: a change and its effect within one bin is what a prompt effect looks like.
    """
    found, track = find_change(facts, change), _track(facts, signal)
    what = named(signal)
    for part in (found, track):
        if isinstance(part, Outcome):
            return part
    row, ids = found  # type: ignore[misc]
    ids = (*ids, *track.evidence)  # type: ignore[union-attr]
    moment = departure(track, windows, direction="either")  # type: ignore[arg-type]
    if isinstance(moment, TooLittle):
        return no_data(moment.reason + ".", evidence=ids)
    if row.effect is None:
        return no_data(f"{change} takes effect at a moment that is not recorded.", evidence=ids)
    if moment is None:
        return Outcome(FAILED, f"{what} never left its usual range.", {}, ids)
    lag = (moment.latest - row.effect.earliest).total_seconds()
    if moment.latest <= row.effect.earliest:
        return Outcome(FAILED, f"{what} had left its range {length(-lag)} before {change}.", {"lag_s": lag}, ids)
    if (moment.earliest - row.effect.latest).total_seconds() > within_s:
        return Outcome(FAILED, f"{what} left its range {length(lag)} after {change}: too late.", {"lag_s": lag}, ids)
    return Outcome(HELD, f"{what} left its range at most {length(lag)} after {change}.", {"lag_s": lag}, ids)


def _ill_before(
    facts: Facts, windows: Windows, *, reversal: str, signal: str, within_s: float = 180.0, **_: Any
) -> Outcome:
    """The control in time: while it was ill and nothing was undone, did it recover all the same?"""
    found, track = find_change(facts, reversal), _track(facts, signal)
    what = named(signal)
    for part in (found, track):
        if isinstance(part, Outcome):
            return part
    row, ids = found  # type: ignore[misc]
    ids = (*ids, *track.evidence)  # type: ignore[union-attr]
    if windows.onset.latest >= row.time:
        return no_data("No time passed between the onset and the action.", evidence=ids)
    span = Window(windows.onset.latest, row.time)
    back = back_in_range(track, windows, span)  # type: ignore[arg-type]
    if isinstance(back, TooLittle):
        return no_data(back.reason + ".", evidence=ids)
    if back is None:
        return Outcome(FAILED, f"{what} did not recover in the {length(span.seconds)} before {reversal}.", {}, ids)
    return Outcome(HELD, f"{what} had recovered by itself at {iso(back.earliest)}, before {reversal}.", {}, ids)


@check(about=["reversal"], claim="recovers with it", placebo=_ill_before, cost=2.0)
def recovers_after(
    facts: Facts,
    windows: Windows,
    *,
    reversal: str,
    signal: str,
    within_s: float = 180.0,
    change: str = "",
    loop: str = "",
) -> Outcome:
    """Did the signal return to its usual range within `within_s` seconds of this action (a rollback, a revert)?

    No data when the signal was not ill just before, when the lag is not over, and when another action lies within the
    recovery lag (inseparable). A reversal without recovery is no data, too, while the signal `loop` is still out of its
    range, or when a schema change lies between `change` and the reversal and was not undone. Its control: the same
    signal in the time between onset and action.
    """
    found, track = find_change(facts, reversal), _track(facts, signal)
    what = named(signal)
    for part in (found, track):
        if isinstance(part, Outcome):
            return part
    row, ids = found  # type: ignore[misc]
    series: Track = track  # type: ignore[assignment]
    ids = (*ids, *series.evidence)
    done = row.until or row.time
    ill = (
        is_out(series, windows, Window(max(windows.onset.latest, row.time - timedelta(seconds=60)), row.time))
        if (windows.onset.latest < row.time)
        else None
    )
    if ill is None:
        return no_data(f"{what} cannot be seen just before {reversal}.", evidence=ids)
    if not ill and is_out(series, windows, windows.incident) is False:
        return no_data(f"{what} scatters too much for its move in the harm to stand out.", evidence=ids)
    if not ill:
        return Outcome(FAILED, f"{what} was back in its usual range before {reversal}.", {}, ids)
    span = Window(row.time, done + timedelta(seconds=within_s + 60))
    back = _back(series, windows, span)
    if isinstance(back, TooLittle):
        return no_data(back.reason + ".", evidence=ids)
    if back is None or (back.earliest - done).total_seconds() > within_s:
        return _unrecovered(facts, windows, row, ids, within_s=within_s, change=change, loop=loop, signal=signal)
    lag = max((back.latest - row.time).total_seconds(), SETTLING_S)
    others = other_actions(facts, row, Window(row.time - timedelta(seconds=lag), back.latest))
    if others:
        return no_data(
            f"{what} recovered after {reversal} and also after {', '.join(others)}: inseparable in one recovery lag.",
            evidence=ids,
        )
    took = length((back.latest - row.time).total_seconds())
    text = f"{what} returned to its usual range at most {took} after {name_of(row)} (by bins of {series.step_s:g} s)."
    return Outcome(HELD, text, {"lag_s": lag}, ids)


@check(about=["change"], claim="gone with it in place", cost=2.0)
def recovers_while(facts: Facts, windows: Windows, *, change: str, signal: str) -> Outcome:
    """Did the harm end although this change stayed in place?

    Held when it recovered by itself or when something else was undone. Failed when this change had been undone or had
    ended by then, or ended with it: both ends are read from samples. No data while it is not over, or when an action
    that undoes nothing in particular (a restart, a scale-out, a flag) might have ended it.
    """
    found = find_change(facts, change)
    if isinstance(found, Outcome):
        return found
    row, ids = found
    if windows.recovered is None:
        return no_data("The harm is not over, or its end is not known.", evidence=ids)
    over = windows.recovered.latest
    if row.time > over:
        return no_data(f"{change} came after the recovery.", evidence=ids)
    undone = [r for r in reversals(facts, change) if r.time <= over]
    if undone:
        return Outcome(FAILED, f"{change} had been undone by {name_of(undone[0])} before it recovered.", {}, ids)
    if row.passes:
        if row.until is None:
            return no_data(f"When {change} ended is not recorded.", evidence=ids)
        if row.until <= over + ENDS_WITH:
            return Outcome(FAILED, f"{change} had ended before it recovered.", {}, ids)
    between = actions_within(facts, Window(windows.onset.earliest, over + timedelta(microseconds=1)), but=row)
    expired = [r for r in change_rows(facts.changes()) if r.expires]
    undoing = [g for g in between if any(r.reverts or any(undoes(r, e) for e in expired) for r in g)]
    if between and not undoing:
        return no_data(f"{name_of(between[-1][0])} may have ended it without undoing {change}.", evidence=ids)
    how = f"when {name_of(undoing[-1][0])} undid something else" if undoing else "by itself"
    return Outcome(HELD, f"the harm ended {how}, with {change} still in place.", {}, ids)


@check(about=["change", "signal"], claim="only while it runs", cost=2.0)
def lasts_as_long_as(facts: Facts, windows: Windows, *, change: str, signal: str, within_s: float = 120.0) -> Outcome:
    """Was the signal out of its range only while this (a job, a surge, a maintenance) ran?

    Held when it left its range during it and returned within `within_s` of its end. Failed when it left before the
    start, or was still out of its range when the lag after the end was over.
    """
    found, track = find_change(facts, change), _track(facts, signal)
    what = named(signal)
    for part in (found, track):
        if isinstance(part, Outcome):
            return part
    row, ids = found  # type: ignore[misc]
    series: Track = track  # type: ignore[assignment]
    ids = (*ids, *series.evidence)
    if row.until is None:
        return no_data(f"When {change} ended is not recorded.", evidence=ids)
    moment = departure(series, windows, direction="either")
    if isinstance(moment, TooLittle):
        return no_data(moment.reason + ".", evidence=ids)
    if moment is None:
        return Outcome(FAILED, f"{what} never left its usual range.", {}, ids)
    if moment.latest <= row.time or moment.earliest >= row.until:
        return Outcome(FAILED, f"{what} left its range outside the time {change} ran.", {}, ids)
    back = _back(series, windows, Window(row.until, row.until + timedelta(seconds=within_s + 60)))
    if isinstance(back, TooLittle):
        return no_data(back.reason + ".", evidence=ids)
    if back is not None and (back.earliest - row.until).total_seconds() <= within_s:
        others = actions_within(facts, Window(row.until - timedelta(seconds=SETTLING_S), back.latest), but=row)
        if others:
            names = ", ".join(name_of(g[0]) for g in others)
            return no_data(f"{what} recovered when {change} ended and also after {names}: inseparable.", evidence=ids)
        return Outcome(HELD, f"{what} was out of its range only while {change} ran.", {}, ids)
    if windows.complete_until < row.until + timedelta(seconds=within_s):
        return no_data(f"The lag after {change} is not over in the data.", evidence=ids)
    return Outcome(FAILED, f"{what} was still out of its range {length(within_s)} after {change} ended.", {}, ids)


@check(about=["change", "services"], claim="on the failing path")
def touches(facts: Facts, windows: Windows, *, change: str, services: Sequence[str]) -> Outcome:
    """Does the change touch one of these services? A change of an unknown service is no data.

    True at any time, so it can refute (touches nothing that fails) and never supports.
    """
    found = find_change(facts, change)
    if isinstance(found, Outcome):
        return found
    row, ids = found
    if not row.service:
        return no_data(f"Which service {change} touches is not recorded.", evidence=ids)
    if row.service in services:
        return Outcome(HELD, f"{change} touches {row.service}, which can act on the place of the break.", {}, ids)
    text = f"{change} touches {row.service}, and what can act on the place of the break is {', '.join(services)}"
    return Outcome(FAILED, f"{text}.", {}, ids)


@check(about=["needs"], claim="seen")
def not_collected(facts: Facts, windows: Windows, *, needs: str) -> Outcome:
    """What would have to be collected to test this? Always no data: the sentence says what is missing."""
    return no_data(f"Can't be tested here: {needs}.")


def _back(series: Track, windows: Windows, span: Window) -> Instant | TooLittle | None:
    """When did the signal return to its range in this span? Where the data end too soon after it to see it stay there,
    a short stay counts when the harm itself, as users saw it, was over at the same time."""
    back = back_in_range(series, windows, span)
    over = windows.recovered
    if back is not None or over is None or windows.complete_until >= span.end:
        return back
    short = back_in_range(series, windows, span, for_s=SHORT_STAY_S)
    slack = timedelta(seconds=SETTLING_S)
    if not isinstance(short, Instant) or short.earliest > over.latest + slack or short.latest < over.earliest - slack:
        return back
    return short


def _track(facts: Facts, signal: str) -> Track | Outcome:
    found = tracks(facts, signal)
    return found[0] if found else no_data(f"{signal} is not collected here.")


def _unrecovered(
    facts: Facts,
    windows: Windows,
    row: Change,
    ids: tuple[str, ...],
    *,
    within_s: float,
    change: str,
    loop: str,
    signal: str,
) -> Outcome:
    done = row.until or row.time
    name, what = name_of(row), named(signal)
    if windows.complete_until < done + timedelta(seconds=within_s):
        return no_data(f"The lag of {length(within_s)} after {name} is not over in the data.", evidence=ids)
    for track in tracks(facts, loop) if loop else ():
        if is_out(track, windows, Window(done, done + timedelta(seconds=within_s))):
            return no_data(f"{name} brought no recovery, but {track.key} still keeps the harm going.", evidence=ids)
    lasting = _irreversible(facts, change, row) if change else ""
    if lasting:
        return no_data(f"{name} brought no recovery, but {lasting} lies between and was not undone.", evidence=ids)
    return Outcome(FAILED, f"{what} did not return to its usual range within {length(within_s)} of {name}.", {}, ids)


def _irreversible(facts: Facts, change: str, reversal: Change) -> str:
    found = find_change(facts, change)
    if isinstance(found, Outcome):
        return ""
    row, _ = found
    for other in change_rows(facts.changes()):
        if other.kind == "schema" and row.time <= other.time <= reversal.time and other.id not in (row.id, reversal.id):
            names = {n for n in (other.id, other.ref) if n}
            if not any(r.reverts in names for r in change_rows(facts.changes())):
                return name_of(other)
    return ""
