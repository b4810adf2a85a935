"""What counts as hurt in this case, and at which hops does the break lie?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.case import Case

GIVEN_UP = "http.response.status_code = 499"
"""The client closed the connection: a request that was too slow for it."""


def is_late(case: Case) -> bool:
    """Is the harm behind the requests: work that waits, a metric over its objective?"""
    return case.episode is not None and case.episode.hurts == "late"


def bad_requests(case: Case) -> str:
    """Which of the users' requests were hurt: the failed ones, or the slow and given-up ones where few failed."""
    requests, episode = case.requests, case.episode
    assert requests is not None
    assert episode is not None
    if "errors_ratio" in episode.signals:
        return requests.fails
    slow = f"duration_s > {slow_from(case)}"
    return f"{slow} OR {GIVEN_UP}" if "http.response.status_code" in requests.names else slow


def slow_from(case: Case) -> float:
    """From how many seconds on is a user's request hurt? The objective, else the tail of the healthy ones."""
    limit, requests = slow_limit(case), case.requests
    if limit is not None or requests is None:
        return limit or 1.0
    usual = requests.source.measure(case.baseline, "duration_s", stats=("p99",), where=requests.users)
    return float(usual.table.column("p99")[0].as_py() or 1.0)


def slow_limit(case: Case) -> float | None:
    """From how many seconds on is a request slow? The case's own objective; None when it has none."""
    return next((o.limit for o in case.about.objective if o.signal == "latency_p99_s"), None)


def at_the_cut(case: Case) -> tuple[str, ...]:
    """Between which two services does the break lie? Empty where none was found."""
    cut = case.cut
    if cut.between is None:
        return ()
    return tuple(part.strip() for part in cut.between.split("→"))
