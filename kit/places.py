"""Is one place of a service ill while its sisters, who do the same work, are well?

The outermost hop often does not know which replica served a request; the service itself does. So each hop's own log
is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from connectors.base import Selection
from connectors.errors import ConnectorError
from connectors.where import all_of, equals
from connectors.window import Window

if TYPE_CHECKING:
    from connectors.base import LogSource

LOCATIONS = ("instance", "host", "zone", "node", "pod")
"""Fields that say where a service ran, not whom it served."""
ALONE = 0.8
"""A place is ill alone when the harm at its service would fall by this share if it did as its sisters do."""
WELL = 0.25
"""The sisters are well when they are hurt at most this share as often."""


@dataclass(frozen=True, slots=True)
class HopLog:
    """One service's own requests: its log, the filters of users' requests and of the hurt ones, the fields it has."""

    service: str
    source: LogSource
    users: str | None
    hurt: str
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a service that is ill alone.

    `share` of the hurt requests were served there; `here` and `elsewhere`: hurt shares (0–1) of its own requests and
    of its sisters'.
    """

    service: str
    field: str
    value: str
    share: float
    here: float
    elsewhere: float

    @property
    def predicate(self) -> str:
        """The place as a filter."""
        return equals(self.field, self.value)

    @property
    def text(self) -> str:
        """The place with its numbers, in words."""
        return (
            f"{self.predicate} served {self.share:.0%} of what is hurt at {self.service}: "
            f"{self.here:.0%} of its requests are, {self.elsewhere:.1%} of those elsewhere"
        )


def find_places(logs: Iterable[HopLog], *, incident: Window) -> tuple[Place, ...]:
    """Of which services on the path is one place alone ill, at the same time as its sisters are well?

    Each log is asked to compare the hurt requests of the incident with the others of the same minutes. A place stands
    alone when four fifths of the harm at its service would vanish if it did as its sisters do, and these are hurt at
    most a quarter as often; where a version tells the hurt ones apart as well (a rollout that reached one place), the
    place says nothing. Of several places the one with the larger share is named. A log that cannot be asked has none.

    It misleads where a place gets different work (one shard, one customer's host).
    """
    found = []
    for log in logs:
        where = [f for f in LOCATIONS if f in log.fields]
        if not where:
            continue
        table = _compared(log, [*where, *(f for f in ("version",) if f in log.fields)], incident)
        place = place_alone(table, service=log.service)
        if place is not None:
            found.append(place)
    return tuple(found)


def place_alone(differences: pd.DataFrame, *, service: str) -> Place | None:
    """Which place do these differences (from `explain_difference`) show to be ill alone? None: none.

    >>> rows = pd.DataFrame([{"sign": "more", "depth": 1, "fields": ("instance",), "values": ("web-2",), "bad": 45.0,
    ...     "good": 155.0, "bad_share": 0.9, "good_share": 0.2, "explains": 0.89, "aliases": ()}])
    >>> place_alone(rows, service="web").text
    "instance = 'web-2' served 90% of what is hurt at web: 22% of its requests are, 0.8% of those elsewhere"
    """
    if not len(differences):
        return None
    single = [r for r in differences.itertuples() if r.depth == 1 and r.sign in ("+", "more", 1)]
    versions = [r.explains for r in single if r.fields[0] == "version"]
    for row in sorted(single, key=lambda r: -r.explains):
        if row.fields[0] not in LOCATIONS or row.explains < ALONE:
            continue
        if any(str(alias).startswith("version") for alias in row.aliases) or any(v >= row.explains for v in versions):
            continue
        place = _place(row, service)
        if place.elsewhere <= WELL * place.here:
            return place
    return None


def _place(row: object, service: str) -> Place:
    bad, good = float(row.bad), float(row.good)  # type: ignore[attr-defined]
    every_bad, every_good = bad / row.bad_share, good / row.good_share if row.good_share else good  # type: ignore[attr-defined]
    rest = (every_bad - bad) + (every_good - good)
    here = bad / (bad + good)
    elsewhere = (every_bad - bad) / rest if rest > 0 else 1.0
    field, value = _narrowest(row)
    return Place(service, field, value, float(row.bad_share), here, elsewhere)  # type: ignore[attr-defined]


def _narrowest(row: object) -> tuple[str, str]:
    """Where a zone has one instance, both tell the same rows apart: the instance says more."""
    names = [(row.fields[0], str(row.values[0]))]  # type: ignore[attr-defined]
    for alias in row.aliases:  # type: ignore[attr-defined]
        field, equal, value = str(alias).partition(" = ")
        if equal and field in LOCATIONS:
            names.append((field, value.strip("'").replace("''", "'")))
    return min(names, key=lambda n: LOCATIONS.index(n[0]))


def _compared(log: HopLog, fields: Sequence[str], incident: Window) -> pd.DataFrame:
    from kit.difference import explain_source_difference

    try:
        return explain_source_difference(
            log.source,
            bad=Selection(incident, all_of(log.users, log.hurt)),
            good=Selection(incident, all_of(log.users, f"NOT ({log.hurt})")),
            fields=fields,
            questions=1,
        )
    except ConnectorError:
        # a hop that cannot be asked has nothing to say of its places; what is missing is told with the sources
        return pd.DataFrame()
