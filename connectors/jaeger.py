"""Traces in Jaeger, read through its query API: whole traces of a window, none lost to the limit on an answer.

The API wants a service, and gives the newest traces up to a limit, whatever store is behind it. So each service is
asked for the whole window; where an answer is full, its window is halved until no answer is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from connectors.asking import Asking
from connectors.base import Answer, canonical
from connectors.errors import BadInput
from connectors.files.jaeger_json import add_document
from connectors.files.options import Options
from connectors.files.spans import SpanRows
from connectors.files.stream import Faults
from connectors.http import Http
from connectors.kept import Kept
from connectors.local_spans import ORDERS, LocalSpans
from connectors.probe import Probe, clock_by_date
from connectors.settings import Place
from connectors.settings import Settings as Base
from connectors.where import parse
from connectors.where_tree import And, Compare
from connectors.window import Window, iso

PAGE = 500
FEW = 20
"""Of fewer traces than this no answer is asked for: halving the window would take more time than they do."""
ENGINE = "Jaeger query API"
KEPT = 2
MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Settings(Base):
    """Where the traces are: `url` of the query service.

    `services` are the services to ask for (all that Jaeger knows, when it is empty); `sampling_rate` the share of
    traces that was kept, for spans that do not carry it; `page` the most traces of one answer.
    """

    url: str
    services: list[str] = Field(default_factory=list)
    sampling_rate: float | None = Field(default=None, gt=0, le=1)
    page: int = Field(default=PAGE, ge=1, le=100_000)
    authority: str | None = None


def open_source(name: str, settings: Settings, place: Place) -> JaegerSpans:
    """The source; nothing is asked yet. Raises `BadInput` for a table that it does not hold."""
    if settings.table != "spans":
        raise BadInput(f'{name} is kind "jaeger", which gives spans: write table = "spans".')
    http = place.http(settings.url, authority=settings.authority)
    return JaegerSpans(
        name, http, services=settings.services, sampling_rate=settings.sampling_rate, page=settings.page,
        spans=place.budget.rows, seconds=place.budget.server_seconds, ui=settings.ui,
    )  # fmt: skip


class JaegerSpans:
    """A span source over Jaeger's query API.

    A question reads at most `spans` spans and asks for at most `seconds`; past either, the earliest part of the window
    is answered and `Fetch.partial` says up to when. The last two windows read are kept, so that edges and exemplars of
    one window are read once.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        services: Sequence[str] = (),
        sampling_rate: float | None = None,
        page: int = PAGE,
        spans: int = 5_000_000,
        seconds: float = 120.0,
        ui: str | None = None,
    ) -> None:
        self.name = name
        self._http = http
        self._services = tuple(services)
        self._options = Options(table="SPANS", sampling_rate=sampling_rate)
        self._page, self._most, self._seconds, self._ui = page, spans, seconds, ui
        self._kept: Kept[tuple[Window, str | None, str, int | None], tuple[pa.Table, Asking]] = Kept(KEPT)

    def edges(self, window: Window) -> Answer:
        """See `LocalSpans.edges`: from parents and children of all traces of the window, its unanswered client spans.

        A service that is not among those asked for still shows, as far as their traces hold its spans.
        """
        table, asking = self._read(window)
        return self._said(LocalSpans(self.name, table).edges(window), asking, window)

    def traces(
        self,
        window: Window,
        *,
        where: str | None = None,
        n: int | None = 100,
        order: Literal["failing", "slowest", "typical", "time"] = "time",
    ) -> Answer:
        """See `LocalSpans.traces`. Durations and starts are whole microseconds, as Jaeger keeps them.

        `failing` asks Jaeger for spans tagged `error=true`, which is how it keeps a failed status; `time` stops reading
        once it has the `n` earliest, so the number there are is then not known. A filter that demands one service
        asks for that service alone.
        """
        if order not in ORDERS:
            raise BadInput(f"{order!r} is no order of traces: ask for {', '.join(ORDERS)}.")
        demanded = _service_of(where)
        enough = n if order == "time" and (where is None or _only_service(where)) else None
        table, asking = self._read(window, service=demanded, failing=order == "failing", enough=enough)
        answer = LocalSpans(self.name, table).traces(window, where=where, n=n, order=order)
        answer = self._said(answer, asking, window)
        if asking.cost.get("stopped_early"):
            found = answer.table.column("trace_id").combine_chunks()
            sampled = f"the {len(pc.unique(found)):,} earliest traces; how many there are was not counted"
            answer = replace(answer, fetch=replace(answer.fetch, truncated=True, sampled=sampled))
        return replace(answer, arguments=canonical({"window": window, "where": where, "n": n, "order": order}))

    def services(self) -> list[str]:
        """The services that Jaeger has spans of, whenever they were made."""
        return sorted(self._ask("api/services", {}).get("data") or ())

    def probe(self) -> Probe:
        """Does it answer, how fast, how far off is its clock, and may its services be read? Names no version."""
        began = time.monotonic()
        services = tuple(self._services or self.services())
        took = time.monotonic() - began
        offset, error = clock_by_date(self._http, "/api/services")
        return Probe(ENGINE, took, offset, error, may=("services", "traces"), services=services)

    def close(self) -> None:
        """Gives the connections back."""
        self._http.close()

    # -- how they are asked -----------------------------------------------------------------------------------

    def _read(
        self, window: Window, *, service: str | None = None, failing: bool = False, enough: int | None = None
    ) -> tuple[pa.Table, Asking]:
        """All spans of the traces that have a span in the window, and how they were got."""
        key = (window, service, "failing" if failing else "", enough)

        def read() -> tuple[pa.Table, Asking]:
            reading = _Reading(self, window, failing=failing, enough=enough)
            return reading.all([service] if service else list(self._services) or self.services())

        return self._kept.get(key, read)

    def _ask(self, path: str, query: Mapping[str, str]) -> Any:
        return self._http.ask("GET", f"/{path}", query=query)

    def _said(self, answer: Answer, asking: Asking, window: Window) -> Answer:
        """The answer, with how its spans were got."""
        fetch = replace(
            answer.fetch, query=";\n".join(dict.fromkeys(asking.queries)), engine=asking.engine,
            round_trips=len(asking.queries), partial="; ".join(dict.fromkeys(asking.missing)) or None,
            took_s=asking.cost["took_s"] + answer.fetch.took_s, link=self._link(window),
        )  # fmt: skip
        return replace(answer, fetch=fetch)

    def _link(self, window: Window) -> str | None:
        if not self._ui or not self._services:
            return None
        asked = {"service": self._services[0], "start": _us(window.start), "end": _us(window.end)}
        return f"{self._ui.rstrip('/')}/search?{urlencode(asked, quote_via=quote)}"


