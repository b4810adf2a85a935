"""What was done, seen beside what was not hurt: did the harm move when an action did, or did it end without it?

Nobody ran a trial; but while an action was in effect and the harm went on, the hurt part either moved away from the
rest or it did not. And an action above the break can end it only by sending less to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.actions import LAG_S, Effect
from kit.correlation import NaturalExperiment, difference_in_differences
from kit.numerics.columns import Table
from kit.numerics.grid import Grid
from kit.numerics.moments import Moment, as_moment, length
from kit.requests import RequestArrays, request_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIN_S = 5.0
BEFORE_S = 120.0
SETTLING_S = 10.0
ALONE_S = 30.0
FELL = 0.8
"""Load that stays above this share of what it was has not fallen."""


@dataclass(frozen=True, slots=True)
class ActionTried:
    """One action, and the share of hurt requests on the hurt part less that on the rest, before and during it."""

    ref: str
    summary: str
    seconds: float
    experiment: NaturalExperiment

    @property
    def left_it(self) -> bool:
        """Did the hurt part stay as it was beside the rest, while the action was in effect?"""
        return self.experiment.parallel and self.experiment.low <= 0 <= self.experiment.high

    def __str__(self) -> str:
        e = self.experiment
        span = f"in the {length(self.seconds)} after “{self.summary}”"
        if not e.parallel:
            return f"{span}: {e.headline}"
        low, high = sorted((100 * e.low, 100 * e.high))
        change = f"{100 * e.effect:+.0f} percentage points ({low:+.0f} to {high:+.0f}) in the share hurt"
        if self.left_it:
            return f"{span} the harm stayed as it was beside the rest of the traffic: {change}"
        return f"{span} the hurt part moved by {change} beyond the rest of the traffic"


def compare_actions(
    requests: Table,
    *,
    effects: Sequence[Effect],
    done: Mapping[str, datetime],
    hurt: Any,
    onset: Any,
    recovered: Any,
    slow_s: float | None,
    until: datetime,
) -> tuple[ActionTried, ...]:
    """While each action was in effect and the harm went on, did the hurt part move away from the rest?

    `requests` are user requests, `hurt` a boolean array beside them: the part of the traffic that the fault reached
    (its routes); the others are the rest. `done`: when each action was finished. Shares of hurt requests (failed, or
    slower than `slow_s`) in bins of 5 s; before is from the onset, at most two minutes, to the action; after is from
    its end to the next action, the recovery or the end of its lag. Left out where there is no rest or less than 20 s on
    a side.

    Misleads where the rest is reached by the fault as well, and says nothing about what came after the recovery.
    """
    start, end = as_moment(onset), as_moment(recovered)
    arrays = request_arrays(requests)
    reached = np.asarray(hurt, dtype=bool)[arrays.rows]
    if start is None or reached.all() or not reached.any():
        return ()
    bad = arrays.failed | ((arrays.duration_s > slow_s) if slow_s is not None else False)
    grid = Grid.of(Window(start.earliest - timedelta(seconds=BEFORE_S), until), BIN_S)
    treated, rest = (_shares(arrays, bad, part, grid) for part in (reached, ~reached))
    found = []
    for n, effect in enumerate(effects):
        acted = max(done.get(effect.ref, effect.time), effect.time)
        following = [e.time for e in effects[n + 1 :] if e.time > acted]
        stop = min([acted + timedelta(seconds=LAG_S), until, *following[:1], *([end.earliest] if end else [])])
        began = max(start.latest, effect.time - timedelta(seconds=BEFORE_S))
        if (effect.time - began).total_seconds() < 4 * BIN_S or (stop - acted).total_seconds() < 4 * BIN_S:
            continue
        tried = difference_in_differences(treated, rest, before=Window(began, effect.time), after=Window(acted, stop))
        if tried is not None:
            found.append(ActionTried(effect.ref, effect.summary, (stop - acted).total_seconds(), tried))
    return tuple(found)


def weigh_effects(
    effects: Sequence[Effect],
    *,
    services: Mapping[str, str],
    between: str | None,
    path: Table | None,
    load: pd.Series | None,
    recovered: Any,
) -> tuple[Effect, ...]:
    """Which actions that seem to have helped acted above the break, and sent no less to it?

    `services`: where each action (by ref) acted. `between`: the cut, `path`: PATH. `load`: calls per bin at the break.
    An action on a service from which the caller at the break is reached through others can end the harm behind the
    break only by sending less there. Where the load after the recovery is at least 0.8 times that before the action,
    the harm ended for another reason, and the effect is *none*. Without path, cut or load the effects stay as they are.
    """
    end = as_moment(recovered)
    ends = [part.strip() for part in (between or "").split("→")]
    if end is None or len(ends) != 2 or path is None or load is None:
        return tuple(effects)
    above = _ancestors(path, ends[0]) - set(ends)
    return tuple(_weighed(e, services.get(e.ref, ""), above, between or "", load, end) for e in effects)


def _weighed(effect: Effect, service: str, above: set[str], between: str, load: pd.Series, end: Moment) -> Effect:
    if effect.effect != "helped" or service not in above:
        return effect
    before = _level(load, effect.time - timedelta(seconds=60), effect.time)
    after = _level(load, end.latest + timedelta(seconds=SETTLING_S), end.latest + timedelta(seconds=SETTLING_S + 60))
    if before is None or after is None or after < FELL * before:
        return effect
    step = float(pd.Series(load.index).diff().median().total_seconds())
    why = (
        f"it acted on {service}, above the break at {between}, and no fewer calls reached the break afterwards "
        f"({before:.0f} calls per {step:g} s before, {after:.0f} after): it is held to have ended for another reason"
    )
    return replace(effect, effect="none", recovery=None, why=why)


def separate_effects(effects: Sequence[Effect], tried: Sequence[ActionTried]) -> tuple[Effect, ...]:
    """Of several actions before one recovery, which did it end by?

    An action that was followed by another one before the harm ended, and while it alone was in effect for half a minute
    or more left the hurt part as it was beside the rest, did not end it: *none*. Where that leaves one action of those
    that could not be told apart, it *helped*. Misleads where an action takes longer to work than the next one was away.
    """
    left = {t.ref for t in tried if t.left_it and t.seconds >= ALONE_S}
    last = max((e.time for e in effects if e.recovery is not None), default=None)
    weighed = []
    for e in effects:
        if e.recovery is not None and e.ref in left and last is not None and e.time < last:
            why = "while it alone was in effect the harm stayed as it was, and another action came before its end"
            e = replace(e, effect="none", recovery=None, why=why)
        weighed.append(e)
    still = [e for e in weighed if e.effect == "cannot_tell" and e.recovery is not None]
    if len(still) == 1 and len(still) < sum(e.effect == "cannot_tell" and e.recovery is not None for e in effects):
        one = still[0]
        assert one.recovery is not None
        took = length(max(0.0, (one.recovery.time - one.time).total_seconds()))
        said = replace(one, effect="helped", why=f"the harm ended {took} after it; what was done before left it")
        weighed = [said if e is one else e for e in weighed]
    return tuple(weighed)


def break_load(wide: pd.DataFrame, between: str | None) -> pd.Series | None:
    """The calls per bin at the break: counted by the caller, else what arrives at the callee; None: not counted.

    >>> wide = pd.DataFrame({"payments/http.client.fraud-check.duration.count": [5.0]})
    >>> break_load(wide, "payments → fraud-check").tolist()
    [5.0]
    """
    ends = [part.strip() for part in (between or "").split("→")]
    if len(ends) != 2:
        return None
    caller, callee = ends
    patterns = (rf"^{re.escape(caller)}/.*{re.escape(callee)}.*count$", rf"^{re.escape(callee)}/requests\.count$")
    return next((wide[c] for p in patterns for c in wide.columns if re.search(p, c)), None)


def _level(series: pd.Series, low: datetime, high: datetime) -> float | None:
    inside = series[(series.index >= pd.Timestamp(low)) & (series.index < pd.Timestamp(high))].dropna()
    return float(inside.mean()) if len(inside) >= 4 else None


def _ancestors(path: Table, node: str) -> set[str]:
    """Everything from which this node of the path is reached."""
    frame = path if isinstance(path, pd.DataFrame) else path.to_pandas()
    edges = [(str(a), str(b)) for a, b in zip(frame["caller"], frame["callee"], strict=True)]
    found, todo = set(), [node]
    while todo:
        here = todo.pop()
        for caller, callee in edges:
            if callee == here and caller not in found:
                found.add(caller)
                todo.append(caller)
    return found


def _shares(arrays: RequestArrays, bad: NDArray[Any], part: NDArray[Any], grid: Grid) -> pd.Series:
    """The share of hurt requests of a part, by bin; NaN where it had none."""
    bins, inside = grid.place(arrays.start_us)
    here = inside & part
    n = np.bincount(bins[here], weights=arrays.weight[here], minlength=grid.size)
    hurt = np.bincount(bins[here], weights=(arrays.weight * bad)[here], minlength=grid.size)
    share = np.divide(hurt, n, out=np.full(grid.size, np.nan), where=n > 0)
    return pd.Series(share, index=grid.index)
