"""Which hypotheses are still alive, what tells them apart, and what to test next?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from connectors.errors import BadInput
from kit.checks.facts import Facts
from kit.checks.registry import HELD, NO_DATA, find_check
from kit.checks.windows import Windows
from kit.hypothesis import Hypothesis, Prediction
from kit.result import Result
from kit.verdict import LinkTried, Trials, Tried, Verdict, Waiver, judge_one

if TYPE_CHECKING:
    import pandas as pd

ORDER = {"confirmed": 0, "supported": 1, "open": 2, "guess": 3, "refuted": 4}
_EXCLUSIVE = {"up": {"flat", "down"}, "down": {"up", "flat"}, "flat": {"up", "down"}, "more lines": {"no lines"},
              "no lines": {"more lines", "lines"}, "lines": {"no lines"}}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NextTest:
    """The prediction to test next: what it would tell apart, at what rough cost in seconds, and why it is open."""

    prediction: Prediction
    splits: tuple[tuple[str, ...], tuple[str, ...]]
    cost: float
    why_open: str

    def __str__(self) -> str:
        one, other = (" and ".join(side) for side in self.splits)
        tells = f": it tells {one} from {other}" if self.splits[1] else f" (it speaks only of {one})"
        return f"Test next: {self.prediction.text}{tells}. So far: {self.why_open}"


@dataclass(frozen=True, slots=True)
class Board(Result):
    """Every hypothesis with its verdict, best first; `next_test` is None when every prediction is answered.

    `notes` are sentences about what was chosen by hand and does not hold any more.
    """

    verdicts: tuple[Verdict, ...]
    next_test: NextTest | None
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """How far is it? Confirmed before supported before still open; never more than the best state."""
        if not self.verdicts:
            return "No hypothesis has been put up."
        best = self.verdicts[0]
        ruled_out = sum(v.state == "refuted" for v in self.verdicts)
        rest = f"; {ruled_out} of {len(self.verdicts)} ruled out" if ruled_out else ""
        gaps = f", {len(best.gaps)} link(s) lack evidence" if best.state == "supported" and best.gaps else ""
        return f"{best.headline.rstrip('.')}{gaps}{rest}."

    @property
    def because(self) -> tuple[str, ...]:  # type: ignore[override]
        """A line per hypothesis: its state, and what ruled it out or what it lacks."""
        lines = []
        for v in self.verdicts:
            why = v.refuted_by[:1] or v.missing[:1] or ((f"reversal waived by hand: {v.waived}",) if v.waived else ())
            lines.append(f"{v.hypothesis.statement}: {v.state}" + (f" ({why[0]})" if why else ""))
        return (*lines, *((str(self.next_test),) if self.next_test else ()), *self.notes)

    @property
    def live(self) -> tuple[Verdict, ...]:
        """Those that are not ruled out."""
        return tuple(v for v in self.verdicts if v.state != "refuted")

    def of(self, hypothesis: str) -> Verdict:
        """The verdict of one hypothesis, by id, or by the change it names; the best one when several name it."""
        for v in self.verdicts:
            if hypothesis in (v.hypothesis.id, v.hypothesis.change):
                return v
        raise BadInput(
            f"There is no hypothesis {hypothesis!r}: there are {', '.join(v.hypothesis.id for v in self.verdicts)}."
        )

    def to_frame(self) -> pd.DataFrame:
        """A row per hypothesis: its state, what ruled it out or is missing, and how many predictions came out how."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "id": v.hypothesis.id,
                    "statement": v.hypothesis.statement,
                    "change": v.hypothesis.change,
                    "role": v.hypothesis.role,
                    "state": v.state,
                    "refuted_by": "; ".join(v.refuted_by),
                    "missing": "; ".join(v.missing),
                    "held": sum(t.supports for t in v.tested),
                    "failed": sum(t.refutes for t in v.tested),
                    "no_data": sum(t.result.state == NO_DATA for t in v.tested),
                }
                for v in self.verdicts
            ],
            columns=[
                "id",
                "statement",
                "change",
                "role",
                "state",
                "refuted_by",
                "missing",
                "held",
                "failed",
                "no_data",
            ],
        )

    def matrix(self) -> pd.DataFrame:
        """Hypotheses × evidence: a row per thing looked at, in words and as `subject`, a column per hypothesis.

        `+` it predicted this and it held, `−` it predicted this and it failed, `0` it came out the same on its control,
        `?` no data, empty: it says nothing about it.
        """
        import pandas as pd

        cells: dict[str, dict[str, str]] = defaultdict(dict)
        texts: dict[str, str] = {}
        for v in self.verdicts:
            for t in _every(v):
                row, mark = t.prediction.subject, _mark(t)
                texts.setdefault(row, t.prediction.text)
                if cells[row].get(v.hypothesis.id) not in ("−", "+") or mark == "−":
                    cells[row][v.hypothesis.id] = mark
        names = [v.hypothesis.id for v in self.verdicts]
        rows = [
            {"evidence": texts[row], "subject": row, **{n: marks.get(n, "") for n in names}}
            for row, marks in cells.items()
        ]
        return pd.DataFrame(rows, columns=["evidence", "subject", *names])


