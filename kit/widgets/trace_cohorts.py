"""Which traces are compared with which: all of the harm, the slow or the failing ones, with what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from kit.cohorts import FEWEST, SEPARATOR, TraceDifference, compare_traces
from kit.plain_text import escaped, visible
from kit.widgets.alive import pick

BAD = ("all", "slow", "failing")
USUAL = ("before", "rest")
SLOW_SHARE = 0.95
"""A trace is slow when it is longer than so many of those before the harm."""
_WORDS = {
    "all against before": "all with those before", "slow against before": "slow with those before",
    "slow against rest": "slow with the rest", "failing against before": "failing with those before",
    "failing against rest": "failing with the rest",
}  # fmt: skip
MOST = 6
"""Paths that are listed: the ones that differ most."""


@dataclass(frozen=True)
class TraceCohorts:
    """SPANS `during` the harm and `before` it, to be compared cohort against cohort.

    *all* are the traces of the harm; *slow* those longer than 95 in 100 before it (without any before: than three in
    four of the harm's own); *failing* those with a span in error. They stand against the traces *before* the harm or
    against the *rest* of the harm's. It misleads where sampling kept slow or failing traces by a rule of its own.
    """

    during: pd.DataFrame
    before: pd.DataFrame

    @cached_property
    def limit_s(self) -> float:
        """Seconds above which a trace is called slow; NaN where there is no trace."""
        healthy = _seconds(self.before)
        if len(healthy) >= FEWEST:
            return round(float(healthy.quantile(SLOW_SHARE)), 6)
        return round(float(_seconds(self.during).quantile(0.75)), 6) if len(self.during) else float("nan")

    def choices(self) -> dict[str, int]:
        """Every pair that can be compared (`slow against before`), with how many traces its first cohort has."""
        counts = {bad: _count(self._bad(bad)) for bad in BAD}
        pairs = [(b, u) for b in BAD for u in USUAL if (b, u) != ("all", "rest")]
        return {f"{b} against {u}": counts[b] for b, u in pairs if counts[b] and _count(self._usual(b, u))}

    def sides(self, choice: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The SPANS of both cohorts of a choice."""
        bad, _, usual = choice.partition(" against ")
        return self._bad(bad), self._usual(bad, usual)

    def difference(self, choice: str) -> TraceDifference:
        """What sets the first cohort of this choice apart, path by path; computed once."""
        if choice not in self._known:
            self._known[choice] = compare_traces(*self.sides(choice))
        return self._known[choice]

    @cached_property
    def _known(self) -> dict[str, TraceDifference]:
        return {}

    def code(self, choice: str) -> str:
        """The line of Python that gives the same comparison."""
        bad, _, usual = choice.partition(" against ")
        kept = {
            "slow": f"t['duration_s'].max() > {self.limit_s!r}",
            "failing": "t['status'].eq('error').any()",
        }.get(bad)
        grouped = "case.spans[1].groupby('trace_id').filter(lambda t: {})"
        ill = "case.spans[1]" if kept is None else grouped.format(kept)
        other = "case.spans[0]" if usual == "before" else grouped.format(f"not ({kept})")
        return f"kit.compare_traces({ill}, {other})"

    def told(self, choice: str) -> str:
        """Who stands against whom, with numbers."""
        bad, _, usual = choice.partition(" against ")
        sides = [_count(s) for s in self.sides(choice)]
        who = {"all": "of the harm", "slow": f"that took longer than {self.limit_s:.3g} s", "failing": "with an error"}
        other = "from before the harm" if usual == "before" else "others of the harm"
        return f"{sides[0]:,} traces {who[bad]} against {sides[1]:,} {other}"

    def claims(self, choice: str) -> pd.DataFrame:
        """The paths that differ past the floors, most first: `path`, `service`, `name`, `what`."""
        paths = self.difference(choice).paths
        return paths.loc[paths["what"] != "", ["path", "service", "name", "what"]].reset_index(drop=True)

    def _bad(self, which: str) -> pd.DataFrame:
        return self.during if which == "all" else self.during[self._chosen(which)]

    def _usual(self, bad: str, usual: str) -> pd.DataFrame:
        return self.before if usual == "before" else self.during[~self._chosen(bad)]

    def _chosen(self, which: str) -> pd.Series:
        """Which spans of the harm belong to a trace of this kind?"""
        if which == "failing":
            if "status" not in self.during:
                return pd.Series(False, index=self.during.index)
            wanted = self.during["status"].eq("error").groupby(self.during["trace_id"].astype(str)).transform("any")
        else:
            longest = self.during["duration_s"].groupby(self.during["trace_id"].astype(str)).transform("max")
            wanted = longest > self.limit_s
        return wanted.astype(bool)


def cohorts_markup(cohorts: TraceCohorts, choice: str, *, service: str | None) -> str:
    """The choice of cohorts, what differs in one sentence, and the paths it shows in; each part can be picked."""
    choices = cohorts.choices()
    if choice not in choices:
        return '<p class="ik-soft">Cohorts are compared where traces of the harm and usual ones were kept.</p>'
    buttons = "".join(
        f'<button class="ik-button" {pick(f"cohorts:{name}", pressed=name == choice)}>{_WORDS[name]}</button>'
        for name in choices
    )
    found = cohorts.difference(choice)
    said = f"<p><strong>{escaped(found.headline)}</strong><br>"
    said += f'<span class="ik-soft">{escaped(cohorts.told(choice))}{_too_few(found)}</span></p>'
    opened = '<div class="ik-row" role="group" aria-label="Cohorts"><span class="ik-soft">of the harm compare</span>'
    return f"{opened}{buttons}</div>{said}{_table(cohorts, choice, service)}"


def _too_few(found: TraceDifference) -> str:
    few = min(found.traces_bad, found.traces_good) < FEWEST
    return escaped(f": too few to claim anything, {FEWEST} on each side are needed") if few else ""


def _table(cohorts: TraceCohorts, choice: str, service: str | None) -> str:
    claims = cohorts.claims(choice)
    if claims.empty:
        return ""
    rows = "".join(
        f'<tr><td><div class="ik-cell" {pick(f"differs:{n}", pressed=row.service == service)} '
        f'title="{escaped(visible(row.path))}">{escaped(visible(f"{row.service}  {row.name}")[:70])}</div></td>'
        f'<td class="ik-soft">{escaped(visible(row.path.split(SEPARATOR)[0])[:60])}</td>'
        f'<td class="ik-break">{escaped(row.what)}</td></tr>'
        for n, row in enumerate(claims.head(MOST).itertuples(index=False))
    )
    more = f'<p class="ik-soft">and {len(claims) - MOST} more paths</p>' if len(claims) > MOST else ""
    head = "".join(f"<th scope=col>{t}</th>" for t in ("service and operation", "of requests", "usual → these"))
    opened = '<table class="ik-grid" aria-label="What differs between the cohorts">'
    return f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _seconds(spans: pd.DataFrame) -> pd.Series:
    """How long did each trace take: its longest span."""
    return spans["duration_s"].groupby(spans["trace_id"].astype(str)).max()


def _count(spans: pd.DataFrame) -> int:
    return int(spans["trace_id"].nunique())
