"""01: what makes it stop, and what did what was done move?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.steps.harm import slow_limit
from kit.steps.words import bound_lever, fits_here, playbook

if TYPE_CHECKING:
    from kit.case import Case
    from kit.mitigation import Levers
    from kit.natural_experiments import ActionTried


def propose(case: Case) -> Levers:
    """01: what makes it stop, what was done, and did it help?"""
    from kit.actions import judge_actions
    from kit.mitigation import propose_levers, read_harm_clock
    from kit.natural_experiments import break_load, separate_effects, weigh_effects

    if case.onset is None or case.requests is None:
        return propose_levers(case.diagnosis, case.suspects)
    rows = case.request_rows
    until = case.symptom.complete_until
    effects = judge_actions(
        case.suspects, rows, onset=case.onset, recovered=case.recovered, slow_s=slow_limit(case), until=until
    )
    effects = separate_effects(effects, tried_actions(case, effects))
    effects = weigh_effects(
        effects,
        services={s.ref or s.id: s.service for s in case.suspects.suspects if s.service},
        between=case.cut.between,
        path=case.path,
        load=break_load(case.wide, case.cut.between),
        recovered=case.recovered,
    )
    book = playbook(case)
    return propose_levers(
        case.diagnosis,
        case.suspects,
        playbook=[bound_lever(case, x) for x in book.levers if fits_here(case, x.do)] if book is not None else (),
        clock=read_harm_clock(rows, onset=case.onset, recovered=case.recovered, until=until),
        effects=effects,
    )


def tried_actions(case: Case, effects: Any) -> tuple[ActionTried, ...]:
    """What each action moved on the hurt routes beside the others."""
    from kit.natural_experiments import compare_actions

    rows = case.request_rows
    if case.episode is None or "route" not in rows.columns or not case.episode.routes:
        return ()
    changes = case.changes.dropna(subset=["until"])
    return compare_actions(
        rows,
        effects=effects,
        done={str(r.ref or r.id): r.until.to_pydatetime() for r in changes.itertuples(index=False)},
        hurt=rows["route"].isin(case.episode.routes).to_numpy(),
        onset=case.onset,
        recovered=case.recovered,
        slow_s=slow_limit(case),
        until=case.symptom.complete_until,
    )
