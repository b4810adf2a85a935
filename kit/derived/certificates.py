"""Which certificate ran out, or is about to? From what clients say, and from a probe's metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pandas as pd

from connectors.window import Window, utc
from kit.derived.rows import Row, derived_row

EXPIRED_WORDS = ("certificate has expired", "certificate expired", "certificate is not valid", "certificate_expired")
FEWEST = 3
"""Fewer refusals than this are no expiry."""
AHEAD = timedelta(days=14)
"""A certificate that ends within this long after the look is told as due."""
_EXPIRED = re.compile(r"certificate[ _](?:has[ _])?(?:is[ _])?expired|expired certificate", re.I)
_IS_AFTER = re.compile(r"is after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_PEERS = (
    re.compile(r"(?:call|request|connect\w*|handshake|dial\w*) (?:to|with) ([A-Za-z][\w.-]*[A-Za-z0-9])"),
    re.compile(r"https://([A-Za-z][\w.-]*)"),
    re.compile(r"(?:host|peer|server|upstream)[=: ]+[\"']?([A-Za-z][\w.-]*[A-Za-z0-9])"),
)


def refused_certificates(lines: pd.DataFrame, *, window: Window) -> list[Row]:
    """Whose certificate do these lines call expired, and since when?

    `lines`: LOGS rows (`time` UTC, `service`, `message`, optionally `peer.service`). The instant is the one that the
    line itself names (Go's x509), else the first refusal: the certificate ended at some moment before it, so that it
    came first says nothing. Refusals from the look's very begin on are told as *had expired*. At least 3 lines a peer.

    >>> lines = pd.DataFrame({"time": pd.date_range("2026-03-01T02:14Z", periods=3, freq="1s"), "service": "shop",
    ...     "message": "call to bank failed: certificate has expired"})
    >>> refused_certificates(lines, window=Window.of("2026-03-01T02:00Z", "2026-03-01T02:30Z"))[0]["summary"]
    'the certificate of bank expired'
    """
    said = lines[lines["message"].astype(str).str.contains(_EXPIRED)] if len(lines) else lines
    if len(said) < FEWEST:
        return []
    named = said["peer.service"] if "peer.service" in said else pd.Series(None, index=said.index, dtype=object)
    peers = [n if isinstance(n, str) and n else _peer(str(m)) for n, m in zip(named, said["message"], strict=True)]
    # a service that calls somebody else's certificate expired only hands its refusal on to its own callers
    relaying = set(said["service"].dropna().astype(str)) if "service" in said else set()
    rows = []
    for peer, part in said.assign(peer=peers).groupby("peer", sort=True, dropna=False):
        if len(part) < FEWEST or peer in relaying:
            continue
        first = part.sort_values("time", kind="stable").iloc[0]
        ended = _IS_AFTER.search(str(first["message"]))
        at = utc(ended[1]) if ended else first["time"].to_pydatetime()
        whose = peer if isinstance(peer, str) and peer else None
        early = at <= window.start + timedelta(seconds=0.02 * window.seconds)
        rows.append(_expiry(whose, at, name="expired", verb="had expired" if early else "expired"))
    return rows


def expiring(ends: Mapping[str, datetime], *, window: Window) -> list[Row]:
    """Which of these certificates (whose → notAfter, UTC) ended before the look's end, or ends soon after it?

    >>> ends = {"bank": utc("2026-03-01T02:14Z"), "shop": utc("2027-01-01T00:00Z")}
    >>> [r["summary"] for r in expiring(ends, window=Window.of("2026-03-01T02:00Z", "2026-03-01T02:30Z"))]
    ['the certificate of bank expired']
    """
    rows = []
    for whose, end in sorted(ends.items()):
        if end < window.end:
            rows.append(_expiry(whose, end, name=f"notAfter {end:%Y-%m-%d}", verb="expired"))
        elif end < window.end + AHEAD:
            rows.append(_expiry(whose, end, name=f"notAfter {end:%Y-%m-%d}", verb=f"expires on {end:%Y-%m-%d %H:%M}"))
    return rows


def probed_ends(metrics: pd.DataFrame) -> dict[str, datetime]:
    """Whose certificate ends when, by a probe's metric (seconds since 1970, such as the blackbox exporter's)?

    `metrics`: METRICS rows of that metric alone; the last value of each service counts, a renewal shows as a later end.
    """
    known = metrics.dropna(subset=["value"]).sort_values("time", kind="stable")
    last = known.groupby(known["service"].astype(str), sort=True)["value"].last()
    return {str(s): datetime.fromtimestamp(v, UTC) for s, v in last.items() if v > 0}


def _expiry(whose: str | None, at: datetime, *, name: str, verb: str) -> Row:
    summary = f"the certificate of {whose} {verb}" if whose else f"a certificate {verb}"
    return derived_row("certificate", at, summary, service=whose, after="expired", takes_effect="expiry", name=name)


def _peer(message: str) -> str | None:
    found = next((m for p in _PEERS if (m := p.search(message))), None)
    return found[1] if found else None
