"""What is different between what was exported and what this installation finds in the same recorded answers?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kit.provenance import leaves

RELATIVE = 1e-9
"""Two numbers that differ by less are the same: another machine adds in another order."""
_NOT_THERE = "not there"
_TIME = re.compile(r"(\b\d\d:\d\d:\d\d)\.(\d{1,9})(?!\d)")
"""Versions of pandas print a different number of digits of the same second."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same: where it stands, what was exported, what was found again."""

    where: str
    exported: str
    found: str

    def to_dict(self) -> dict[str, str]:
        """As plain values."""
        return {"where": self.where, "exported": self.exported, "found": self.found}


def differing(exported: Any, found: Any, *, where: str) -> Iterator[Difference]:
    """Each single value that is not the same, in the order of what was exported.

    >>> [d.where for d in differing({"n": 3, "x": 1.0}, {"n": 4, "x": 1.0 + 1e-12}, where="findings.json")]
    ['findings.json n']
    """
    left, right = dict(leaves(exported)), dict(leaves(found))
    for at, value in left.items():
        if at not in right:
            yield Difference(f"{where} {at}", shown(value), _NOT_THERE)
        elif not same(value, right[at]):
            yield Difference(f"{where} {at}", shown(value), shown(right[at]))
    for at, value in right.items():
        if at not in left:
            yield Difference(f"{where} {at}", _NOT_THERE, shown(value))


def same(one: Any, other: Any) -> bool:
    """Are two single values equal, numbers within a rounding of the last digits, times however many zeros they end in?

    >>> same("04:36:51.777000+00:00", "04:36:51.777+00:00"), same("04:36:51.777", "04:36:51.778")
    (True, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=1e-12) or (one != one and other != other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _TIME.sub(_short, one) == _TIME.sub(_short, other)
    return one == other


def _short(time: re.Match[str]) -> str:
    return f"{time[1]}.{time[2]}".rstrip("0").rstrip(".")


def shown(value: Any, *, limit: int = 160) -> str:
    """A value in a table of differences, cut where it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def numbers_of(figure: Mapping[str, Any]) -> list[Any]:
    """The traces of a chart with their packed arrays unpacked, so that numbers are compared as numbers."""
    return [_unpacked(trace) for trace in figure.get("data", [])]


def _unpacked(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) >= {"dtype", "bdata"}:
            return _array(value)
        return {key: _unpacked(inner) for key, inner in value.items()}
    return [_unpacked(inner) for inner in value] if isinstance(value, list) else value


def _array(packed: Mapping[str, Any]) -> Any:
    import base64
    import binascii

    import numpy as np

    try:
        content = base64.b64decode(str(packed["bdata"]), validate=True)
        kind = np.dtype(str(packed["dtype"]))
        if kind.hasobject:
            return shown(packed)
        return np.frombuffer(content, dtype=kind).tolist()
    except (binascii.Error, TypeError, ValueError):
        return shown(packed)
