"""What came of a hypothesis: guess, open, refuted, supported or confirmed — computed from its predictions, never typed.

A prediction that comes out the same on its control could not have failed and counts for nothing. Only predictions that
count support; timing and absence support nothing; confirmed needs a prediction that told it from a rival, evidence on
every link, and a reversal or counterfactual seen, unless a person waived that with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from connectors.base import canonical
from connectors.errors import BadInput
from kit.checks.facts import Facts
from kit.checks.registry import FAILED, HELD, NO_DATA, Outcome, find_check, run_check, run_controls
from kit.checks.remembered import Remembered
from kit.checks.windows import Windows
from kit.hypothesis import Hypothesis, Link, Prediction
from kit.result import Result

if TYPE_CHECKING:
    import pandas as pd

Verdicts = Literal["guess", "open", "refuted", "supported", "confirmed"]
SILENT = frozenset({"timing", "must-not"})
"""Kinds that can refute and never support: that it came first, and that something did not happen."""
WORDS = {"refuted": "ruled out", "guess": "a guess: it predicts nothing that can be tested here"}
ASPECTS = {"must": "direction", "must-not": "direction", "timing": "order", "dose": "dose", "scope": "scope",
           "counterfactual": "scope"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiver:
    """A person's decision to do without a reversal for one hypothesis, kept in the case's choices.

    Never made by the kit itself: a headless run repeats what stands in the choices and adds nothing. `digest`: of the
    hypothesis that was waived; when it says something else now the waiver has lapsed. Empty: not noted.
    """

    hypothesis: str
    reason: str
    by_role: str
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.hypothesis.strip():
            raise BadInput("A waived reversal names the hypothesis that it is waived for.")
        if not self.reason.strip() or not self.by_role.strip():
            raise BadInput("A waived reversal needs a reason and the role of who waives it.")

    def __str__(self) -> str:
        return f"{self.reason.strip().rstrip('.')} ({self.by_role.strip()})"


@dataclass(frozen=True, slots=True)
class Tried:
    """A prediction, what came of it, what came of it on its controls, and whether it counts."""

    prediction: Prediction
    result: Outcome
    controls: tuple[tuple[str, Outcome], ...] = ()
    counts: bool = False
    why_not: str = ""

    @property
    def supports(self) -> bool:
        """Did it hold in a way that it could have failed, on evidence?"""
        return self.counts and self.result.state == HELD

    @property
    def refutes(self) -> bool:
        """Did it fail in a way that it could have held?"""
        return self.counts and self.result.state == FAILED


@dataclass(frozen=True, slots=True)
class LinkTried:
    """A link of the mechanism with its tested predictions."""

    link: Link
    tested: tuple[Tried, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the link rests on: the evidence of every prediction of it that counts and held."""
        return tuple(dict.fromkeys(e for t in self.tested if t.supports for e in t.result.evidence))

    @property
    def contradicted(self) -> Tried | None:
        """The prediction of this link that failed, if one did."""
        return next((t for t in self.tested if t.refutes), None)

    @property
    def gap(self) -> str:
        """What is wrong with the link: nothing shown, or contradicted; empty when it has evidence."""
        if self.contradicted:
            return f"contradicted: {self.contradicted.result.sentence}"
        if self.evidence:
            return ""
        reasons = [t.why_not or t.result.sentence for t in self.tested]
        return f"no evidence: {reasons[0]}" if reasons else "no evidence: nothing was asked of it"

    @property
    def aspects(self) -> Mapping[str, str]:
        """Order, direction, dose and scope: each *held*, *failed*, *no data* or *not asked*."""
        shown = dict.fromkeys(("order", "direction", "dose", "scope"), "not asked")
        for t in self.tested:
            aspect = ASPECTS[t.prediction.kind]
            state = t.result.state if t.counts or t.result.state == NO_DATA else NO_DATA
            if shown[aspect] in ("not asked", NO_DATA) or state == FAILED:
                shown[aspect] = state
        return shown