def judge(
    hypotheses: Sequence[Hypothesis],
    facts: Facts,
    *,
    waivers: Sequence[Waiver] = (),
    windows: Windows | None = None,
) -> Board:
    """What do the facts make of these hypotheses, each the others' rival?

    Every check is run once on the harm and once on each control; `windows` replaces the facts' own (a test of the
    method: swapped windows confirm nothing). Two hypotheses of one id are an error, a waiver for none of them, too.
    """
    ids = [h.id for h in hypotheses]
    double = sorted({i for i in ids if ids.count(i) > 1})
    if double:
        raise BadInput(f"Two hypotheses are called {', '.join(double)}: give each an id of its own.")
    stray = sorted({w.hypothesis for w in waivers} - set(ids))
    if stray:
        raise BadInput(f"A reversal is waived for {', '.join(stray)}, which is not on the board.")
    trials = Trials(facts, windows)
    tested = {h.id: tuple(trials.test(p) for p in h.predictions) for h in hypotheses}
    links = {
        h.id: tuple(LinkTried(x, tuple(trials.test(p) for p in x.predictions)) for x in h.mechanism.links)
        for h in hypotheses
    }
    waived = {w.hypothesis: w for w in waivers}
    verdicts = [
        judge_one(
            h,
            tested=tested[h.id],
            links=links[h.id],
            rivals=[tested[o.id] for o in hypotheses if o.id != h.id and not o.is_guess],
            waiver=waived.get(h.id),
        )
        for h in hypotheses
    ]
    ranked = sorted(verdicts, key=lambda v: (ORDER[v.state], len(v.gaps), len(v.missing)))
    return Board(tuple(ranked), find_next_test(ranked))


def find_next_test(verdicts: Sequence[Verdict]) -> NextTest | None:
    """Which prediction without an answer would split the live hypotheses most, a second of cost?

    Pairs of live hypotheses that say opposite things about it, divided by the check's cost; where none disagree, one
    that a live hypothesis needs. None: every prediction of the live ones has been answered.
    """
    live = [v for v in verdicts if v.state not in ("refuted", "guess")]
    asked: dict[tuple[str, str], list[tuple[str, Tried]]] = defaultdict(list)
    for v in live:
        for t in v.tested:
            asked[(t.prediction.subject, "")].append((v.hypothesis.id, t))
    options = [
        (_split(entries), entries) for entries in asked.values() if any(t.result.state == NO_DATA for _, t in entries)
    ]
    best: tuple[float, NextTest] | None = None
    for sides, entries in options:
        name, t = next((n, t) for n, t in entries if t.result.state == NO_DATA)
        cost = find_check(t.prediction.check).cost
        score = (len(sides[0]) * len(sides[1]) or 0.1 * t.prediction.can_be_tested) / cost
        found = NextTest(t.prediction, sides if sides[1] else ((name,), ()), cost, t.result.sentence)
        if best is None or score > best[0]:
            best = (score, found)
    return best[1] if best else None


def _split(entries: Sequence[tuple[str, Tried]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for (one, a), (other, b) in combinations(entries, 2):
        if one != other and contradict(a.prediction, b.prediction):
            same = tuple(n for n, t in entries if not contradict(a.prediction, t.prediction))
            return same, tuple(n for n, t in entries if contradict(a.prediction, t.prediction))
    return tuple(n for n, _ in entries), ()


def contradict(one: Prediction, other: Prediction) -> bool:
    """Do two predictions say what cannot both be true of the same thing?"""
    if one.subject != other.subject:
        return False
    if one.claim == f"not {other.claim}" or other.claim == f"not {one.claim}":
        return True
    return other.claim in _EXCLUSIVE.get(one.claim, set())


def _every(verdict: Verdict) -> list[Tried]:
    return [*verdict.tested, *(t for x in verdict.links for t in x.tested)]


def _mark(t: Tried) -> str:
    if t.result.state == NO_DATA:
        return "?"
    if not t.counts:
        return "0"
    return "+" if t.result.state == HELD else "−"


def states(board: Board) -> Mapping[str, str]:
    """The state of every hypothesis by id."""
    return {v.hypothesis.id: v.state for v in board.verdicts}
