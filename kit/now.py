"""What can be said of an incident that still burns, in a minute? Harm, what moved, what to do, what is not known.

Enough to act and never enough to conclude: nothing here tests a cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.window import step_seconds
from kit.numerics.moments import length
from kit.result import Result

SUSPECTS, LEVERS = 3, 3


@dataclass(frozen=True, slots=True)
class Expiry:
    """What a source loses next: the look's first data are gone at `gone` (UTC); None: how long it keeps is not said."""

    source: str
    pillar: str
    gone: datetime | None


@dataclass(frozen=True, slots=True)
class Now(Result):
    """One minute's answer. `lines`: six, to paste into the incident's channel; `more`: what stands behind them."""

    lines: tuple[str, ...]
    more: tuple[tuple[str, tuple[str, ...]], ...]
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        return self.lines[0]

    def to_frame(self) -> pd.DataFrame:
        """A row per line: part, text."""
        rows = [("paste", line) for line in self.lines] + [(name, text) for name, part in self.more for text in part]
        return pd.DataFrame(rows, columns=["part", "text"])

    def text(self) -> str:
        """As a terminal shows it: the six lines, then each part under its heading."""
        return "\n".join([*self.lines, self.behind()])

    def behind(self) -> str:
        """What stands behind the six lines, each part under its heading."""
        parts = [line for name, part in self.more if part for line in ("", name, *(f"  · {text}" for text in part))]
        return "\n".join([*parts, ""])


def tell_now(
    *,
    title: str,
    zone: str,
    symptom: Any,
    clock: Any = None,
    suspects: Any = None,
    levers: Any = None,
    expiries: Sequence[Expiry] = (),
    recorded: int = 0,
    snapshot: str = "no snapshot was begun",
    gaps: Sequence[str] = (),
    at: datetime | None = None,
) -> Now:
    """What is known of the incident at this moment, in six lines and what stands behind them?

    `symptom` from `find_symptom`, `clock` from `read_harm_clock` (None: nobody is hurt, or single requests cannot be
    read); `suspects` from `rank_changes` and `levers` from `propose_levers`, None where there was no time for them,
    which is said. The first two lines rest on symptom and clock alone, the third on the suspects. `expiries` from
    `what_expires`, `recorded`: answers kept so far, `gaps`: what could not be asked. `at`: the moment of the answer,
    UTC. Times are told in `zone`. A symptom that is over, or that cannot be told, gives the same six lines and says so.
    """
    local = ZoneInfo(zone)
    lines = (
        _what(title, symptom, local),
        _harm(symptom, clock, local),
        _moved(suspects, local),
        _do(levers),
        _unknown(symptom, suspects, gaps),
        f"Evidence: {recorded} answers recorded; {snapshot}; {_first_to_go(expiries, at, local)}.",
    )
    more = (
        ("Levers", tuple(_lever(x) for x in (levers.levers if levers is not None else ())[:LEVERS])),
        ("What moved before it", _suspect_lines(suspects, local)),
        ("What expires", tuple(_told(e, at, local) for e in expiries)),
        ("What could not be asked", tuple(gaps)),
    )
    return Now(lines, more, lines[1:])


def what_expires(keeps: Mapping[str, tuple[str, str | None]], *, since: datetime) -> tuple[Expiry, ...]:
    """Which source loses the begin of the look first?

    `keeps`: source → (pillar, how long it keeps, like "15d"; None: not said). Those that say it first, the soonest
    first.

    >>> from connectors.window import utc
    >>> since = utc("2026-03-01T02:00Z")
    >>> [(e.source, e.gone is None) for e in what_expires({"a": ("logs", None), "b": ("spans", "2d")}, since=since)]
    [('b', False), ('a', True)]
    """
    found = [
        Expiry(name, pillar, since + timedelta(seconds=step_seconds(kept)) if kept else None)
        for name, (pillar, kept) in keeps.items()
    ]
    return tuple(sorted(found, key=lambda e: (e.gone is None, e.gone.timestamp() if e.gone else 0.0, e.source)))


def _what(title: str, symptom: Any, zone: ZoneInfo) -> str:
    episode = _last(symptom)
    if symptom.verdict == "cannot_tell":
        return f"{title}: the entry hop cannot tell whether users are hurt ({'; '.join(symptom.because[:1])})."
    if episode is None:
        return f"{title}: nothing is wrong at the entry hop up to {_clock(symptom.complete_until, zone)}."
    ill = {r.signal: r for r in reversed(episode.readings) if r.ill}
    told = " and ".join(_reading(ill[s]) for s in episode.signals[:2])
    where = f" on {', '.join(episode.routes)}" if episode.routes else ""
    since = f"{_clock(episode.onset.earliest, zone, named=False)}–{_clock(episode.onset.latest, zone)}"
    over = "" if episode.recovered is None else f", over since {_clock(episode.recovered.time, zone)}"
    return f"{title}: {told}{where} since {since}{over}."


