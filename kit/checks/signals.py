"""Checks of levels: did a signal rise, fall, stay, fill up, move first? Also of lines counted as a signal.

A signal is `service/name.stat`, a pattern with `*` (any that fits; for *flat*: all of them), or lines of a log as
`service/lines[where].count`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from connectors.window import Window, iso
from kit.checks.facts import MINIMUM_BASELINE_BINS, Facts, Track, tracks
from kit.checks.registry import FAILED, HELD, NO_DATA, Outcome, check, no_data
from kit.checks.windows import Instant, Windows
from kit.checks.wording import moved_from, of_several, shown_level
from kit.numerics.shift import TooLittle, departure, shift


@check(about=["signal"], claim="up")
def rises(facts: Facts, windows: Windows, *, signal: str, by: float = 1.2, at_least: float = 0.0) -> Outcome:
    """Did the signal rise from baseline to incident?

    Held: the median rose by the larger of `at_least` (the signal's unit) and (by − 1) of its baseline, and the 99 %
    interval excludes no rise. Failed: the interval lies below that size. Otherwise the noise hides it: no data. With a
    pattern one signal that rises is enough.
    """
    return _any_of(facts, windows, signal, lambda t: _moved(t, windows, sign=1, by=by, at_least=at_least))


@check(about=["signals"], claim="one of them up")
def one_rises(
    facts: Facts, windows: Windows, *, signals: Sequence[str], by: float = 1.2, at_least: float = 0.0
) -> Outcome:
    """Did at least one of these signals rise from baseline to incident? Sizes as for `rises`.

    For one thing that shows in several ways: requests that wait for a database do so in its time, for a lock, or in
    line for a connection. Failed only when each that is collected says no.
    """
    found = [
        _any_of(facts, windows, s, lambda t: _moved(t, windows, sign=1, by=by, at_least=at_least)) for s in signals
    ]
    return _combined(", ".join(signals), found, deciding=HELD)


@check(about=["signal"], claim="down")
def falls(facts: Facts, windows: Windows, *, signal: str, by: float = 1.2, at_least: float = 0.0) -> Outcome:
    """Did the signal fall from baseline to incident? Sizes as for `rises`: to 1/`by` of the baseline, say."""
    return _any_of(facts, windows, signal, lambda t: _moved(t, windows, sign=-1, by=by, at_least=at_least))


@check(about=["signal"], claim="flat", on_quiet="held")
def stays_flat(facts: Facts, windows: Windows, *, signal: str, by: float = 1.2, at_least: float = 0.0) -> Outcome:
    """Did the signal stay where it was?

    Held: the 99 % interval of its move lies within ± the size given (as for `rises`). Failed: it lies outside. Between
    the two it cannot be told. With a pattern every signal must stay. It holds on any healthy stretch as well, so it can
    refute and never supports.
    """
    return _all_of(facts, windows, signal, lambda t: _flat(t, windows, by=by, at_least=at_least))


@check(about=["signal"], claim="full")
def saturates(facts: Facts, windows: Windows, *, signal: str, at: float = 0.95, share: float = 0.5) -> Outcome:
    """Was the resource full: at or above `at` in at least `share` of the incident's bins?

    `at` is in the signal's unit, so 0.95 for a ratio. Failed needs at least half of the incident covered.
    """
    return _any_of(facts, windows, signal, lambda t: _full(t, windows, at=at, share=share))


@check(about=["signal"], claim="full")
def runs_full(facts: Facts, windows: Windows, *, signal: str, at: float = 0.95, share: float = 0.3) -> Outcome:
    """Was the disk full in at least `share` of the incident's bins: `at` or more of it used, 0 to 1?

    A signal that says what is left (its name speaks of available, free) is measured against the most that was ever
    left in the look, which makes a disk that was never empty look fuller than it is.
    """
    return _any_of(facts, windows, signal, lambda t: _full(as_used(t), windows, at=at, share=share))


@check(about=["first", "then"], claim="in this order", cost=2.0)
def fills_before(
    facts: Facts, windows: Windows, *, first: str, then: str, at: float = 0.95, slack_s: float = 30.0
) -> Outcome:
    """Was the disk `first` full (`at` or more used) before the signal `then` left its usual range, or with it?

    Failed when it was full only later than `slack_s` after, or never.
    """
    found = _two(facts, first, then)
    if isinstance(found, Outcome):
        return found
    used, other = as_used(found[0]), found[1]
    ids = (*used.evidence, *other.evidence)
    left = departure(other, windows, direction="either")
    if isinstance(left, TooLittle):
        return no_data(left.reason, evidence=ids)
    if left is None:
        return Outcome(FAILED, f"{other.key} never left its usual range.", {}, ids)
    span = Window(windows.baseline.start, windows.incident.end)
    full = used.within(span, until=windows.complete_until) >= at
    if not full.any():
        return Outcome(FAILED, f"{used.key} was never {at:.0%} full.", {}, ids)
    began = full.idxmax().to_pydatetime()
    lead = (left.latest - began).total_seconds()
    state = HELD if lead >= -slack_s else FAILED
    text = f"{used.key} was {at:.0%} full from {iso(began)}, {other.key} left its range by {iso(left.latest)}."
    return Outcome(state, text, {"lead_s": lead}, ids)


@check(about=["first", "then"], claim="in this order", cost=2.0)
def precedes(facts: Facts, windows: Windows, *, first: str, then: str, slack_s: float = 0.0) -> Outcome:
    """Did `first` leave its usual range before `then` did?

    Held when its interval lies wholly before; failed when wholly after by more than `slack_s` (what two sources may
    differ by), or when `then` left and `first` never did. Intervals that overlap cannot be ordered: no data.
    """
    found = _two(facts, first, then)
    if isinstance(found, Outcome):
        return found
    one, other = found
    started, ended = departure(one, windows, direction="either"), departure(other, windows, direction="either")
    ids = (*one.evidence, *other.evidence)
    for moment in (started, ended):
        if isinstance(moment, TooLittle):
            return no_data(moment.reason, evidence=ids)
    if not isinstance(ended, Instant):
        return Outcome(FAILED, f"{other.key} never left its usual range.", {}, ids)
    if not isinstance(started, Instant):
        return Outcome(FAILED, f"{one.key} never left its usual range, {other.key} did.", {}, ids)
    lead = (ended.earliest - started.latest).total_seconds()
    text = f"{one.key} left its range by {iso(started.latest)}, {other.key} not before {iso(ended.earliest)}"
    if started.latest <= ended.earliest:
        return Outcome(HELD, f"{text}: first.", {"lead_s": lead}, ids)
    if (started.earliest - ended.latest).total_seconds() >= slack_s:
        return Outcome(
            FAILED, f"{one.key} followed {other.key}: it left its range after {iso(started.earliest)}.", {}, ids
        )
    return Outcome(NO_DATA, f"{one.key} and {other.key} left their ranges too close together: order unknown.", {}, ids)


@check(about=["signals"], claim="only one sees it", cost=2.0)
def seen_by_one_only(
    facts: Facts, windows: Windows, *, signals: Sequence[str], by: float = 1.2, at_least: float = 0.0
) -> Outcome:
    """Does only one of several independent measurements of the harm show it?

    Held: exactly one moved and at least one other, with power, did not. Failed: two or more moved. One measurement
    alone cannot tell.
    """
    outcomes = [
        (s, _any_of(facts, windows, s, lambda t: _moved(t, windows, sign=1, by=by, at_least=at_least))) for s in signals
    ]
    ids = _evidence(o for _, o in outcomes)
    rose = [s for s, o in outcomes if o.state == HELD]
    still = [s for s, o in outcomes if o.state == FAILED]
    if len(rose) >= 2:
        return Outcome(
            FAILED, f"{len(rose)} independent measurements show it: {', '.join(rose)}.", {"seen": len(rose)}, ids
        )
    if len(rose) == 1 and still:
        return Outcome(HELD, f"Only {rose[0]} shows it; {', '.join(still)} did not move.", {"seen": 1}, ids)
    return no_data("Fewer than two independent measurements of the harm can be compared.", evidence=ids)


@check(about=["signal"], claim="drops again and again")
def drops_repeatedly(facts: Facts, windows: Windows, *, signal: str, times: int = 2, share: float = 0.3) -> Outcome:
    """Did the signal climb and drop back again and again, as memory does over restarts?

    Counts, in the incident, falls by at least `share` of the level reached since the last one; `times` or more hold.
    """

    def drops(track: Track) -> Outcome:
        values = track.within(windows.incident, until=windows.complete_until).dropna().to_numpy()
        if len(values) < 6:
            return no_data(f"{track.key} has {len(values)} bins in the incident; 6 are needed", evidence=track.evidence)
        count, peak = 0, values[0]
        for value in values[1:]:
            if peak > 0 and value <= peak * (1 - share):
                count, peak = count + 1, value
            peak = max(peak, value)
        state = HELD if count >= times else FAILED
        return Outcome(
            state, f"{track.key} dropped by {share:.0%} or more {count} times.", {"drops": count}, track.evidence
        )

    return _any_of(facts, windows, signal, drops)


@check(about=["dose", "response"], claim="follows", cost=2.0)
def follows_dose(facts: Facts, windows: Windows, *, dose: str, response: str, at_least: float = 0.5) -> Outcome:
    """Is there more of the response where there is more of the dose?

    Rank correlation over the incident and as long before it, against circular shifts of one of both. Held at `at_least`
    or more with p ≤ .05 and a 99 % lower bound above zero; failed when the upper bound stays below it; a dose that does
    not vary is no data.
    """
    from kit.correlation import dose_response

    found = _two(facts, dose, response)
    if isinstance(found, Outcome):
        return found
    one, other = found
    ids = tuple(dict.fromkeys((*one.evidence, *other.evidence)))
    start = max(windows.whole.start, windows.incident.start - timedelta(seconds=windows.incident.seconds))
    span = Window(start, windows.incident.end)
    known = dose_response(
        one.within(span, until=windows.complete_until), other.within(span, until=windows.complete_until)
    )
    if known is None:
        return no_data(f"{dose} and {response} have too few bins in common, or do not vary.", evidence=ids)
    numbers = {"rho": known.rho, "low": known.low, "high": known.high, "p": known.p}
    if known.rho >= at_least and known.p <= 0.05 and known.low > 0:
        return Outcome(HELD, f"{response} follows {dose} (rank correlation {known.rho:.2f}).", numbers, ids)
    if known.high < at_least:
        return Outcome(FAILED, f"{response} does not follow {dose} (rank correlation {known.rho:.2f}).", numbers, ids)
    return no_data(f"Whether {response} follows {dose} cannot be told ({known.rho:.2f}).", evidence=ids)


def _moved(track: Track, windows: Windows, *, sign: int, by: float, at_least: float) -> Outcome:
    moved = shift(track, windows)
    if isinstance(moved, TooLittle):
        return no_data(moved.reason + ".", evidence=track.evidence)
    floor = _floor(moved.before, by, at_least, sign)
    size, low, high = sign * moved.change, *sorted((sign * moved.low, sign * moved.high))
    numbers = {"before": moved.before, "during": moved.during, "low": moved.low, "high": moved.high}
    went = moved_from(track, moved.before, moved.during)
    if size >= floor and low > 0:
        verb = "rose" if sign > 0 else "fell"
        return Outcome(HELD, f"{went.replace(' went from ', f' {verb} from ', 1)}.", numbers, track.evidence)
    if high < floor:
        wanted = f"not the {'rise' if sign > 0 else 'fall'} of {shown_level(track, floor)} expected"
        return Outcome(FAILED, f"{went}: {wanted}.", numbers, track.evidence)
    return Outcome(
        NO_DATA, f"{went} (± {shown_level(track, (high - low) / 2)}): too noisy to tell.", numbers, track.evidence
    )


def _flat(track: Track, windows: Windows, *, by: float, at_least: float) -> Outcome:
    moved = shift(track, windows)
    if isinstance(moved, TooLittle):
        return no_data(moved.reason + ".", evidence=track.evidence)
    floor = max((by - 1) * abs(moved.before), at_least)
    numbers = {"before": moved.before, "during": moved.during, "low": moved.low, "high": moved.high}
    went = moved_from(track, moved.before, moved.during)
    if -floor <= moved.low and moved.high <= floor:
        return Outcome(HELD, f"{went}: flat.", numbers, track.evidence)
    if moved.low > floor or moved.high < -floor:
        return Outcome(FAILED, f"{went}: not flat.", numbers, track.evidence)
    return Outcome(NO_DATA, f"{went}: too noisy to call flat.", numbers, track.evidence)


def as_used(track: Track) -> Track:
    """The share used (0–1) of what is told by what is left, against the most that was left; any other track as it is.

    >>> import pandas as pd
    >>> left = pd.Series([8.0, 2.0], pd.date_range("2026-03-01T02:00Z", periods=2, freq="1min"))
    >>> as_used(Track("db/disk.available", left)).values.tolist()
    [0.0, 0.75]
    """
    if not re.search(r"avail|free|remaining", track.key.rpartition("/")[2], re.I):
        return track
    most = float(track.values.max())
    return replace(track, values=1 - track.values / most if most > 0 else track.values * np.nan)


def _full(track: Track, windows: Windows, *, at: float, share: float) -> Outcome:
    bins = track.within(windows.incident, until=windows.complete_until)
    known = bins.dropna()
    expected = max(len(bins), windows.incident.seconds / track.step_s if track.step_s else 0)
    if len(known) < 3 or len(known) < expected / 2:
        return no_data(f"{track.key} has {len(known)} of {expected:.0f} bins of the incident.", evidence=track.evidence)
    full, highest = float((known >= at).mean()), float(known.max())
    seen = shown_level(track, highest) + (f" over {track.step_s:g} s" if track.step_s else "")
    text = f"{track.key} was at {shown_level(track, at)} or more in {full:.0%} of the incident (highest {seen})."
    return Outcome(HELD if full >= share else FAILED, text, {"share": full, "highest": highest}, track.evidence)


def _two(facts: Facts, first: str, then: str) -> tuple[Track, Track] | Outcome:
    one, other = tracks(facts, first), tracks(facts, then)
    missing = [name for name, found in ((first, one), (then, other)) if not found]
    if missing:
        return no_data(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not collected here.")
    return one[0], other[0]


def _any_of(facts: Facts, windows: Windows, signal: str, ask: Callable[[Track], Outcome]) -> Outcome:
    return _combined(signal, [ask(t) for t in _there_before(facts, windows, signal)], deciding=HELD)


def _all_of(facts: Facts, windows: Windows, signal: str, ask: Callable[[Track], Outcome]) -> Outcome:
    return _combined(signal, [ask(t) for t in _there_before(facts, windows, signal)], deciding=FAILED)


def _there_before(facts: Facts, windows: Windows, signal: str) -> tuple[Track, ...]:
    """The tracks of this name; of several, those there in the baseline: a replica added later began nothing."""
    found = tracks(facts, signal)
    old = tuple(t for t in found if t.within(windows.baseline).notna().sum() >= MINIMUM_BASELINE_BINS)
    return old or found


def _combined(signal: str, outcomes: list[Outcome], *, deciding: str) -> Outcome:
    if not outcomes:
        return no_data(f"{signal} is not collected here.")
    if len(outcomes) == 1:
        return outcomes[0]
    decided = [o for o in outcomes if o.state == deciding]
    if decided:
        said = _furthest(decided)
        text = of_several(said.sentence, len(decided), len(outcomes))
        return Outcome(said.state, text, said.numbers, _evidence(outcomes))
    unknown = [o for o in outcomes if o.state == NO_DATA]
    if unknown:
        text = of_several(unknown[0].sentence, len(unknown), len(outcomes))
        return Outcome(NO_DATA, text, {}, _evidence(outcomes))
    first = outcomes[0]
    text = of_several(first.sentence, len(outcomes), len(outcomes))
    return Outcome(first.state, text, first.numbers, _evidence(outcomes))


def _furthest(outcomes: list[Outcome]) -> Outcome:
    """Which of them speaks for all? The one whose level came highest, where a level was asked for."""
    return max(outcomes, key=lambda o: o.numbers.get("highest", 0.0))


def _floor(before: float, by: float, at_least: float, sign: int) -> float:
    relative = (by - 1) * abs(before) if sign > 0 else (1 - 1 / by) * abs(before)
    return max(relative, at_least, float(np.finfo(float).tiny))


def _evidence(outcomes: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e for o in outcomes for e in o.evidence))  # type: ignore[attr-defined]
