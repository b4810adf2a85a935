"""06: which hypotheses stand, what do their predictions come to, and how would it be run again?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.where import all_of
from kit import questions
from kit.steps.harm import bad_requests, is_late, slow_from
from kit.steps.stop_the_bleeding import tried_actions
from kit.steps.the_spot import STATEMENT
from kit.steps.words import case_playbooks, squeezed_words

if TYPE_CHECKING:
    from kit.associations import Associations
    from kit.board import Board
    from kit.case import Case
    from kit.playbooks.situation import Situation
    from kit.reproduction import Reproduction
    from kit.suspects import Suspects

PLAN = "postgresql.plan"


def rank_suspects_again(case: Case) -> Suspects:
    """06: the same suspects by where the break lies and what they hold."""
    from kit.changes import rerank_changes

    return rerank_changes(
        case.suspects,
        cut=case.cut,
        differences=case.difference,
        texts=[*case.spot.said, *case.spot.statements],
        contents=_contents(case),
        path=case.path,
    )


def _contents(case: Case) -> dict[str, str]:
    """What each reported change holds, by its id: the words of the commit that has its ref, and what the data shows."""
    from kit.derived_changes import contents_of

    by_ref = {str(row.ref): str(row.summary) for row in case.commits.itertuples(index=False) if row.ref}
    rows = case.changes[["id", "ref"]].itertuples(index=False)
    told = {str(row.id): by_ref[str(row.ref)] for row in rows if str(row.ref) in by_ref}
    shown = contents_of(case.reported_changes, case.derived_changes)
    return {name: f"{told.get(name, '')} {shown.get(name, '')}".strip() for name in {**told, **shown}}


def case_facts(case: Case) -> Any:
    """06: what the checks may look at."""
    from kit.checks.case_facts import CaseFacts
    from kit.checks.facts import Table
    from kit.checks.windows import Windows

    windows = Windows.of(
        baseline=case.baseline,
        incident=case.incident,
        whole=case.look,
        onset=case.onset,
        recovered=case.recovered,
        complete_until=case.symptom.complete_until,
    )
    templates = Table(case.templates, tuple(case.evidence("logs"))) if len(case.templates) else None
    return CaseFacts(case, windows, templates=templates)


def put_up_hypotheses(case: Case) -> tuple[Any, ...]:
    """06: which hypotheses does this incident call for? The playbook's, each near change's, and the user's own."""
    from kit.playbooks.seed import seed_hypotheses

    if case.episode is None:
        return ()
    seeded = seed_hypotheses(
        case.diagnosis, case.suspects_again, describe_case(case), facts=case.facts, playbooks=case_playbooks(case)
    )
    own = case.own_hypotheses
    return (*own, *(h for h in seeded if h.id not in {o.id for o in own}))


def describe_case(case: Case) -> Situation:
    """06: what do the words of a playbook stand for in this case? Only of a case in which somebody was hurt."""
    from kit.playbooks.situation import describe_situation

    requests, episode = case.requests, case.episode
    assert episode is not None
    situation = describe_situation(
        case.facts,
        entry=case.entry or "",
        symptom=episode.signals[0] if is_late(case) else None,
        between=case.cut.between,
        path=case.path,
        failed=bad_requests(case) if requests is not None else None,
        requests_log=requests.service if requests is not None else None,
        route=episode.routes[0] if episode.routes else None,
        slow_s=slow_from(case) if {"errors_ratio", "slow_ratio"} <= set(episode.signals) else None,
    )
    return situation.with_words(squeezed_words(case))


def judge_hypotheses(case: Case) -> Board:
    """06: what do the facts make of them, and of the reversals that a person waived?"""
    from kit.board import judge

    waivers, lapsed = case.choices.on(case.hypotheses)
    return replace(judge(case.hypotheses, case.facts, waivers=waivers), notes=lapsed)


def associate(case: Case) -> Associations:
    """06: what moved together with the harm, does the wait at the break account for it, and what did actions move?"""
    from kit.associations import Associations, find_associations, symptom_column

    if case.episode is None or case.requests is None:
        return Associations((), (), ())
    failing = "errors_ratio" in case.episode.signals
    return find_associations(
        case.wide,
        symptom=symptom_column(case.wide, entry=case.entry, failing=failing),
        between=case.cut.between,
        baseline=case.baseline,
        incident=case.incident,
        actions=tried_actions(case, case.levers.effects),
    )


def reproduce(case: Case) -> Reproduction:
    """06: what does a safe place need so that the same chain would run there?"""
    from kit.reproduction import Reproduction, how_to_reproduce

    if case.episode is None or case.requests is None:
        return Reproduction((), (), "", ())
    told = [v for v in case.verdicts.verdicts if v.state in ("confirmed", "supported") and v.links]
    told.sort(key=lambda v: (v.state != "confirmed", v.hypothesis.change is None))
    return how_to_reproduce(
        told[0] if told else None,
        changes=case.changes,
        requests=case.request_rows,
        baseline=case.baseline,
        incident=case.incident,
        plans=_query_plans(case),
        recovered=case.recovered.latest if case.recovered else None,
    )


def _query_plans(case: Case) -> list[str]:
    """The plan of the statement that grew, as the database's log has it in the incident; empty when it has none."""
    from kit.reproduction import without_literals

    for source in case.sources("logs"):
        if not {STATEMENT, PLAN} <= questions.field_names(case, source):
            continue
        named = case.spot.statements[0] if case.spot.statements else None
        wanted = all_of(
            f"{PLAN} IS NOT NULL", f"{STATEMENT} = '{named.replace(chr(39), 2 * chr(39))}'" if named else None
        )
        found = case.ask(
            "logs", lambda s=source, w=wanted: s.rows(case.incident, where=w, fields=(STATEMENT, PLAN), limit=1)
        )
        if found is not None and found.table.num_rows:
            row = found.table.to_pylist()[0]
            return [f"{row[STATEMENT]}: {without_literals(str(row[PLAN]))}"]
    return []
