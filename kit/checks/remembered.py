"""Facts that ask each thing once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kit.checks.facts import Facts, Table, Track


class Remembered:
    """Facts that ask each thing once: many checks look at the same few tracks, each on several windows."""

    def __init__(self, facts: Facts) -> None:
        self.windows = facts.windows
        self._facts = facts
        self._known: dict[tuple[str | None, ...], Any] = {}

    def series(self, key: str) -> Track | None:
        """As the facts say."""
        return self._once(("series", key), lambda: self._facts.series(key))

    def signals(self) -> tuple[str, ...]:
        """As the facts say."""
        return self._once(("signals",), self._facts.signals)

    def lines(self, service: str, *, where: str | None = None) -> Track | None:
        """As the facts say."""
        return self._once(("lines", service, where), lambda: self._facts.lines(service, where=where))

    def lines_by(self, service: str, by: str, *, where: str | None = None) -> Mapping[str, Track] | None:
        """As the facts say."""
        return self._once(("lines_by", service, by, where), lambda: self._facts.lines_by(service, by, where=where))

    def measured(self, service: str, field: str, *, stat: str, where: str | None = None) -> Track | None:
        """As the facts say."""
        key = ("measured", service, field, stat, where)
        return self._once(key, lambda: self._facts.measured(service, field, stat=stat, where=where))

    def changes(self) -> Table | None:
        """As the facts say."""
        return self._once(("changes",), self._facts.changes)

    def templates(self) -> Table | None:
        """As the facts say."""
        return self._once(("templates",), self._facts.templates)

    def edges(self) -> Table | None:
        """As the facts say."""
        return self._once(("edges",), self._facts.edges)

    def _once(self, key: tuple[str | None, ...], ask: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]
