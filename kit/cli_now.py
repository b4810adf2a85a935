"""The command for an incident that still burns: the answer of one minute, while the evidence is being recorded."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.errors import IN_PART

if TYPE_CHECKING:
    from kit.case import Case
    from kit.mitigation import HarmClock, Levers
    from kit.now import Now
    from kit.suspects import Suspects

STAY = ("files", "git")
"""Kinds of source that are in the case itself: nothing of them expires."""
SHARE_FOR_LEVERS = 0.5
"""Levers read the whole board; they are only begun when so much of the budget is left."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(now)


def now(
    case: Annotated[Path, typer.Argument(help="Folder of a case.", metavar="CASE")],
    budget: Annotated[str, typer.Option(help="How long it may take, like 60s.")] = "60s",
    snapshot: Annotated[bool, typer.Option(help="Record the evidence in the background meanwhile.")] = True,
) -> int:
    """What is known at this moment: harm so far, what moved, what to do, what expires; six lines to paste."""
    from connectors.window import step_seconds
    from kit.case import open_case

    began = time.monotonic()
    opened = open_case(case)
    told = answer_now(opened, began=began, budget_s=step_seconds(budget), snapshot=snapshot, show=typer.echo)
    typer.echo(told.behind())
    typer.echo(f"answered in {time.monotonic() - began:.0f} s", err=True)
    return IN_PART if opened.gaps else 0


def answer_now(
    case: Case, *, began: float, budget_s: float, snapshot: bool, show: Callable[[str], None] = lambda line: None
) -> Now:
    """Asks in the order of what helps most: harm, then what moved, then levers while there is time.

    Each of the six lines is given to `show` as soon as it is known. `began` is `time.monotonic()` of the start. A
    single question is bounded by its source's own deadline, not by the budget, which is looked at between the steps.
    """
    from kit.now import tell_now, what_expires

    def left() -> float:
        return 1 - (time.monotonic() - began) / budget_s

    keeps = {name: (spec.table, spec.retention) for name, spec in case.catalog.sources.items() if spec.kind not in STAY}
    tell = partial(
        tell_now, title=case.about.title, zone=case.zone, symptom=case.symptom, clock=_harm_clock(case),
        expiries=what_expires(keeps, since=case.look.start),
    )  # fmt: skip
    for line in tell().lines[:2]:
        show(line)
    suspects = case.suspects if left() > 0 else None
    show(tell(suspects=suspects).lines[2])
    levers = case.levers if left() > SHARE_FOR_LEVERS else _quick_levers(case, suspects)
    under_way = _begin_snapshot(case) if snapshot and case.about.open and not case.offline else "no snapshot was begun"
    told = tell(
        suspects=suspects, levers=levers, recorded=len(case.evidence()), snapshot=under_way, gaps=tuple(case.gaps),
        at=datetime.now(UTC),
    )  # fmt: skip
    for line in told.lines[3:]:
        show(line)
    return told


def _harm_clock(case: Case) -> HarmClock | None:
    """How long harm has gone on; None where nobody is hurt, or where single requests cannot be read."""
    from kit.mitigation import read_harm_clock

    if case.onset is None or case.requests is None:
        return None
    return read_harm_clock(
        case.request_rows, onset=case.onset, recovered=case.recovered, until=case.symptom.complete_until
    )


def _quick_levers(case: Case, suspects: Suspects | None) -> Levers | None:
    """Levers without a class of failure: undoing what moved, and the harm's clock."""
    from kit.classify import Diagnosis
    from kit.mitigation import propose_levers

    clock = _harm_clock(case)
    if suspects is None or clock is None:
        return None
    return propose_levers(Diagnosis("unclassified", (), (), "", (), ()), suspects, clock=clock)


def _begin_snapshot(case: Case) -> str:
    """Start `incident-kit snapshot` on its own; it outlives this command, and its words go to a file of the case."""
    log = case.folder / "snapshot.log"
    with log.open("ab") as out:
        subprocess.Popen(
            [sys.executable, "-m", "kit.cli", "snapshot", str(case.folder)],
            stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return f"snapshot under way ({log.name})"
