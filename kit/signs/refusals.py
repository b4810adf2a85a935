"""How do requests fail: refused as malformed, as not allowed, throttled, at a fixed time, or at once?"""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.golden_signals import SignalBoard, shown
from kit.signs.sign import Sign, moved, readings_of_entry

FASTER = 0.8


def refusal_signs(failures: Any, board: SignalBoard, entry: str | None) -> list[Sign]:
    """Which kinds of failure rose, and do failures take a fixed time, or less than successes?"""
    if failures is None:
        ratios = [r for r in readings_of_entry(board, entry) if r.signal.endswith("client_errors_ratio")]
        return [
            moved("client_errors_up", ratios, "up", "4xx rose", "4xx did not rise", "4xx are not told apart"),
            *(
                Sign(n, None, t)
                for n, t in (
                    ("auth_errors_up", "401 and 403 are not told apart"),
                    ("throttled", "429 are not told apart"),
                    ("latency_fixed", "durations of failures are not known"),
                    ("failures_fast", "durations of failures are not known"),
                )
            ),
        ]
    auth, client, throttled = failures.share("401/403"), failures.share("other 4xx"), failures.share("429")
    fast = (
        bool(failures.failed_s <= FASTER * failures.usual_s)
        if np.isfinite([failures.failed_s, failures.usual_s]).all()
        else None
    )
    return [
        Sign("client_errors_up", _rose(client), _share_text("other 4xx", client)),
        Sign("auth_errors_up", _rose(auth), _share_text("401 and 403", auth)),
        Sign("throttled", _rose(throttled), _share_text("429", throttled)),
        Sign(
            "latency_fixed",
            failures.fixed_s is not None if np.isfinite(failures.failed_s) else None,
            f"failures end at {failures.fixed_s:.3g} s, as a timeout makes them"
            if failures.fixed_s
            else "failures have no common duration"
            if np.isfinite(failures.failed_s)
            else "nothing failed that could have taken a fixed time",
        ),
        Sign(
            "failures_fast",
            fast,
            f"failures take {shown(failures.failed_s, 'x/duration.p50')}, successes on the same routes took "
            f"{shown(failures.usual_s, 'x/duration.p50')}",
        ),
    ]


def _rose(shares: tuple[float, float]) -> bool:
    before, now = shares
    return bool(now - before >= 0.01 and now >= 2 * before)


def _share_text(what: str, shares: tuple[float, float]) -> str:
    return f"{what}: {shares[0]:.2%} → {shares[1]:.2%} of requests"