class _Reading:
    """One pass over a window: which traces were seen, and what is missing."""

    def __init__(self, source: JaegerSpans, window: Window, *, failing: bool, enough: int | None) -> None:
        self.source, self.window, self.failing, self.enough = source, window, failing, enough
        self.rows = SpanRows(source._options)
        self.first: dict[str, int] = {}  # of each trace: when its first span of the window began
        self.asking = Asking(source.name, "traces", "", ENGINE, window)
        self.ends = time.monotonic() + source._seconds
        self.moved = self.spans = 0
        self.page = source._page if enough is None else min(source._page, max(enough, FEW))

    def all(self, services: Sequence[str]) -> tuple[pa.Table, Asking]:
        """Reads the window of all these services."""
        if self.window.seconds > 0:
            self._part(self.window, services)
        faults = Faults(self.source.name)
        order = [(name, "ascending") for name in ("start", "trace_id", "span_id")]
        table = self.rows.reading(faults).table.sort_by(order)
        self.asking.missing += faults.sentences()
        if self.moved:
            self.asking.missing.append(
                f"Jaeger moved {self.moved:,} spans for clock skew: start its query service with "
                f"--query.max-clock-skew-adjustment=0 to see them as they were recorded"
            )
        self.asking.cost["took_s"] = time.monotonic() - self.asking.started
        return table, self.asking

    def _part(self, part: Window, services: Sequence[str]) -> bool:
        """Reads a part of the window, halved where an answer was full; False: no more is to be read."""
        full = []
        for service in services:
            if self._spent():
                self.asking.missing.append(f"only traces up to {iso(part.start)} were read, then the budget was spent")
                return False
            if self._page(part, service, self.page) >= self.page:
                full.append(service)
        if full and part.end - part.start <= MICROSECOND:
            for service in full:
                if self._page(part, service, 20 * self.source._page) >= 20 * self.source._page:
                    self.asking.missing.append(f"more traces of {service} begin at {iso(part.start)} than Jaeger gives")
            full = []
        if full:
            middle = part.start + (part.end - part.start) // 2
            halves = Window(part.start, middle), Window(middle, part.end)
            return all(self._part(half, full) for half in halves)
        return not self._enough(part.end)

    def _page(self, part: Window, service: str, limit: int) -> int:
        """Asks for the traces of one service that have a span in this part; how many came."""
        query = {"service": service, "start": _us(part.start), "end": _us(part.end - MICROSECOND), "limit": str(limit)}
        if self.failing:
            query["tags"] = '{"error":"true"}'
        self.asking.queries.append(f"GET api/traces?{urlencode(query)}")
        found = self.source._ask("api/traces", query)
        for error in found.get("errors") or ():
            self.asking.missing.append(f"Jaeger says: {str(error.get('msg', error))[:200]}")
        traces = found.get("data") or ()
        low, high = int(_us(self.window.start)), int(_us(self.window.end))
        for trace in traces:
            if trace.get("traceID") in self.first:
                continue
            spans = trace.get("spans") or ()
            begun = [s["startTime"] for s in spans if low <= s.get("startTime", -1) < high]
            self.first[trace.get("traceID")] = min(begun, default=low)
            self.spans += len(spans)
            self.moved += sum(any("were adjusted by" in str(w) for w in s.get("warnings") or ()) for s in spans)
            add_document(trace, self.rows)
        return len(traces)

    def _spent(self) -> bool:
        return self.spans >= self.source._most or time.monotonic() >= self.ends

    def _enough(self, until: datetime) -> bool:
        """Are the earliest traces asked for all there, with everything read up to this instant?"""
        if self.enough is None or until >= self.window.end:
            return False
        at = int(_us(until))
        if sum(first < at for first in self.first.values()) < self.enough:
            return False
        self.asking.cost["stopped_early"] = 1.0
        return True


def _us(time: datetime) -> str:
    return str((time - _EPOCH) // MICROSECOND)


def _service_of(where: str | None) -> str | None:
    """The one service that a span must be of to fit the filter; None where several can.

    >>> _service_of("status = 'error' AND service = 'pay'"), _service_of("service = 'a' OR service = 'b'")
    ('pay', None)
    """
    if where is None:
        return None
    tree = parse(where)
    parts = tree.parts if isinstance(tree, And) else (tree,)
    named = [p.value for p in parts if isinstance(p, Compare) and p.field == "service" and p.op == "="]
    return str(named[0]) if len(set(named)) == 1 else None


def _only_service(where: str) -> bool:
    """Does the filter say nothing but which service? What Jaeger gives for that service then all fits."""
    return isinstance(parse(where), Compare) and _service_of(where) is not None


__all__ = ["JaegerSpans", "Settings", "open_source"]
