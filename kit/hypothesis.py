"""If X is really what did it, what else must be true? Hypotheses, their predictions, the mechanism link by link.

"X caused Y through Z", X a state change. Every prediction is a check by name with literal arguments, so a hypothesis is
text: stored, hashed, replayed. What comes of it is computed by `kit.verdict`, never typed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from connectors.base import canonical
from connectors.errors import BadInput
from kit.checks.registry import find_check, is_literal, validate

Kind = Literal["must", "must-not", "timing", "dose", "scope", "counterfactual"]
Role = Literal["trigger", "latent condition", "sustaining loop", "amplifier"]
KINDS, ROLES = get_args(Kind), get_args(Role)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What must be true if the hypothesis is: a sentence, and the check that can prove it wrong.

    `kind`: *must* and *must-not* (the check must fail), *timing* (order, lag), *dose* (more of X, more of Y), *scope*
    (there and not elsewhere), *counterfactual* (without X it would not be: a reversal, an untreated part). `control`
    holds the arguments that point the same check at an unaffected part, where it has to come out otherwise.

    >>> p = Prediction("the pool is full", check="saturates", arguments={"signal": "checkout/pool.ratio", "at": 0.95})
    >>> p.subject, p.claim
    ('checkout/pool.ratio', 'full')
    """

    text: str
    check: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = "must"
    control: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"{self.kind!r} is no kind of prediction: it is one of {', '.join(KINDS)}.")
        validate(self.check, {**self.arguments, **self.control})
        object.__setattr__(self, "arguments", _plain(self.arguments))
        object.__setattr__(self, "control", _plain(self.control))

    @property
    def subject(self) -> str:
        """What is looked at: predictions of one subject speak of the same thing."""
        return find_check(self.check).subject(self.arguments)

    @property
    def claim(self) -> str:
        """What is said of the subject."""
        claim = find_check(self.check).claim
        return f"not {claim}" if self.kind == "must-not" else claim

    @property
    def refuted_by(self) -> str:
        """What would prove it wrong, in words."""
        question = find_check(self.check).question
        return f"{question} — answered {'yes' if self.kind == 'must-not' else 'no'}, with enough data to see it"

    @property
    def can_be_tested(self) -> bool:
        """Is there a check behind it at all, rather than a note of what is not collected?"""
        return self.check != "not_collected"

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain values, without what is empty."""
        record = {"text": self.text, "kind": self.kind, "check": self.check, "arguments": dict(self.arguments)}
        return {**record, "control": dict(self.control)} if self.control else record


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a mechanism, from what acted to what it did; its predictions are the evidence of the step.

    Their kinds say which side of the link they show: must the direction, timing the order, dose the dose, scope the
    scope. A link without a prediction, or whose predictions cannot be tested, is a gap.
    """

    source: str
    target: str
    text: str
    predictions: tuple[Prediction, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "predictions", tuple(self.predictions))

    def to_dict(self) -> dict[str, Any]:
        """The link as plain values."""
        return {
            "from": self.source,
            "to": self.target,
            "text": self.text,
            "prediction": [p.to_dict() for p in self.predictions],
        }


