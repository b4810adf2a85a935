"""What can be written of this incident already, and what is left to people?

It names no person, tells the mechanism and not a name, and proposes actions that each break a link of the mechanism and
remove a class of failure; owner and date are for people to fill in, and the draft says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kit.postmortem.actions import Action, action_table, propose
from kit.postmortem.cause import (
    against_lines,
    mechanism_lines,
    recurrence_lines,
    ruled_out_lines,
    told_by,
    trigger_lines,
)
from kit.postmortem.harm import detection_lines, guardrail_lines, impact_lines, limited_lines, timeline_table
from kit.postmortem.markdown import TO_FILL, ids, section
from kit.result import Result
from kit.summary import summarize

if TYPE_CHECKING:
    import pandas as pd


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
            return (
                "Could it happen again next month? Yes, as far as is known: no action that breaks a link is recorded."
            )
        return "Could it happen again next month? Nothing happened that could."

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
    alarms: Sequence[str] = (),
    first_line: Mapping[str, Any] | None = None,
    evidence_hash: str = "",
    rests_on: Mapping[str, Sequence[str]] | None = None,
    empty: Collection[str] = (),
) -> Postmortem:
    """What can be written of this incident already, and what is left to people?

    `findings` is the merged `findings.json`; `timeline` has `time` (UTC), `lane`, `fact` and, where it is known,
    `earliest`, `latest` and `evidence`; `removes` are the actions that the playbook of this class of failure proposes;
    `alarms` rules that would have paged before somebody noticed, in words; `first_line` the first new error line
    (`service`, `text`); `rests_on` the evidence ids of each finding by `part/key`; `empty` the ids of answers without a
    row, which stand behind a sentence only where it has no others. Numbers come from the findings alone. An unknown
    stays *unknown*; the draft of a healthy window says that nothing happened. An action is said to break a link only
    where its words say which; else that is left to be filled in.

    >>> draft_postmortem({"verdict": "healthy", "episodes": []}, title="quiet").headline
    'Could it happen again next month? Nothing happened that could.'
    """
    summary = summarize(findings, title=title, zone=zone)
    failure = ((findings.get("episodes") or [{}])[0].get("failure") or {}).get("name", "unclassified")
    harmed = bool(findings.get("episodes"))
    clock, grounds = ZoneInfo(zone), rests_on or {}
    actions = propose(
        findings, failure=failure, removes=removes, alarms=alarms, first_line=first_line, told=told_by(findings)
    )
    sections = [
        f"# {title}",
        f"_Draft from recorded evidence{f' {evidence_hash[:16]}' if evidence_hash else ''}. Blameless: it asks what "
        "about the system let this happen, and names no person._",
        section("Summary", [*_placed(summary.broke, grounds.get("00/episodes", ()), empty), *summary.sure]),
        section("Impact", impact_lines(findings, grounds.get("07/impact", ()), empty=empty)),
        section("Trigger", trigger_lines(findings, clock)),
        section("Mechanism", mechanism_lines(findings, empty=empty, first_line=first_line)),
        section("What speaks against it, and what is open", against_lines(findings)) if harmed else "",
        section("Detection", detection_lines(timeline, findings)),
        section("What limited the harm", limited_lines(findings)),
        section("Guardrails", guardrail_lines(findings)) if harmed else "",
        section("Where we were lucky", [TO_FILL]),
        section("Ruled out", ruled_out_lines(findings, list(summary.ruled_out))),
        section("What we do not know", summary.unknown or ["Nothing that the walk noticed."]),
        timeline_table(timeline, clock, empty=empty),
        action_table(actions),
        section("Could it happen again next month?", recurrence_lines(findings, clock)),
    ]
    because = tuple(f"{a.text} (breaks: {a.breaks or 'no link named yet'})" for a in actions)
    return Postmortem(title, "\n\n".join(s for s in sections if s) + "\n", actions, harmed, because)


def _placed(lines: Sequence[str], evidence: Sequence[str], empty: Collection[str]) -> list[str]:
    """Who was hurt, with what it rests on; the other lines' figures stand with their evidence below."""
    behind = ids(evidence, empty=empty)
    return [f"{x.rstrip('.')}{behind}." if x.startswith("Hurt: ") and behind else x for x in lines]
