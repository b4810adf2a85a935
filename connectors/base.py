"""What a source is asked and what it answers: protocols, Answer, Fetch, Selection.

A log source answers six questions where the data lives, so that only small answers travel. *Nothing found* is an empty
table, *could not ask* is an exception, *got part of it* is `Fetch.partial` with the reason.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import orjson
import pyarrow as pa

from connectors.window import Window, iso

OTHER, MISSING = "<other>", "<missing>"
"""The remainder past the top values, and rows without the field: values of their own in every grouped answer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one window that fit a filter (the portable `where`; None: all of them)."""

    window: Window
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """How an answer was got: enough to ask again, and to know what it lacks.

    `sampled` and `partial` are None when the answer is whole; otherwise they say how it was drawn, or why a part is
    missing. `link` opens the same question in the source's own interface; it is never hashed.
    """

    source: str
    question: str
    query: str
    window: Window | None
    rows: int
    binned_by: Literal["start", "completion"] | None = None
    truncated: bool = False
    sampled: str | None = None
    partial: str | None = None
    round_trips: int = 1
    took_s: float = 0.0
    server_time: datetime | None = None
    engine: str = ""
    cost: Mapping[str, float] = field(default_factory=dict)
    link: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {
            "source": self.source,
            "question": self.question,
            "query": self.query,
            "window": [iso(self.window.start), iso(self.window.end)] if self.window else None,
            "rows": self.rows,
            "binned_by": self.binned_by,
            "truncated": self.truncated,
            "sampled": self.sampled,
            "partial": self.partial,
            "round_trips": self.round_trips,
            "took_s": self.took_s,
            "server_time": iso(self.server_time) if self.server_time else None,
            "engine": self.engine,
            "cost": dict(self.cost),
            "link": self.link,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Fetch:
        """The record read back from `to_dict`."""
        values = dict(record)
        window, server_time = values["window"], values["server_time"]
        values["window"] = Window.of(*window) if window else None
        values["server_time"] = datetime.fromisoformat(server_time) if server_time else None
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Answer:
    """A canonical table, or a question's small table, together with how it was got.

    `arguments` are the question's canonical arguments; they, the source, the question and the table's bytes make the
    evidence id, so the same answer has the same id on every machine.
    """

    table: pa.Table
    fetch: Fetch
    arguments: str = "{}"

    @property
    def evidence(self) -> str:
        """`ev_` and 16 hex digits of the sha256 of source, question, arguments and table."""
        digest = hashlib.sha256()
        for part in (self.fetch.source, self.fetch.question, self.arguments):
            digest.update(part.encode())
            digest.update(b"\0")
        digest.update(table_bytes(self.table))
        return f"ev_{digest.hexdigest()[:16]}"

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame."""
        return self.table.to_pandas()


def answered(rows: Any) -> Answer:
    """The answer of `rows`, read to its end where it is still a stream."""
    return rows if isinstance(rows, Answer) else rows.answer()


def table_bytes(table: pa.Table) -> bytes:
    """The table's content as bytes that depend on nothing but names, types and values.

    Dictionary encoding, chunks, slices, metadata, nullability and what lies in memory under a null do not matter: an
    Arrow stream of one plain batch, in which each column is followed by which of its values are there.

    >>> rows = pa.table({"n": pa.array([1, None, 3])})
    >>> table_bytes(rows.slice(1)) == table_bytes(pa.table({"n": pa.array([None, 3])}))
    True
    """
    columns: list[pa.Array] = []
    names: list[str] = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        values, there = _without_nulls(column), column.is_valid().cast(pa.uint8())
        columns += [values.combine_chunks(), there.combine_chunks()]
        names += [name, f"{name} is there"]
    flat = pa.table(columns, names=names)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, flat.schema) as writer:
        writer.write_table(flat)
    return sink.getvalue()


