"""A blameless postmortem, drafted from the findings: what is known stands in it, what is not is left to be written.

It names no person, tells the mechanism and not a name, and proposes actions that each break a link of the mechanism and
remove a class of failure; owner and date are for people to fill in, and the draft says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kit.result import Result
from kit.summary import FAILURE_WORDS, summarize

if TYPE_CHECKING:
    import pandas as pd

TO_FILL = "**to be filled in**"
PILLAR_GAPS = ("no metrics for ", "no logs for ", "no spans for ", "no changes were reported")
"""What could not be seen at all becomes an action; what was only short stays a gap."""


@dataclass(frozen=True, slots=True)
class Action:
    """One proposed action: what is done, of which type, which class of failure and which link of the chain it removes.

    `owner` and `due` None: not named yet; an action without them is a wish.
    """

    text: str
    type: str
    removes: str
    breaks: str
    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Postmortem(Result):
    """The draft: its Markdown, its actions, and whether the same could happen again next month."""

    title: str
    markdown: str
    actions: tuple[Action, ...]
    recurs: bool
    because: tuple[str, ...]

    @property
    def first_lines(self) -> str:
        """How a draft begins; a file that begins otherwise was written by people and is left alone."""
        return f"# {self.title}\n\n_Draft from recorded evidence"

    @property
    def headline(self) -> str:
        """Could it happen again next month?"""
        if self.recurs:
            return "Could it happen again next month? Yes: no action that breaks a link of the chain is done yet."
        return "Could it happen again next month? Not this way: a link of the chain is broken."

    def to_frame(self) -> pd.DataFrame:
        """The actions, a row each."""
        import pandas as pd

        names = ["text", "type", "removes", "breaks", "owner", "due"]
        return pd.DataFrame([{n: getattr(a, n) for n in names} for a in self.actions], columns=names)


def draft_postmortem(
    findings: Mapping[str, Any],
    *,
    title: str,
    zone: str = "UTC",
    timeline: pd.DataFrame | None = None,
    removes: Sequence[str] = (),
    evidence_hash: str = "",
) -> Postmortem:
    """What can be written of this incident already, and what is left to people?

    `findings` is the merged `findings.json`; `timeline` has `time` (UTC), `lane` and `fact`; `removes` are the actions
    that the playbook of this class of failure proposes. Numbers come from the findings alone. An unknown stays
    *unknown*; the draft of a healthy window says that nothing happened.

    >>> draft_postmortem({"verdict": "healthy", "episodes": []}, title="quiet").headline
    'Could it happen again next month? Not this way: a link of the chain is broken.'
    """
    summary = summarize(findings, title=title, zone=zone)
    episode = (findings.get("episodes") or [{}])[0]
    failure = (episode.get("failure") or {}).get("name", "unclassified")
    links = findings.get("mechanism", [])
    actions = _actions(removes, failure, links, findings)
    harmed = bool(findings.get("episodes"))
    sections = [
        f"# {title}",
        f"_Draft from recorded evidence{f' {evidence_hash[:16]}' if evidence_hash else ''}. Blameless: it asks what "
        "about the system let this happen, and names no person._",
        _section("Summary", [*summary.broke, *summary.sure]),
        _section("Impact", _impact(findings)),
        _section("Trigger", _trigger(findings)),
        _section("Mechanism", summary.chain or ["Not told end to end yet; until then this is a correlation."]),
        _section("Detection", _detection(timeline)),
        _section("What limited the harm", _limited(findings)),
        _section("Guardrails", _guardrails(findings)) if harmed else "",
        _section("Where we were lucky", [TO_FILL]),
        _section("Ruled out", summary.ruled_out or ["Nothing was ruled out."]),
        _section("What we do not know", summary.unknown or ["Nothing that the walk noticed."]),
        _timeline(timeline, ZoneInfo(zone)),
        _action_table(actions),
        _section("Could it happen again next month?", ["Yes, until an action above that breaks a link is done."]),
    ]
    because = tuple(f"{a.text} (breaks: {a.breaks or 'no link named yet'})" for a in actions)
    return Postmortem(title, "\n\n".join(s for s in sections if s) + "\n", actions, harmed, because)


def _actions(
    removes: Sequence[str], failure: str, links: Sequence[Mapping[str, Any]], findings: Mapping[str, Any]
) -> tuple[Action, ...]:
    first = f"{links[0]['from']} → {links[0]['to']}" if links else ""
    what = FAILURE_WORDS.get(failure, failure)
    found = [Action(_sentence(text), "prevent", what, first) for text in removes]
    for gap in findings.get("gaps", []):
        text = str(gap.get("text", gap) if isinstance(gap, Mapping) else gap)
        if not text.startswith(PILLAR_GAPS):
            continue
        found.append(Action(f"Close the gap that this incident showed: {text}", "detect", "not being able to see", ""))
    return tuple(found)


def _impact(findings: Mapping[str, Any]) -> list[str]:
    impact = findings.get("impact") or {}
    lines = []
    for name, what in (("failed", "failed in excess"), ("slow", "were slow in excess"), ("lost", "never arrived")):
        number = impact.get(name)
        if not number:
            lines.append(f"Requests that {what}: unknown.")
            continue
        bound = "at least " if number.get("lower_bound") else ""
        lines.append(
            f"Requests that {what}: {bound}{number['value']:,.0f} ({number['low']:,.0f}–{number['high']:,.0f})."
        )
    return lines


def _trigger(findings: Mapping[str, Any]) -> list[str]:
    best = [h for h in findings.get("hypotheses", []) if h.get("state") in ("confirmed", "supported") and h.get("ref")]
    best.sort(key=lambda h: h["state"] != "confirmed")
    if not best:
        return ["Unknown. A change near in time is a suspect, not a trigger."]
    waived = f", its reversal waived by hand: {best[0]['waived']}" if best[0].get("waived") else ""
    return [f"{best[0]['ref']} ({best[0]['state']}{waived}). The trigger is not the mechanism: see below."]


def _detection(timeline: pd.DataFrame | None) -> list[str]:
    if timeline is None or timeline.empty:
        return ["Unknown."]
    rows = timeline[timeline["lane"] == "detection"]
    return [str(fact) for fact in rows["fact"]] or ["Nothing noted: how it was noticed is unknown."]


def _limited(findings: Mapping[str, Any]) -> list[str]:
    helped = [m for m in findings.get("mitigations", []) if m.get("effect") == "helped"]
    return [f"{m.get('summary') or m.get('ref')}: the symptom went back to what it was." for m in helped] or [TO_FILL]


def _guardrails(findings: Mapping[str, Any]) -> list[str]:
    rails = [f"{g['what']}: **{g['state']}**. {g['because']}" for g in findings.get("guardrails", [])]
    rules = [f"Rule tried on the record: {said}" for said in findings.get("rules", [])]
    return [*rails, *rules] or [TO_FILL]


def _timeline(timeline: pd.DataFrame | None, zone: ZoneInfo) -> str:
    import pandas as pd

    if timeline is None or timeline.empty:
        return ""
    rows = ["## Timeline", "", f"| time (UTC) | {zone.key} | lane | fact |", "|---|---|---|---|"]
    for row in timeline.sort_values("time", kind="stable").itertuples(index=False):
        at = pd.Timestamp(row.time).tz_convert("UTC")
        there = at.tz_convert(zone)
        rows.append(f"| {at:%Y-%m-%d %H:%M:%S} | {there:%H:%M:%S %Z} | {row.lane} | {_cell(row.fact)} |")
    return "\n".join(rows)


def _action_table(actions: Sequence[Action]) -> str:
    rows = [
        "## Action items",
        "",
        "| action | type | removes | breaks the link | owner | due |",
        "|---|---|---|---|---|---|",
    ]
    for a in actions:
        cells = (a.text, a.type, a.removes, a.breaks or TO_FILL, a.owner or TO_FILL, a.due or TO_FILL)
        rows.append(f"| {' | '.join(_cell(c) for c in cells)} |")
    return "\n".join(rows if actions else [*rows[:1], "", f"None proposed: {TO_FILL}."])


def _section(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {heading}", "", *(f"- {line}" for line in lines)])


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
