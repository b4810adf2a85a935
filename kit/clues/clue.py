"""What speaks against one service: a clue has a kind, a strength and a sentence; services are named by workload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

_POD = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$")


@dataclass(frozen=True, slots=True)
class Clue:
    """One reason to suspect a service.

    `kind` is one of saturation, errors, latency, traffic, self time, calls, flow, lines; `strength` grows with the
    factor of the change and how sure it is: about 1 is a doubling beyond doubt, below 0.5 is weak. `rise` is the change
    in the signal's own unit, to tell what was passed on from what began here; `signal` what was measured.
    """

    service: str
    kind: str
    strength: float
    why: str
    signal: str = ""
    rise: float = 0.0


def workload(service: str) -> str:
    """Which workload does this pod belong to? Names without a pod's suffix stay as they are.

    >>> workload("cart-579f59597d-wc2lz"), workload("cart"), workload("db-0")
    ('cart', 'cart', 'db-0')
    """
    return _POD.sub("", service)


def sureness(z: np.ndarray | float, *, none: float = 2.0, full: float = 4.0) -> np.ndarray:
    """How much of a claim does a z of this size carry? 0 up to `none`, 1 from `full`, straight between.

    >>> sureness([1.0, 3.0, -9.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip((np.abs(np.asarray(z, dtype=float)) - none) / (full - none), 0.0, 1.0)


def strongest(clues: Iterable[Clue]) -> dict[tuple[str, str], Clue]:
    """The strongest clue of each service and kind."""
    best: dict[tuple[str, str], Clue] = {}
    for clue in clues:
        key = clue.service, clue.kind
        if key not in best or clue.strength > best[key].strength:
            best[key] = clue
    return best


def shared_gaps(gap: Mapping[tuple[str, str], tuple[float, str, float]]) -> list[Clue]:
    """Whose fault is time lost between caller and callee? (strength, sentence, rise) per edge becomes clues.

    What all callees of a caller share (the median) is put to the caller, what is above it to the callee.
    """
    out = []
    for caller in sorted({a for a, _ in gap}):
        mine = [g[0] for (a, _), g in gap.items() if a == caller]
        common = float(np.median(mine)) if len(mine) >= 2 else 0.0
        if common > 0:
            why = f"waits longer on {sum(g > 0 for g in mine)} of {len(mine)} callees beyond what they account for"
            out.append(Clue(caller, "self time", common, why, "calls to all its callees"))
        for (a, callee), (strength, why, rise) in gap.items():
            if a == caller and strength > common:
                out.append(Clue(callee, "calls", strength - common, why, f"{caller} → {callee}", rise))
    return out
