"""The words of playbooks: which names a kind of signal has, what a missing word needs, how to do without it."""

from __future__ import annotations

from collections.abc import Mapping

SIGNALS: Mapping[str, tuple[str, ...]] = {
    "pool": (
        r"pool.*(ratio|usage|utili[sz]ation)",
        r"connection.*(ratio|usage|utili[sz]ation)",
        r"pool.*(in_use|used|busy)",
    ),
    "cpu": (r"cpu.*(ratio|usage|utili[sz]ation)", r"cpu"),
    "memory": (r"memory.*(ratio|usage|utili[sz]ation)", r"(memory|rss|heap)"),
    "disk": (r"(disk|filesystem|volume|tmpfs).*(ratio|usage|utili[sz]ation|full)", r"(disk|filesystem|volume)"),
    "queue": (r"queue.*(depth|length|size|messages|ratio|gauge)", r"(queue|backlog|pending)"),
    "delay": (r"(queue|job|worker|message|task).*(delay|age|wait|latency|duration|lag)", r"(delay|lag)"),
    "attempts": (r"(attempt|retr(y|ies))",),
}
"""Kinds of signal by what their name says, the best first; matched without regard to case."""

ANYWHERE = frozenset({"disk", "queue", "delay"})
"""Kinds that are looked for at any service when neither side of the cut has them."""

MACHINES = frozenset({"host", "node"})
"""Names under which whole machines are measured."""

NEEDS: Mapping[str, str] = {
    "pool": "how full {service}'s connection pool is",
    "cpu": "the CPU use of a service",
    "memory": "the memory use of {ill}",
    "disk": "how full the disks are",
    "disk_owner": "whose disk filled up",
    "queue": "the depth of the queue",
    "delay": "how long work waits in the queue",
    "attempts": "attempts per request",
    "squeezed": "a saturation signal of {ill}",
    "callee": "which dependency {service} waits for",
    "callee_latency": "how long {service} waits for {callee}",
    "waiting": "how long {service} waits for {callee}: its time, its locks, or the line for a connection",
    "ran_out": "how full that is which {ill} says it has no more of",
    "callee_errors": "how many calls to {callee} fail",
    "service_latency": "how long {service} takes",
    "ill_errors": "the error ratio of {ill} itself",
    "statement": "the slow statement by name, from {callee}'s slow-query log",
    "traffic": "requests counted at {entry}",
    "entry_errors": "the error ratio at {entry}",
    "entry_median": "the median duration at {entry}",
    "outside_errors": "a measurement by the client or from outside",
    "independent": "two independent measurements of the harm",
    "requests_log": "a log of requests",
    "split_log": "a request log that names the version",
    "client": "a client that is refused more than others",
    "client_log": "a request log that names the client",
    "client_field": "a request log that names the client",
    "location": "a place that fails more than others",
    "location_log": "a request log that names host or zone",
    "location_field": "a request log that names host or zone",
    "failed": "which requests count as failed",
    "symptom": "a signal that shows the harm",
}
"""What has to be collected where a placeholder cannot be filled."""

FALLBACK: Mapping[str, str] = {
    "statement": "a statement",
    "route": "the failing route",
    "callee": "its dependency",
    "service": "the failing service",
    "ill": "the failing service",
    "entry": "the entry",
    "change.ref": "something unrecorded",
    "change.after": "the new version",
    "symptom_words": "failing and slow requests",
    "squeezed": "its scarcest resource",
    "pool": "the connection pool",
    "queue": "the queue",
    "disk": "the disk",
    "disk_owner": "a service",
    "cpu_owner": "a service",
    "memory": "memory",
    "full_says": "it",
    "hurts": "is ill",
    "hurt": "are hurt",
    "location": "one place",
    "location_field": "place",
    "client": "one client",
    "traffic": "traffic",
    "attempts": "attempts per request",
    "callee_latency": "the time spent waiting for it",
    "service_latency": "its latency",
    "symptom": "the symptom",
    "change_or_traffic": "traffic",
    "scanned_words": "",
}
"""How a sentence speaks of what is not known."""


def any_phrase(*phrases: str, field: str = "message") -> str:
    """The filter for lines that hold one of these phrases as whole words.

    >>> any_phrase("disk full", "ENOSPC")
    "has(message, 'disk full') OR has(message, 'ENOSPC')"
    """
    return " OR ".join(f"has({field}, '{p}')" for p in phrases)


PHRASES: Mapping[str, str] = {
    "pool_words": any_phrase(
        "pool timeout", "no free connection", "PoolTimeout", "pool exhausted", "QueuePool limit", "get a connection",
        "acquire connection",
        "connection from the pool", "waiting for a connection", "too many clients", "remaining connection slots",
    ),
    "certificate_words": any_phrase(
        "certificate has expired", "certificate expired", "certificate verify failed", "CERTIFICATE_VERIFY_FAILED",
        "x509", "certificate is not valid", "certificate is not yet valid", "SSL certificate problem",
    ),
    "disk_words": any_phrase(
        "No space left on device", "ENOSPC", "disk full", "disk is full", "could not write", "could not extend file",
        "Disk quota exceeded",
    ),
    "full_words": any_phrase(
        "no free slot", "no free worker", "too busy", "overloaded", "server is busy", "queue is full", "queue full",
        "concurrency limit", "over capacity", "load shed", "rejected execution", "thread pool is exhausted",
    ),
    "lock_words": any_phrase(
        "still waiting for", "Lock wait timeout exceeded", "lock wait timeout", "deadlock detected",
        "canceling statement due to lock timeout", "waiting for table metadata lock",
    ),
    "refused_words": any_phrase(
        "connection refused", "ECONNREFUSED", "ConnectionRefusedError", "no route to host", "host not found",
        "name or service not known", "circuit open", "breaker open", "authentication failed", "no live upstreams",
    ),
}  # fmt: skip
"""What services write, in the portable filter, where a class of failure shows in their logs."""
