"""One question on its way to an answer: what was sent, how long it took, what is missing; and rows as a stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa

from connectors.base import Answer, Fetch
from connectors.window import Window


@dataclass(slots=True)
class Asking:
    """The running record of one question; `answer` makes the `Fetch` of it.

    A source appends each text it sends to `queries` (one a round trip), and each reason why a part is missing to
    `missing`.
    """

    source: str
    question: str
    arguments: str
    engine: str
    window: Window | None = None
    queries: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)
    server_time: datetime | None = None
    link: str | None = None
    started: float = field(default_factory=time.monotonic)

    def fetch(
        self,
        rows: int,
        *,
        binned_by: Literal["start", "completion"] | None = None,
        truncated: bool = False,
        sampled: str | None = None,
    ) -> Fetch:
        """How the answer was got, up to now. Equal queries and reasons stand in it once."""
        return Fetch(
            source=self.source,
            question=self.question,
            query=";\n".join(dict.fromkeys(self.queries)),
            window=self.window,
            rows=rows,
            binned_by=binned_by,
            truncated=truncated,
            sampled=sampled,
            partial="; ".join(dict.fromkeys(self.missing)) or None,
            round_trips=len(self.queries),
            took_s=time.monotonic() - self.started,
            server_time=self.server_time,
            engine=self.engine,
            cost=dict(self.cost),
            link=self.link,
        )

    def answer(
        self,
        table: pa.Table,
        *,
        binned_by: Literal["start", "completion"] | None = None,
        truncated: bool = False,
        sampled: str | None = None,
    ) -> Answer:
        """The table together with how it was got."""
        fetch = self.fetch(table.num_rows, binned_by=binned_by, truncated=truncated, sampled=sampled)
        return Answer(table, fetch, self.arguments)


class Stream:
    """Arrow batches of one question, made as they are asked for; what `LogSource.rows` returns.

    Iterate it once. `fetch` tells of the rows given so far and is complete once the stream is exhausted; `close` ends
    it early and frees what the source holds for it.
    """

    def __init__(
        self, schema: pa.Schema, asking: Asking, batches: Callable[[Stream], Iterator[pa.RecordBatch]]
    ) -> None:
        self.schema = schema
        self.truncated = False
        self.sampled: str | None = None
        self._asking = asking
        self._rows = 0
        self._batches = batches(self)

    @property
    def fetch(self) -> Fetch:
        """How the rows were got, up to now."""
        return self._asking.fetch(self._rows, truncated=self.truncated, sampled=self.sampled)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self._rows += batch.num_rows
            yield batch

    def answer(self) -> Answer:
        """All rows not yet read, as one answer held in memory."""
        table = pa.Table.from_batches(list(self), schema=self.schema).unify_dictionaries().combine_chunks()
        return Answer(table, self.fetch, self._asking.arguments)

    def close(self) -> None:
        """Ends the stream; iterating on gives nothing more."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
