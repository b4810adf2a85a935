"""Checks of what was written: lines that appear or must not, shares of lines, groups that differ, templates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from kit.checks.facts import Facts, Track
from kit.checks.registry import FAILED, HELD, Outcome, check, no_data
from kit.checks.windows import Windows
from kit.checks.wording import kind_of_line
from kit.numerics.shift import MINIMUM_REQUESTS

USUAL_LINES = 5.0
"""A log that would usually have written so many lines in the incident, and wrote none, counts as lost."""


@check(about=["service", "where"], claim="more lines", cost=3.0)
def appears(facts: Facts, windows: Windows, *, service: str, where: str, times: float = 3.0, lines: int = 5) -> Outcome:
    """Are there lines of this kind in the incident that were absent, or far rarer, before?

    Held: at least `lines` of them, at a rate whose 99 % lower bound is `times` the baseline's. Failed: the log was
    there and the upper bound stays below that, or no line came. Counts are weighted when the log is sampled.
    """
    found = _counted(facts, windows, service, where)
    if isinstance(found, Outcome):
        return found
    before, during, seconds_before, seconds_during, ids = found.tested
    low, high = _rate_ratio(during, seconds_during, before, seconds_before)
    numbers = {"before": before, "during": during, "ratio_low": low, "ratio_high": high}
    rarely = "none" if not before else f"{before:.0f}"
    text = f"{service} wrote {found.told}, {rarely} in the healthy stretch before."
    if during >= lines and low >= times:
        return Outcome(HELD, text, numbers, ids)
    if during == 0 or high < times:
        return Outcome(FAILED, text, numbers, ids)
    return no_data(f"{text[:-1]}: too few lines to tell.", evidence=ids)


@check(about=["service", "where"], claim="lines", cost=3.0)
def present_in_logs(facts: Facts, windows: Windows, *, service: str, where: str, lines: int = 1) -> Outcome:
    """Are there at least `lines` lines of this kind in the incident? Its control says whether they are always there."""
    found = _counted(facts, windows, service, where)
    if isinstance(found, Outcome):
        return found
    during, ids = found.tested[1], found.tested[4]
    text = f"{service} wrote {found.told}."
    return Outcome(HELD if during >= lines else FAILED, text, {"during": during}, ids)


@check(about=["service", "where"], claim="no lines", on_quiet="held", cost=3.0)
def absent(facts: Facts, windows: Windows, *, service: str, where: str) -> Outcome:
    """Are there no lines of this kind in the incident, while the log itself was being written?"""
    found = _counted(facts, windows, service, where)
    if isinstance(found, Outcome):
        return found
    during, ids = found.tested[1], found.tested[4]
    text = f"{service} wrote {found.told}."
    return Outcome(HELD if during == 0 else FAILED, text, {"during": during}, ids)


@check(about=["service", "where", "of"], claim="large share", cost=3.0)
def share_at_least(facts: Facts, windows: Windows, *, service: str, where: str, share: float, of: str = "") -> Outcome:
    """Do at least `share` (0–1) of the incident's lines fitting `of` (empty: all) also fit `where`?

    Held when the Wilson 99 % lower bound reaches it, failed when the upper bound stays below; under 30 lines: no data.
    """
    both = f"({of}) AND ({where})" if of else where
    some, every = facts.lines(service, where=both), facts.lines(service, where=of or None)
    if some is None or every is None:
        return no_data(f"The log of {service} is not collected here.")
    ids = tuple(dict.fromkeys((*some.evidence, *every.evidence)))
    k, n = _total(some, windows), _total(every, windows)
    if n < MINIMUM_REQUESTS:
        return no_data(f"{service} has {n:.0f} lines to take a share of; {MINIMUM_REQUESTS} are needed.", evidence=ids)
    low, high = _wilson(k, n)
    numbers = {"share": k / n, "low": low, "high": high, "n": n}
    text = f"{k:.0f} of {n:.0f} lines of {service} ({k / n:.0%}) are lines {kind_of_line(where)}."
    if low >= share:
        return Outcome(HELD, text, numbers, ids)
    if high < share:
        return Outcome(FAILED, text, numbers, ids)
    return no_data(f"{text[:-1]}: too near {share:.0%} to tell.", evidence=ids)


@check(about=["service", "where", "by", "values"], claim="fails more", inner_control=True, cost=4.0)
def differs_between(
    facts: Facts,
    windows: Windows,
    *,
    service: str,
    where: str,
    by: str,
    values: Sequence[str],
    times: float = 2.0,
) -> Outcome:
    """Do requests with these values of a field fail more often than the rest, at the same time?

    A natural experiment: `by` is a version, host, zone, client; `values` the treated ones. Held when the 99 % lower
    bound of the ratio of both failure shares reaches `times`; failed when the upper bound is below. Under 30 requests
    on either side: no data. Misleads when the groups get different work.
    """
    bad, every = facts.lines_by(service, by, where=where), facts.lines_by(service, by, where=None)
    if bad is None or every is None:
        return no_data(f"The log of {service} with the field {by} is not collected here.")
    ids = tuple(dict.fromkeys(e for t in every.values() for e in t.evidence))
    treated = {str(v) for v in values}
    a, n = (sum(_total(t, windows) for v, t in group.items() if v in treated) for group in (bad, every))
    b, m = (sum(_total(t, windows) for v, t in group.items() if v not in treated) for group in (bad, every))
    named = ", ".join(sorted(treated))
    if n < MINIMUM_REQUESTS or m < MINIMUM_REQUESTS:
        return no_data(f"{by} {named}: {n:.0f} requests, the rest {m:.0f}; 30 on both sides are needed.", evidence=ids)
    low, high = _risk_ratio(a, n, b, m)
    numbers = {"treated": a / n, "rest": b / m, "ratio_low": low, "ratio_high": high}
    text = f"{by} {named}: {a / n:.1%} of {n:.0f} failed, of the rest {b / m:.1%} of {m:.0f}."
    if low >= times:
        return Outcome(HELD, text, numbers, ids)
    if high < times:
        return Outcome(FAILED, text, numbers, ids)
    return no_data(f"{text[:-1]}: too few failures to tell.", evidence=ids)


@check(about=["service", "words"], claim="new template", cost=2.0)
def template_appears(facts: Facts, windows: Windows, *, service: str, words: Sequence[str]) -> Outcome:
    """Is there a log template of this service, new or risen since the onset, that holds one of these words?

    Templates are compared once, between the incident and its own baseline: on any other windows this is no data.
    """
    table = facts.templates()
    if table is None:
        return no_data("No log templates were compared.")
    if windows != facts.windows:
        return no_data("Templates were compared for the incident only.", evidence=table.evidence)
    rows = table.frame[table.frame["service"].astype(str) == service] if "service" in table.frame else table.frame
    if rows.empty:
        return no_data(f"No template of {service} was compared.", evidence=table.evidence)
    risen = rows[rows["class"].isin(["new", "changed"])]
    for text in risen["template"].astype(str):
        if any(word.lower() in text.lower() for word in words):
            return Outcome(HELD, f"{service} wrote, since the onset: {text}", {}, table.evidence)
    return Outcome(FAILED, f"No new or changed template of {service} holds {', '.join(words)}.", {}, table.evidence)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Lines before and during in whole bins, the seconds of both, evidence; and all lines of the harm, in words."""

    tested: tuple[float, float, float, float, tuple[str, ...]]
    told: str


