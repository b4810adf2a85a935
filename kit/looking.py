"""What a new case needs to know about its data: what answers at an address, when to look, and who the users are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import MISSING, OTHER
from connectors.where import all_of
from connectors.window import iso, utc
from kit.errors import BadCase

if TYPE_CHECKING:
    from connectors.load import Recorded
    from kit.case import Case

AUTHORITY = "authority.pem"
"""Where a case keeps the certificate that it trusts; it is no secret."""
REQUEST_FIELDS = frozenset({"duration_s", "http.response.status_code"})
WHOLE_UP_TO, LAST, BEFORE, AFTER = timedelta(hours=6), timedelta(hours=2), timedelta(hours=1), timedelta(minutes=30)
ABOUT_AS_MANY = 0.95
"""Two hops see about the same requests when the smaller count is this share of the larger."""


def is_address(given: Path | str) -> bool:
    """Is it an address, not a path?

    >>> is_address("https://logs.example:9200/shop-*"), is_address("raw/logs")
    (True, False)
    """
    return isinstance(given, str) and re.match(r"https?://", given, re.I) is not None


def add_address(
    address: str, sources: dict[str, dict[str, Any]], *, folder: Path, authority: Path | None = None
) -> list[str]:
    """Asks what answers there and adds it to the sources; gives the lines that say so.

    Raises `BadCase` where an index must be named, and what `recognize` raises.
    """
    from kit.recognize import recognize

    if authority is not None and not authority.is_file():
        raise BadCase(f"There is no {authority}: name the file of the certificate to trust (PEM).")
    said = []
    for name, source in recognize(address, authority=authority).items():
        if source.get("index") == "*":
            raise BadCase(
                f"{source['url']} is {source['kind']}, which holds many indices: name one, an alias or a pattern, like "
                f"--from '{source['url']}/logs-*'."
            )
        if authority is not None:
            shutil.copyfile(authority, folder / AUTHORITY)
            source["authority"] = AUTHORITY
        sources[_free(name, sources)] = source
        said.append(f"{address}: {source['kind']}, {source['table']}")
    return said


def look(first: datetime, last: datetime, *, at: str | None) -> tuple[datetime, datetime, list[str]]:
    """Which span is to be loaded of data from `first` to `last`, and what is to be said about that?

    Around `at` when that is given: an hour before to half an hour after. Otherwise the whole span up to six hours, or
    else its last two hours. Raises `BadCase` when nothing lies around `at`.
    """
    if at is not None:
        moment = utc(at)
        start, end = max(first, moment - BEFORE), min(last, moment + AFTER)
        if start >= end:
            raise BadCase(f"Nothing lies around {iso(moment)}: the data are from {iso(first)} to {iso(last)}.")
        return start, end, [f"The look is {iso(start)} to {iso(end)}, around the time given."]
    if last - first <= WHOLE_UP_TO:
        return first, last, []
    said = (
        f"The data are from {iso(first)} to {iso(last)}; the look is their last two hours: name another time with "
        f"--at, or change [look] in incident.toml."
    )
    return last - LAST, last, [said]


def look_at_servers(*, at: str | None) -> tuple[datetime, datetime, list[str]]:
    """Which span is to be loaded where only servers of metrics or traces are there, which do not say when they begin?

    Around `at`, or the two hours up to this moment; it is said.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    moment = utc(at) if at is not None else now
    start, end = (moment - BEFORE, min(moment + AFTER, now)) if at is not None else (now - LAST, now)
    if start >= end:
        raise BadCase(f"{iso(moment)} lies more than an hour ahead: give a time that has passed.")
    how = "around the time given" if at is not None else "the last two hours: name another time with --at"
    return start, end, [f"The look is {iso(start)} to {iso(end)}, {how}."]


def own_names(case: Case) -> dict[str, str | None]:
    """Which log sources were given a service that none of their lines names, since they name their own?

    By source: the one service that its lines name; None where they name several. A log with lines that name none is
    rightly called by its file, and is left out.
    """
    found: dict[str, str | None] = {}
    for source in case.sources("logs"):
        guessed = case.catalog.sources[source.name].service
        if guessed is None:
            continue
        answer = case.ask("logs", lambda s=source: s.count(case.look, by=("service",)))
        named = [n for n in (answer.table.column("service").to_pylist() if answer is not None else ()) if n != MISSING]
        if named and guessed not in named:
            found[source.name] = named[0] if len(named) == 1 else None
    return found


def services_of(case: Case) -> tuple[str, ...]:
    """Which services are named in the logs of the look?"""
    from kit.questions import field_names

    found: dict[str, None] = {}
    for source in case.sources("logs"):
        own = case.catalog.sources[source.name].service
        if "service" in field_names(case, source):
            answer = case.ask("logs", lambda s=source: s.count(case.look, by=("service",)))
            names = answer.table.column("service").to_pylist() if answer is not None else []
            found |= dict.fromkeys(name for name in names if name not in (MISSING, OTHER))
        elif own:
            found[own] = None
    return tuple(found)


BY_HAND = (
    "No log has a status and a duration per line, so nobody can tell who was hurt: name the users' requests in "
    "signals.toml by hand, as notebooks/README.md shows ([requests] with source, service and failed)."
)


def users_requests(case: Case) -> tuple[dict[str, Any] | None, str]:
    """Which log, and which service in it, has the users' requests? The `[requests]` of `signals.toml`, and a sentence.

    Every request is seen by each hop that it passes; the outermost sees the most of them and waits the longest: among
    the services with about the highest count of rows that have a status and a duration, the one whose mean duration
    is longest. It is a guess, and the sentence says so. None where no log has such rows.
    """
    seen: list[tuple[float, float, str, str]] = []
    for source in case.sources("logs"):
        seen += _hops(case, source)
    if not seen:
        return None, BY_HAND
    most = max(n for n, *_ in seen)
    _, name, service = max(hop[1:] for hop in seen if hop[0] >= ABOUT_AS_MANY * most)
    requests: dict[str, Any] = {"source": name, "service": service}
    shared = case.catalog.sources[name].service is None and service != name
    if shared:
        requests["where"] = f"service = '{service}'"
    return requests, (
        f"{service}{f' in {name}' if shared else ''} is taken for the log of users' requests, as it has the most "
        f"and waits the longest; change signals.toml if it is another."
    )


def _hops(case: Case, source: Recorded) -> list[tuple[float, float, str, str]]:
    """Per service: its requests, their mean duration, the source's name, its own name."""
    from kit.questions import field_names

    names = field_names(case, source)
    if not names >= REQUEST_FIELDS:
        return []
    own = case.catalog.sources[source.name].service
    by = ("service",) if own is None and "service" in names else ()
    where = all_of("duration_s IS NOT NULL", "http.response.status_code IS NOT NULL")
    answer = case.ask(
        "logs", lambda: source.measure(case.look, "duration_s", stats=("n", "mean"), by=by, where=where)
    )  # fmt: skip
    rows: list[Mapping[str, Any]] = answer.table.to_pylist() if answer is not None else []
    return [
        (row["n"], row["mean"] or 0.0, source.name, row.get("service", own or source.name))
        for row in rows
        if row["n"] and row.get("service") not in (MISSING, OTHER)
    ]


def _free(stem: str, taken: Mapping[str, Any]) -> str:
    name, n = stem, 2
    while name in taken:
        name, n = f"{stem}-{n}", n + 1
    return name
