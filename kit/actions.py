"""What was done after the onset, and did it help? Several actions within one recovery lag cannot be told apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import utc
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import micros
from kit.numerics.moments import Moment, as_moment, length
from kit.requests import request_arrays
from kit.suspects import Suspects

LAG_S = 180.0
"""How long after an action its effect may show."""
FEWEST = 30
"""Fewer requests than this on either side of an action and its effect cannot be told."""
SEPARATE_S = 60.0
_ACTION = re.compile(
    r"roll(ed)?.?back|revert|disable|switch.?off|turn.?off|shed|fail.?over|drain|scale|kill|cancel"
    r"|restart|block|throttle|limit|renew|replac(e|ing)|rotat(e|ing)|clean|purge"
    r"|\bno retr(y|ies)|retries off|terminat|\b(end|stop)(s|ed|ped|ing|ping)? (the |a |its |their |all )?"
    r"(session|job|statement|quer(y|ies)|retr(y|ies)|process|consumer|batch)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Effect:
    """Did an action help? `effect`: helped, none, worse or cannot_tell; `recovery`: when the symptom was back."""

    ref: str
    summary: str
    time: datetime
    effect: str
    recovery: Moment | None
    why: str


def judge_actions(
    changes: Table | Suspects,
    requests: Table,
    *,
    onset: Any,
    recovered: Any = None,
    slow_s: float | None = None,
    until: datetime | None = None,
    lag_s: float = LAG_S,
) -> tuple[Effect, ...]:
    """What was done after the onset, and did it help?

    An action is a change of kind mitigation, one that undoes another, or one whose summary names an action (roll
    back, scale, restart, switch off …), after the onset. It *helped* when recovery begins within `lag_s` after it and
    no other action lies within that lag (then they are inseparable: cannot_tell). *none*: its lag is over, the bad
    share (failed, or slower than `slow_s`) did not fall. *worse*: it rose by half and by more than chance. Too few
    requests, or a lag that the data does not cover: cannot_tell.
    """
    start, end = as_moment(onset), as_moment(recovered)
    if start is None:
        return ()
    actions = _actions(changes, start)
    arrays = request_arrays(requests)
    bad = arrays.failed | ((arrays.duration_s > slow_s) if slow_s is not None else False)
    last = (
        until
        or pd.Timestamp(int(arrays.start_us.max()) if len(arrays.start_us) else 0, unit="us", tz="UTC").to_pydatetime()
    )
    found = []
    for n, (ref, summary, time, done) in enumerate(actions):
        if end is not None and time > end.latest:
            continue
        near = [
            other
            for m, (_, other, at, _) in enumerate(actions)
            if m != n
            and end is not None
            and timedelta(0) <= end.latest - at
            and (end.earliest - at).total_seconds() <= lag_s
        ]
        effect, recovery, why = _effect(arrays.start_us, bad, time, done, end, near, last, lag_s, actions)
        found.append(Effect(ref, summary, time, effect, recovery, why))
    return tuple(found)


def _effect(
    start_us: np.ndarray,
    bad: np.ndarray,
    time: datetime,
    done: datetime,
    end: Moment | None,
    near: list[str],
    last: datetime,
    lag_s: float,
    actions: list[tuple[str, str, datetime, datetime]],
) -> tuple[str, Moment | None, str]:
    following = [at for _, _, at, _ in actions if at > time]
    stop = min([done + timedelta(seconds=lag_s), *following[:1], *([end.earliest] if end else [])])
    before = _side(start_us, time - timedelta(seconds=SEPARATE_S), time)
    after = _side(start_us, done, stop)
    n0, n1 = int(before.sum()), int(after.sum())
    enough = min(n0, n1) >= FEWEST
    r0, r1 = (float(bad[before].mean()), float(bad[after].mean())) if enough else (0.0, 0.0)
    error = 2.58 * np.sqrt(max(r0 * (1 - r0), 1e-4) / max(n0, 1) + max(r1 * (1 - r1), 1e-4) / max(n1, 1))
    numbers = f"bad requests {r0:.0%} before, {r1:.0%} after"
    lasted = (stop - done).total_seconds() >= SEPARATE_S
    if enough and lasted and r1 - r0 > error and r1 >= 1.5 * r0:
        return "worse", None, numbers
    if end is not None and (end.earliest - done).total_seconds() <= lag_s:
        if near:
            return "cannot_tell", end, f"inseparable from {', '.join(near)}: all within {length(lag_s)} before recovery"
        return "helped", end, f"the harm ended {length(max(0.0, (end.time - done).total_seconds()))} after it began"
    if (last - done).total_seconds() < lag_s and not following:
        return "cannot_tell", None, f"its lag of {length(lag_s)} is not over where the data ends"
    if not enough:
        return "cannot_tell", None, f"{min(n0, n1)} requests on one side of it, {FEWEST} are needed"
    if r0 - r1 > error and r1 <= 0.5 * r0:
        return "helped", None, f"{numbers}, though the symptom was not back"
    return "none", None, numbers


def _actions(changes: Table | Suspects, onset: Moment) -> list[tuple[str, str, datetime, datetime]]:
    """(ref, summary, begun, done) of what was done after the onset, in order of time."""
    if isinstance(changes, Suspects):
        rows = [
            {
                "ref": s.ref or s.id,
                "summary": s.summary,
                "time": s.time,
                "until": None,
                "kind": s.kind,
                "reverts": s.reverts,
                "derived": s.derived and s.kind != "schema",
            }
            for s in changes.suspects
        ]
    else:
        wanted = ("id", "ref", "summary", "time", "until", "kind", "reverts", "derived")
        rows = columns.column_frame(changes, wanted).to_dict("records") if columns.length(changes) else []
    found = []
    for row in rows:
        time = utc(row["time"])
        if time <= onset.earliest or _true(row.get("derived")):
            continue
        reverts, kind = row.get("reverts"), str(row["kind"])
        if (
            kind == "mitigation"
            or _present(reverts)
            or _ACTION.search(str(row["summary"]))
            or kind in ("scale", "restart")
        ):
            until = row.get("until")
            done = utc(until) if _present(until) else time
            ref = row.get("ref") if _present(row.get("ref")) else row.get("id")
            found.append((str(ref), str(row["summary"]), time, done))
    return sorted(found, key=lambda a: a[2])


def _side(start_us: np.ndarray, low: datetime, high: datetime) -> np.ndarray:
    return (start_us >= micros(low)) & (start_us < micros(high))


def _present(value: Any) -> bool:
    return value is not None and (isinstance(value, str) or not pd.isna(value)) and value != ""


def _true(value: Any) -> bool:
    return _present(value) and bool(value)