def _counted(facts: Facts, windows: Windows, service: str, where: str) -> _Counted | Outcome:
    some, every = facts.lines(service, where=where), facts.lines(service, where=None)
    if some is None or every is None:
        return no_data(f"The log of {service} is not collected here.")
    ids = tuple(dict.fromkeys((*some.evidence, *every.evidence)))
    sides = []
    for window, name in ((windows.baseline, "baseline"), (windows.incident, "incident")):
        bins = some.within(window, until=windows.complete_until)
        known = bins.notna()
        if not len(bins) or known.mean() < 0.5:
            return no_data(f"The log of {service} has a gap in the {name}.", evidence=ids)
        written = float(every.within(window, until=windows.complete_until).sum())
        sides.append((float(bins.sum()), float(known.sum()) * some.step_s, written))
    (before, seconds_before, written_before), (during, seconds_during, written) = sides
    if written == 0 and written_before / seconds_before * seconds_during >= USUAL_LINES:
        return no_data(f"{service} wrote no line at all in the incident: its log may be lost.", evidence=ids)
    return _Counted((before, during, seconds_before, seconds_during, ids), _told(some, windows, where))


def _told(lines: Track, windows: Windows, where: str) -> str:
    """How many lines of which kind, from when to when: the bins that the harm touches, their edges said."""
    bins = lines.touching(windows.incident, until=windows.complete_until)
    first = bins.index[0]
    end = bins.index[-1] + timedelta(seconds=lines.step_s)
    return f"{bins.sum():,.0f} log lines {kind_of_line(where)} from {first:%H:%M:%S} to {end:%H:%M:%S} UTC"


def _total(track: Track, windows: Windows) -> float:
    return float(track.within(windows.incident, until=windows.complete_until).sum())


def _rate_ratio(a: float, seconds_a: float, b: float, seconds_b: float) -> tuple[float, float]:
    """99 % interval of the ratio of two Poisson rates, by the exact binomial of a among a + b."""
    if a + b == 0 or not seconds_a or not seconds_b:
        return 0.0, math.inf
    from scipy.special import betaincinv

    low = float(betaincinv(a, b + 1, 0.005)) if a else 0.0
    high = float(betaincinv(a + 1, b, 0.995)) if b else 1.0
    scale = seconds_b / seconds_a
    return scale * low / (1 - low), math.inf if high >= 1 else scale * high / (1 - high)


def _wilson(k: float, n: float) -> tuple[float, float]:
    z2, p = 2.576**2, k / n
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = 2.576 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return middle - half, middle + half


def _risk_ratio(a: float, n: float, b: float, m: float) -> tuple[float, float]:
    """99 % interval of (a/n)/(b/m), log-normal with half a failure added to each side (Haldane)."""
    a, b, n, m = a + 0.5, b + 0.5, n + 1, m + 1
    middle = math.log(a / n) - math.log(b / m)
    half = 2.576 * math.sqrt(max(1 / a - 1 / n + 1 / b - 1 / m, 0.0))
    return float(np.exp(middle - half)), float(np.exp(middle + half))
