"""Which processes restarted or were killed? From start times, restart counters, and what kernels and clusters log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.derived.rows import Row, derived_row

OOM_WORDS = ("Out of memory", "OOMKilled", "oom-kill", "oom_reaper", "OutOfMemoryError")
TOGETHER = timedelta(seconds=30)
"""Restarts of one service closer than this are one."""
_START = re.compile(r"start[._]time|startTime", re.I)
_COUNT = re.compile(r"restarts?(\.|_|$)", re.I)
_WHO = re.compile(r"killed process \d+ \(([^)]+)\)", re.I)
_KILLED = re.compile(r"OOMKilled|oom-kill|out of memory|OutOfMemoryError", re.I)


def restarted(wide: pd.DataFrame, *, window: Window) -> list[Row]:
    """Which services' processes began anew in the look, by their start times (seconds since 1970) or restart counters?

    A start time tells the very second; a counter only the bin. Instances of one service within 30 s are one restart,
    with the share of its instances as the fraction. What started before the look is none.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=4, freq="1min")
    >>> wide = pd.DataFrame({"pay@1/process.start_time.gauge": [1e9, 1e9, 1772330425, 1772330425]}, index=at)
    >>> [(r["summary"], str(r["time"])) for r in restarted(wide, window=Window.of(at[0], at[-1]))]
    [('pay restarted', '2026-03-01 02:00:25+00:00')]
    """
    seen: dict[str, list[datetime]] = {}
    instances: dict[str, set[str]] = {}
    for signal in wide.columns:
        owner, _, name = str(signal).partition("/")
        service = owner.split("@", 1)[0]
        values = wide[signal].dropna()
        if len(values) < 2 or "/change." in str(signal):
            continue
        if _START.search(name):
            times = [datetime.fromtimestamp(float(v), UTC) for v in pd.unique(values)[1:] if v > 0]
        elif _COUNT.search(name):
            grown = np.flatnonzero(np.diff(values.to_numpy()) > 0) + 1 if not name.endswith(("delta", "rate")) else (
                np.flatnonzero(values.to_numpy() > 0)
            )  # fmt: skip
            times = [values.index[i].to_pydatetime() for i in grown]
        else:
            continue
        instances.setdefault(service, set()).add(owner)
        seen.setdefault(service, []).extend(t for t in times if window.contains(t))
    rows = []
    for service, times in sorted(seen.items()):
        for group in _groups(sorted(times)):
            share = min(1.0, len(group) / len(instances[service]))
            text = f"{service} restarted" + (f" ({len(group)} of {len(instances[service])})" if share < 1 else "")
            rows.append(derived_row("restart", group[0], text, service=service, until=group[-1], fraction=share))
    return rows


def killed_for_memory(lines: pd.DataFrame) -> list[Row]:
    """Which processes were killed because memory ran out, by the lines of kernels, clusters and runtimes?

    `lines`: LOGS rows (`time` UTC, `service`, `message`). The killed process is named where the line does, else the
    service whose log it is; kills within 30 s are one.
    """
    found: dict[str, list[datetime]] = {}
    for line in lines.itertuples(index=False):
        text = str(line.message)
        who_said = _WHO.search(text)
        if not who_said and not _KILLED.search(text):
            continue
        named = who_said[1] if who_said else None
        own = getattr(line, "service", None)
        who = named or (own if isinstance(own, str) else None) or "a process"
        found.setdefault(who, []).append(line.time.to_pydatetime())
    rows = []
    for who, times in sorted(found.items()):
        rows += [
            derived_row("restart", group[0], f"{who} was killed: out of memory", service=who, until=group[-1])
            for group in _groups(sorted(times))
        ]
    return rows


def _groups(times: list[datetime]) -> list[list[datetime]]:
    groups: list[list[datetime]] = []
    for time in times:
        if groups and time - groups[-1][-1] <= TOGETHER:
            groups[-1].append(time)
        else:
            groups.append([time])
    return groups
