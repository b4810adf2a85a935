"""Does somebody else's service, or the database, answer late or not at all?"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from kit.golden_signals import SignalBoard, SignalReading
from kit.signs.sign import Sign, name_of, tails, told

_DATABASE = re.compile(r"postgres|mysql|mariadb|mongo|\bdb\b|database|sql|redis")


def dependency_signs(board: SignalBoard, nodes: dict[str, str], cut: Any) -> list[Sign]:
    """Is a third party slow or failing, is the database, and does the break lie at a third party?"""
    calls = [r for r in board.of(kind="latency") if _is_dependency(r, nodes)]
    slow = tails(r for r in calls if r.arrow == "up")
    failing = [
        r
        for r in board.readings
        if r.kind in ("errors", "other")
        and _is_dependency(r, nodes, of="(failures|errors)")
        and r.arrow == "up"
        and r.now > 0  # a counter that came up and counts nothing tells of no failure
    ]
    databases = [
        r
        for r in board.of(kind="latency")
        if (nodes.get(r.service) == "database" or _DATABASE.search(f"{r.service} {name_of(r)}"))
    ]
    slow_database = tails(r for r in databases if r.arrow == "up")
    measured = [r for r in calls if r.arrow != "unknown"]
    late = [r for r in slow_database if not slow or (_gain(r) > max(_gain(s) for s in slow))]
    between = str(getattr(cut, "between", "") or "")
    at = any(kind == "third_party" and name in between for name, kind in nodes.items())
    return [
        Sign(
            "dependency_slow",
            bool(slow) if measured else None,
            f"a dependency is slow: {told(slow)}"
            if slow
            else "no dependency became slower"
            if measured
            else "no call to a third party is measured",
        ),
        Sign(
            "dependency_errors_up",
            bool(failing) if calls or failing else None,
            f"calls to a dependency fail: {told(failing)}" if failing else "calls to dependencies do not fail more",
        ),
        Sign(
            "database_slow",
            bool(slow_database) if databases else None,
            f"the database is slow: {told(slow_database)}"
            if slow_database
            else "the database did not become slower"
            if databases
            else "the database is not measured",
        ),
        Sign(
            "database_slower",
            bool(late) if databases else None,
            f"the database is slow, more so than any dependency: {told(late)}"
            if late
            else "no database lost more time than a dependency",
        ),
        Sign(
            "cut_at_dependency",
            at if cut is not None and nodes else None,
            f"the break lies at {between}" if between else "the break is not located",
        ),
    ]


def _is_dependency(reading: SignalReading, nodes: dict[str, str], of: str = "(duration|latency)") -> bool:
    """Is this a call to somebody else's service: a third party of the path, or, without a path, any client call?"""
    if nodes.get(reading.service) == "third_party":
        return True
    name = name_of(reading)
    peers = [n for n, kind in nodes.items() if kind == "third_party"]
    if nodes:
        return any(re.search(rf"client\.{re.escape(p.lower())}\.", name) and re.search(of, name) for p in peers)
    return bool(re.search(rf"(http|grpc|rpc)\.client\.([\w\-]+\.)?{of}", name))


def _gain(reading: SignalReading) -> float:
    return reading.now - (0.0 if np.isnan(reading.before) else reading.before)
