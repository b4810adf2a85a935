"""Which configurations were changed or read anew, by what the services log of it?"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pandas as pd

from kit.derived.rows import Row, derived_row

RELOAD_WORDS = (
    "config reloaded", "config reload", "config changed", "config updated", "config applied", "reloaded config",
    "reloading config", "new config", "configuration reloaded", "configuration reload", "configuration changed",
    "configuration updated", "configuration applied", "reloaded configuration", "reloading configuration",
    "new configuration", "settings reloaded", "settings changed", "settings updated", "reloaded settings",
    "reloading settings", "reconfiguring",
)  # fmt: skip
"""Word sequences by which such lines are asked for."""
TOGETHER = timedelta(seconds=5)
"""Lines of one service closer than this tell of one change."""
OFTEN = 6
"""More of them in a look are what a service does by habit (a timer that reads its settings): no change is told."""
_REFUSED = re.compile(
    r"\b(fail(ed|ure|s)?|errors?|unable|invalid|could ?n[o']t|cannot|refused|rejected|unchanged)\b", re.I
)
_ARROW = re.compile(r"(\S+)\s*(?:->|=>|\u2192)\s*(\S+)")
_LONGEST = 120


def reloaded(lines: pd.DataFrame) -> list[Row]:
    """Which configuration changes do these lines tell of, by service, each at its first line?

    `lines`: LOGS rows (`time` UTC, `service`, `message`) that hold one of `RELOAD_WORDS`. A line that says that it
    failed tells of none. `before` and `after` where a line writes them with an arrow. A service that says so more than
    `OFTEN` times in the look does it by habit, and none of them is told. A reload says that a configuration was read,
    not that anything in it was new; a service that reads its settings at its start alone never says it.

    >>> said = pd.DataFrame({"time": pd.to_datetime(["2026-03-01T02:14:00Z", "2026-03-01T02:15:00Z"]),
    ...     "service": "pay", "message": ["config reloaded: pool.size 20 -> 2", "config reload failed"]})
    >>> [(r["summary"], r["before"], r["after"]) for r in reloaded(said)]
    [('config reloaded: pool.size 20 -> 2', '20', '2')]
    """
    if not len(lines):
        return []
    own = lines["service"].astype(object).where(lines["service"].notna(), "")
    rows: list[Row] = []
    for service, part in lines.groupby(own, sort=True):
        told = [(at, " ".join(str(text).split())) for at, text in zip(part["time"], part["message"], strict=True)]
        groups = _together(sorted((at.to_pydatetime(), text) for at, text in told if not _REFUSED.search(text)))
        if len(groups) <= OFTEN:
            rows += [_row(group, service=str(service) or None) for group in groups]
    return rows


def _together(told: list[tuple[datetime, str]]) -> list[list[tuple[datetime, str]]]:
    groups: list[list[tuple[datetime, str]]] = []
    for at, text in told:
        if groups and at - groups[-1][-1][0] <= TOGETHER:
            groups[-1].append((at, text))
        else:
            groups.append([(at, text)])
    return groups


def _row(group: list[tuple[datetime, str]], *, service: str | None) -> Row:
    text = "; ".join(dict.fromkeys(text for _, text in group))
    arrow = _ARROW.search(text)
    return derived_row(
        "config", group[0][0], text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…", service=service,
        before=arrow[1] if arrow else None, after=arrow[2].rstrip(".,;") if arrow else None,
    )  # fmt: skip
