"""The sources of one case: each opened when it is first asked, every answer recorded and kept by what it tells of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.answers import Answers
from connectors.base import Answer
from connectors.errors import ConnectorError
from connectors.load import Recorded
from kit.errors import BadCase
from kit.progress import begun


class CaseSources:
    """What a case can ask, and what it was answered. Offline it asks nobody and answers from what is recorded."""

    def __init__(self, folder: Path, *, offline: bool = False, refresh: bool = False) -> None:
        self.folder = folder
        self.answers = Answers(folder)
        self.offline = offline
        self.gaps: dict[str, str] = {}
        """What could not be asked: the sentence, and the pillar it belongs to."""
        self.derived_evidence: dict[str, list[str]] = {}
        """Per service, the answers its log-derived signals were made from."""
        self._refresh = refresh
        self._sources: dict[str, Recorded] = {}
        self._seen: dict[str, dict[str, None]] = {}

    @cached_property
    def catalog(self) -> Any:
        """What `sources.toml`, `signals.toml` and `path.toml` say."""
        from connectors.catalog import read_catalog

        return read_catalog(self.folder)

    def source(self, name: str) -> Recorded:
        """The source of this name in `sources.toml`; whatever it answers is recorded."""
        if name not in self._sources:
            if name not in self.catalog.sources:
                known = ", ".join(self.catalog.sources) or "none"
                raise BadCase(f"{self.folder / 'sources.toml'} has no source {name!r}: it has {known}.")
            behind = OnFirstUse(lambda: self.catalog.open(name)) if self._may_ask(name) else None
            self._sources[name] = Recorded(
                name, behind, self.answers, refresh=self._refresh, seen=lambda answer: self._note(name, answer)
            )
        return self._sources[name]

    def _may_ask(self, name: str) -> bool:
        """Not offline; and a case that came in a bundle asks only the origins that its user trusts."""
        from connectors.credentials import origin_of
        from kit.bundle.received import read_received

        received = None if self.offline else read_received(self.folder)
        if received is None:
            return not self.offline
        url = getattr(self.catalog.sources[name], "url", None)
        return isinstance(url, str) and origin_of(url) in received.trusted

    def sources(self, table: str) -> list[Recorded]:
        """All sources of one kind of table: logs, metrics, spans, changes or alerts."""
        return [self.source(name) for name, spec in self.catalog.sources.items() if spec.table == table]

    def logs_of(self, service: str) -> tuple[Recorded, str | None] | None:
        """Where are this service's lines, and by which filter? None when no log source has them."""
        specs = {n: s for n, s in self.catalog.sources.items() if s.table == "logs"}
        own = [name for name, spec in specs.items() if spec.service == service]
        if own:
            return self.source(own[0]), None
        shared = [name for name, spec in specs.items() if spec.service is None]
        return (self.source(shared[0]), f"service = '{service}'") if shared else None

    @property
    def logs(self) -> Any:
        """All lines of all services as one log source."""
        from connectors.merged import MergedLogs

        return MergedLogs("logs", self.sources("logs"))

    def ask(self, pillar: str, question: Callable[[], Answer]) -> Answer | None:
        """The answer to a question; None when it could not be asked, which is noted as a gap and stops nothing."""
        try:
            return question()
        except ConnectorError as error:
            self.gaps.setdefault(str(error), pillar)
            return None

    def aside(self, question: Callable[[], Any]) -> Any:
        """The answer to a question that a hand asked: recorded, and not among what the findings rest on."""
        before = {pillar: dict(ids) for pillar, ids in self._seen.items()}
        try:
            return question()
        finally:
            self._seen = before

    def count_as(self, pillar: str, answer: Answer) -> None:
        """Let an answer of another source stand among this pillar's evidence, too: what was read out of it."""
        self._seen.setdefault(pillar, {})[answer.evidence] = None

    def evidence(self, *pillars: str) -> list[str]:
        """The ids of all answers read so far in these pillars (all of them when none is named).

        Pillars: requests, metrics, logs, spans, changes, alerts.
        """
        wanted = pillars or tuple(self._seen)
        return [ev for pillar in wanted for ev in self._seen.get(pillar, {})]

    def signal_evidence(self, signal: str) -> tuple[str, ...]:
        """Which recorded answers is this column of the aligned frame made from?"""
        service = signal.split("/", 1)[0].split("@", 1)[0]
        derived = signal.split("/", 1)[-1].startswith(("requests.", "upstream.", "statements.", "log."))
        return tuple(self.derived_evidence.get(service, ())) if derived else tuple(self.evidence("metrics"))

    def _note(self, name: str, answer: Answer) -> None:
        entry = self.catalog.requests is not None and name == self.catalog.requests.source
        pillar = "requests" if entry else self.catalog.sources[name].table
        self._seen.setdefault(pillar, {})[answer.evidence] = None
        begun(f"{sum(len(ids) for ids in self._seen.values()):,} answers read, the last of {name}")


class OnFirstUse:
    """A source that is opened when it is first asked; what its connector offers is looked up then."""

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._opener = opener
        self._source: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._source is None:
            self._source = self._opener()
        return getattr(self._source, name)
