"""07: who was hurt, what would have spared it, what happened in order, and what is to be written?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.window import Window, utc
from kit.steps.harm import slow_limit
from kit.steps.words import playbook, removes_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.case import Case
    from kit.guardrails import Guardrails
    from kit.impact import Impact
    from kit.postmortem import Postmortem
    from kit.timeline import Timeline

MARKS = ("detected", "engaged", "mitigated", "resolved")


def measure_harm(case: Case) -> Impact | None:
    """07: who was hurt, how much, for how long? None when nobody was, or no request log can be read."""
    from kit.impact import measure_impact

    if case.episode is None or case.requests is None:
        return None
    return measure_impact(
        case.request_rows,
        baseline=case.baseline,
        incident=_whole_harm(case),
        objective=[o.model_dump() for o in case.about.objective],
        onset=case.onset,
        recovered=case.recovered,
        marks=_marks(case),
        signals=case.wide,
    )


def _whole_harm(case: Case) -> Window:
    """From the earliest that it can have begun to the latest that it can have ended: no hurt request lies outside."""
    assert case.onset is not None
    end = case.incident.end if case.recovered is None else case.recovered.latest
    return Window(case.onset.earliest, max(end, case.incident.end))


def _marks(case: Case) -> list[dict[str, Any]]:
    """The moments of the response: those that people noted; what they did not, from the pager's rows, alerts, actions.

    The first alert of the harm stands for detected, and the first action that helped for mitigated.
    """
    marks: list[dict[str, Any]] = [m.model_dump() for m in case.about.mark]
    known = {m["kind"] for m in marks}
    more = [{"kind": r["mark"], "time": utc(r["time"])} for r in case.noted if r.get("mark") in MARKS]
    if case.onset is not None and len(case.alerts):
        during = case.alerts["time"][case.alerts["time"] >= pd.Timestamp(case.onset.earliest)]
        more += [{"kind": "detected", "time": during.min().to_pydatetime()}] if len(during) else []
    more += [{"kind": "mitigated", "time": e.time} for e in case.levers.effects if e.effect == "helped"]
    return marks + [m for m in more if m["kind"] not in known]


def try_guardrails(case: Case, *, history: Iterable[tuple[pd.DataFrame, pd.DataFrame, Window]] = ()) -> Guardrails:
    """07: which guardrails held, and what would a rule have spared on this record, at how many false firings?

    `history`: healthy stretches of other records (user requests, changes, window) that the rules are run on as well.
    """
    from kit.guardrails import guard, list_guardrails, try_rules

    if case.onset is None or case.requests is None:
        return guard((), ())
    told = [v for v in case.verdicts.verdicts if v.state in ("confirmed", "supported") and v.hypothesis.change]
    told.sort(key=lambda v: v.state != "confirmed")
    trigger = [told[0].hypothesis.change] if told else []
    rows = case.changes[case.changes["ref"].isin(trigger)].to_dict("records")
    end = case.incident.end if case.recovered is None else case.recovered.latest
    trials = try_rules(
        case.request_rows,
        changes=case.reported_changes,
        healthy=case.baseline,
        incident=_whole_harm(case),
        slow_s=slow_limit(case),
        trigger=trigger,
        history=history,
        noticed=next((utc(m["time"]) for m in _marks(case) if m["kind"] == "detected"), None),
    )
    return guard(
        trials,
        list_guardrails(
            trigger=rows[0] if rows else None,
            alerts=case.alerts if len(case.alerts) else None,
            onset=case.onset.earliest,
            recovered=end,
            effects=case.levers.effects,
            reversals=[s.ref or s.id for s in case.suspects.suspects if s.reverts],
            said=[*filter(None, [_said_first(case)]), *case.spot.said],
        ),
    )


def tell_timeline(case: Case) -> Timeline:
    """07: what happened, in order, and what shows it?"""
    from kit.timeline import build_timeline

    return build_timeline(
        symptom=case.symptom,
        changes=case.changes_in_look,
        alerts=case.alerts if len(case.alerts) else None,
        marks=[m.model_dump() for m in case.about.mark],
        effects=case.levers.effects,
        board=case.board if case.onset is not None else None,
        templates=case.templates if len(case.templates) and case.onset is not None else None,
        rows=case.noted,
        evidence=_grounds(case),
        example=_said_first(case),
        every_s=pd.Timedelta(case.every).total_seconds(),
        tz=case.zone,
    )


def _grounds(case: Case) -> dict[str, list[str]]:
    """What each kind of row rests on: answers that hold rows, of the sources and questions that it was read from."""
    kept = {e.evidence: e for e in case.answers if e.fetch.rows}
    logs = {name for name, source in case.catalog.sources.items() if source.table == "changes"}
    changes = [e for e in case.evidence("changes") if e in kept]
    reported = [e for e in changes if kept[e].fetch.source in logs]
    row = _first_new(case)
    spoken = _first_sources(case, row)
    return {
        **{pillar: [e for e in case.evidence(pillar) if e in kept][:3] for pillar in ("requests", "alerts", "metrics")},
        "changes": reported[:3],
        "derived": [e for e in changes if e not in reported][:3],
        "logs": [
            e for e in case.evidence("logs") if e in kept and kept[e].fetch.question == "sample"
            and kept[e].fetch.source in spoken and kept[e].fetch.window == case.incident
        ],
    }  # fmt: skip


def _first_new(case: Case) -> Mapping[str, Any] | None:
    from kit.timeline import first_new_line

    return first_new_line(case.templates) if case.onset is not None and len(case.templates) else None


def _first_sources(case: Case, row: Mapping[str, Any] | None) -> set[str]:
    """The log sources that the first new line can stand in: its service's own, or all where none is."""
    names = {name for name, source in case.catalog.sources.items() if source.table == "logs"}
    own = {n for n in names if row is not None and case.catalog.sources[n].service == row.get("service")}
    return own or names


def _said_first(case: Case) -> str | None:
    """The first new line as it was written, where it is among the lines that were read."""
    from kit import questions
    from kit.steps.the_spot import LINES_READ

    row = _first_new(case)
    if row is None:
        return None
    lines = questions.lines(case, case.incident, n=LINES_READ, where=questions.spoken_lines(case))
    found = lines[lines["id"] == row.get("example")] if "id" in lines else lines.iloc[:0]
    return str(found.iloc[0]["message"]).splitlines()[0] if len(found) else None


def draft(case: Case) -> Postmortem:
    """07: the postmortem as far as the findings carry it."""
    from connectors.answers import evidence_hash
    from kit.postmortem import draft_postmortem

    book = playbook(case) if case.onset is not None else None
    return draft_postmortem(
        case.findings.merge(),
        title=case.about.title,
        zone=case.zone,
        timeline=case.timeline.to_frame(),
        alarms=[t.alarm for t in case.guardrails.trials if t.alarm],
        first_line=_first_told(case),
        empty={e.evidence for e in case.answers if not e.fetch.rows},
        removes=removes_here(case, book) if book is not None else (),
        evidence_hash=evidence_hash(case.folder),
        rests_on=case.findings.rests_on(),
    )


def _first_told(case: Case) -> dict[str, str] | None:
    row = _first_new(case)
    if row is None:
        return None
    service = row["service"] if isinstance(row.get("service"), str) else ""
    return {"service": service, "text": _said_first(case) or str(row["template"])}
