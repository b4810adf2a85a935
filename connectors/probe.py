"""What a source says of itself when it is only asked whether it is there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from connectors.errors import SourceUnavailable

if TYPE_CHECKING:
    from connectors.http import Http


@dataclass(frozen=True, slots=True)
class Probe:
    """A source's own answer to *who are you, and may I read?*; sources that can be asked offer `probe()`.

    `took_s`: one round trip. `clock_offset_s`: how far its clock is ahead of ours, known within `clock_error_s`; None
    where it has none to compare. `may`: what the credential in use allows, as far as it was tried; `may_not`: what it
    does not, each with the reason. Nothing found wrong is not proof that all is allowed. `services`: whose data it
    holds, where that is a list that the source keeps; empty where it would have to look at its data.
    """

    engine: str
    took_s: float
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
    may: tuple[str, ...] = ()
    may_not: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


def clock_by_date(http: Http, path: str) -> tuple[float, float]:
    """How many seconds is the server's clock ahead of ours, and within how many is that known?

    By the Date of its reply, whatever its status, which counts whole seconds. Raises `SourceUnavailable` where nothing
    comes back, or nothing with a Date.
    """
    before = time.time()
    reply = http.send("GET", path)
    after = time.time()
    if not reply.status:
        raise http.refusal(reply)
    try:
        ahead = parsedate_to_datetime(reply.headers.get("date", "")).timestamp() + 0.5
    except (TypeError, ValueError):
        raise SourceUnavailable(f"{http.origin} tells no time, so its clock cannot be compared.") from None
    return ahead - (before + after) / 2, 0.5 + (after - before) / 2
