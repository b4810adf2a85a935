"""What was injected, and what did the users see? Written from the scenario and the load generator's log alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LATENCY_LIMIT_S, ERRORS_LIMIT = 0.5, 0.01


@dataclass(frozen=True)
class Effect:
    """An event or a fault's edge, as it was carried out."""

    role: str
    edge: str
    kind: str
    ref: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Seen:
    """A request as its sender saw it."""

    end: datetime
    status: int
    took_s: float

    def failed(self, fails_from: int) -> bool:
        return self.status == 0 or self.status >= fails_from

    def broken(self, fails_from: int) -> bool:
        return self.failed(fails_from) or self.took_s > LATENCY_LIMIT_S


def read_client(lines: Iterable[str]) -> list[Seen]:
    """The client's log."""
    rows = (json.loads(line) for line in lines)
    return [
        Seen(datetime.fromisoformat(r["time"]).astimezone(UTC), r["http.response.status_code"], r["duration_s"])
        for r in rows
    ]


def write(given: dict, effects: list[Effect], seen: list[Seen], fails_from: int, end: datetime) -> dict:
    """The truth of a recording: what the scenario states, with the times and counts that came out."""
    truth = {"verdict": given["verdict"]}
    if given["verdict"] == "healthy":
        kept = {k: v for k, v in given.items() if k in ("hypotheses", "must_say", "must_not_say")}
        return truth | kept | {"episodes": []}
    earliest = min(e.start for e in effects if e.role == "trigger" and e.edge == "start")
    cures = [e for e in effects if e.role == "cure"] or [e for e in effects if e.role == "trigger" and e.edge == "end"]
    broken = [s.end for s in seen if s.end >= earliest and s.broken(fails_from)]
    latest = min(broken, default=end)
    if "shows_within_s" in given:  # harm that the users' own log does not show
        latest = earliest + timedelta(seconds=given["shows_within_s"])
    episode: dict = {"onset": {"earliest": earliest, "latest": latest}}
    if cures:
        back = min(e.start for e in cures)
        last = max([*broken, *(e.end for e in cures), back + timedelta(seconds=given.get("back_within_s", 0))])
        episode["recovered"] = {"earliest": back, "latest": last}
    else:
        episode["recovered"] = {"censored": True}
    for key in ("failure", "suspects", "cut", "scope"):
        if key in given:
            episode[key] = given[key]
    truth["episodes"] = [episode]
    for key in ("hypotheses", "mitigations", "gaps", "must_say", "must_not_say"):
        if key in given:
            truth[key] = given[key]
    truth["impact"] = _impact(seen, earliest, episode["recovered"].get("latest", end), fails_from)
    return truth


def _impact(seen: list[Seen], start: datetime, end: datetime, fails_from: int) -> dict:
    before = [s for s in seen if s.end < start]
    during = [s for s in seen if start <= s.end <= end]
    out = {}
    for name, test in (
        ("failed", lambda s: s.failed(fails_from)),
        ("slow", lambda s: s.took_s > LATENCY_LIMIT_S and not s.failed(fails_from)),
    ):
        expected = len(during) * sum(map(test, before)) / max(1, len(before))
        value = sum(map(test, during)) - expected
        margin = 3 * math.sqrt(expected + 1)
        out[name] = {
            "value": round(value),
            "low": max(0, math.floor(value - margin)),
            "high": math.ceil(value + margin),
        }
    return out


def summary(seen: list[Seen], fails_from: int) -> str:
    """How many, how many failed, p50 and p99 in one line.

    >>> summary([], 500)
    'no requests'
    """
    if not seen:
        return "no requests"
    took = sorted(s.took_s for s in seen)
    failed = sum(s.failed(fails_from) for s in seen) / len(seen)
    at = lambda q: took[min(len(took) - 1, int(q * len(took)))]
    return f"n={len(seen)} failed={failed:.2%} p50={at(0.5) * 1000:.0f}ms p99={at(0.99) * 1000:.0f}ms"
