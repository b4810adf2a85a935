"""The hypotheses with their verdicts: what each predicted, what came of it, and what to test next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kit.board import Board
from kit.focus import Focus
from kit.pins import Pins
from kit.plain_text import escaped
from kit.verdict import Tried, Verdict
from kit.widgets.alive import Alive, pick

if TYPE_CHECKING:
    from kit.plots.chart import Chart

_WORDS = {"+": "held", "−": "failed", "0": "could not have failed", "?": "no data"}
OPEN_REFUTED = 3
"""Refuted hypotheses that are listed openly; more are folded, so that what is live is seen first."""
_COLOUR = {"confirmed": "good", "supported": "good", "refuted": "bad"}


class HypothesisBoard(Alive):
    """`board` as rows. `.value` is the id of the chosen hypothesis, None: none.

    A picked row shows each prediction with its numbers, each link of its mechanism, and what is missing; the focus
    moves to it and to the change it names. Nothing is voted: states are computed. Static twin: the `matrix` given.
    """

    def __init__(
        self,
        board: Board,
        *,
        matrix: Chart | None = None,
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="hypotheses", title=board.headline, focus=focus, pins=pins, evidence=evidence)
        self.board, self.matrix = board, matrix
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The id of the chosen hypothesis."""
        chosen = self.focus.chosen.hypothesis
        return chosen if any(v.hypothesis.id == chosen for v in self.board.verdicts) else None

    @property
    def chosen(self) -> Verdict | None:
        """The verdict of the chosen hypothesis."""
        return next((v for v in self.board.verdicts if v.hypothesis.id == self.value), None)

    @property
    def code(self) -> str:
        """The line that gives the same verdict."""
        return f"case.verdicts.of({self.value!r})" if self.value else "case.verdicts"

    @property
    def twin(self) -> Any:
        """The matrix of predictions as a chart; without one the table."""
        return self.matrix if self.matrix is not None else self.board._repr_html_()

    def _parts(self) -> frozenset[str]:
        return frozenset({"hypothesis"})

    def _status(self) -> str:
        chosen = self.chosen
        if not self.board.verdicts:
            return "No hypothesis has been put up: there is no harm to explain, or add one with case.add(...)."
        if chosen is None:
            return (
                f"{len(self.board.live)} of {len(self.board.verdicts)} still live. Choose one to see what came of it."
            )
        return chosen.headline

    def _picked(self, name: str) -> None:
        if not (name.isdigit() and int(name) < len(self.board.verdicts)):
            return
        found = self.board.verdicts[int(name)].hypothesis
        self.focus.choose("hypothesis", found.id)

    def _cleared(self) -> None:
        self.focus.choose("hypothesis", None)

    def _shown(self) -> list[str]:
        wanted = [self.chosen] if self.chosen else self.board.verdicts
        return [v.headline for v in wanted][:8]

    def _markup(self) -> str:
        if not self.board.verdicts:
            return '<p class="ik-soft">Nothing to judge yet.</p>'
        titles = ("state", "hypothesis", "held", "failed", "no data", "refuted by, or lacks")
        head = "".join(f"<th scope=col>{t}</th>" for t in titles)
        numbered = list(enumerate(self.board.verdicts))
        refuted = [n for n, v in numbered if v.state == "refuted"]
        folded = set(refuted[OPEN_REFUTED:]) if len(refuted) > OPEN_REFUTED + 1 else set()
        first = [(n, v) for n, v in numbered if n not in folded]
        table = self._table(head, first, "Hypotheses")
        if folded:
            last = [(n, v) for n, v in numbered if n in folded]
            unfolded = " open" if any(v.hypothesis.id == self.value for _, v in last) else ""
            inside = self._table(head, last, "More that are refuted")
            table += f"<details{unfolded}><summary>{len(last)} more are refuted</summary>{inside}</details>"
        following = self.board.next_test
        advice = f'<p class="ik-soft">{escaped(following)}</p>' if following else ""
        return table + advice + self._detail()

    def _table(self, head: str, verdicts: Sequence[tuple[int, Verdict]], label: str) -> str:
        rows = "".join(self._row(n, v) for n, v in verdicts)
        opened = f'<table class="ik-grid" aria-label="{label}">'
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _row(self, number: int, verdict: Verdict) -> str:
        marks = [_mark(t) for t in verdict.tested]
        counts = "".join(f"<td>{marks.count(m) or ''}</td>" for m in ("+", "−", "?"))
        why = verdict.refuted_by[:1] or verdict.missing[:1]
        name = verdict.hypothesis.statement
        chosen = pick(str(number), pressed=verdict.hypothesis.id == self.value, label=f"{name}: {verdict.state}")
        state = f'<span class="ik-state {_COLOUR.get(verdict.state, "unknown")}">{escaped(verdict.state)}</span>'
        return (
            f'<tr><td>{state}</td><td><div class="ik-cell" {chosen}>{escaped(name)}</div></td>{counts}'
            f'<td class="ik-soft">{escaped(why[0]) if why else ""}</td></tr>'
        )

    def _detail(self) -> str:
        chosen = self.chosen
        if chosen is None:
            return ""
        tested = "".join(_tried(t) for t in chosen.tested) or "<li>it predicts nothing that can be tested here</li>"
        links = "".join(
            f"<li>{escaped(x.link.source)} → {escaped(x.link.target)}: {escaped(x.gap or 'has evidence')}</li>"
            for x in chosen.links
        )
        told = f"<div>Mechanism</div><ul>{links}</ul>" if links else ""
        lacks = "".join(f"<li>{escaped(m)}</li>" for m in chosen.missing)
        missing = f"<div>What is missing</div><ul>{lacks}</ul>" if lacks else ""
        name = escaped(chosen.hypothesis.statement)
        return f'<div class="ik-detail"><strong>{name}</strong><ul>{tested}</ul>{told}{missing}</div>'


def _tried(t: Tried) -> str:
    mark = _mark(t)
    kind = {"+": "good", "−": "bad"}.get(mark, "unknown")
    word = f'<span class="ik-state {kind}">{mark} {_WORDS[mark]}</span>'
    said = f'<br><span class="ik-soft">{escaped(t.why_not or t.result.sentence)}</span>'
    return f"<li>{word} {escaped(t.prediction.text)}{said}</li>"


def _mark(t: Tried) -> str:
    if t.result.state == "no data":
        return "?"
    if not t.counts:
        return "0"
    return "+" if t.result.state == "held" else "−"
