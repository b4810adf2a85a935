"""Two ways timed in one process, by turns: ratios of pairs with an interval, by the clock and by processor time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DRAWS = 5000


@dataclass(frozen=True)
class Pairs:
    """Seconds of both ways, a row a pair: by the clock and of the processor (all threads)."""

    ours: np.ndarray
    theirs: np.ndarray

    def ratio(self, clock: int) -> str:
        """How many times as long do they take? Median of the pairs and its 90 % bootstrap interval; 0 clock, 1 CPU."""
        ratios = self.theirs[:, clock] / self.ours[:, clock]
        drawn = np.median(np.random.default_rng(0).choice(ratios, (DRAWS, len(ratios))), axis=1)
        low, high = np.quantile(drawn, [0.05, 0.95])
        return f"{np.median(ratios):.1f} ({low:.1f}–{high:.1f})"

    def row(self, what: str, wanted: str) -> str:
        """The pair as a line of a table."""
        a, b = np.median(self.ours, axis=0), np.median(self.theirs, axis=0)
        return (
            f"| {what} | {len(self.ours)} | {a[0]:.2f} | {b[0]:.2f} | {self.ratio(0)} | {a[1]:.2f} | {b[1]:.2f} "
            f"| {self.ratio(1)} | {wanted} |"
        )


HEAD = [
    "| what | pairs | ours, s | theirs, s | their / our s (90 %) | our CPU s | their CPU s | their / our | wanted |",
    "|---|---|---|---|---|---|---|---|---|",
]


def by_turns(
    ours: Callable[[], object], theirs: Callable[[], object], *, pairs: int, share: tuple[float, float] = (1.0, 1.0)
) -> Pairs:
    """Times both `pairs` times, who begins changes each time; `share`: which part of the whole work each call does."""
    taken: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for turn in range(pairs):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds = _timed((ours, theirs)[side])
            taken[side].append((seconds[0] / share[side], seconds[1] / share[side]))
    return Pairs(np.array(taken[0]), np.array(taken[1]))


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor
