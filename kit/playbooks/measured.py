"""Which of the measured signals does a playbook mean here: the pool, the CPU, the fullest disk, the wait at the cut?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import ConnectorError
from kit.checks.facts import Facts, Track, service_of
from kit.checks.signals import as_used
from kit.errors import KitError
from kit.playbooks.words import ANYWHERE, MACHINES, SIGNALS

DISK_FULL = 0.9
"""A disk less full than this is not the one that a log calls full."""
DISK = r"disk|filesystem|volume|tmpfs"
HOW_FULL = r"avail|free|remaining|ratio|usage|utili|used|full"


def first_signal(keys: Sequence[str], service: str | None, patterns: Sequence[str]) -> str | None:
    """The first signal of this service whose name fits the first of the patterns that any fits; None: it has none."""
    own = [k for k in keys if service is not None and service_of(k) == service]
    for pattern in patterns:
        found = [k for k in own if re.search(pattern, k.split("/", 1)[-1], re.IGNORECASE)]
        if found:
            return over_instances(sorted(found)[0], own)
    return None


def over_instances(key: str, keys: Sequence[str]) -> str:
    """The key, or with `*` for the instance when several instances have it."""
    owner, _, name = key.partition("/")
    service = owner.split("@", 1)[0]
    alike = [k for k in keys if k.partition("/")[2] == name and k.partition("/")[0].startswith(f"{service}@")]
    return f"{service}@*/{name}" if len(alike) > 1 else key


def signal_of_kind(facts: Facts, name: str, entry: str, service: str, callee: str | None) -> str | None:
    """The signal of this kind at the cut, at the entry last; where there are several, the one that rose most."""
    keys = [k for k in facts.signals() if not re.search(r"(wait|pending|timeout|limit)", k.rsplit(".", 1)[0])]
    owners = sorted((o for o in (service, callee) if o is not None), key=lambda o: o == entry)
    if name in ANYWHERE:
        owners += sorted({service_of(k) for k in keys} - set(owners))
    for owner in owners:
        own = [k for k in keys if service_of(k) == owner]
        for pattern in SIGNALS[name]:
            found = [k for k in own if re.search(pattern, k.split("/", 1)[-1], re.IGNORECASE)]
            if found:
                return over_instances(max(sorted(found), key=lambda k: _rise(facts, k)), own)
    return None


def busiest(facts: Facts) -> str | None:
    """The CPU signal that rose most, wherever it is; that of a whole machine only where no service has one."""
    keys = facts.signals()
    cpu = [k for k in keys if re.search("cpu", k.split("/", 1)[-1], re.IGNORECASE)]
    own = [k for k in cpu if service_of(k) not in MACHINES] or cpu
    return over_instances(max(sorted(own), key=lambda k: _rise(facts, k)), keys) if own else None


def _rise(facts: Facts, key: str) -> float:
    track = facts.series(key)
    if track is None:
        return float("-inf")
    before = track.within(facts.windows.baseline).mean()
    during = track.within(facts.windows.incident).mean()
    return float(during - before) if before == before and during == during else float("-inf")


def waits_for(facts: Facts, service: str, callee: str | None, words: Mapping[str, Any]) -> dict[str, Any]:
    """How does it show that requests wait for the callee: its time, its locks, the line for a connection?

    `waiting`: all there are; `waited`: the one that rose most, in its own spread; `lock_waits` when its log names them.
    """
    if callee is None:
        return {}
    keys = facts.signals()
    named = {words["callee_latency"]} if words["callee_latency"] else set()
    for owner, pattern in (
        (callee, r"wait\w*[._]?(for_)?[._]?lock|lock\w*[._]wait"),
        (service, r"(pool|connection).*(pending|waiting|usage|utili[sz]ation)"),
    ):
        named |= {k for k in keys if service_of(k) == owner and re.search(pattern, k.rpartition("/")[2], re.IGNORECASE)}
    found: dict[str, Any] = {"waiting": sorted(named)}
    risen = {k: _clear_rise(facts, k) for k in named}
    best = max(sorted(risen), key=lambda k: risen[k], default=None)
    if best is not None and risen[best] > 0:
        found["waited"] = best
    track = _lines(facts, callee, words["lock_words"])
    found["lock_waits"] = callee if track is not None and track.within(facts.windows.incident).sum() > 0 else None
    return found


def _clear_rise(facts: Facts, key: str) -> float:
    """The rise of a signal's median in units of its usual spread; 0 where it did not rise for certain."""
    from kit.numerics.shift import Shift, shift

    track = facts.series(key)
    moved = shift(track, facts.windows) if track is not None else None
    if not isinstance(moved, Shift) or moved.low <= 0:
        return 0.0
    return moved.change / max(moved.spread, 0.02 * abs(moved.before), 1e-9)


def fullest_disk(facts: Facts, *, told: bool) -> str | None:
    """The disk that was fullest in the incident, as a share of its room; None: no disk is measured.

    Where a log tells that a disk is full (`told`) and none that is measured was, the one meant is not among them.
    """
    best, most = None, -1.0
    for key in facts.signals():
        name = key.rpartition("/")[2]
        if not (re.search(DISK, name, re.IGNORECASE) and re.search(HOW_FULL, name, re.IGNORECASE)):
            continue
        track = facts.series(key)
        if track is None:
            continue
        used = as_used(track).within(facts.windows.incident).max()
        if used == used and used > most:
            best, most = key, float(used)
    return None if told and most < DISK_FULL else best


def who_says(facts: Facts, services: Sequence[str | None], where: str) -> str | None:
    """Which of these services logs such lines in the incident: of a full disk, of being full? The first that does."""
    for service in dict.fromkeys(s for s in services if s):
        track = _lines(facts, service, where)
        if track is not None and track.within(facts.windows.incident).sum() > 0:
            return service
    return None


def _lines(facts: Facts, service: str, where: str) -> Track | None:
    try:
        return facts.lines(service, where=where)
    except (ConnectorError, KitError):
        # a log without this field says nothing of it
        return None
