"""Ask a source, check and clip its answer, record it; later give exactly the recorded answers back.

The index of what was recorded (`connectors.answers`) is the cache, what a bundle carries, and a source of its own:
`Recorded` with no source behind it is *replay*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.answers import Answers
from connectors.base import Answer, SignalSpec, answered
from connectors.errors import BadInput, ConnectorError, NotRecorded
from connectors.forwarded import Forwarded, put
from connectors.questions import asked
from connectors.window import Window

ROWS_KEPT = 200_000
"""`rows` is recorded up to this many; a question for more streams without being kept."""
_TABLE_OF = {
    "metrics": "METRICS", "rows": "LOGS", "sample": "LOGS", "traces": "SPANS", "changes": "CHANGES", "alerts": "ALERTS",
}  # fmt: skip


class Recorded(Forwarded):
    """A source whose every answer is recorded; without a source behind it, replay.

    It answers whatever its source answers; `seen` is told of each answer given. A question already recorded is not
    asked again unless `refresh` is set. Raises `NotRecorded`, naming the question, when nothing is behind it and the
    answer was never recorded.
    """

    def __init__(
        self,
        name: str,
        source: Any | None,
        answers: Answers,
        *,
        refresh: bool = False,
        seen: Callable[[Answer], None] | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.answers = answers
        self.refresh = refresh
        self._seen = seen or (lambda answer: None)

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `LogSource.fields`."""
        return self._forward("fields", window, where=where)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Any:
        """See `LogSource.rows`. Recorded when `limit` is at most `ROWS_KEPT`; otherwise streamed and not kept."""
        arguments: dict[str, Any] = {"where": where, "fields": tuple(fields) if fields else None, "order": order}
        if limit is not None and limit <= ROWS_KEPT:
            return self._forward("rows", window, **arguments, limit=limit)
        if self.source is None:
            raise NotRecorded(
                f"All rows of {self.name} are not recorded, only answers are: give `limit`, or open the case with its "
                "sources at hand."
            )
        return self.source.rows(window, **arguments, limit=limit)

    def metrics(self, window: Window, *, signals: Sequence[SignalSpec], every: str | None = None) -> Answer:
        """See `MetricSource.metrics`."""
        return self._forward("metrics", window, signals=tuple(signals), every=every)

    def catalogue(self, window: Window) -> Answer:
        """See `MetricSource.catalogue`."""
        return self._forward("catalogue", window)

    def edges(self, window: Window) -> Answer:
        """See `SpanSource.edges`."""
        return self._forward("edges", window)

    def traces(self, window: Window, *, where: str | None = None, n: int | None = 100, order: str = "time") -> Answer:
        """See `SpanSource.traces`."""
        return self._forward("traces", window, where=where, n=n, order=order)

    def changes(self, window: Window) -> Answer:
        """See `ChangeSource.changes`."""
        return self._forward("changes", window)

    def contents(self, *, before: str | None, after: str) -> Answer:
        """See `GitChanges.contents`: what is different between two deployed versions."""
        return self._forward("contents", None, before=before, after=after)

    def alerts(self, window: Window) -> Answer:
        """See `AlertSource.alerts`."""
        return self._forward("alerts", window)

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        if question == "sample" and not arguments["fields"]:
            arguments["fields"] = None  # an empty list chooses no columns: all of them are meant
        key = asked({"window": window, **{k: _plain_spec(v) for k, v in arguments.items()}})
        recorded = None
        if not (self.refresh and self.source is not None):
            recorded = self.answers.find(self.name, question, key)
            if recorded is not None and self._holds(recorded):
                self._seen(recorded)
                return recorded
        if self.source is None:
            refusal = self.answers.refusal(self.name, question, key)
            if refusal is not None:
                raise refusal.error()
            raise NotRecorded(
                f"The question {question} to {self.name} was never recorded with these arguments ({key[:200]}): "
                "open the case where its sources can be reached."
            )
        try:
            answer = self._answer(question, window, arguments, key)
        except ConnectorError as error:
            self.answers.refuse(self.name, question, key, error)
            raise
        answer = self.answers.keep(answer, anew=recorded is not None)
        self._seen(answer)
        return answer

    def _holds(self, recorded: Answer) -> bool:
        """Is the record what its id names? If not it is asked again; `BadInput` where nobody is there to be asked.

        A file that was changed, or one that an earlier version wrote, which made ids otherwise: nothing may rest on it.
        """
        if self.answers.has(recorded.evidence):
            return True
        if self.source is None:
            raise BadInput(
                f"A recorded answer to {recorded.fetch.question} of {self.name} is not what its id names: restore "
                "snapshots/, or open the case where its sources can be reached, and it is asked again."
            )
        return False

    def _answer(self, question: str, window: Window | None, arguments: dict[str, Any], key: str) -> Answer:
        """What the source says, checked and clipped, under this source's name."""
        if not hasattr(self.source, question):
            raise ConnectorError(f"{self.name} cannot answer {question}: its connector does not offer it.")
        answer = answered(put(self.source, question, window, arguments))
        return replace(
            answer,
            table=_clip(_checked(answer.table, question), question, window),
            fetch=replace(answer.fetch, source=self.name, question=question),
            arguments=key,
        )


def _checked(table: pa.Table, question: str) -> pa.Table:
    name = _TABLE_OF.get(question)
    if name is None:
        return table
    if name == "LOGS" and not {"time", "seq", "weight"} <= set(table.column_names):
        return table
    table = schema.conform(table, name)
    schema.check(table, name)
    return table


def _clip(table: pa.Table, question: str, window: Window | None) -> pa.Table:
    column = schema.TIME_COLUMN.get(_TABLE_OF.get(question, ""), "")
    if window is None or column not in table.column_names or question in ("traces", "changes", "alerts"):
        return table
    time = table.column(column)
    start, end = pa.scalar(window.start, schema.TIME), pa.scalar(window.end, schema.TIME)
    inside = pc.and_(pc.greater_equal(time, start), pc.less(time, end))
    return table if pc.all(inside).as_py() in (True, None) else table.filter(inside)


def _plain_spec(value: Any) -> Any:
    if isinstance(value, SignalSpec):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, tuple) and value and isinstance(value[0], SignalSpec):
        return [_plain_spec(v) for v in value]
    return value
