"""Is a pool full, a queue growing, a disk full, a resource squeezed or creeping towards its end?"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd

from kit.golden_signals import SignalBoard, SignalReading, is_share
from kit.signs.lines import DISK, POOL, lines_that_say
from kit.signs.sign import Sign, moved, name_of, told

POOL_FULL = 0.9
_POOL_SIGNAL = re.compile(r"pool|client\.connection|db\.connection|threads?\.busy|worker.*busy")
_QUEUE_SIGNAL = re.compile(r"queue|backlog|messaging|consumer.*lag|message\.age")
_DISK_SIGNAL = re.compile(r"disk|filesystem|volume|tmpfs")
_LEAK_SIGNAL = re.compile(r"memory|heap|rss|fds?\b|file_descriptor|goroutine|handles")


def pool_signs(board: SignalBoard, templates: pd.DataFrame | None) -> list[Sign]:
    """Is a connection pool full, do requests wait for it, does a line say so?"""
    pools = [r for r in board.of(kind="saturation") if _POOL_SIGNAL.search(name_of(r)) and "pending" not in name_of(r)]
    shares = [r for r in pools if is_share(r.signal)]
    full = [r for r in shares if r.arrow == "up" and r.now >= POOL_FULL]
    waits = [
        r for r in board.readings if _POOL_SIGNAL.search(name_of(r)) and re.search("pending|wait|timeout", name_of(r))
    ]
    said = lines_that_say(templates, POOL)
    return [
        Sign(
            "pool_full",
            bool(full) if any(r.arrow != "unknown" for r in shares) else None,
            f"pool full: {told(full)}"
            if full
            else f"no pool is full: {told(shares)}"
            if shares
            else "no pool is measured",
        ),
        moved(
            "pool_waits",
            waits,
            "up",
            "requests wait for a connection",
            "nobody waits for a connection",
            "waiting for a connection is not measured",
        ),
        Sign(
            "pool_says",
            None if templates is None else bool(said),
            f"new lines: {said[0]}" if said else "no line speaks of the pool",
        ),
    ]


def resource_signs(board: SignalBoard, templates: pd.DataFrame | None, nodes: dict[str, str]) -> list[Sign]:
    """Is a resource squeezed, a queue growing, a disk full, something creeping towards its end?"""
    saturation = board.of(kind="saturation")
    squeezed = [r for r in saturation if r.squeezed and is_share(r.signal)]
    queues = [
        r
        for r in board.readings
        if (_QUEUE_SIGNAL.search(name_of(r)) or nodes.get(r.service) == "queue")
        and not _POOL_SIGNAL.search(name_of(r))
        and re.search("depth|backlog|lag|age|length|size|pending", name_of(r))
    ]
    disks = [r for r in saturation if _DISK_SIGNAL.search(name_of(r)) and (is_share(r.signal) or "avail" in name_of(r))]
    full = [
        r
        for r in disks
        if (is_share(r.signal) and r.now >= 0.97) or ("avail" in name_of(r) and r.arrow == "down" and r.size <= 0.05)
    ]
    leaky = [r for r in saturation if _LEAK_SIGNAL.search(name_of(r))]
    creeping = [r for r in leaky if "avail" not in name_of(r) and _creeps(r)]
    teeth = [r for r in leaky if _sawtooth(r, board)]
    restarts = [r for r in board.readings if re.search("restart|start_time|uptime", name_of(r))]
    said = lines_that_say(templates, DISK)
    growing = [r for r in queues if r.arrow == "up" and (r.size >= 3 or not np.isfinite(r.size))]
    return [
        Sign(
            "resource_squeezed",
            bool(squeezed) if saturation else None,
            f"squeezed: {told(squeezed)}"
            if squeezed
            else "no resource is squeezed"
            if saturation
            else "no resource is measured",
        ),
        Sign(
            "queue_grows",
            bool(growing) if queues else None,
            f"a queue grows: {told(growing)}" if growing else "no queue grows" if queues else "no queue is measured",
        ),
        Sign(
            "disk_full",
            bool(full) if disks else None,
            f"disk full: {told(full)}" if full else "no disk is full" if disks else "no disk is measured",
        ),
        Sign(
            "disk_says",
            None if templates is None else bool(said),
            f"new lines: {said[0]}" if said else "no line speaks of a full disk",
        ),
        Sign(
            "resource_creeps",
            bool(creeping) if leaky else None,
            f"it had been filling before: {told(creeping)}" if creeping else "nothing fills slowly",
        ),
        Sign(
            "resource_sawtooth",
            bool(teeth) if leaky else None,
            f"it climbs and drops back, again and again, as it did not before: {told(teeth)}"
            if teeth
            else "nothing climbs and drops back again and again",
        ),
        moved("restarts", restarts, "up", "restarts", "no restarts", "restarts are not measured"),
    ]


def _creeps(reading: SignalReading) -> bool:
    """Had it been rising before the incident already, by most of its points, and is it high now?

    The rank correlation of the baseline's values with time, and at least half again between its ends.
    """
    values = np.array(reading.spark)
    values = values[~np.isnan(values)]
    if len(values) < 12 or reading.arrow != "up":
        return False
    early, late = values[: len(values) // 4].mean(), values[-len(values) // 4 :].mean()
    half = values[: 2 * len(values) // 3]
    if half.max() < 1.1 * half.min():
        return False  # flat until the incident: a step, not a climb
    ranks = np.argsort(np.argsort(half))
    rho = float(np.corrcoef(ranks, np.arange(len(half)))[0, 1]) if len(half) > 4 else 0.0
    return rho >= 0.9 and late >= 1.5 * max(early, 1e-12)


TEETH, CLIMB, STEPS = 2, 1.25, 2
"""A sawtooth has at least so many teeth; each climbs by a quarter over at least two points before it drops back."""


def _sawtooth(reading: SignalReading, board: SignalBoard) -> bool:
    """Does it climb and drop back again and again since the baseline ended, and did it not before?

    One jump and fall is no tooth: while a version replaces another, both processes count for a moment.
    """
    values = np.array(reading.spark)
    whole = (max(board.incident.end, board.baseline.end) - board.baseline.start).total_seconds()
    healthy = round(len(values) * board.baseline.seconds / whole) if whole > 0 else 0
    before, since = (part[~np.isnan(part)] for part in (values[:healthy], values[healthy:]))
    if len(before) < 6 or len(since) < 6 or since.max() < 1.2 * before.max():
        return False
    teeth = _teeth(since)
    return teeth >= TEETH and teeth / len(since) > 3 * _teeth(before) / len(before)


def _teeth(values: np.ndarray) -> int:
    """How often does it climb steadily and then drop back by at least what it had climbed by, half of it?"""
    count, trough, steps = 0, values[0], 0
    for last, value in pairwise(values):
        if value >= last:
            steps += value > last
            continue
        climbed = last - trough
        if steps >= STEPS and last >= CLIMB * trough and last - value >= 0.5 * climbed:
            count += 1
        if last - value >= 0.5 * max(climbed, 1e-12) or value < trough:
            trough, steps = value, 0
    return count
