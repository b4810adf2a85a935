"""What people decided by hand in this case: reversals that they do without, each with its reason, in `choices.toml`.

The kit only reads them, and a person writes them (`Case.waive`, or an editor): the walk repeats what stands there and
adds nothing. The text keeps its comments, a choice is appended, so that two people's choices merge in git.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from connectors.durable import locked, write_whole
from connectors.errors import BadInput
from kit.verdict import Waiver

if TYPE_CHECKING:
    from kit.hypothesis import Hypothesis

_KEYS = ("hypothesis", "reason", "by_role", "digest")


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of a case: `waivers` of reversals."""

    waivers: tuple[Waiver, ...] = ()

    def on(self, hypotheses: Sequence[Hypothesis]) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
        """Which waivers hold for these hypotheses, and why do the others not? The second part is sentences.

        A waiver lapses when its hypothesis is not put up any more, or predicts something else than what was waived.
        """
        by_id = {h.id: h for h in hypotheses}
        holding, lapsed = [], []
        for w in self.waivers:
            found = by_id.get(w.hypothesis)
            if found is None:
                lapsed.append(f"the reversal waived for {w.hypothesis} waives nothing: no such hypothesis is put up")
            elif w.digest and w.digest != found.digest:
                lapsed.append(
                    f"the reversal waived for {w.hypothesis} waives nothing: the hypothesis predicts something else now"
                )
            else:
                holding.append(w)
        return tuple(holding), tuple(lapsed)


def read_choices(text: str, *, where: str = "choices.toml") -> Choices:
    """Which choices are written here? Raises `BadInput` naming the place and the fault.

    >>> text = '[[waiver]]' + chr(10) + 'hypothesis = "h"' + chr(10) + 'reason = "undone by hand"' + chr(10)
    >>> read_choices(text + 'by_role = "on-call lead"').waivers[0].reason
    'undone by hand'
    """
    try:
        record = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{where} is not TOML: {error}.") from None
    unknown = sorted(set(record) - {"waiver"})
    if unknown:
        raise BadInput(f"{where} has unknown sections: {', '.join(unknown)}; it holds [[waiver]].")
    entries = record.get("waiver", [])
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        raise BadInput(f"{where}: write each waiver as a section [[waiver]] of its own.")
    waivers = tuple(_waiver(e, f"{where}, waiver {i}") for i, e in enumerate(entries, 1))
    ids = [w.hypothesis for w in waivers]
    double = sorted({i for i in ids if ids.count(i) > 1})
    if double:
        raise BadInput(f"{where} waives the reversal of {', '.join(double)} twice: keep one.")
    return Choices(waivers)


def waiver_text(waiver: Waiver) -> str:
    """The section that says this waiver, to be appended to `choices.toml`.

    >>> print(waiver_text(Waiver("h", "undone by hand", "on-call lead")).strip())
    [[waiver]]
    hypothesis = "h"
    reason = "undone by hand"
    by_role = "on-call lead"
    """
    record = {key: getattr(waiver, key) for key in _KEYS if getattr(waiver, key)}
    return f"\n[[waiver]]\n{tomli_w.dumps(record)}"


def add_waiver(path: Path, hypothesis: Hypothesis, *, reason: str, by_role: str) -> None:
    """Append a waiver for this hypothesis, as it predicts now, to the file of choices; what stands there stays.

    Raises `BadInput` when a reason or a role is missing, or its reversal is waived there already.
    """
    waiver = Waiver(hypothesis.id, reason, by_role, hypothesis.digest)
    with locked(path):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text = f"{before.rstrip()}{chr(10) if before.strip() else ''}{waiver_text(waiver)}".lstrip()
        read_choices(text, where=path.name)
        write_whole(path, text)


def _waiver(entry: Mapping[str, Any], where: str) -> Waiver:
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        raise BadInput(f"{where} has no {', '.join(unknown)}: it says {', '.join(_KEYS)}.")
    if not all(isinstance(v, str) for v in entry.values()):
        raise BadInput(f"{where}: all it says is text.")
    try:
        return Waiver(
            entry.get("hypothesis", ""), entry.get("reason", ""), entry.get("by_role", ""), entry.get("digest", "")
        )
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
