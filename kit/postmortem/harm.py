"""How is the harm told: how much, who, for how long, how it was noticed, what limited it, what happened in order?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kit.numerics.moments import length
from kit.postmortem.markdown import TO_FILL, cell, ids
from kit.signal_names import shown
from kit.summary import in_which_time, slow_means

if TYPE_CHECKING:
    import pandas as pd

OBJECTIVES = {"errors_ratio": "failed requests", "latency_p99_s": "the 99 % quantile of the duration"}
MARKS = {
    "detected": "noticed", "engaged": "taken on", "mitigated": "said to be mitigated",
    "resolved": "said to be resolved", "recovered": "users served as before",
}  # fmt: skip


def impact_lines(findings: Mapping[str, Any], evidence: Sequence[str], *, empty: Collection[str]) -> list[str]:
    """What was counted, each figure with what it means and what it rests on."""
    impact = findings.get("impact") or {}
    behind = ids(evidence, empty=empty)
    lines = []
    for name, what in (("failed", "failed"), ("slow", "were slow"), ("lost", "never arrived")):
        means, comma = (f"{slow_means(findings)} without failing", ",") if name == "slow" else ("", "")
        lines.append(f"Requests that {what}{means}{comma} beyond the usual: {_told(impact.get(name), behind)}.")
    if impact.get("worst"):
        route, hurt, active = impact["worst"]
        lines.append(
            f"{hurt:,.0f} of the {active:,.0f} requests to {route}{in_which_time(findings)} were hurt{behind}."
        )
    for a in impact.get("affected") or []:
        few = a.get("most") and a["kind"] != "routes" and a["hurt"] <= len(a["most"])
        named = f": {', '.join(a['most'])}" if few else ""
        lines.append(f"{a['hurt']:,} of {a['active']:,} active {a['kind']} had a hurt request{named}{behind}.")
    lines += _objectives(impact, behind)
    if impact.get("budget_burned") is not None:
        burned = f"{impact['budget_burned']:.2%}" if impact["budget_burned"] else "nothing"
        only = "slow requests are not counted in it" if (impact.get("slow") or {}).get("low") else ""
        said = f"; {only}" if only else ""
        lines.append(f"Of the error budget of failed requests, of 30 healthy days, {burned} was burned{said}{behind}.")
    times = sorted((s, MARKS[n]) for n, s in (impact.get("times") or {}).items() if s is not None and s >= 0)
    if times:
        lines.append(f"After the onset: {'; '.join(f'{what} {length(s)}' for s, what in times)}.")
    return lines


def _told(number: Mapping[str, Any] | None, behind: str) -> str:
    if not number:
        return "unknown"
    if number["low"] or number.get("lower_bound"):
        return f"{_quantity(number)}{behind}"
    most = f"{number['high']:,.0f}"
    return f"none that chance would not make (0–{most}){behind}" if round(number["high"]) else f"none{behind}"


def _quantity(number: Mapping[str, Any]) -> str:
    bound = "at least " if number.get("lower_bound") else ""
    low, high = f"{number['low']:,.0f}", f"{number['high']:,.0f}"
    return f"{bound}{number['value']:,.0f}" + (f" ({low}–{high})" if low != high else "")


def _objectives(impact: Mapping[str, Any], behind: str) -> list[str]:
    """Against which objectives was it measured, and in how many of the short stretches of the harm were they broken?"""
    over, limits = impact.get("stretches_over"), impact.get("limits") or {}
    if not over or not limits:
        minutes = impact.get("minutes_over")
        return [] if minutes is None else [f"Over the objective for {minutes:.1f} minutes{behind}."]
    named = " or ".join(f"{OBJECTIVES.get(s, s)} above {shown(limit, s)}" for s, limit in limits.items())
    of = f"{over[0]} of the {over[1]} stretches of 10 s that the harm touched"
    return [f"The objective ({named}) was broken in {of}{behind}."]


def detection_lines(timeline: pd.DataFrame | None, findings: Mapping[str, Any]) -> list[str]:
    """How was it noticed, and how long after it began?"""
    if timeline is None or timeline.empty:
        return ["Unknown."]
    rows = timeline[timeline["lane"] == "detection"]
    lines = [f"{row.time:%Y-%m-%d %H:%M:%S} UTC: {row.fact}." for row in rows.itertuples(index=False)]
    after = ((findings.get("impact") or {}).get("times") or {}).get("detected")
    if len(lines) == 1 and after is not None and after >= 0:
        lines[0] += f" That was {length(after)} after the harm began."
    if lines and "by_hand" in rows and bool(rows["by_hand"].all()):
        lines.append(f"By what it was noticed, no record says: {TO_FILL}.")
    return lines or ["Nothing noted: how it was noticed is unknown."]


def limited_lines(findings: Mapping[str, Any]) -> list[str]:
    """What ended it first, then what was tried without ending it; what else held is for people to say."""
    said = []
    for m in findings.get("mitigations", []):
        why = f" ({m['why']})" if m.get("why") else ""
        name = str(m.get("summary") or m.get("ref"))
        words = {
            "helped": f"The harm ended after: {name}{why}.",
            "none": f"Tried, and the harm did not end by it: {name}{why}.",
            "worse": f"Tried, and it became worse: {name}{why}.",
        }
        effect = str(m.get("effect"))
        said.append((effect != "helped", words.get(effect, f"Whether it helped cannot be told: {name}{why}.")))
    lines = [text for _, text in sorted(said, key=lambda x: x[0])]
    return lines if any(not later for later, _ in said) else [f"What limited it is not known: {TO_FILL}.", *lines]


def guardrail_lines(findings: Mapping[str, Any]) -> list[str]:
    """Which guardrails held, and what the rules that were tried on the record would have done."""
    rails = [f"{g['what']}: **{g['state']}**. {g['because']}" for g in findings.get("guardrails", [])]
    rules = [f"Rule tried on the record: {said}" for said in findings.get("rules", [])]
    return [*rails, *rules] or [TO_FILL]


def timeline_table(timeline: pd.DataFrame | None, zone: ZoneInfo, *, empty: Collection[str]) -> str:
    """What happened in order, each row with its uncertainty and its evidence."""
    import pandas as pd

    if timeline is None or timeline.empty:
        return ""
    known = "evidence" in timeline.columns
    head = ["## Timeline", "", f"| time (UTC) | {zone.key} | lane | fact |" + (" evidence |" if known else "")]
    rows = [*head, "|---|---|---|---|" + ("---|" if known else "")]
    for row in timeline.sort_values("time", kind="stable").itertuples(index=False):
        at = pd.Timestamp(row.time).tz_convert("UTC")
        there = at.tz_convert(zone)
        behind = f" {_evidence_cell(row, empty)} |" if known else ""
        when = f"{at:%Y-%m-%d %H:%M:%S}{_give_or_take(row)}"
        rows.append(f"| {when} | {there:%H:%M:%S %Z} | {row.lane} | {cell(row.fact)} |{behind}")
    return "\n".join(rows)


def _give_or_take(row: Any) -> str:
    """How far the instant may be off, where that is a second or more."""
    if not hasattr(row, "earliest"):
        return ""
    most = max((row.latest - row.time).total_seconds(), (row.time - row.earliest).total_seconds())
    return f" (± {most:.0f} s)" if most >= 1 else ""


def _evidence_cell(row: Any, empty: Collection[str]) -> str:
    if getattr(row, "by_hand", False):
        return "noted by hand"
    told = [part.strip() for part in str(row.evidence).split(",") if part.strip()]
    return ids(told, empty=empty).strip(" ()").removeprefix("evidence ")
