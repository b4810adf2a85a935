"""Which value of a field stands out among the failing requests? Small grouped counts, asked where the logs live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.checks.facts import Facts, Track

LOCATION_FIELDS = ("instance", "host", "zone", "upstream.address")
CLIENT_FIELDS = ("client", "client.version", "user_agent.original")
REFUSED = "http.response.status_code >= 400 AND http.response.status_code < 500"
CONCENTRATED = 0.5
"""The share of the additional failures that one value must carry to be named."""


def grown_value(facts: Facts, service: str, by: str, *, where: str | None = None) -> str | None:
    """Which value of a field of this log grew most, in lines a second, from baseline to incident? None: not there.

    `<missing>` and `<other>` are not values.
    """
    grown = _growths(_asked(facts, service, by, where), facts)
    best = max(grown, key=lambda v: (grown[v], v), default=None)
    return best if best is not None and grown[best] > 0 else None


def standing_out(
    facts: Facts, services: Sequence[str], fields: Sequence[str], *, where: str | None
) -> tuple[str, str, str] | None:
    """Where do most of the additional lines fitting `where` have one value? (log, field, value); None: nowhere.

    The value must carry at least half of the growth, and the field must have another value to compare with.
    """
    if where is None:
        return None
    for service in services:
        for by in fields:
            values = _asked(facts, service, by, None)
            if len([v for v in values if not v.startswith("<")]) < 2:
                continue
            grown = _growths(_asked(facts, service, by, where), facts)
            total = sum(g for g in grown.values() if g > 0)
            best = max(grown, key=lambda v: (grown[v], v), default=None)
            if best is not None and total > 0 and grown[best] >= CONCENTRATED * total:
                return service, by, best
    return None


def values_seen(facts: Facts, service: str, by: str) -> list[str]:
    """Which values of the field occurred in the incident, in the order of the alphabet?"""
    found = _asked(facts, service, by, None)
    return sorted(v for v, t in found.items() if not v.startswith("<") and t.within(facts.windows.incident).sum() > 0)


def _asked(facts: Facts, service: str, by: str, where: str | None) -> Mapping[str, Track]:
    from connectors.errors import ConnectorError
    from kit.errors import KitError

    try:
        return facts.lines_by(service, by, where=where) or {}
    except (ConnectorError, KitError):
        # a field or log that is not there leaves the word unknown, and the prediction says what it needs
        return {}


def _growths(groups: Mapping[str, Track], facts: Facts) -> dict[str, float]:
    grown = {}
    for value, track in groups.items():
        before, during = track.within(facts.windows.baseline).mean(), track.within(facts.windows.incident).mean()
        if not value.startswith("<") and during == during:
            grown[value] = float(during - (before if before == before else 0.0))
    return grown
