"""What stops each class of failure, where no playbook says it: data."""

from __future__ import annotations

from collections.abc import Mapping

CLASS_LEVERS: Mapping[str, tuple[tuple[str, str, str, bool, str, str, float], ...]] = {
    "pool_starved": (
        (
            "cancel the statements that hold the connections",
            "the pool is full and the statements can be run again",
            "work in progress is lost",
            True,
            "the sessions' state: save the list of running statements first",
            "the pool below nine tenths",
            60.0,
        ),
    ),
    "overload": (
        (
            "shed load: refuse the least important requests at the entry",
            "more is asked than can be served",
            "some users get nothing",
            True,
            "nothing",
            "served requests succeed again",
            60.0,
        ),
        (
            "scale out what is squeezed",
            "the squeezed resource belongs to something that can be multiplied",
            "more of it may press harder on what lies behind",
            True,
            "nothing",
            "the squeezed resource below four fifths",
            300.0,
        ),
    ),
    "retry_storm": (
        (
            "stop the retries: cap attempts, break the circuit",
            "the load is made of attempts",
            "requests fail that a retry would have saved",
            True,
            "nothing",
            "attempts per request near one",
            60.0,
        ),
    ),
    "slow_dependency": (
        (
            "shed the dependency: time out sooner, break the circuit, serve without it",
            "callers wait for it",
            "what depends on it is missing",
            True,
            "how slow it is for those calls",
            "latency back in its range",
            60.0,
        ),
    ),
    "certificate_expired": (
        (
            "renew the certificate",
            "it is out of date",
            "none if the new one is checked first",
            True,
            "nothing",
            "handshakes succeed",
            60.0,
        ),
    ),
    "disk_full": (
        (
            "free space: remove what can be made again",
            "nothing can be written",
            "what is removed may be evidence",
            False,
            "old logs: copy them first",
            "writes succeed",
            60.0,
        ),
    ),
    "scheduled_job": (
        (
            "stop the job",
            "harm began with it",
            "its work has to be done later",
            True,
            "what it was doing: save its statements first",
            "latency back in its range",
            60.0,
        ),
    ),
    "queue_backlog": (
        (
            "scale or restart the consumers",
            "work waits longer and longer",
            "a poisoned message may come back",
            True,
            "the consumers' memory",
            "the queue shrinks",
            300.0,
        ),
    ),
    "one_location": (
        (
            "take the place out of rotation",
            "only requests served there fail",
            "the rest carries its load",
            True,
            "traffic to look at there",
            "failures stop at once",
            60.0,
        ),
    ),
    "resource_leak": (
        (
            "restart what leaks, one at a time",
            "the resource is used up",
            "it will fill again",
            True,
            "memory: dump the heap first",
            "the resource back at its start",
            120.0,
        ),
    ),
    "traffic_lost": (
        (
            "fail over or undo at DNS, CDN or client",
            "requests no longer arrive",
            "caches take time",
            True,
            "nothing",
            "traffic returns",
            300.0,
        ),
    ),
    "auth_misconfiguration": (
        (
            "put the former keys or permissions back",
            "requests are refused as not authorised",
            "none if nothing was leaked",
            True,
            "nothing",
            "401 and 403 back in their range",
            60.0,
        ),
    ),
    "client_contract": (
        (
            "serve the former interface again",
            "requests are refused as malformed",
            "new clients may need the new one",
            True,
            "nothing",
            "4xx back in their range",
            60.0,
        ),
    ),
}
"""What stops each class of failure: (do, fits, risk, reversible, erases, watch, within s)."""