def _without_nulls(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values with each null replaced by the zero of its type; nested values as JSON text."""
    type_ = column.type
    if pa.types.is_null(type_):
        return pa.chunked_array([pa.array([0] * len(column), pa.uint8())])
    if pa.types.is_nested(type_):
        texts = [orjson.dumps(value, default=str).decode() for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_boolean(type_):
        column = column.cast(pa.uint8())
    elif pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        column = column.cast(pa.string())
    if not column.null_count:
        return column
    if pa.types.is_string(column.type):
        return column.fill_null("")
    if pa.types.is_binary(column.type):
        return column.fill_null(b"")
    return column.fill_null(pa.scalar(0, pa.int64()).cast(column.type))


def canonical(arguments: Mapping[str, Any]) -> str:
    """A question's arguments as one canonical JSON text: sorted keys, None left out, windows as two UTC times.

    >>> canonical({"where": None, "every": "15s", "by": ("route",)})
    '{"by":["route"],"every":"15s"}'
    """
    return orjson.dumps(_plain(arguments), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Window):
        return [iso(value.start), iso(value.end)]
    if isinstance(value, Selection):
        return _plain({"window": value.window, "where": value.where})
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """How one golden signal is read from a metric source; a row of `signals.toml`.

    `metric` is the name at the source; `where` keeps series whose labels are equal to these; `by` keeps these labels
    apart (one signal per instance, say) instead of adding or averaging over them. `metric_type`: gauge, counter or
    histogram. `divide_by` names a second metric: the signal is then the ratio of both per bin.
    """

    service: str
    kind: str
    name: str
    metric: str
    metric_type: Literal["gauge", "counter", "histogram"] = "gauge"
    unit: str = "1"
    where: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    divide_by: str | None = None
    divide_where: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1.0


@runtime_checkable
class LogSource(Protocol):
    """Answers the six questions about lines. Only `fields` and `rows` are a must for a connector.

    Shapes of the small answers (all `by` and value columns are text):
    `fields`: name, type, share_present, distinct, distinct_error, top (JSON list of [value, n]);
    `count`: [time,] [by…,] n, weighted when rows carry weight; `measure`: [time,] [by…,] n and a column per stat
    (n count sum mean min max p50 p90 p95 p99), and `error` (relative error of the percentiles, 0 exact);
    `compare`: field, value, bad, good, bad_total, good_total, error; `sample` and `rows`: LOGS.
    """

    name: str

    def fields(self, window: Window, *, where: str | None = None) -> Answer: ...
    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer: ...
    def measure(
        self,
        window: Window,
        field: str,
        *,
        stats: Sequence[str] = ("n", "mean", "p50", "p99"),
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer: ...
    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer: ...
    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer: ...
    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> RowStream: ...


class RowStream(Protocol):
    """Arrow batches in LOGS shape, bounded in memory; `fetch` is complete once the stream is exhausted."""

    @property
    def fetch(self) -> Fetch: ...
    def __iter__(self) -> Iterator[pa.RecordBatch]: ...
    def answer(self) -> Answer: ...
    def close(self) -> None: ...


@runtime_checkable
class MetricSource(Protocol):
    """Answers with METRICS: one row per signal and bin (or raw sample where `every` is None)."""

    name: str

    def metrics(self, window: Window, *, signals: Sequence[SignalSpec], every: str | None = None) -> Answer: ...
    def catalogue(self, window: Window) -> Answer: ...


@runtime_checkable
class SpanSource(Protocol):
    """`edges`: caller, callee, calls, errors, duration_mean_s, duration_p50_s, duration_p99_s, method (parent_child or
    peer), traces, traces_total. `traces`: SPANS of whole traces, chosen by `order`; n None: all within the budget."""

    name: str

    def edges(self, window: Window) -> Answer: ...
    def traces(
        self,
        window: Window,
        *,
        where: str | None = None,
        n: int | None = 100,
        order: Literal["failing", "slowest", "typical", "time"] = "time",
    ) -> Answer: ...


@runtime_checkable
class ChangeSource(Protocol):
    """Answers with CHANGES."""

    name: str

    def changes(self, window: Window) -> Answer: ...


@runtime_checkable
class AlertSource(Protocol):
    """Answers with ALERTS."""

    name: str

    def alerts(self, window: Window) -> Answer: ...


Source = LogSource | MetricSource | SpanSource | ChangeSource | AlertSource