def _reading(ill: Any) -> str:
    if ill.signal in ("errors_ratio", "slow_ratio"):
        what = "requests fail" if ill.signal == "errors_ratio" else "requests are slow, failed ones counted,"
        return f"{ill.now:.1%} of {what} (usual {ill.before:.1%})"
    if ill.signal == "latency_p99_s":
        return f"p99 is {ill.now:.2g} s (usual {ill.before:.2g} s)"
    if ill.signal == "traffic_rps":
        return f"requests come at {ill.now:.3g} a second (usual {ill.before:.3g})"
    return f"{ill.signal} is at {ill.now:.3g} (usual {ill.before:.3g})"


def _harm(symptom: Any, clock: Any, zone: ZoneInfo) -> str:
    until = f"complete up to {_clock(symptom.complete_until, zone)}"
    if clock is not None:
        state = "still going on" if clock.going_on else "over"
        hurt = f"{length(clock.minutes * 60)}, at least {clock.failed:,.0f} requests failed"
        return f"Harm so far: {hurt}, {state}; {until}."
    episode = _last(symptom)
    if episode is None:
        seen = "it cannot be told" if symptom.verdict == "cannot_tell" else "none seen"
        return f"Harm so far: {seen}; {until}."
    end = episode.recovered.time if episode.recovered is not None else symptom.complete_until
    return f"Harm so far: {length((end - episode.onset.time).total_seconds())}; {until}."


def _moved(suspects: Any, zone: ZoneInfo) -> str:
    if suspects is None:
        return "Moved just before: not looked at yet."
    ranked = suspects.ranked[:SUSPECTS]
    if not ranked:
        return f"Moved just before: no change is a suspect{': ' + suspects.because[0] if suspects.because else ''}."
    told = "; ".join(f"{s.summary} ({_clock(s.effect or s.time, zone)})" for s in ranked)
    return f"Moved just before: {told}."


def _do(levers: Any) -> str:
    if levers is None:
        return "Do now: no lever was worked out in the time given."
    if not levers.levers:
        return "Do now: nothing to pull; nobody is seen to be hurt, or no lever fits."
    first = levers.levers[0]
    enough = "enough to act, not to conclude" if levers.enough_to_act else "a guess: nothing stands out"
    return f"Do now: {first.do} ({enough}); watch {first.watch} within {length(first.within_s)}."


def _unknown(symptom: Any, suspects: Any, gaps: Sequence[str]) -> str:
    unknown = [str(g).rstrip(".") for g in gaps[:2]]
    if suspects is not None and any("base rate unknown" in b for b in suspects.because):
        unknown.append("how often a change comes so near anyway")
    if symptom.verdict == "incident" and _last(symptom) is not None and _last(symptom).onset.censored:
        unknown.append("when it began: it was there when the data begin")
    return f"Not known: {'; '.join(unknown) or 'what did it; nothing has been tested'}."


def _first_to_go(expiries: Sequence[Expiry], at: datetime | None, zone: ZoneInfo) -> str:
    if not expiries:
        return "all data lie in the case and none expires"
    return f"first to go: {_told(expiries[0], at, zone)}"


def _told(expiry: Expiry, at: datetime | None, zone: ZoneInfo) -> str:
    if expiry.gone is None:
        return (
            f"{expiry.source} ({expiry.pillar}) does not say how long it keeps its data (`retention` in sources.toml)"
        )
    local = expiry.gone.astimezone(zone)
    if at is not None and expiry.gone <= at:
        return f"{expiry.source} ({expiry.pillar}) has dropped the begin of the look since {local:%Y-%m-%d %H:%M %Z}"
    return f"{expiry.source} ({expiry.pillar}) from {local:%Y-%m-%d %H:%M %Z} on"


def _lever(lever: Any) -> str:
    undo = {True: "can be undone", False: "cannot be undone", None: "whether it can be undone is not known"}
    said = [f"because {lever.speaks_for[0]}" if lever.speaks_for else "", f"risk: {lever.risk}", undo[lever.reversible]]
    return f"{lever.do}: {'; '.join(s for s in said if s)}; erases {lever.erases}"


def _suspect_lines(suspects: Any, zone: ZoneInfo) -> tuple[str, ...]:
    if suspects is None:
        return ()
    told = [
        f"{s.summary} ({_clock(s.effect or s.time, zone)}): {'; '.join(s.because)}" for s in suspects.ranked[:SUSPECTS]
    ]
    return tuple(told) or suspects.because


def _last(symptom: Any) -> Any:
    """The episode that still lasts, else the latest."""
    return symptom.episodes[-1] if symptom.episodes else None


def _clock(time: datetime, zone: ZoneInfo, *, named: bool = True) -> str:
    return f"{time.astimezone(zone):%H:%M:%S %Z}" if named else f"{time.astimezone(zone):%H:%M:%S}"