@dataclass(frozen=True, slots=True)
class Mechanism:
    """The chain from change to symptom; each link starts where the last one ended.

    `question` is what to open the code with, `look_at` where.
    """

    links: tuple[Link, ...] = ()
    question: str = ""
    look_at: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", tuple(self.links))
        object.__setattr__(self, "look_at", tuple(self.look_at))
        for one, other in zip(self.links, self.links[1:], strict=False):
            if one.target != other.source:
                raise BadInput(
                    f"The mechanism breaks between {one.target!r} and {other.source!r}: "
                    "start each link where the last one ended."
                )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """ "X caused Y through Z": a statement, the state change X (its ref or id in the log), and what must be true.

    `change` None says that no state change is named: then it can be supported and never confirmed. `failure` is the
    class of failure it belongs to, `role` what X is in the chain. `restart_cures`: would a restart make this go away as
    well? Then a rollback, which is also a restart, does not tell it apart.

    >>> h = Hypothesis("the deploy broke it", change="4.7", predictions=[
    ...     Prediction("errors rose", check="rises", arguments={"signal": "nginx/requests.errors_ratio"})])
    >>> h.id, h.is_guess
    ('the-deploy-broke-it', False)
    """

    statement: str
    change: str | None = None
    predictions: tuple[Prediction, ...] = ()
    mechanism: Mechanism = field(default_factory=Mechanism)
    failure: str = ""
    role: Role = "trigger"
    restart_cures: bool = False
    id: str = ""

    def __post_init__(self) -> None:
        if not self.statement.strip():
            raise BadInput("A hypothesis needs a statement: say what caused what, through what.")
        if self.role not in ROLES:
            raise BadInput(f"{self.role!r} is no role: it is one of {', '.join(ROLES)}.")
        object.__setattr__(self, "predictions", tuple(self.predictions))
        object.__setattr__(self, "id", self.id or slug(self.statement))

    @property
    def is_guess(self) -> bool:
        """Does it predict nothing that can be checked here?"""
        return not any(p.can_be_tested for p in self.predictions)

    @property
    def digest(self) -> str:
        """16 hex digits over everything it says: two hypotheses with one digest predict the same."""
        return hashlib.sha256(canonical(self.to_dict()).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The hypothesis as plain values, ready for a text file; what is empty is left out."""
        record: dict[str, Any] = {
            "id": self.id,
            "statement": self.statement,
            "change": self.change,
            "failure": self.failure or None,
            "role": self.role,
            "restart_cures": self.restart_cures or None,
            "question": self.mechanism.question or None,
            "look_at": list(self.mechanism.look_at) or None,
            "prediction": [p.to_dict() for p in self.predictions] or None,
            "link": [link.to_dict() for link in self.mechanism.links] or None,
        }
        return {k: v for k, v in record.items() if v is not None}


def hypothesis_of(record: Mapping[str, Any]) -> Hypothesis:
    """Which hypothesis is written here? Raises `BadInput` for keys it does not know; a verdict is such a key.

    >>> hypothesis_of(Hypothesis("a caused b").to_dict()).id
    'a-caused-b'
    """
    known = {
        "id", "statement", "change", "failure", "role", "restart_cures", "question", "look_at", "prediction", "link",
    }  # fmt: skip
    unknown = sorted(set(record) - known)
    if unknown:
        raise BadInput(
            f"A hypothesis has no {', '.join(unknown)}: it is made of {', '.join(sorted(known))}; the rest is computed."
        )
    return Hypothesis(
        statement=record.get("statement", ""),
        change=record.get("change"),
        predictions=_predictions(record.get("prediction", ())),
        mechanism=Mechanism(
            tuple(
                Link(x.get("from", ""), x.get("to", ""), x.get("text", ""), _predictions(x.get("prediction", ())))
                for x in record.get("link", ())
            ),
            record.get("question", ""),
            tuple(record.get("look_at", ())),
        ),
        failure=record.get("failure", ""),
        role=record.get("role", "trigger"),
        restart_cures=bool(record.get("restart_cures", False)),
        id=record.get("id", ""),
    )


def slug(text: str) -> str:
    """A name made of the letters and digits of a sentence.

    >>> slug("Migration 0042 caused it")
    'migration-0042-caused-it'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].rstrip("-")


def _predictions(records: Sequence[Mapping[str, Any]]) -> tuple[Prediction, ...]:
    return tuple(
        Prediction(
            r.get("text", ""), r.get("check", ""), r.get("arguments", {}), r.get("kind", "must"), r.get("control", {})
        )
        for r in records
    )


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
    if not all(is_literal(v) for v in plain.values()):
        raise BadInput("A prediction's arguments are text, numbers or lists of them.")
    return plain
