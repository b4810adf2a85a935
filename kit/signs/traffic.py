"""Do more or fewer requests arrive, and is the load made of users or of attempts?"""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.golden_signals import SignalBoard
from kit.signs.sign import Sign, readings_of_entry, told

TRAFFIC_UP, TRAFFIC_DOWN = 1.4, 0.6
ATTEMPTS_UP = 1.3


def traffic_signs(board: SignalBoard, episode: Any, failures: Any, entry: str | None) -> list[Sign]:
    """Is there more or less traffic at the entry, and more of it inside than the entry explains?"""
    mine = [
        r for r in readings_of_entry(board, entry) if r.kind == "traffic" and r.arrow != "unknown" and r.size == r.size
    ]
    mine = [r for r in mine if "requests" in r.signal] or mine
    factor = mine[0].size if mine else None
    lost = episode is not None and any(r.ill and r.signal == "traffic_rps" for r in episode.readings)
    said = (
        f"traffic {factor:.2f} times the usual ({mine[0].signal})" if factor is not None else "traffic is not measured"
    )
    attempts = _attempts(board, failures)
    inner = [r for r in board.readings if r.kind == "traffic" and r.service != (mine[0].service if mine else None)]
    grown = [r for r in inner if r.arrow == "up" and factor is not None and r.size >= ATTEMPTS_UP * max(factor, 0.5)]
    return [
        Sign("traffic_up", None if factor is None else factor >= TRAFFIC_UP, said),
        Sign("traffic_down", True if lost else None if factor is None else factor <= TRAFFIC_DOWN, said),
        Sign("traffic_steady", None if factor is None else TRAFFIC_DOWN < factor < TRAFFIC_UP, said),
        attempts,
        Sign(
            "inner_traffic_up",
            bool(grown) if inner and factor is not None else None,
            told(grown) or "no inner hop gets more requests than the entry explains",
        ),
    ]


def _attempts(board: SignalBoard, failures: Any) -> Sign:
    before = now = float("nan")
    if failures is not None and np.isfinite([failures.attempts_before, failures.attempts_now]).all():
        before, now = failures.attempts_before, failures.attempts_now
    if not np.isfinite(before):
        return Sign("attempts_up", None, "attempts per request are not logged")
    return Sign("attempts_up", now >= ATTEMPTS_UP * before, f"attempts per request {before:.2f} → {now:.2f}")
