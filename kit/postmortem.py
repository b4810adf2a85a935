"""A blameless postmortem, drafted from the findings: what is known stands in it, what is not is left to be written.

It names no person, tells the mechanism and not a name, and proposes actions that each break a link of the mechanism and
remove a class of failure; owner and date are for people to fill in, and the draft says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kit.numerics.moments import length
from kit.plain_text import upper
from kit.result import Result
from kit.summary import FAILURE_WORDS, change_said, summarize

if TYPE_CHECKING:
    import pandas as pd

TO_FILL = "**to be filled in**"
SHOWN = 3
"""So many of the checks that a link rests on are told."""
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
    rests_on: Mapping[str, Sequence[str]] | None = None,
) -> Postmortem:
    """What can be written of this incident already, and what is left to people?

    `findings` is the merged `findings.json`; `timeline` has `time` (UTC), `lane`, `fact` and, where it is known,
    `earliest`, `latest` and `evidence`; `removes` are the actions that the playbook of this class of failure proposes;
    `rests_on` the evidence ids of each finding by `part/key`. Numbers come from the findings alone. An unknown stays
    *unknown*; the draft of a healthy window says that nothing happened. An action is said to break a link only where
    its words say which; else that is left to be filled in.

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
        _section("Summary", [*_placed(summary.broke, (rests_on or {}).get("00/episodes", ())), *summary.sure]),
        _section("Impact", _impact(findings, (rests_on or {}).get("07/impact", ()))),
        _section("Trigger", _trigger(findings, ZoneInfo(zone))),
        _section("Mechanism", _mechanism(findings)),
        _section("Detection", _detection(timeline, findings)),
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
    what = FAILURE_WORDS.get(failure, failure)
    found = [Action(_sentence(text), "prevent", what, _link_broken(text, links)) for text in removes]
    for gap in findings.get("gaps", []):
        text = str(gap.get("text", gap) if isinstance(gap, Mapping) else gap)
        if not text.startswith(PILLAR_GAPS):
            continue
        found.append(Action(f"Close the gap that this incident showed: {text}", "detect", "not being able to see", ""))
    return tuple(found)


def _placed(lines: Sequence[str], evidence: Sequence[str]) -> list[str]:
    """Who was hurt, with what it rests on; the other lines' figures stand with their evidence below."""
    return [f"{x.rstrip('.')}{_ids(evidence)}." if x.startswith("Hurt: ") and evidence else x for x in lines]


def _link_broken(action: str, links: Sequence[Mapping[str, Any]]) -> str:
    """Which link of the chain would this action break, by its words? Empty: they do not say.

    A check before a change breaks the first link; a limit on waiting breaks the first one in which something waits or
    is held.
    """
    if not links:
        return ""
    found = None
    if _LIMIT.search(action):
        found = next((x for x in links if _WAITING.search(str(x.get("text", "")))), None)
    elif _BEFORE.search(action):
        found = links[0]
    return f"{found['from']} → {found['to']}" if found is not None else ""


_LIMIT = re.compile(r"\b(?:time-?outs?|breakers?|caps?|limits?|budgets?|shed\w*|bulkheads?|backoff)\b", re.I)
_WAITING = re.compile(r"\b(?:wait\w*|held|holds?|queued?|kept)\b", re.I)
_BEFORE = re.compile(
    r"\b(?:checks?|tests?|gates?|refuses?|reviews?|rollouts?|canary|staging|renew\w*|expir\w*|contract|lint)\b", re.I
)


def _impact(findings: Mapping[str, Any], evidence: Sequence[str]) -> list[str]:
    impact = findings.get("impact") or {}
    shown = _ids(evidence)
    lines = []
    for name, what in (("failed", "failed"), ("slow", "were slow"), ("lost", "never arrived")):
        number = impact.get(name)
        if not number:
            lines.append(f"Requests that {what} beyond the usual: unknown.")
        elif not number["low"] and not number.get("lower_bound"):
            most = f"{number['high']:,.0f}"
            told = f"none that chance would not make (0–{most})" if round(number["high"]) else "none"
            lines.append(f"Requests that {what} beyond the usual: {told}{shown}.")
        else:
            lines.append(f"Requests that {what} beyond the usual: {_quantity(number)}{shown}.")
    for a in impact.get("affected") or []:
        named = (
            f": {', '.join(a['most'])}"
            if a.get("most") and a["kind"] != "routes" and a["hurt"] <= len(a["most"])
            else ""
        )
        lines.append(f"{a['hurt']:,} of {a['active']:,} {a['kind']} that were active had a hurt request{named}{shown}.")
    if impact.get("minutes_over") is not None:
        lines.append(f"Over the objective for {impact['minutes_over']:.1f} minutes{shown}.")
    if impact.get("budget_burned") is not None:
        burned = f"{impact['budget_burned']:.2%}" if impact["budget_burned"] else "none"
        lines.append(f"Error budget of 30 days of failed requests, at the healthy traffic, burned: {burned}{shown}.")
    times = [f"{name} {length(s)}" for name, s in (impact.get("times") or {}).items() if s is not None and s >= 0]
    if times:
        lines.append(f"From the onset until {', '.join(times)}.")
    return lines


def _quantity(number: Mapping[str, Any]) -> str:
    bound = "at least " if number.get("lower_bound") else ""
    low, high = f"{number['low']:,.0f}", f"{number['high']:,.0f}"
    return f"{bound}{number['value']:,.0f}" + (f" ({low}–{high})" if low != high else "")


def _ids(evidence: Sequence[str]) -> str:
    """Evidence as it stands behind a sentence: two ids at most, and how many more."""
    if not evidence:
        return ""
    more = f" and {len(evidence) - 2} more" if len(evidence) > 2 else ""
    return f" (evidence {', '.join(evidence[:2])}{more})"


def _trigger(findings: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    best = _told(findings)
    if best is None or not best.get("ref"):
        return ["Unknown. A change near in time is a suspect, not a trigger."]
    waived = f", its reversal waived by hand: {best['waived']}" if best.get("waived") else ""
    named = change_said(best["ref"], findings, zone)
    what = f"{best['ref']}: {named}" if named else str(best["ref"])
    return [f"{what}. {best['state'].capitalize()}{waived}. The trigger is not the mechanism: see below."]


def _told(findings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The hypothesis that the mechanism belongs to: the first confirmed, else the first supported one."""
    best = [h for h in findings.get("hypotheses", []) if h.get("state") in ("confirmed", "supported")]
    best.sort(key=lambda h: (h["state"] != "confirmed", not h.get("ref")))
    return best[0] if best else None


def _mechanism(findings: Mapping[str, Any]) -> list[str]:
    links, best = findings.get("mechanism", []), _told(findings)
    if not links:
        return ["Not told end to end yet; until then this is a correlation."]
    lines = []
    if best is not None and best["state"] != "confirmed":
        missing = "; ".join(best.get("missing") or []) or "nothing that the walk can name"
        lines.append(f"Supported, not confirmed. Missing: {missing}.")
    for link in links:
        told = str(link.get("text") or f"{link['from']} → {link['to']}").rstrip(".")
        seen = "; ".join(str(s).rstrip(".") for s in (link.get("shown") or [])[:SHOWN])
        shown = (
            f": {seen}{_ids(link['evidence'])}" if link.get("evidence") and seen else _ids(link.get("evidence") or [])
        )
        lines.append(f"{upper(told)}{shown or ' — not shown: no evidence for this link'}.")
    return lines


def _detection(timeline: pd.DataFrame | None, findings: Mapping[str, Any]) -> list[str]:
    if timeline is None or timeline.empty:
        return ["Unknown."]
    rows = timeline[timeline["lane"] == "detection"]
    lines = [f"{row.time:%Y-%m-%d %H:%M:%S} UTC: {row.fact}." for row in rows.itertuples(index=False)]
    after = ((findings.get("impact") or {}).get("times") or {}).get("detected")
    if lines and after is not None and after >= 0:
        lines[-1] += f" That was {length(after)} after the harm began." if len(lines) == 1 else ""
    return lines or ["Nothing noted: how it was noticed is unknown."]


def _limited(findings: Mapping[str, Any]) -> list[str]:
    """What ended it or did not, as it was judged; what else held is for people to say."""
    lines = []
    for m in findings.get("mitigations", []):
        said = f"{m.get('summary') or m.get('ref')}"
        why = f" ({m['why']})" if m.get("why") else ""
        words = {
            "helped": "the harm ended after it",
            "none": "tried, and the harm did not end by it",
            "worse": "tried, and it became worse", "cannot_tell": "whether it helped cannot be told",
        }  # fmt: skip
        lines.append(f"{said}: {words.get(str(m.get('effect')), str(m.get('effect')))}{why}.")
    return [*lines, TO_FILL] if not any(m.get("effect") == "helped" for m in findings.get("mitigations", [])) else lines


def _guardrails(findings: Mapping[str, Any]) -> list[str]:
    rails = [f"{g['what']}: **{g['state']}**. {g['because']}" for g in findings.get("guardrails", [])]
    rules = [f"Rule tried on the record: {said}" for said in findings.get("rules", [])]
    return [*rails, *rules] or [TO_FILL]


def _timeline(timeline: pd.DataFrame | None, zone: ZoneInfo) -> str:
    import pandas as pd

    if timeline is None or timeline.empty:
        return ""
    known = "evidence" in timeline.columns
    head = ["## Timeline", "", f"| time (UTC) | {zone.key} | lane | fact |" + (" evidence |" if known else "")]
    rows = [*head, "|---|---|---|---|" + ("---|" if known else "")]
    for row in timeline.sort_values("time", kind="stable").itertuples(index=False):
        at = pd.Timestamp(row.time).tz_convert("UTC")
        there = at.tz_convert(zone)
        shown = (f" {_evidence_cell(row)} |") if known else ""
        when = f"{at:%Y-%m-%d %H:%M:%S}{_give_or_take(row)}"
        rows.append(f"| {when} | {there:%H:%M:%S %Z} | {row.lane} | {_cell(row.fact)} |{shown}")
    return "\n".join(rows)


def _give_or_take(row: Any) -> str:
    """How far the instant may be off, where that is a second or more."""
    if not hasattr(row, "earliest"):
        return ""
    most = max((row.latest - row.time).total_seconds(), (row.time - row.earliest).total_seconds())
    return f" (± {most:.0f} s)" if most >= 1 else ""


def _evidence_cell(row: Any) -> str:
    if getattr(row, "by_hand", False):
        return "noted by hand"
    ids = [part.strip() for part in str(row.evidence).split(",") if part.strip()]
    return ", ".join(ids[:2]) + (f" and {len(ids) - 2} more" if len(ids) > 2 else "")


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
    return upper(text)
