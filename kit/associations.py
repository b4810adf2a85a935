"""What moved together with the harm, and does a third signal account for it? Associations, and never more than that.

The trap: a busy CPU and slow answers that both follow a slow dependency. For each resource that grew busier with the
harm, the wait at the break is held still, and what is left of the two going together is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from connectors.window import Window
from kit.correlation import ThirdFactor, third_factor
from kit.natural_experiments import ActionTried
from kit.result import Result

QUARTERS = 4
MOST = 4
LARGEST = 2.0
_BOOKKEEPING = re.compile(r"memory|filesystem|available|connection")


@dataclass(frozen=True, slots=True)
class Associations(Result):
    """`together`: pairs with a third; `actions`: what was done, seen beside a part that was not hurt.

    Nothing here names what brought the harm: it can only take a tempting explanation away.
    """

    together: tuple[ThirdFactor, ...]
    actions: tuple[ActionTried, ...]
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The trap that was found, or that none was."""
        both = [t for t in self.together if t.explains]
        if both:
            return f"{both[0].headline}; that they rise together is no sign that one brings the other."
        if self.together:
            return f"{self.together[0].headline}."
        return "No resource grew busier with the harm beside what the path itself shows."

    @property
    def told(self) -> tuple[str, ...]:
        """What of it belongs on the first screen: the traps, and actions that left the harm as it was."""
        both = tuple(t.headline for t in self.together if t.explains)
        return (*both, *(str(a) for a in self.actions if a.left_it))

    def to_frame(self) -> pd.DataFrame:
        """A row per comparison: what, said, and its figures with 95 % intervals."""
        rows = [
            {"what": f"{t.one} ~ {t.other}, given {t.given}", "said": t.headline, "plain": t.r, "plain_low": t.low,
             "plain_high": t.high, "given": t.r_given, "given_low": t.low_given, "given_high": t.high_given}
            for t in self.together
        ]  # fmt: skip
        rows += [
            {"what": a.summary, "said": str(a), "plain": a.experiment.effect, "plain_low": a.experiment.low,
             "plain_high": a.experiment.high}
            for a in self.actions
        ]  # fmt: skip
        names = ["what", "said", "plain", "plain_low", "plain_high", "given", "given_low", "given_high"]
        return pd.DataFrame(rows, columns=names)


def find_associations(
    wide: pd.DataFrame,
    *,
    symptom: str | None,
    between: str | None,
    baseline: Window,
    incident: Window,
    actions: Sequence[ActionTried] = (),
) -> Associations:
    """Which resources grew busier together with the harm, and does the wait at the break account for it?

    `wide` is the aligned frame, `symptom` its column of the harm (the entry's tail, or its share of failures),
    `between` the cut ("payments → fraud-check"). Of a resource with several instances the busiest is taken. Every
    series is put into quarters of its own rise from baseline to incident, so that the usual scatter of quiet hours
    counts as nothing; then `third_factor` with the caller's wait for the callee as the third. Without a cut, a signal
    of it, or a symptom that rose: empty.

    Misleads where everything rose and fell in the same bins: then any of the three accounts for the other two, and only
    the path, not the arithmetic, says which one is waited for. None of these is ever evidence for a cause.
    """
    given = _wait(wide, between, baseline, incident)
    harm = _stepped(wide[symptom], baseline, incident) if symptom in wide.columns else None
    if given is None or harm is None:
        return Associations((), tuple(actions), tuple(str(a) for a in actions))
    harm = harm.rename(_harm_words(str(symptom)))
    found = []
    for name, series in _busier(wide, between):
        one = _stepped(series, baseline, incident)
        tried = third_factor(one.rename(name), harm, given=given) if one is not None else None
        if tried is not None and tried.low > 0.2:
            found.append(tried)
    found.sort(key=lambda t: (not t.explains, -t.r))
    kept = tuple(found[:MOST])
    because = (*(f"{t.headline} ({t.because[0]})" for t in kept), *(str(a) for a in actions))
    return Associations(kept, tuple(actions), because)


def _stepped(series: pd.Series, baseline: Window, incident: Window) -> pd.Series | None:
    """The series in quarters of its rise: 0 as usual, 1 as in the harm. None: it did not rise, or there is no data."""
    usual, ill = _median(series, baseline), _median(series, incident)
    if usual is None or ill is None or ill <= usual or ill < 1.2 * usual:
        return None
    return ((series - usual) / (ill - usual) * QUARTERS).round().div(QUARTERS).clip(0.0, LARGEST)


def _median(series: pd.Series, window: Window) -> float | None:
    inside = series[(series.index >= pd.Timestamp(window.start)) & (series.index < pd.Timestamp(window.end))].dropna()
    return float(inside.median()) if len(inside) >= 4 else None


def _wait(wide: pd.DataFrame, between: str | None, baseline: Window, incident: Window) -> pd.Series | None:
    """The time that the caller waits for the callee at the break: its median where that is measured, else its tail."""
    ends = [part.strip() for part in (between or "").split("→")]
    if len(ends) != 2:
        return None
    caller, callee = ends
    own = [c for c in wide.columns if c.startswith((f"{caller}/", f"{caller}@")) and "duration" in c]
    named = [c for c in own if callee in c.split("/", 1)[1]]
    if not named:
        named = [c for c in own if re.search(r"/(db\.client|upstream)", c)]
        named += [c for c in wide.columns if c.startswith((f"{callee}/", f"{callee}@")) and "duration" in c]
    for ending in ("p50", "mean", "p95", "p99"):
        for column in (c for c in named if c.endswith(ending)):
            series = _stepped(wide[column], baseline, incident)
            if series is not None and series.nunique() >= 3:
                return series.rename(f"{callee} latency")
    return None


def _busier(wide: pd.DataFrame, between: str | None) -> list[tuple[str, pd.Series]]:
    """Machines' resources beside the break, the busiest instance of each, by a name for people; pools are in chains."""
    callee = (between or "").split("→")[-1].strip()
    groups: dict[str, list[str]] = {}
    for column in wide.columns:
        owner, _, rest = column.partition("/")
        service = owner.split("@")[0]
        if service != callee and re.search(r"cpu|utili[sz]ation", rest) and not _BOOKKEEPING.search(rest):
            groups.setdefault(f"{service}'s {_resource_words(rest)}", []).append(column)
    return [(name, wide[columns].max(axis=1)) for name, columns in sorted(groups.items())]


def _resource_words(rest: str) -> str:
    return "CPU" if "cpu" in rest else rest.rsplit(".", 1)[0]


def _harm_words(symptom: str) -> str:
    service, _, rest = symptom.partition("/")
    return f"the failed share at {service}" if "error" in rest else f"the latency at {service}"


def symptom_column(wide: Any, *, entry: str | None, failing: bool) -> str | None:
    """Which column of the aligned frame shows the harm at the entry? None: there is none."""
    endings = ("errors_ratio", "errors.ratio") if failing else ("requests.duration.p99", "duration.p99")
    own = [c for c in wide.columns if entry and c.split("/")[0].split("@")[0] == entry]
    return next((c for ending in endings for c in own if c.endswith(ending)), None)
