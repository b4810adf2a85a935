"""Which fields are missing in which logs, and what can therefore not be told?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

NEEDED = {
    "trace_id": "their lines cannot be followed across services",
    "duration_s": "how long their requests took is not known",
    "http.response.status_code": "which of their requests failed is not known",
    "route": "their requests cannot be told apart by route",
    "version": "versions cannot be compared in them",
    "instance": "one bad instance cannot be told from the others",
    "level": "their errors cannot be told from what they say otherwise",
}
"""Fields that the walk looks for, and what it cannot tell without each."""
OF_REQUESTS = frozenset({"duration_s", "http.response.status_code", "route"})
NOT_OF_ACCESS_LOGS = frozenset({"level"})
FILLED = 0.5


def field_gaps(fields: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Which fields do these logs not have, in a sentence per field?

    `fields`: log → its fields (`name`, `share_present`: of its lines, 0–1). What describes a request is only missed in
    logs that have some of it; a level only in logs that are no access logs. A field in fewer than half of
    the lines is told with its share, since what is grouped by it speaks of those lines alone.

    >>> have = pd.DataFrame({"name": ["message", "level", "trace_id"], "share_present": [1.0, 1.0, 0.2]})
    >>> field_gaps({"worker": have})[0]
    'trace_id is in 20% of the lines of worker: what is grouped by it speaks of those alone'
    """
    missing: dict[str, list[str]] = {}
    partial = []
    for log, table in fields.items():
        share = dict(zip(table["name"].astype(str), table["share_present"].astype(float), strict=True))
        requests = sum(share.get(n, 0.0) > 0 for n in OF_REQUESTS) > 1
        access = requests and "level" not in share
        for name in NEEDED:
            if (name in OF_REQUESTS and not requests) or (name in NOT_OF_ACCESS_LOGS and access):
                continue
            if share.get(name, 0.0) == 0:
                missing.setdefault(name, []).append(log)
            elif share[name] < FILLED and name not in OF_REQUESTS:
                told = (
                    f"{name} is in {share[name]:.0%} of the lines of {log}: what is grouped by it speaks of those alone"
                )
                partial.append(told)
    gaps = [f"no {name} in the logs of {_named(logs, len(fields))}: {NEEDED[name]}" for name, logs in missing.items()]
    return (*partial, *gaps)


def check_gaps(verdicts: Sequence[object], *, most: int = 3) -> tuple[str, ...]:
    """Which checks of the explanations that are still in play could not be made, and what do they need?

    `verdicts`: those of a board. At most `most` sentences, each need once.
    """
    needs: dict[str, None] = {}
    for verdict in verdicts:
        if getattr(verdict, "state", "") not in ("confirmed", "supported", "open"):
            continue
        for tried in getattr(verdict, "tested", ()):
            if tried.result.state == "no data" and tried.prediction.check == "not_collected":
                needs[f"not checked, “{tried.prediction.text}”: {tried.prediction.arguments['needs']}"] = None
    return tuple(needs)[:most]


def healthy_gap(baseline_s: float, harm_s: float) -> tuple[str, ...]:
    """Is the healthy stretch long enough to say what chance would do? A sentence when it is not, else nothing.

    It must be six times as long as the harm: then there are enough placebo windows for p ≤ .05.

    >>> healthy_gap(480, 360)
    ('the healthy stretch is 8 min for 6 min of harm: six times as long is needed to say what chance would do',)
    """
    from kit.numerics.moments import length

    if harm_s <= 0 or baseline_s >= 6 * harm_s:
        return ()
    told = f"the healthy stretch is {length(baseline_s)} for {length(harm_s)} of harm"
    return (f"{told}: six times as long is needed to say what chance would do",)


def _named(logs: Sequence[str], of: int) -> str:
    return f"all {of} sources" if len(logs) == of > 2 else ", ".join(logs)
