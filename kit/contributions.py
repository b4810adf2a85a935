"""What each result contributes to `findings.json`, and which step of the walk records it: one table to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from connectors.window import Window, iso
from kit.changes import TOO_OFTEN
from kit.errors import BadCase
from kit.field_coverage import check_gaps

Values = dict[str, Any]


def contribution(result: Any) -> tuple[str, Values]:
    """Which notebook (00 … 07) does this result belong to, and which keys does it fill?

    Raises `BadCase` for a result that is shown and not recorded.
    """
    noun = type(result).__name__
    if noun not in STEPS:
        raise BadCase(f"A {noun} is shown, not recorded: these are recorded: {', '.join(STEPS)}.")
    step, values = STEPS[noun]
    if getattr(result, "second", False):
        step = "06"  # the second ranking of the suspects belongs to where they are tested
    return step, values(result)


def _symptom(symptom: Any) -> Values:
    episodes = [
        {
            "onset": e.onset.to_dict(),
            "recovered": e.recovered.to_dict() if e.recovered else None,
            "baseline": _window(e.baseline),
            "incident": _window(e.incident),
            "signals": list(e.signals),
            "scope": {
                "where": e.where,
                "share_of_traffic": e.share_of_traffic,
                "explains": e.explains,
            },
            "residual": _number(e.residual),
        }
        for e in symptom.episodes
    ]
    return {"verdict": symptom.verdict, "episodes": episodes}


def _coverage(coverage: Any) -> Values:
    return {"gaps": list(coverage.gaps), "partial": list(coverage.partial)}


def _suspects(suspects: Any) -> Values:
    if suspects.onset is None:
        return {"episodes": []}
    ranked = [
        {
            "ref": s.ref or s.id, "id": s.id, "kind": s.kind, "service": s.service, "summary": s.summary,
            "time": iso(s.time), "relation": s.relation, "rank": s.rank, "p_coincidence": _number(s.p_coincidence),
            "reverted_by": s.reverted_by, "because": list(s.because),
        }
        for s in suspects.ranked
    ]  # fmt: skip
    responses = [{"ref": s.ref or s.id, "summary": s.summary, "time": iso(s.time)} for s in suspects.responses]
    if suspects.second:
        return {"episodes": [{"suspects_again": ranked}]}
    values = {"suspects": ranked, "responses": responses, "enough_to_act": suspects.enough_to_act}
    often = [reason for reason in suspects.because if reason.startswith(TOO_OFTEN)]
    gaps = {"gaps": [f"which change began it cannot be told by time: {often[0]}"]} if often else {}
    return {"episodes": [values], **gaps}


def _diagnosis(diagnosis: Any) -> Values:
    if diagnosis.name in ("healthy", "cannot_tell"):
        return {"episodes": []}
    failure = {
        "name": diagnosis.name,
        "because": list(diagnosis.because),
        "against": list(diagnosis.against),
        "action": diagnosis.action,
    }
    return {"episodes": [{"failure": failure}]}


def _cut(cut: Any) -> Values:
    if cut.between is None:
        return {"episodes": []}
    found = {
        "between": [cut.between], "where": cut.where, "last_good": list(cut.last_good),
        "first_bad": list(cut.first_bad), "unknown": list(cut.unknown), "next_probe": cut.next_probe,
    }  # fmt: skip
    return {"episodes": [{"cut": found}]}


def _episodes(found: Any) -> Values:
    """What the walks of the other episodes found; the main one's own results are recorded by its own notebooks."""
    return {"episodes": [dict(t.values) for t in found.told]}


def _spot(spot: Any) -> Values:
    return {"episodes": [{"said": list(spot.said), "statements": list(spot.statements)}]} if spot.said else {}


def _board(board: Any) -> Values:
    told = next((v for v in board.verdicts if v.state in ("confirmed", "supported") and v.links), None)
    values: Values = {"hypotheses": [{**v.to_findings(), "would_change": _would_change(v)} for v in board.verdicts]}
    values["gaps"] = [*check_gaps(board.verdicts), *board.notes]
    if told is not None:
        values["mechanism"] = told.to_mechanism()
    return values


def _associations(found: Any) -> Values:
    return {"episodes": [{"together": list(found.told)}]} if found.told else {}


def _would_change(verdict: Any) -> str | None:
    """What would make us drop it: the failing of what told it from its rivals; None for those dropped already."""
    if verdict.state not in ("confirmed", "supported") or not verdict.discriminating:
        return None
    return f"a new test showed the contrary of “{verdict.discriminating[0]}”"


def _impact(impact: Any) -> Values:
    counts = {name: _plain(getattr(impact, name)) for name in ("failed", "slow", "lost")}
    more = {
        "minutes_over": _number(impact.minutes_over),
        "minutes": _number(impact.minutes),
        "stretches_over": list(impact.stretches_over) if impact.stretches_over else None,
        "limits": dict(impact.limits),
        "worst": list(impact.worst) if impact.worst else None,
        "budget_burned": _number(impact.budget_burned),
        "times": {name: _number(seconds) for name, seconds in impact.times.items()},
        "affected": [
            {
                "kind": a.kind,
                "hurt": a.hurt,
                "active": a.active,
                **({} if a.kind == "users" else {"most": list(a.most)}),
            }
            for a in impact.affected
        ],
    }
    late = {"late": [_plain(work) for work in impact.late]} if impact.late else {}
    return {"impact": {**counts, **more, **late}}


def _guardrails(found: Any) -> Values:
    """Guardrails and rules as they stand in the postmortem; nothing when nobody was hurt."""
    rails = [{"what": g.what, "state": g.state, "because": g.because} for g in found.guardrails]
    return {"guardrails": rails, "rules": [t.says for t in found.trials]} if rails else {}


def _levers(levers: Any) -> Values:
    return {
        "mitigations": [{"ref": m.ref, "effect": m.effect, "summary": m.summary, "why": m.why} for m in levers.effects]
    }


def _postmortem(postmortem: Any) -> Values:
    return {"next": [a.text for a in postmortem.actions]}


STEPS: Mapping[str, tuple[str, Callable[[Any], Values]]] = {
    "Coverage": ("00", _coverage),
    "Symptom": ("00", _symptom),
    "Levers": ("01", _levers),
    "Suspects": ("02", _suspects),
    "Diagnosis": ("03", _diagnosis),
    "Cut": ("04", _cut),
    "Episodes": ("04", _episodes),
    "Spot": ("05", _spot),
    "Board": ("06", _board),
    "Associations": ("06", _associations),
    "Impact": ("07", _impact),
    "Guardrails": ("07", _guardrails),
    "Postmortem": ("07", _postmortem),
}


def _window(window: Window) -> list[str]:
    return [iso(window.start), iso(window.end)]


def _number(value: float) -> float | None:
    return None if value is None or value != value else float(value)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