@dataclass(frozen=True, slots=True)
class Verdict(Result):
    """The state of one hypothesis, with everything it follows from.

    `missing` says what keeps it from the next state up; `discriminating` are the predictions that told it from a rival;
    `waived` is the reason, with the role of who waived, when a person did without the reversal.
    """

    hypothesis: Hypothesis
    state: Verdicts
    refuted_by: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    tested: tuple[Tried, ...] = ()
    links: tuple[LinkTried, ...] = ()
    discriminating: tuple[str, ...] = ()
    reversal: str = ""
    waived: str = ""
    because: tuple[str, ...] = field(default=())

    @property
    def headline(self) -> str:
        """The hypothesis and its state."""
        waived = f", its reversal waived by hand: {self.waived}" if self.waived else ""
        return f"{self.hypothesis.statement}: {WORDS.get(self.state, self.state)}{waived}."

    @property
    def evidence(self) -> tuple[str, ...]:
        """Everything it rests on, for or against."""
        every = [*self.tested, *(t for link in self.links for t in link.tested)]
        return tuple(dict.fromkeys(e for t in every if t.counts for e in t.result.evidence))

    @property
    def gaps(self) -> tuple[str, ...]:
        """The links that lack evidence, each with what is missing."""
        return tuple(f"{x.link.source} → {x.link.target}: {x.gap}" for x in self.links if x.gap)

    def to_frame(self) -> pd.DataFrame:
        """A row per prediction: kind, text, result, why, counts, controls, evidence; those of links name the link."""
        import pandas as pd

        rows = [("", t) for t in self.tested] + [
            (f"{x.link.source} → {x.link.target}", t) for x in self.links for t in x.tested
        ]
        return pd.DataFrame(
            [
                {
                    "link": link,
                    "kind": t.prediction.kind,
                    "prediction": t.prediction.text,
                    "result": t.result.state,
                    "why": t.result.sentence,
                    "counts": t.counts,
                    "why_not": t.why_not,
                    "controls": "; ".join(f"{name}: {o.state}" for name, o in t.controls),
                    "evidence": ", ".join(t.result.evidence),
                }
                for link, t in rows
            ],
            columns=["link", "kind", "prediction", "result", "why", "counts", "why_not", "controls", "evidence"],
        )

    def told(self) -> str:
        """The mechanism as one paragraph, gaps said where they are, ending with the question to take to the code."""
        if not self.links:
            return f"{self.hypothesis.statement}: no mechanism has been told, so this is a correlation."
        parts = [x.link.text.rstrip(".") + (f" (not shown: {x.gap.rstrip('.')})" if x.gap else "") for x in self.links]
        chain = f"{'; '.join(parts)}."
        question = self.hypothesis.mechanism.question
        return chain[:1].upper() + chain[1:] + (f" The question for the code: {question}" if question else "")

    def to_findings(self) -> dict[str, Any]:
        """The keys that findings.json has for a hypothesis."""
        return {
            "id": self.hypothesis.id,
            "statement": self.hypothesis.statement,
            "ref": self.hypothesis.change,
            "failure": self.hypothesis.failure,
            "role": self.hypothesis.role,
            "state": self.state,
            "refuted_by": list(self.refuted_by),
            "missing": list(self.missing),
            "waived": self.waived or None,
            "reversal": self.reversal or None,
            "digest": self.hypothesis.digest,
        }

    def to_mechanism(self) -> list[dict[str, Any]]:
        """The keys that findings.json has for a mechanism."""
        return [
            {
                "from": x.link.source,
                "to": x.link.target,
                "text": x.link.text,
                "aspects": dict(x.aspects),
                "evidence": list(x.evidence),
                "shown": [t.result.sentence for t in x.tested if t.supports],
                "shown_by": [list(t.result.evidence) for t in x.tested if t.supports],
                "gap": x.gap or None,
            }
            for x in self.links
        ]


class Trials:
    """Runs checks once each, however many hypotheses ask the same."""

    def __init__(self, facts: Facts, windows: Windows | None = None) -> None:
        self.facts = Remembered(facts)
        self.windows = windows if windows is not None else facts.windows
        self._done: dict[str, Tried] = {}

    def test(self, prediction: Prediction) -> Tried:
        """What came of this prediction, on the harm and on its controls?"""
        key = canonical(prediction.to_dict())
        if key not in self._done:
            self._done[key] = self._test(prediction)
        return self._done[key]

    def _test(self, prediction: Prediction) -> Tried:
        opposite = prediction.kind == "must-not"
        outcome = run_check(self.facts, prediction.check, prediction.arguments, windows=self.windows)
        result = outcome.flipped() if opposite else outcome
        if result.state == NO_DATA:
            return Tried(prediction, result, why_not=result.sentence)
        ran = run_controls(
            self.facts, prediction.check, prediction.arguments, windows=self.windows, control=prediction.control
        )
        controls = tuple((name, o.flipped() if opposite else o) for name, o in ran)
        why_not = _why_not(prediction, result, controls)
        return Tried(prediction, result, controls, counts=not why_not, why_not=why_not)


