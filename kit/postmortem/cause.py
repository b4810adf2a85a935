"""How is the cause told: what set it off, by which chain, what speaks against it, what was ruled out, will it recur?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from kit.plain_text import upper
from kit.postmortem.markdown import ids
from kit.summary import LAG_RULE, change_said, not_because, order_unsure, when


def told_by(findings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The hypothesis that the mechanism belongs to: the first confirmed, else the first supported one."""
    best = [h for h in findings.get("hypotheses", []) if h.get("state") in ("confirmed", "supported")]
    best.sort(key=lambda h: (h["state"] != "confirmed", not h.get("ref")))
    return best[0] if best else None


def trigger_lines(findings: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """What set it off, as far as it was tested, and what time alone cannot say."""
    best = told_by(findings)
    if best is None or not best.get("ref"):
        return ["Unknown. A change near in time is a suspect, not a trigger."]
    waived = f", its reversal waived by hand: {best['waived']}" if best.get("waived") else ""
    named = change_said(best["ref"], findings, zone)
    what = f"{best['ref']}: {named}" if named else str(best["ref"])
    unsure = order_unsure(best["ref"], findings)
    lines = [f"{what}. {best['state'].capitalize()}{waived}{unsure}. The trigger is not the mechanism: see below."]
    if best.get("reversal"):
        lines.append(f"What shows it beside the order in time: {str(best['reversal']).rstrip('.')}.")
    return lines


def mechanism_lines(
    findings: Mapping[str, Any], *, empty: Collection[str], first_line: Mapping[str, Any] | None = None
) -> list[str]:
    """The chain link by link, each with every check that showed it and its evidence; what was not checked is said."""
    links, best = findings.get("mechanism", []), told_by(findings)
    said = (
        [] if first_line is None else [f"The first new warning or error{_where(first_line)}: “{first_line['text']}”."]
    )
    if not links:
        return ["Not told end to end yet; until then this is a correlation.", *said]
    lines = []
    if best is not None and best["state"] != "confirmed":
        missing = "; ".join(best.get("missing") or []) or "nothing that the walk can name"
        lines.append(f"Supported, not confirmed. Missing: {missing}.")
    for link in links:
        told = str(link.get("text") or f"{link['from']} → {link['to']}").rstrip(".")
        seen = _seen(link, empty)
        lines.append(f"{upper(told)}{f': {seen}' if seen else ' — not shown: no evidence for this link'}.")
    return [*lines, *_not_ordered(links), *said]


def _where(first_line: Mapping[str, Any]) -> str:
    return f" that {first_line['service']} wrote in the harm" if first_line.get("service") else ""


def _seen(link: Mapping[str, Any], empty: Collection[str]) -> str:
    evidence = list(link.get("evidence") or [])
    if not evidence:
        return ""
    shown = [str(s).rstrip(".") for s in link.get("shown") or []]
    by = link.get("shown_by") or []
    if len(by) != len(shown):
        return f"{'; '.join(shown) or 'shown'}{ids(evidence, empty=empty)}"
    return "; ".join(f"{text}{ids(own, empty=empty)}" for text, own in zip(shown, by, strict=True))


def _not_ordered(links: list[Mapping[str, Any]]) -> list[str]:
    """For which links was it not checked what came first?"""
    asked = [n for n, x in enumerate(links, 1) if (x.get("aspects") or {}).get("order") == "held"]
    if len(asked) == len(links) or not any(x.get("aspects") for x in links):
        return []
    rest = "each" if not asked else "each other"
    checked = f" was checked for link {', '.join(map(str, asked))} only" if asked else " was not checked for any link"
    return [
        f"The order in time{checked}: of {rest} link it is shown that it was so during the harm and not before; that "
        "it led to the next one is the account, which no check contradicts."
    ]


def against_lines(findings: Mapping[str, Any]) -> list[str]:
    """What speaks against the explanation, what chance would do, and what is still open beside it."""
    best = told_by(findings)
    lines = []
    for episode in findings.get("episodes", [])[:1]:
        against = [str(x) for x in (episode.get("failure") or {}).get("against") or []]
        if against:
            told = "; ".join(x.removeprefix("not seen: ") for x in against)
            lines.append(f"Looked for, and not found as this class of failure would have it: {told}.")
        if best is not None and best.get("ref"):
            lines += _by_chance(episode, str(best["ref"]))
        for unseen in (episode.get("cut") or {}).get("unknown") or []:
            lines.append(
                f"Nothing of {unseen} itself was recorded: whether it is at fault, or the way to it (the network, the "
                "lookup of its name), cannot be told."
            )
    for h in findings.get("hypotheses", []):
        if h.get("state") in ("open", "guess") and h is not best:
            missing = "; ".join(h.get("missing") or []) if h["state"] == "open" else ""
            still = "predicts nothing that can be tested here" if h["state"] == "guess" else "is still open"
            lines.append(
                f"Not ruled out: “{h['statement'].rstrip('.')}” {still}{f' (it lacks {missing})' if missing else ''}."
            )
    return lines or ["Nothing that the walk noticed."]


def _by_chance(episode: Mapping[str, Any], ref: str) -> list[str]:
    found = next((s for s in episode.get("suspects") or [] if ref in (s.get("ref"), s.get("id"))), None)
    if found is None or found.get("p_coincidence") is None:
        return []
    return [f"By chance alone a {found['kind']} change would lie so near in {found['p_coincidence']:.0%} of moments."]


def ruled_out_lines(findings: Mapping[str, Any], told: list[str]) -> list[str]:
    """What was ruled out, as the summary tells it; what only a rule of thumb sets aside says so."""
    weak = {not_because(h, findings) for h in findings.get("hypotheses", []) if _by_rule_alone(h)}
    return [
        f"Set aside by a rule of thumb, not ruled out: {line.removeprefix('Not ')}"
        if line.partition(": ")[0] in weak
        else line
        for line in told
    ] or ["Nothing was ruled out."]


def _by_rule_alone(hypothesis: Mapping[str, Any]) -> bool:
    reasons = hypothesis.get("refuted_by") or []
    return hypothesis.get("state") == "refuted" and len(reasons) == 1 and LAG_RULE in str(reasons[0])


def recurrence_lines(findings: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """Could the same happen next month, by what is known of what began and ended it?"""
    if not findings.get("episodes"):
        return ["Nothing happened that could recur."]
    best = told_by(findings)
    if best is None or not best.get("ref") or best.get("state") != "confirmed":
        return [
            "It has to be reckoned with: what began it was not found, and no action above is known to be done."
            if not any(m.get("effect") == "helped" for m in findings.get("mitigations", []))
            else "Perhaps: the harm ended after an action, but what began it is not confirmed."
        ]
    ref = str(best["ref"])
    ended = [m for m in findings.get("mitigations", []) if m.get("effect") == "helped"]
    over = (findings["episodes"][0].get("recovered") or {}).get("time")
    if ended:
        state = f"Not from {ref} as long as “{ended[0].get('summary') or ended[0]['ref']}” stays"
    elif over:
        state = f"The harm was over {when(findings['episodes'][0]['recovered'], zone)}"
    else:
        state = "It was not over when the recording ends"
    return [f"{state}. Yes, when {ref} or its like is done again: no record says that an action above is done."]
