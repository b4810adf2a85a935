"""The deploy feed: what was changed, as the shop's own tools report it. No person is named."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path


def stamp(at: datetime) -> str:
    """The time as RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Feed:
    """Appends one JSON line per change."""

    def __init__(self, path: Path):
        self.path, self.count, self.lock = path, 0, threading.Lock()

    def add(
        self, *, time: datetime, until: datetime | None, kind: str, service: str | None, summary: str, ref: str,
        before: str | None = None, after: str | None = None, fraction: float | None = None, takes_effect: str = "now",
        reverts: str | None = None,
    ) -> None:  # fmt: skip
        with self.lock, self.path.open("a") as file:
            self.count += 1
            line = {"id": f"chg-{self.count:04d}", "time": stamp(time), "until": stamp(until) if until else None}
            line |= {"kind": kind, "service": service, "summary": summary, "ref": ref, "before": before, "after": after}
            line |= {"fraction": fraction, "takes_effect": takes_effect, "reverts": reverts}
            line["url"] = f"https://deploys.shop.example/{line['id']}"
            file.write(json.dumps(line) + "\n")
