"""03: which signals moved, who is hurt, and which class of failure does that show?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from connectors.base import Selection
from connectors.where import all_of
from kit import questions
from kit.questions import but_not
from kit.steps.harm import bad_requests

if TYPE_CHECKING:
    from collections.abc import Collection

    from kit.case import Case
    from kit.classify import Diagnosis
    from kit.golden_signals import SignalBoard


def read_board(case: Case) -> SignalBoard:
    """03: which golden signals of which services moved, and which resource squeezed first?"""
    from kit.golden_signals import read_signals

    if case.episode is None:
        empty = read_signals(case.wide.iloc[:, :0], baseline=case.baseline, incident=case.incident)
        return replace(empty, because=("nobody was hurt, so there is no harm to compare with",))
    return read_signals(
        case.wide,
        baseline=case.baseline,
        incident=case.incident,
        slice=case.slice_signals,
        services=case.about.services,
    )


def who_is_hurt(case: Case) -> pd.DataFrame:
    """03: which values set the failing (or slow) requests apart from the others of the same minutes?

    Where fewer requests come, which are missing; where no request is hurt, nothing.
    """
    from kit.difference import explain_source_difference
    from kit.lost_traffic import whose_are_missing

    requests = case.requests
    if requests is None or case.episode is None or case.episode.hurts == "late":
        return pd.DataFrame(columns=["predicate", "bad_share", "good_share", "explains"])
    if case.episode.hurts == "lost":
        return whose_are_missing(questions.request_logs(case), baseline=case.baseline, incident=case.incident)
    ill = bad_requests(case)
    return explain_source_difference(
        requests.source,
        bad=Selection(case.incident, all_of(requests.users, ill)),
        good=Selection(case.incident, all_of(requests.users, but_not(ill))),
        fields=requests.dimensions,
    )


def diagnose(case: Case, *, without: Collection[str] = ()) -> Diagnosis:
    """03: which class of failure do the signals show? `without` leaves rules out, to see that no other class fits."""
    from kit.classify import classify
    from kit.failure_kinds import count_failures

    rows = case.request_rows if case.requests is not None else None
    failures = count_failures(rows, baseline=case.baseline, incident=case.incident) if rows is not None else None
    return classify(
        case.board,
        symptom=case.symptom,
        failures=failures,
        suspects=case.suspects,
        differences=case.difference if len(case.difference) else None,
        compared=case.requests.dimensions if case.requests is not None else None,
        places=case.places,
        templates=case.templates if len(case.templates) else None,
        cut=case.cut,
        path=case.path,
        entry=case.entry,
        jobs=case.changes[case.changes["kind"] == "job"],
        without=without,
    )
