"""What did redaction change in the findings? Both runs side by side, the first one with the same pseudonyms put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.provenance import leaves
from kit.redaction.redactor import Redactor
from kit.redaction.structures import redact_value

_LONGEST = 160
_MADE_OF_WORDS = (".id", ".digest")
"""Leaves that are made of a text: where the text is redacted they differ, and tell it, cut and joined by dashes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One finding that came out otherwise on the redacted answers; of a text only what redaction made of it is told."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key}: {self.before} before, {self.after} after redaction"


def compare_findings(
    before: Mapping[str, Any], after: Mapping[str, Any], *, redactor: Redactor, evidence: Mapping[str, str]
) -> tuple[Change, ...]:
    """Which findings differ between the walk as it was and the walk on the redacted answers?

    `evidence` gives for the id of each answer that of the same answer redacted. A pseudonym in place of a value is no
    difference: `before` is redacted first. What a text said before is never told: it may hide what was taken out.
    """
    expected = _renamed(redact_value(dict(before), redactor), evidence)
    rows = dict(leaves(expected))
    found = dict(leaves(_renamed(dict(after), {})))
    return tuple(
        Change(key, _told_before(rows.get(key)), _short(found.get(key, "nothing")))
        for key in sorted({*rows, *found})
        if rows.get(key) != found.get(key)
        and not key.endswith(_MADE_OF_WORDS)
        and not _same_number(rows.get(key), found.get(key))
    )


def _renamed(value: Any, evidence: Mapping[str, str]) -> Any:
    """The ids of the answers put in their others' place; a list of ids is a set, so it is given in order."""
    if isinstance(value, str):
        return evidence.get(value, value)
    if isinstance(value, dict):
        return {k: _renamed(v, evidence) for k, v in value.items()}
    if isinstance(value, list):
        renamed = [_renamed(v, evidence) for v in value]
        return (
            sorted(renamed) if renamed and all(isinstance(v, str) and v.startswith("ev_") for v in renamed) else renamed
        )
    return value


def _same_number(before: Any, after: Any) -> bool:
    if isinstance(before, bool) or isinstance(after, bool):
        return False
    if isinstance(before, int | float) and isinstance(after, int | float):
        return abs(before - after) <= 1e-9 * max(abs(before), abs(after))
    return False


def _told_before(value: Any) -> str:
    return "nothing" if value is None else "another text" if isinstance(value, str) else _short(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
