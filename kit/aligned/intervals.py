"""How far apart are the samples of each signal? A step finer than that is refused: it would make holes of nothing."""

from __future__ import annotations

import numpy as np

from connectors.errors import BadInput
from kit.numerics.grid import Grid


def by_signal_and_time(code: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """In which order do the rows stand by signal and time? None: they do already."""
    if len(code) < 2:
        return None
    if (times[1:] >= times[:-1]).all():
        small = code.astype(np.uint16) if code.min() >= 0 and code.max() < 2**16 else code
        return None if (code[1:] >= code[:-1]).all() else np.argsort(small, kind="stable")
    ahead = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (times[1:] >= times[:-1]))
    return None if ahead.all() else np.lexsort((times, code))


def _steps(code: np.ndarray, times: np.ndarray, labels: list[str]) -> dict[str, float]:
    """Seconds between the samples of each signal: the 10th percentile of the gaps, so that holes don't count."""
    first = np.searchsorted(code, np.arange(len(labels) + 1))
    found = {}
    for signal, label in enumerate(labels):
        gaps = np.diff(times[first[signal] : first[signal + 1]])
        gaps = gaps[gaps > 0]
        if len(gaps):
            at = len(gaps) // 10
            found[label] = float(np.partition(gaps, at)[at]) / 1e6
    return found


def refuse_finer(code: np.ndarray, times: np.ndarray, labels: list[str], grid: Grid) -> None:
    """Raises `BadInput` when the grid's step is finer than a signal's own interval, naming the coarsest."""
    step = grid.step_us / 1e6
    coarse = {signal: gap for signal, gap in _steps(code, times, labels).items() if gap > step * 1.01}
    if coarse:
        signal, gap = max(coarse.items(), key=lambda item: item[1])
        raise BadInput(
            f"A step of {step:g} s is finer than {len(coarse)} of the signals: {signal} has a value every {gap:g} s. "
            f"Align on {gap:g} s or more, or leave those signals out."
        )
