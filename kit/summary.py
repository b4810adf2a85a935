"""The first screen in plain words: what broke, how sure, the chain, ruled out, not known, what stops it next time.

One text from `findings.json`, used by the page, the terminal and `now`, so that they never disagree. Numbers are
rounded, times absolute, no p-values; the words for certainty are confirmed, supported, open, ruled out, can't be tested
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.window import utc
from kit.plain_text import upper

WORDS = {
    "confirmed": "confirmed", "supported": "supported", "open": "open", "refuted": "ruled out",
    "guess": "can't be tested here",
}  # fmt: skip
FAILURE_WORDS = {
    "pool_starved": "a starved connection pool", "overload": "overload", "retry_storm": "a retry storm",
    "bad_change": "a bad change", "client_contract": "a broken client contract",
    "auth_misconfiguration": "a misconfiguration of authentication", "slow_dependency": "a slow dependency",
    "certificate_expired": "an expired certificate", "disk_full": "a full disk", "scheduled_job": "a scheduled job",
    "queue_backlog": "a queue backlog", "fail_fast": "requests failing fast", "one_location": "a fault in one location",
    "resource_leak": "a resource leak", "traffic_lost": "traffic lost upstream",
    "unclassified": "no known class of failure",
}  # fmt: skip


RULED_OUT_SHOWN = 6


@dataclass(frozen=True)
class Summary:
    """The six parts of the first screen, each a list of sentences in reading order."""

    title: str
    broke: tuple[str, ...]
    sure: tuple[str, ...]
    chain: tuple[str, ...] = field(default=())
    ruled_out: tuple[str, ...] = field(default=())
    unknown: tuple[str, ...] = field(default=())
    prevention: tuple[str, ...] = field(default=())

    def sections(self) -> list[tuple[str, tuple[str, ...]]]:
        """The parts with their headings, in the order of the first screen."""
        return [
            ("What broke", self.broke),
            ("How sure are we, and what would change our mind", self.sure),
            ("The chain", self.chain),
            ("Ruled out", self.ruled_out),
            ("What we do not know", self.unknown),
            ("What stops it next time", self.prevention),
        ]


def summarize(findings: Mapping[str, Any], *, title: str, zone: str = "UTC") -> Summary:
    """What would a tired reader want to know first? From the merged findings and the case's title and zone."""
    verdict = findings.get("verdict", "cannot_tell")
    unknown = _unknown(findings)
    if verdict == "healthy":
        return Summary(
            title="Nothing is wrong in this window",
            broke=("Errors, tail latency and traffic at the entry stayed within what they were before.",),
            sure=("No symptom passed its test; a smaller harm than the stated floors would not show.",),
            unknown=unknown,
        )
    episodes = findings.get("episodes", [])
    if verdict == "cannot_tell" or not episodes:
        return Summary(
            title=title,
            broke=("The data at hand cannot tell whether users were hurt.",),
            sure=("Nothing is concluded.",),
            unknown=unknown,
        )
    zoneinfo = ZoneInfo(zone)
    return Summary(
        title=title,
        broke=tuple(line for e in episodes for line in _broke(e, findings, zoneinfo)),
        sure=_sure(findings, zoneinfo),
        chain=_chain(findings),
        ruled_out=_ruled_out(findings),
        unknown=unknown,
        prevention=tuple(str(n.get("text", n) if isinstance(n, Mapping) else n) for n in findings.get("next", [])),
    )


def _broke(episode: Mapping[str, Any], findings: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    lines = []
    onset, recovered = episode.get("onset"), episode.get("recovered")
    if onset:
        began = f"Harm began {when(onset, zone)}"
        if onset.get("censored"):
            began += ", or earlier: it was there when the recording starts"
        if recovered and recovered.get("time"):
            minutes = (utc(recovered["time"]) - utc(onset["time"])).total_seconds() / 60
            lines.append(f"{began} and was over {when(recovered, zone)}: {minutes:.1f} minutes.")
        else:
            lines.append(f"{began} and was not over when the recording ends.")
    failed = (findings.get("impact") or {}).get("failed")
    if failed:
        at_least = "At least " if failed.get("lower_bound") else ""
        many = (
            f"{at_least}{_round(failed['value'])} more requests" if failed["value"] or at_least else "No more requests"
        )
        lines.append(f"{many} failed than before{_range(failed)}.")
    slow = (findings.get("impact") or {}).get("slow")
    if slow and slow.get("value"):
        failing = " without failing" if (failed or {}).get("value") else ""
        lines.append(f"{_round(slow['value'])} more requests were slow{slow_means(findings)}{failing}{_range(slow)}.")
    lost = (findings.get("impact") or {}).get("lost")
    if lost and lost.get("low"):
        lines.append(f"{_round(lost['value'])} requests that were to be expected never came{_range(lost)}.")
    for work in (findings.get("impact") or {}).get("late") or []:
        waiting = f"; at most {work['waiting']:,.0f} waited" if work.get("waiting") is not None else ""
        lines.append(f"{work['signal']} was over its limit for {work['minutes']:.1f} minutes{waiting}.")
    scope = episode.get("scope") or {}
    if scope.get("where"):
        lines.append(
            f"Hurt: {scope['where']}"
            + (f", {scope['share_of_traffic']:.0%} of the traffic" if scope.get("share_of_traffic") is not None else "")
            + (
                f", {scope['explains']:.0%} of what went beyond the usual, by bins"
                if scope.get("explains") is not None
                else ""
            )
            + "."
        )
    worst = (findings.get("impact") or {}).get("worst")
    if worst:
        lines.append(f"Of {worst[2]:,.0f} requests to {worst[0]}{in_which_time(findings)} {worst[1]:,.0f} were hurt.")
    failure = episode.get("failure") or {}
    if failure.get("name"):
        lines.append(f"The shape is that of {FAILURE_WORDS.get(failure['name'], failure['name'])}.")
    cut = episode.get("cut") or {}
    if cut.get("between"):
        lines.append(f"The break is at {', '.join(cut['between'])}{_passed_on(cut)}.")
    best = [h for h in findings.get("hypotheses", []) if h.get("state") in ("confirmed", "supported")]
    best.sort(key=lambda h: h["state"] != "confirmed")
    named = change_said(best[0].get("ref"), findings, zone) if best else None
    if named:
        lines.insert(1, f"Set off by {named}: {WORDS[best[0]['state']]}{order_unsure(best[0].get('ref'), findings)}.")
    undone = bool(best) and best[0]["state"] == "confirmed" and not best[0].get("waived")
    for mitigation in findings.get("mitigations", []):
        if mitigation.get("effect") == "helped":
            ended = "What stopped it" if undone else "It ended soon after"
            lines.append(f"{ended}: {mitigation.get('summary') or mitigation['ref']}.")
    if recovered and recovered.get("time") and not _ended_by(findings):
        vain = [m.get("summary") or m["ref"] for m in findings.get("mitigations", []) if m.get("effect") == "none"]
        tried = f"; tried, without ending it: {', '.join(vain)}" if vain else ""
        lines.append(f"What ended it is not known{tried}.")
    return lines


def in_which_time(findings: Mapping[str, Any]) -> str:
    """The widest span of the harm, in which requests were counted; empty where it has no end."""
    episode = next(iter(findings.get("episodes", [])), {})
    first, last = ((episode.get(n) or {}).get(e) for n, e in (("onset", "earliest"), ("recovered", "latest")))
    return f" from {utc(first):%H:%M:%S} to {utc(last):%H:%M:%S} UTC" if first and last else " in that time"


def slow_means(findings: Mapping[str, Any]) -> str:
    """From when on is a request called slow here? Empty where the findings do not say."""
    impact = findings.get("impact") or {}
    if "limits" not in impact:
        return ""
    limit = impact["limits"].get("latency_p99_s")
    usual = "over 1.5 times the usual 99 % of their route and at least 0.1 s beyond it"
    return f" (over {limit:g} s, the objective)" if limit else f" ({usual})"


def order_unsure(ref: Any, findings: Mapping[str, Any]) -> str:
    """What is to be said where the change lies within the uncertainty of the onset: time alone does not order them."""
    suspects = [s for e in findings.get("episodes", []) for s in e.get("suspects") or []]
    found = next((s for s in suspects if ref is not None and ref in (s.get("ref"), s.get("id"))), None)
    if found is None or found.get("relation") != "within_uncertainty":
        return ""
    return "; it lies within the uncertainty of the onset, so the clock alone does not say which came first"


def _passed_on(cut: Mapping[str, Any]) -> str:
    """What is known of the part before the break: whatever goes wrong there comes from behind it."""
    before = ", ".join(cut.get("last_good") or [])
    return f": what goes wrong at {before} comes from there, as far as it was measured" if before else ""


def _ended_by(findings: Mapping[str, Any]) -> bool:
    """Did an action end it, or did the change that the tested cause names end with it?"""
    if any(m.get("effect") in ("helped", "cannot_tell") for m in findings.get("mitigations", [])):
        return True
    return any(h.get("state") == "confirmed" for h in findings.get("hypotheses", []))


def _sure(findings: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    hypotheses = findings.get("hypotheses", [])
    alive = [h for h in hypotheses if h.get("state") in ("confirmed", "supported")]
    alive.sort(key=lambda h: h["state"] != "confirmed")
    lines = []
    for hypothesis in alive[:3]:
        lines.append(f"{WORDS[hypothesis['state']].capitalize()}: {_sentence(hypothesis['statement'])}")
        named = change_said(hypothesis.get("ref"), findings, zone)
        if named:
            lines.append(f"{hypothesis['ref']} is: {named}.")
        if hypothesis.get("waived"):
            lines.append(f"No reversal was seen; it was waived by hand: {hypothesis['waived']}.")
        missing = hypothesis.get("missing") or []
        if missing and hypothesis["state"] != "confirmed":
            lines.append(f"It is not confirmed; what is missing: {'; '.join(missing)}.")
    if not alive:
        still = [h for h in hypotheses if h.get("state") == "open"]
        lines.append(
            f"No explanation is supported yet; {len(still)} still open."
            if still
            else "No explanation has been tested yet."
        )
    change = [h["would_change"] for h in alive[:1] if h.get("would_change")]
    lines.extend(f"We would change our mind if {c}." for c in change)
    return tuple(lines)


def change_said(ref: Any, findings: Mapping[str, Any], zone: ZoneInfo) -> str | None:
    """What the change log says of this change, and when it was."""
    suspects = [s for e in findings.get("episodes", []) for s in e.get("suspects") or []]
    found = next((s for s in suspects if ref is not None and ref in (s.get("ref"), s.get("id"))), None)
    return f"{found['summary']} ({_at(found['time'], zone):%H:%M:%S %Z})" if found else None


def _chain(findings: Mapping[str, Any]) -> tuple[str, ...]:
    links = findings.get("mechanism", [])
    if not links:
        return ()
    lines = []
    for link in links:
        gap = "" if link.get("evidence") else " — no evidence for this link"
        told = str(link.get("text") or f"{link['from']} → {link['to']}").rstrip(".")
        lines.append(f"{upper(told)}{gap}")
    return tuple(lines)


def _ruled_out(findings: Mapping[str, Any]) -> tuple[str, ...]:
    refuted = [h for h in findings.get("hypotheses", []) if h.get("state") == "refuted"]
    lines = [f"{not_because(h, findings)}: {_first(h['refuted_by']).rstrip('.')}." for h in refuted]
    more = len(lines) - RULED_OUT_SHOWN
    together = [_associated(t) for e in findings.get("episodes", []) for t in e.get("together") or []]
    rest = [f"{more} more, each by a named check (notebook 06)."] if more > 0 else []
    return (*lines[:RULED_OUT_SHOWN], *rest, *together)


RIVALS = {
    "artefact": "a measurement artefact", "cpu": "a lack of CPU",
}  # fmt: skip
CONTRARY = "not so: "
LAG_RULE = "; the rule here is "
"""A refutation that rests on a rule of how soon a change shows rules nothing out: it is told last, and as a rule."""


def _associated(told: str) -> str:
    """An association as it is told to readers who may take one for a cause."""
    more = (
        ": that they move together makes neither the cause of the other, and what moved first was not checked"
        if " both follow " in told
        else ""
    )
    return _sentence(upper(told) + more)


def not_because(hypothesis: Mapping[str, Any], findings: Mapping[str, Any]) -> str:
    """What was ruled out, so that a skimming reader cannot take it for what happened."""
    ref = hypothesis.get("ref")
    if ref:
        suspects = [s for e in findings.get("episodes", []) for k in ("suspects", "ruled_out") for s in e.get(k) or []]
        found = next((s for s in suspects if ref in (s.get("id"), s.get("ref"))), None)
        name = str(found.get("ref") or ref) if found else str(ref)
        said = f" ({found['summary']})" if found and found.get("summary") and found["summary"] != name else ""
        at = f" of {utc(found['time']):%H:%M:%S} UTC" if found and str(ref).startswith("derived:") else ""
        alone = " alone" if "still in place" in _first(hypothesis.get("refuted_by") or "") else ""
        return f"Not {name}{at}{said}{alone}"
    if hypothesis.get("id") == "unobserved":
        return "Unlikely, though not excluded, that something not observed began it"
    if hypothesis.get("id") in RIVALS:
        return f"Not {RIVALS[hypothesis['id']]}"
    if hypothesis.get("failure") in FAILURE_WORDS:
        alone = " without a recorded change" if "no recorded change began it" in hypothesis["statement"] else ""
        return f"Not {FAILURE_WORDS[hypothesis['failure']]}{alone}"
    return f"Not so: “{hypothesis['statement'].rstrip('.')}”"


def _first(reasons: Any) -> str:
    """The first reason, by what was seen; where another change's undoing speaks against it, that it does."""
    listed = [str(r) for r in reasons] if isinstance(reasons, list | tuple) and reasons else [str(reasons)]
    text = next((r for r in listed if LAG_RULE not in r), listed[0])
    expected, _, seen = text.partition(" — ")
    if seen and expected.startswith(CONTRARY):
        return f"then the harm would not have ended as it did: {seen}"
    return seen or text


def _unknown(findings: Mapping[str, Any]) -> tuple[str, ...]:
    lines = [str(g.get("text", g) if isinstance(g, Mapping) else g) for g in findings.get("gaps", [])]
    lines += [str(p.get("text", p) if isinstance(p, Mapping) else p) for p in findings.get("partial", [])]
    lines += [
        f"whether undoing it ends it: waived by hand for “{h['statement'].rstrip('.')}”: {h['waived']}"
        for h in findings.get("hypotheses", [])
        if h.get("waived")
    ]
    residuals = [e.get("residual") for e in findings.get("episodes", []) if e.get("residual")]
    lines += [f"{r:.0%} of the excess failures is not carried by the explanation." for r in residuals if r > 0.1]
    return tuple(lines)


def when(interval: Mapping[str, Any], zone: ZoneInfo) -> str:
    """An instant known as an interval, in absolute words.

    >>> when({"earliest": "2026-03-01T01:14:00Z", "time": "2026-03-01T01:14:03Z", "latest": "2026-03-01T01:14:06Z"},
    ...      ZoneInfo("Europe/Berlin"))
    'between 02:14:00 and 02:14:06 CET (2026-03-01)'
    """
    first, last = _at(interval["earliest"], zone), _at(interval["latest"], zone)
    if (last - first).total_seconds() < 1:
        return f"at {first:%H:%M:%S %Z} ({first:%Y-%m-%d})"
    return f"between {first:%H:%M:%S} and {last:%H:%M:%S %Z} ({first:%Y-%m-%d})"


def _at(time: Any, zone: ZoneInfo) -> datetime:
    return utc(time).astimezone(zone)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith(".") else f"{text}."


def _range(quantity: Mapping[str, Any]) -> str:
    low, high = _round(quantity["low"]), _round(quantity["high"])
    return f" ({low}–{high})" if low != high else ""


def _round(value: float) -> str:
    """Two significant digits are enough for a first screen; numbers below a thousand stay exact."""
    value = float(value)
    if abs(value) < 1000:
        return f"{value:,.0f}"
    digits = len(str(int(abs(value)))) - 2
    return f"{round(value, -digits):,.0f}"


def terminal_text(findings: Mapping[str, Any], *, title: str, zone: str) -> str:
    """The findings as the few lines a terminal needs: onset, class, suspect, cut, verdict; then the first screen."""
    summary = summarize(findings, title=title, zone=zone)
    lines = [summary.title, "=" * min(len(summary.title), 78)]
    zoneinfo = ZoneInfo(zone)
    for episode in findings.get("episodes", []):
        suspects = sorted(episode.get("suspects") or [], key=lambda s: s.get("rank", 1))
        cut = episode.get("cut") or {}
        failure = episode.get("failure") or {}
        rows = {
            "onset": when(episode["onset"], zoneinfo) if episode.get("onset") else "not found",
            "class": f"{failure.get('name', 'unclassified')} — {failure['action']}" if failure.get("action") else failure.get("name", "unclassified"),  # noqa: E501
            "suspect": f"{suspects[0].get('ref')}: {suspects[0].get('summary', '')}" if suspects else "none",
            "cut": ", ".join(cut.get("between") or []) or "not found",
        }  # fmt: skip
        lines += [f"{name:<9}{text}" for name, text in rows.items()]
    lines.append(f"{'verdict':<9}{_verdict(findings)}")
    for heading, sentences in summary.sections():
        if sentences:
            lines += ["", heading, *(f"  · {s}" for s in sentences)]
    return "\n".join([*lines, ""])


def _verdict(findings: Mapping[str, Any]) -> str:
    verdict = findings.get("verdict", "cannot_tell")
    if verdict != "incident":
        return {"healthy": "healthy: nothing is wrong in this window"}.get(verdict, "cannot tell")
    best = [h for h in findings.get("hypotheses", []) if h.get("state") in ("confirmed", "supported")]
    best.sort(key=lambda h: h["state"] != "confirmed")
    return f"{best[0]['state']}: {best[0]['statement']}" if best else "open: no explanation is supported yet"
