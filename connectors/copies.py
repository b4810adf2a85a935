"""Four questions answered from a bounded copy, for a connector that only has `fields` and `rows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.base import Answer
from connectors.errors import BadInput, OverBudget
from connectors.forwarded import Forwarded, put
from connectors.kept import Kept
from connectors.schema import TIME, conform
from connectors.window import Window

if TYPE_CHECKING:
    from connectors.tables import Tables

COPY_ROWS = 5_000_000
COPIES_KEPT = 2


class AnsweredFromCopy(Forwarded):
    """Gives a source with `name`, `fields` and `rows` the questions count, measure, compare and sample.

    A window's rows are streamed once, in order of time, and asked through DuckDB; the last two windows are kept. A
    window with more than `copy_rows` rows raises `OverBudget` with the narrower window that fits. The answers' fetches
    say what the copy lacks.

    >>> from connectors.testing import HOUR, RowsOnly, contract_documents
    >>> RowsOnly("logs", contract_documents()).count(HOUR, where="route = '/pay'").table.to_pylist()
    [{'n': 119.0}]
    """

    name: str
    copy_rows = COPY_ROWS

    def __init__(self) -> None:
        self._copies: Kept[Window, tuple[Tables, Any]] = Kept(COPIES_KEPT)

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        span = window or _both(arguments["bad"].window, arguments["good"].window)
        tables, fetch = self._copies.get(span, lambda: self._streamed(span))
        return _told(put(tables, question, window, arguments), fetch)

    def _streamed(self, window: Window) -> tuple[Tables, Any]:
        from connectors.tables import Tables

        stream = self.rows(window)  # type: ignore[attr-defined]
        batches: list[pa.RecordBatch] = []
        rows = 0
        try:
            for batch in stream:
                batches.append(batch)
                rows += batch.num_rows
                if rows > self.copy_rows:
                    raise _too_many(self.name, window, batches, self.copy_rows)
            table = pa.Table.from_batches(batches) if batches else stream.answer().table
        finally:
            stream.close()
        return Tables(self.name, table=conform(table.unify_dictionaries(), "LOGS")), stream.fetch


def _both(bad: Window, good: Window) -> Window:
    """Both windows and what lies between."""
    return Window(min(bad.start, good.start), max(bad.end, good.end))


def _too_many(name: str, window: Window, batches: Sequence[pa.RecordBatch], limit: int) -> Exception:
    times = pa.chunked_array([batch.column("time") for batch in batches], TIME)
    last = times[limit].as_py()
    if last <= window.start:
        return BadInput(f"{name} has over {limit:,} rows at {last.isoformat()} alone: ask with a narrower filter.")
    share = (times[len(times) - 1].as_py() - window.start) / (window.end - window.start)
    about = f", about {len(times) / share:,.0f} at their pace" if 0 < share < 1 else ""
    fits = Window(window.start, last)
    return OverBudget(
        f"{name} has over {limit:,} rows in {window}{about}, and answers from a copy of so many only: ask {fits}, or "
        f"raise copy_rows."
    )


def _told(answer: Answer, fetch: Any) -> Answer:
    """The answer with what the copy lacks, and how it was got, in its fetch."""
    told = replace(
        answer.fetch,
        query=f"{fetch.query}\n-- copied, then\n{answer.fetch.query}",
        partial=fetch.partial,
        round_trips=fetch.round_trips,
        engine=f"{fetch.engine}, copied into {answer.fetch.engine}",
    )
    return replace(answer, fetch=told)