def judge_one(
    hypothesis: Hypothesis,
    *,
    tested: Sequence[Tried],
    links: Sequence[LinkTried],
    rivals: Sequence[Sequence[Tried]],
    waiver: Waiver | None = None,
) -> Verdict:
    """Which state do these outcomes give the hypothesis?

    `rivals`: the tested predictions of each other hypothesis that is no guess. Pure: the same outcomes always give the
    same verdict.
    """
    refuting = [t for t in tested if t.refutes]
    supporting = [t for t in tested if t.supports and t.prediction.kind not in SILENT]
    telling = _discriminating(tested, rivals)
    seen = next((t for t in supporting if t.prediction.kind == "counterfactual"), None)
    waived = str(waiver) if waiver is not None and seen is None else ""
    lacking = _lacking(hypothesis, links, telling, seen, waived)
    state: Verdicts
    if hypothesis.is_guess:
        state, missing = "guess", ("a prediction that can be tested here",)
    elif refuting:
        state, missing = "refuted", ()
    elif not supporting:
        state, missing = "open", _untested(tested)
    else:
        state, missing = ("supported", lacking) if lacking else ("confirmed", ())
    return Verdict(
        hypothesis=hypothesis,
        state=state,
        refuted_by=tuple(f"{t.prediction.text} — {t.result.sentence}" for t in refuting),
        missing=missing,
        tested=tuple(tested),
        links=tuple(links),
        discriminating=tuple(t.prediction.text for t in telling),
        reversal=seen.result.sentence if seen else "",
        waived=waived if state == "confirmed" else "",
        because=_because(refuting, supporting, tested, waived if state == "confirmed" else ""),
    )


def _why_not(prediction: Prediction, result: Outcome, controls: Sequence[tuple[str, Outcome]]) -> str:
    found = find_check(prediction.check)
    same = next((name for name, o in controls if o.state == result.state), "")
    if result.state == HELD:
        if same:
            return f"It holds on its control as well ({same}): it could not have failed."
        if not result.evidence:
            return "It rests on no evidence."
        if not found.inner_control and all(o.state == NO_DATA for _, o in controls):
            return "No control could be run: whether it could have failed is unknown."
        return ""
    on_quiet = Outcome(found.on_quiet, "")
    quiet = (on_quiet.flipped() if prediction.kind == "must-not" else on_quiet).state
    if quiet == HELD and same:
        return f"It fails on its control as well ({same}): it could not have held."
    return ""


def _discriminating(tested: Sequence[Tried], rivals: Sequence[Sequence[Tried]]) -> list[Tried]:
    """Predictions that held where a rival's about the same thing failed; a rival out of time or place is none."""
    telling = []
    for t in tested:
        if not t.supports or t.prediction.kind in SILENT:
            continue
        for rival in rivals:
            if any(r.refutes and _misplaced(r.prediction) for r in rival):
                continue
            if any(r.refutes and r.prediction.subject == t.prediction.subject for r in rival):
                telling.append(t)
                break
    return telling


def _misplaced(prediction: Prediction) -> bool:
    """Does its failure say that a change was never a candidate: out of time, or nowhere near?"""
    return prediction.kind in ("timing", "scope") and "change" in find_check(prediction.check).about


def _lacking(
    hypothesis: Hypothesis, links: Sequence[LinkTried], telling: Sequence[Tried], seen: Tried | None, waived: str
) -> tuple[str, ...]:
    lacking = []
    if hypothesis.change is None:
        lacking.append("a state change that began it")
    if not telling:
        lacking.append("a prediction that held and that a rival predicts otherwise")
    if not links:
        lacking.append("a mechanism")
    lacking.extend(f"{x.link.source} → {x.link.target}: {x.gap}" for x in links if x.gap)
    if seen is None and not waived:
        lacking.append("a reversal or counterfactual (undo it, or find an untreated part)")
    return tuple(lacking)


def _untested(tested: Sequence[Tried]) -> tuple[str, ...]:
    reasons = tuple(dict.fromkeys(t.why_not for t in tested if t.why_not))
    return reasons or ("a prediction other than timing that held and could have failed",)


def _because(
    refuting: Sequence[Tried], supporting: Sequence[Tried], tested: Sequence[Tried], waived: str
) -> tuple[str, ...]:
    lines = [f"against: {t.result.sentence}" for t in refuting] + [f"for: {t.result.sentence}" for t in supporting]
    lines += [f"counts for nothing: {t.prediction.text} — {t.why_not}" for t in tested if t.why_not]
    return tuple([*lines, f"reversal waived by hand: {waived}"] if waived else lines)
