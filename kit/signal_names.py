"""What does the name of a signal say: which golden signal it is, whether a share, and in which unit it is told?"""

from __future__ import annotations

from kit.health import kind_of

_SHARES = ("ratio", "utilization", "utilisation", "share")
_SECONDS = ("duration", "latency", ".age")


def signal_kind(signal: str) -> str:
    """Which golden signal is this, by its name? `other`: none of the four, e.g. counts of log lines.

    >>> [signal_kind(s) for s in ("web/requests.count", "web/log.error.count", "web/db.connection.usage_ratio.ratio")]
    ['traffic', 'other', 'saturation']
    """
    name = signal.rpartition("/")[2].lower()
    if name.startswith(("log.", "change.", "statements.count", "requests.attempts")):
        return "other"
    if any(word in name for word in ("usage", "utilization", "utilisation", "available", "pending", "waiting_for")):
        return "saturation"
    return kind_of(signal)


def shown(value: float, signal: str) -> str:
    """A value as a reader wants it: seconds for latency, per cent for shares, else three digits.

    >>> shown(0.0425, "web/requests.duration.p99"), shown(0.5, "web/errors.ratio")
    ('42.5 ms', '50 %')
    """
    if value != value:
        return "no data"
    name = signal.rpartition("/")[2].lower()
    if any(w in name for w in _SECONDS) and not name.endswith(("count", "rate", "delta")):
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    if is_share(signal) and abs(value) <= 1.5:
        return f"{value * 100:.3g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def is_share(signal: str) -> bool:
    """Is it a share of a whole, 0 to 1, by its name?"""
    name = signal.rpartition("/")[2].lower()
    return any(word in name for word in _SHARES) and not any(w in name for w in ("duration", "latency"))
