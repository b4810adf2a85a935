"""What hands decide of a case: what they note, suppose, look at, pin, load and waive. Each is kept in the folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from connectors.window import Window
from kit.choices import CHOICES, Choices, add_waiver, drop_pin, keep_focus, keep_pin, read_case_choices
from kit.errors import BadCase
from kit.focus import Focus
from kit.pins import Pins

if TYPE_CHECKING:
    import pandas as pd

    from kit.case import Case


def noted(case: Case) -> list[dict[str, Any]]:
    """The rows that people added to `timeline.jsonl`, from a chat or a pager."""
    path = case.folder / "timeline.jsonl"
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            raise BadCase(f"timeline.jsonl line {number} is not JSON: mend or remove the line.") from None
    return rows


def own_hypotheses(case: Case) -> tuple[Any, ...]:
    """The hypotheses that people wrote into `hypotheses.toml`."""
    from kit.ledger import read_hypotheses

    path = case.folder / "hypotheses.toml"
    return read_hypotheses(path.read_text(encoding="utf-8"), where=path.name) if path.exists() else ()


def add(case: Case, hypothesis: Any) -> str:
    """Put up a hypothesis of one's own: written to `hypotheses.toml`, tested by the next opening of the case."""
    from kit.ledger import add_hypothesis

    add_hypothesis(case.folder / "hypotheses.toml", hypothesis)
    return f"{hypothesis.id} stands in hypotheses.toml: open the case again to see its verdict."


def verdict_history(case: Case) -> tuple[Any, ...]:
    """How the verdicts came about over all runs of this case, oldest first."""
    from kit.ledger import HISTORY, read_history

    return read_history(case.folder / HISTORY)


def choices(case: Case) -> Choices:
    """What people decided by hand, from `choices.toml`: waived reversals, what is looked at, pins, frames."""
    return read_case_choices(case.folder)


def focus(case: Case) -> Focus:
    """What is looked at: shared by all widgets of this case, kept in `choices.toml` when a hand moves it."""
    path = case.folder / CHOICES
    return Focus(case.choices.focus, keep=lambda chosen: keep_focus(path, chosen))


def pins(case: Case) -> Pins:
    """What people pinned, kept in `choices.toml`."""
    path = case.folder / CHOICES
    return Pins(case.choices.pins, keep=lambda pin: keep_pin(path, pin), drop=lambda pin: drop_pin(path, pin))


def take_up_choices(case: Case) -> None:
    """Follow what was chosen elsewhere since, in another notebook or by an editor."""
    chosen = case.choices
    if "focus" in case.__dict__ and case.focus.chosen != chosen.focus:
        del case.__dict__["focus"]
    if "pins" in case.__dict__ and case.pins.pins != chosen.pins:
        del case.__dict__["pins"]


def pin(case: Case, thing: Any, sentence: str, *, row: int | None = None, evidence: Iterable[str] = ()) -> str:
    """Pin a chart, a result, a table or (with `row`) one line of it, with a sentence: it goes to the page.

    A log line is asked for once more, so that it stands among the recorded answers; ids that are not recorded are
    left out. Raises `BadInput` for an empty sentence or a row that is not there.
    """
    from kit.pins import pin_of
    from kit.views import evidence_of_line

    found = list(evidence)
    if row is not None and not found and not getattr(thing, "evidence", ()):
        found = case.aside(lambda: evidence_of_line(case, thing, row))
    made = pin_of(thing, sentence, row=row, evidence=found)
    known = {entry.evidence for entry in case.answers}
    made = replace(made, evidence=tuple(e for e in made.evidence if e in known))
    case.pins.add(made)
    rests = f"rests on {len(made.evidence)} recorded answers" if made.evidence else "rests on no recorded answer"
    return f"Pinned: {made.sentence} It {rests}."


def frame(
    case, source: str, *, table: str, start: Any, end: Any, every: str | None = None, where: str | None = None
) -> pd.DataFrame:
    """One source's lines, requests, metrics, calls or changes as an aligned DataFrame; see `kit.frames`.

    `table`: levels, requests, metrics, spans, changes, or everything (of the source "(all)"). Times with a zone.
    """
    from kit.frame_spec import FrameSpec
    from kit.frames import load_frame

    spec = FrameSpec("frame", source, table, Window.of(start, end), every or case.every, where)
    return load_frame(case, spec)


def ask_now(case: Case, name: str) -> tuple[bool, str]:
    """Does this source answer at this moment, and what does it say? Nothing of it is recorded."""
    from kit.check import ask_now

    return ask_now(case, name)


def loader(case: Case) -> Any:
    """What the load form needs of this case: its sources, what a frame costs, the frame, and how it is kept."""
    from kit.loader import loader_of

    return loader_of(case)


def waive(case: Case, hypothesis: str, *, reason: str, by_role: str) -> str:
    """Do without a reversal for this hypothesis (its id, or the change it names): written to `choices.toml`.

    For people alone: no notebook of the walk calls it, and a headless run repeats what stands in the file. The page
    and the postmortem say that it was waived, by which role and why. Open the case again to see the verdicts.
    """
    found = case.verdicts.of(hypothesis).hypothesis
    add_waiver(case.folder / CHOICES, found, reason=reason, by_role=by_role)
    return f"Waived for {found.id}, written to choices.toml: open the case again to see the verdict."
