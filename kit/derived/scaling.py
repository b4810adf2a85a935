"""When did the number of a service's instances change?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from kit.derived.rows import Row, derived_row

HELD_BINS = 3
"""A number counts when it holds for so many bins: a scrape missed is no scale-in."""


def scaled(wide: pd.DataFrame) -> list[Row]:
    """From how many to how many instances did each service go, and when?

    Instances are those of `service@instance/…` signals that have data in a bin. A number must hold for three bins on
    both sides. It misleads where instances lose their telemetry and not their life: the coverage says which did.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=8, freq="15s")
    >>> wide = pd.DataFrame({"web@1/cpu.gauge": 1.0, "web@2/cpu.gauge": [np.nan] * 4 + [1.0] * 4}, index=at)
    >>> [(r["summary"], str(r["time"])[11:19]) for r in scaled(wide)]
    [('web went from 1 to 2 instances', '02:01:00')]
    """
    owners = sorted({str(c).split("/", 1)[0] for c in wide.columns if "@" in str(c).split("/", 1)[0]})
    services: dict[str, list[str]] = {}
    for owner in owners:
        services.setdefault(owner.split("@", 1)[0], []).append(owner)
    rows = []
    for service, mine in sorted(services.items()):
        alive = sum(
            wide[[c for c in wide.columns if str(c).startswith(f"{owner}/")]].notna().any(axis=1).astype(int)
            for owner in mine
        )
        held = _levels(np.asarray(alive))
        for (_, one), (at, other) in pairwise(held):
            text = f"{service} went from {one} to {other} instances"
            rows.append(
                derived_row(
                    "scale", wide.index[at].to_pydatetime(), text, service=service, before=str(one), after=str(other)
                )
            )
    return rows


def _levels(counts: np.ndarray) -> list[tuple[int, int]]:
    """(first bin, number) of each stretch that is long enough and above zero, equal neighbours joined."""
    edges = np.flatnonzero(np.diff(counts)) + 1
    parts = zip(np.concatenate([[0], edges]), np.concatenate([edges, [len(counts)]]), strict=True)
    found: list[tuple[int, int]] = []
    for start, end in parts:
        value = int(counts[start])
        if end - start >= HELD_BINS and value > 0 and (not found or found[-1][1] != value):
            found.append((int(start), value))
    return found
