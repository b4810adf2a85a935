"""What can be checked, by name: questions with literal arguments, each run on the harm and on its control.

A check never runs code from a file: a hypothesis names it and gives text, numbers and lists. It answers held, failed or
no data; too few requests, a gap or a lag that is not over are *no data*, never *failed*.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.errors import BadInput, ConnectorError
from kit.checks.facts import Facts
from kit.checks.windows import Windows
from kit.errors import KitError

State = Literal["held", "failed", "no data"]
HELD, FAILED, NO_DATA = "held", "failed", "no data"
Literals = Mapping[str, Any]

_MODULES = ("kit.checks.signals", "kit.checks.lines", "kit.checks.changes")
_REGISTERED: dict[str, Check] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a check gave: the state, a sentence, the numbers behind it, and the evidence it read."""

    state: State
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()

    def flipped(self) -> Outcome:
        """The same for a prediction that says the opposite; *no data* stays."""
        other: State = {HELD: FAILED, FAILED: HELD, NO_DATA: NO_DATA}[self.state]  # type: ignore[assignment]
        return Outcome(other, self.sentence, self.numbers, self.evidence)


@dataclass(frozen=True, slots=True)
class Check:
    """A registered question.

    `about` names the arguments that say what is looked at, `claim` what a *held* says of it: two predictions about the
    same thing with other claims contradict each other. `on_quiet` is what it says where nothing happens. `placebo`
    runs it on a control of its own kind; without one it is run on healthy stretches of the baseline. `inner_control`:
    it compares a treated part with an untreated one itself. `cost`: rough seconds against a remote source.
    """

    name: str
    question: str
    run: Callable[..., Outcome]
    about: tuple[str, ...]
    claim: str
    on_quiet: State
    placebo: Callable[..., Outcome] | None
    inner_control: bool
    cost: float

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The literal arguments it takes."""
        signature = inspect.signature(self.run)
        return {n: p for n, p in signature.parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def subject(self, arguments: Literals) -> str:
        """What is looked at, as text: two predictions with the same subject speak of the same thing."""
        parts = [_subject_part(arguments.get(a)) for a in self.about]
        return " ".join(parts) if parts else self.name


def check(
    *,
    about: Sequence[str],
    claim: str,
    on_quiet: State = "failed",
    placebo: Callable[..., Outcome] | None = None,
    inner_control: bool = False,
    cost: float = 1.0,
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Register a function `(facts, windows, *, literals) -> Outcome` as a check under its own name.

    Two functions of one name are an error, so that a stored hypothesis always means the same.
    """

    def register(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
        name = run.__name__
        if name in _REGISTERED and _REGISTERED[name].run.__module__ != run.__module__:
            raise BadInput(f"Two checks are called {name!r}: rename the one in {run.__module__}.")
        question = (inspect.getdoc(run) or name).splitlines()[0]
        _REGISTERED[name] = Check(name, question, run, tuple(about), claim, on_quiet, placebo, inner_control, cost)
        return run

    return register


def checks() -> Mapping[str, Check]:
    """Which checks are there? By name, the kit's own and those registered in this process.

    >>> {"rises", "stays_flat", "appears", "recovers_after"} <= set(checks())
    True
    """
    for module in _MODULES:
        importlib.import_module(module)
    return dict(sorted(_REGISTERED.items()))


def find_check(name: str) -> Check:
    """The check of this name; an unknown name is an error that tells the near-misses."""
    known = checks()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}."
    raise BadInput(f"There is no check {name!r}: {hint}")


def validate(name: str, arguments: Literals) -> None:
    """Is this a check that exists, with arguments it takes, all literal? Raises `BadInput` with every fault at once."""
    found = find_check(name)
    faults = []
    for key, value in arguments.items():
        if key not in found.parameters:
            near = difflib.get_close_matches(key, found.parameters, n=1)
            faults.append(f"it takes no {key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        elif not is_literal(value):
            faults.append(f"{key!r} is a {type(value).__name__}, not text, a number or a list of them")
    for key, parameter in found.parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in arguments:
            faults.append(f"it needs {key!r}")
    if faults:
        raise BadInput(f"The check {name!r} cannot be asked like this: {'; '.join(faults)}.")


def is_literal(value: Any) -> bool:
    """Can this value be stored in a text file and read back the same?"""
    if isinstance(value, list | tuple):
        return all(is_literal(v) for v in value)
    return isinstance(value, str | bool | int | float)


def run_check(facts: Facts, name: str, arguments: Literals, *, windows: Windows | None = None) -> Outcome:
    """What does the check of this name say on these windows (default: the facts' own)?

    A source that cannot answer (not recorded, unavailable, no such field) makes it *no data* with its sentence.
    """
    validate(name, arguments)
    found = find_check(name)
    return _guarded(found.run, facts, windows if windows is not None else facts.windows, arguments)


def run_controls(
    facts: Facts, name: str, arguments: Literals, *, windows: Windows | None = None, control: Literals | None = None
) -> tuple[tuple[str, Outcome], ...]:
    """What does the same check say where it should say otherwise?

    On the placebo (healthy stretches, or the check's own control in time), and on the unaffected part when `control`
    holds the arguments that point there. Named outcomes; empty when no control could be built.
    """
    validate(name, {**arguments, **(control or {})})
    found = find_check(name)
    here = windows if windows is not None else facts.windows
    results: list[tuple[str, Outcome]] = []
    if found.placebo is not None:
        results.append(("placebo", _guarded(found.placebo, facts, here, arguments)))
    else:
        for i, quiet in enumerate(here.placebos(), 1):
            results.append((f"placebo {i}", _guarded(found.run, facts, quiet, arguments)))
    if control:
        results.append(("unaffected part", _guarded(found.run, facts, here, {**arguments, **control})))
    return tuple(results)


def no_data(sentence: str, *, evidence: Sequence[str] = ()) -> Outcome:
    """The outcome of a check that could not have seen the effect."""
    return Outcome(NO_DATA, sentence, {}, tuple(evidence))


def _guarded(run: Callable[..., Outcome], facts: Facts, windows: Windows, arguments: Literals) -> Outcome:
    try:
        return run(facts, windows, **{k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()})
    except (ConnectorError, KitError) as error:
        return no_data(str(error))


def _subject_part(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(sorted(map(str, value)))
    return "" if value is None else str(value)
