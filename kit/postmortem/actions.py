"""What is proposed, of which type, and which link of the chain does it break?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.plain_text import upper
from kit.postmortem.markdown import TO_FILL, cell
from kit.summary import FAILURE_WORDS

GAP = re.compile(r"^no (?P<what>metrics|logs|spans) for (?P<services>.+)$")
PILLARS = ("metrics", "logs", "spans")
NO_CHANGES = "no changes were reported"
_LIMIT = re.compile(r"\b(?:time-?outs?|breakers?|caps?|limits?|budgets?|shed\w*|bulkheads?|backoff)\b", re.I)
_SOFTENS = re.compile(r"\b(?:gradual|canary|stops by itself|answers without|shorter|smaller|how long)\b", re.I)
_WAITING = re.compile(r"\b(?:wait\w*|held|holds?|queued?|kept)\b", re.I)
_BEFORE = re.compile(
    r"\b(?:checks?|tests?|gates?|refuses?|reviews?|rollouts?|canary|staging|renew\w*|expir\w*|contract|lint)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Action:
    """One proposed action: what is done, of which type, which class of failure and which link of the chain it removes.

    `type`: prevent, mitigate (it limits the harm) or detect. `owner` and `due` None: not named yet; an action without
    them is a wish.
    """

    text: str
    type: str
    removes: str
    breaks: str
    owner: str | None = None
    due: str | None = None


def propose(
    findings: Mapping[str, Any],
    *,
    failure: str,
    removes: Sequence[str],
    alarms: Sequence[str] = (),
    first_line: Mapping[str, Any] | None = None,
    told: Mapping[str, Any] | None = None,
) -> tuple[Action, ...]:
    """What should be done so that this class of failure goes, is limited, or is seen sooner?

    `removes`: what the playbook proposes; `alarms`: rules that would have fired before somebody noticed, with how long
    before; `first_line`: the first new error line with its `service` and `text`; `told`: the hypothesis that the
    mechanism belongs to.
    """
    what = FAILURE_WORDS.get(failure, failure)
    links = findings.get("mechanism", [])
    found = [_before_again(told, first_line, what, links)] if told and told.get("ref") else []
    found += [Action(upper(text), _type(text), what, link_broken(text, links)) for text in removes]
    found += [Action(f"Alert on it: {alarm}", "detect", "harm that nobody is told of", "") for alarm in alarms[:1]]
    return (*found, *_to_see(findings))


def _before_again(
    told: Mapping[str, Any],
    first_line: Mapping[str, Any] | None,
    what: str,
    links: Sequence[Mapping[str, Any]],
) -> Action:
    """What has to be true before the change is made again: what went wrong is repaired, and shown to be."""
    first = f"{links[0]['from']} → {links[0]['to']}" if links else ""
    text = f"Before {told['ref']} is made again: repeat this load with it in a safe place (notebook 06 says how)"
    if first_line is not None and told.get("failure") == "bad_change":
        where = f" in {first_line['service']}" if first_line.get("service") else ""
        repair = f"Repair what{where} ends in “{first_line['text']}”, the first new error line of the harm"
        text = f"{repair}, before {told['ref']} is made again"
    return Action(text, "prevent", what, first)


def _to_see(findings: Mapping[str, Any]) -> list[Action]:
    """What is to be seen next time: services at the break of which nothing was recorded; other gaps stay gaps."""
    at_break = {
        name.strip()
        for e in findings.get("episodes", [])[:1]
        for between in (e.get("cut") or {}).get("between") or []
        for name in between.split("→")
    }
    lacking: dict[str, list[str]] = {}
    found = []
    for gap in findings.get("gaps", []):
        text = str(gap.get("text", gap) if isinstance(gap, Mapping) else gap)
        if text.startswith(NO_CHANGES):
            found.append(Action("Record every change where the kit can read it", "detect", "not being able to see", ""))
        match = GAP.match(text)
        for service in match["services"].split(", ") if match else ():
            if service in at_break:
                lacking.setdefault(service, []).append(match["what"])  # type: ignore[index]
    for service, pillars in sorted(lacking.items()):
        if len(pillars) < len(PILLARS):
            continue
        text = (
            f"Ask whoever runs {service} what it did in the time of the harm, and keep a record of it from now on: "
            f"nothing of {service} itself was recorded, only what its callers saw"
        )
        found.append(Action(text, "detect", "not being able to see", ""))
    return found


def _type(text: str) -> str:
    """Does it prevent the failure, or limit what it does?"""
    return "mitigate" if _LIMIT.search(text) or _SOFTENS.search(text) else "prevent"


def link_broken(action: str, links: Sequence[Mapping[str, Any]]) -> str:
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


def action_table(actions: Sequence[Action]) -> str:
    """The actions as a table; what people have to fill in says so."""
    rows = [
        "## Action items",
        "",
        "| action | type | removes | breaks the link | owner | due |",
        "|---|---|---|---|---|---|",
    ]
    for a in actions:
        breaks = a.breaks or ("none: it shows the harm" if a.type == "detect" else TO_FILL)
        cells = (a.text, a.type, a.removes, breaks, a.owner or TO_FILL, a.due or TO_FILL)
        rows.append(f"| {' | '.join(cell(c) for c in cells)} |")
    return "\n".join(rows if actions else [*rows[:1], "", f"None proposed: {TO_FILL}."])
