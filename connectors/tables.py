"""Canonical LOGS in Parquet files or in memory, asked through DuckDB: what every backend is compared with.

All answers are exact. A percentile is the linear interpolation between the two nearest values (R's type 7, DuckDB's
`quantile_cont`); with weights, of the values repeated so many times.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa

from connectors.asking import Asking, Stream
from connectors.base import Answer, Selection
from connectors.engine import as_schema, open_engine, quote
from connectors.errors import BadInput
from connectors.questions import (
    COMPARED,
    FIELDS,
    UNLISTED,
    asked,
    counted,
    measured,
    step_us,
    type_name,
)  # fmt: skip
from connectors.schema import LOGS, REST, check, conform
from connectors.tables_few import FEW_ROWS, values_of
from connectors.tables_sql import (
    ALL_WEIGHTS_ONE,
    HASH_SHARE,
    WEIGHED,
    Grouping,
    compare_sql,
    count_sql,
    cut_sql,
    field_sql,
    key_sql,
    measure_sql,
    present_sql,
)  # fmt: skip
from connectors.where import kind_of, need_fields, sql_name, to_sql
from connectors.window import Window, iso

SLICE_ROWS = 100_000
TOP_VALUES = 10
COUNTED_EXACTLY = 100_000
"""`fields` counts distinct values one by one up to about so many, and estimates past that."""


class Tables:
    """A log source over a canonical LOGS table, Parquet files of that shape, or both.

    Parquet files may lack nullable columns and differ in their attributes. Only their folders can be read. Raises
    `BadInput` where a table or file is not LOGS, or two files disagree on a column's type.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 3, 1, 2, tzinfo=UTC)
    >>> logs = conform(pa.table({"time": [at], "seq": [0], "weight": [1.0], "status": [503]}), "LOGS")
    >>> hour = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
    >>> Tables("logs", table=logs).count(hour, where="status >= 500").table.to_pylist()
    [{'n': 1.0}]
    """

    def __init__(self, name: str, *, table: pa.Table | None = None, parquet: Sequence[str | Path] = ()) -> None:
        self.name = name
        paths = [Path(path) for path in parquet]
        parts = []
        if table is not None:
            check(table, "LOGS")
            parts.append(("the table in memory", table.schema))
        parts += [(path.name, _schema_of(path)) for path in paths]
        self.schema = _union(parts)
        self._known = {field.name: field.type for field in self.schema if field.name != REST}
        self._lock = threading.Lock()
        self._engine = open_engine(folders=sorted({path.resolve().parent for path in paths}))
        self._register(table, paths)

    # -- the six questions ------------------------------------------------------------------------------------

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """Which fields do the rows have? Those with a value in at least one row, the best filled first.

        `type` is text, number, boolean, time or other; `share_present` 0–1, weighted; `top` the ten commonest values.
        Past about 100,000 distinct values their number is estimated (`distinct_error` is its relative standard
        error) and `top` is empty.
        """
        names = [name for name in self._known if name not in UNLISTED]
        asking = self._asking("fields", window, {"window": window, "where": where})
        kept = self._kept(window, where)
        few = self._few(asking, kept)
        counted_here = {name: values_of(few.column(name), TOP_VALUES) for name in names} if few is not None else {}
        plain = [
            name for name in names if counted_here.get(name) is None and not pa.types.is_dictionary(self._known[name])
        ]
        seen = self._run(asking, present_sql(plain, self._known, self._n, kept)).to_pylist()[0]
        rows = []
        for name in names:
            if (here := counted_here.get(name)) is not None:
                if here[0]:
                    kind = type_name(kind_of(self._known[name]))
                    values = orjson.dumps(here[2]).decode()
                    rows.append((name, kind, here[0] / seen["total"], here[1], 0.0, values))
                continue
            present, hashed = (
                (seen[f"p{plain.index(name)}"], seen[f"d{plain.index(name)}"]) if name in plain else (1, 0)
            )
            distinct, error, top = hashed * HASH_SHARE, max(hashed, 1) ** -0.5, []
            if present and distinct <= COUNTED_EXACTLY:
                found = self._run(asking, field_sql(name, self._known, self._n, kept, TOP_VALUES)).to_pylist()
                distinct, error = found[0]["distinct_values"] if found else 0, 0.0
                present = found[0]["present"] if found else 0
                top = [[row["value"], row["n"]] for row in found]
            if present:
                kind = type_name(kind_of(self._known[name]))
                rows.append((name, kind, present / seen["total"], distinct, error, orjson.dumps(top).decode()))
        rows.sort(key=lambda row: (-row[2], row[0]))
        columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(FIELDS)]
        return asking.answer(pa.table(columns, schema=FIELDS))

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """How many rows are there, per bin and group? Weighted; bins start at multiples of `every` since the epoch.

        Groups are the `top` largest over the whole window, and as many among those with a missing field, which reads
        `<missing>`; the remainder is `<other>`. Bins and groups without a row are left out; without `every` and `by`
        there is always one row. Ties at the edge of the top go to the smaller value.
        """
        schema = counted(every=every, by=by)
        need_fields(by, self._known, where=self.name)
        step = step_us(every, window) if every is not None else None
        arguments = {"window": window, "every": every, "by": by, "where": where, "top": top}
        asking = self._asking("count", window, arguments)
        grouping = Grouping(self._known, step, by, top, self._n)
        table = as_schema(self._run(asking, count_sql(self._kept(window, where), grouping)), schema)
        return asking.answer(table, binned_by="completion" if every is not None else None)

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
    ) -> Answer:
        """What are the field's values like, per bin and group? In the field's own unit; rows without it don't count.

        Groups as in `count`, the largest by the rows that have the field. Raises `BadInput` where the field is no
        number.
        """
        schema = measured(every=every, by=by, stats=stats)
        need_fields([field, *by], self._known, where=self.name)
        if kind_of(self._known[field]) not in ("number", "none"):
            raise BadInput(f"{field} in {self.name} is no number, so it cannot be measured: count by it instead.")
        step = step_us(every, window) if every is not None else None
        arguments = {"window": window, "field": field, "stats": stats, "every": every, "by": by, "where": where}
        asking = self._asking("measure", window, {**arguments, "top": top})
        grouping = Grouping(self._known, step, by, top, self._n)
        wanted = list(dict.fromkeys(("n", *stats)))
        sql = measure_sql(self._kept(window, where), field, grouping, stats=wanted)
        table = _steady(as_schema(self._run(asking, sql), schema))
        return asking.answer(table, binned_by="completion" if every is not None else None)

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """Which values do the bad rows have, and the good ones? One row per field and value, counts weighted.

        Per field the union of both sides' `top` commonest values, then `<other>` and `<missing>` where there are any.
        A row that fits both selections counts on both sides.
        """
        need_fields(fields, self._known, where=self.name)
        asking = self._asking("compare", None, {"fields": fields, "bad": bad, "good": good, "top": top})
        span = Window(min(bad.window.start, good.window.start), max(bad.window.end, good.window.end))
        sides = self._side(bad, span), self._side(good, span)
        tables = []
        for name in dict.fromkeys(fields):
            sql = compare_sql(name, self._known, self._n, _within(span), sides, top)
            tables.append(as_schema(self._run(asking, sql), COMPARED))
        return asking.answer(pa.concat_tables([COMPARED.empty_table(), *tables]).combine_chunks())

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """Which `n` rows stand for all? Drawn uniformly, the same ones for the same seed, in order of time.

        Each row's weight is multiplied by rows there are / rows drawn. `fields` keeps these columns only, beside time,
        seq and weight.
        """
        if n < 1:
            raise BadInput(f"A sample of {n} rows says nothing: ask for one at least.")
        names = self._chosen(fields)
        arguments = {"window": window, "n": n, "where": where, "seed": seed, "fields": fields}
        asking = self._asking("sample", window, arguments)
        kept = self._kept(window, where)
        total, cut = self._run(asking, cut_sql(kept, n, seed)).to_pylist()[0].values()
        drawn = f"uniform: {n:,} of {total:,} rows, seed {seed}" if total > n else None
        weight = f"weight * {total / n!r}::DOUBLE AS weight" if drawn else "weight"
        columns = ", ".join(weight if name == "weight" else sql_name(name) for name in names)
        below = f" AND {key_sql(seed)} <= {quote(cut)}" if drawn else ""
        inner = f"SELECT * FROM logs WHERE {kept}{below} ORDER BY {key_sql(seed)}, time, seq LIMIT {n}"
        table = self._run(
            asking, f"SELECT {columns} FROM ({inner}) AS _drawn ORDER BY _drawn.time, _drawn.seq, _drawn.id"
        )
        return asking.answer(as_schema(table, self._shape(names)), sampled=drawn)

    def rows(
        self,
        window: Window,
        *,
        where: str | None = None,
        fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time",
        limit: int | None = None,
    ) -> Stream:
        """The rows themselves, in order of time and `seq`, in batches; not more than about 100,000 are held at a time.

        `fields` keeps these columns only, beside time, seq and weight. When `limit` cuts rows off, the fetch is
        `truncated`.
        """
        if order not in ("time", "-time"):
            raise BadInput(f"There is no order {order!r}: rows come by time or by -time.")
        names = self._chosen(fields)
        arguments = {"window": window, "where": where, "fields": fields, "order": order, "limit": limit}
        asking = self._asking("rows", window, arguments)
        kept = self._kept(window, where)
        return Stream(
            self._shape(names), asking, lambda stream: self._batches(stream, asking, window, kept, order, limit)
        )

    def close(self) -> None:
        """Gives the engine back; asking afterwards is an error."""
        self._engine.close()

    # -- how they are asked -----------------------------------------------------------------------------------

    def _batches(
        self, stream: Stream, asking: Asking, window: Window, kept: str, order: str, limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        down = " DESC" if order == "-time" else ""
        columns = ", ".join(map(sql_name, stream.schema.names))
        slices = self._slices(asking, window, kept)
        total = sum(n for _, n in slices)
        left = total if limit is None else min(limit, total)
        stream.truncated = left < total
        for part, _ in reversed(slices) if down else slices:
            if left <= 0:
                return
            sql = (
                f"SELECT {columns} FROM logs WHERE {_within(part)} AND {kept} "
                f"ORDER BY time{down}, seq{down}, id{down} LIMIT {left}"
            )
            table = as_schema(self._run(asking, sql), stream.schema)
            left -= table.num_rows
            yield from table.combine_chunks().to_batches()

    def _slices(self, asking: Asking, window: Window, kept: str) -> list[tuple[Window, int]]:
        """Stretches of the window with about `SLICE_ROWS` rows each, and how many they hold."""
        span = self._span.intersect(window) if self._span else None
        if span is None:
            return []
        step = max(1, round(span.seconds * 1e6) // 4096)
        sql = f"SELECT epoch_us(time) // {step} AS bin, count(*) AS n FROM logs WHERE {kept} GROUP BY bin ORDER BY bin"
        slices: list[tuple[Window, int]] = []
        start, rows = span.start, 0
        for row in self._run(asking, sql).to_pylist():
            rows += row["n"]
            if rows >= SLICE_ROWS:
                end = min(span.end, _instant((row["bin"] + 1) * step))
                slices.append((Window(start, end), rows))
                start, rows = end, 0
        return [*slices, (Window(start, span.end), rows)] if rows else slices

    def _register(self, table: pa.Table | None, paths: Sequence[Path]) -> None:
        parts = []
        if table is not None:
            self._engine.register("in_memory", table.select([c for c in table.column_names if c != REST]))
            parts.append("SELECT * FROM in_memory")
        if paths:
            listed = ", ".join(quote(str(path.resolve())) for path in paths)
            parts.append(f"SELECT * FROM read_parquet([{listed}], union_by_name = true)")
        none = pa.schema([field for field in self.schema if field.name != REST]).empty_table()
        self._engine.register("no_rows", none)
        self._engine.execute(f"CREATE VIEW logs AS {' UNION ALL BY NAME '.join([*parts, 'SELECT * FROM no_rows'])}")

    @cached_property
    def _extremes(self) -> dict[str, Any]:
        sql = (
            "SELECT min(time) AS first, max(time) AS last, min(weight) AS low, max(weight) AS high, count(*) AS n "
            "FROM logs"
        )
        with self._lock:
            return self._engine.sql(sql).to_arrow_table().to_pylist()[0]

    @property
    def _span(self) -> Window | None:
        """From the first row to just past the last."""
        first, last = self._extremes["first"], self._extremes["last"]
        return Window(first, last).widen(after_s=1e-6) if first is not None else None

    @property
    def _rows(self) -> int:
        return self._extremes["n"]

    @property
    def _n(self) -> str:
        """The SQL of how many rows a group stands for."""
        low, high = self._extremes["low"], self._extremes["high"]
        return ALL_WEIGHTS_ONE if low is None or (low, high) == (1.0, 1.0) else WEIGHED

    def _few(self, asking: Asking, kept: str) -> pa.Table | None:
        """The rows themselves where they are few, in memory and worth one each."""
        if self._n != ALL_WEIGHTS_ONE or self._rows > FEW_ROWS:
            return None
        return self._run(asking, f"SELECT * FROM logs WHERE {kept}")

    def _kept(self, window: Window, where: str | None) -> str:
        return _within(window) + (f" AND ({to_sql(where, self._known, source=self.name)})" if where is not None else "")

    def _side(self, side: Selection, span: Window) -> str:
        """The predicate of one side of a comparison, its window left out where that is the whole span."""
        parts = [] if side.window == span else [_within(side.window)]
        if side.where is not None:
            parts.append(to_sql(side.where, self._known, source=self.name))
        return " AND ".join(f"({part})" for part in parts) or "true"

    def _chosen(self, fields: Sequence[str] | None) -> list[str]:
        if fields is None:
            return list(self._known)
        need_fields(fields, self._known, where=self.name)
        return list(dict.fromkeys(["time", "seq", "weight", *fields]))

    def _shape(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in names], metadata=LOGS.metadata)

    def _asking(self, question: str, window: Window | None, arguments: dict[str, Any]) -> Asking:
        import duckdb

        return Asking(self.name, question, asked(arguments), f"DuckDB {duckdb.__version__}", window)

    def _run(self, asking: Asking, sql: str) -> pa.Table:
        asking.queries.append(sql)
        with self._lock:
            return self._engine.sql(sql).to_arrow_table()


def _within(window: Window) -> str:
    return f"time >= TIMESTAMPTZ '{iso(window.start)}' AND time < TIMESTAMPTZ '{iso(window.end)}'"


def _instant(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC) + timedelta(microseconds=us % 1_000_000)


def _steady(table: pa.Table) -> pa.Table:
    """Sums and means to 12 digits: the last few depend on the order in which an engine adds."""
    for name in {"sum", "mean"} & set(table.column_names):
        values = [None if v is None else float(f"{v:.12g}") for v in table.column(name).to_pylist()]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.float64()))
    return table


def _schema_of(path: Path) -> pa.Schema:
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"{path} cannot be read as Parquet ({error}): give a Parquet file of LOGS.") from None
    return conform(schema.empty_table(), "LOGS").schema


def _union(parts: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """The columns of all parts together; whole and broken numbers meet as doubles, a column of nulls fits any."""
    found = {field.name: field for field in LOGS}
    for part, schema in parts:
        for field in schema:
            known = found.get(field.name)
            if known is None or kind_of(known.type) == "none":
                found[field.name] = field
            elif field.name not in LOGS.names and field.type != known.type and kind_of(field.type) != "none":
                if kind_of(field.type) != kind_of(known.type):
                    raise BadInput(
                        f"Column {field.name} of {part} is {field.type}, elsewhere it is {known.type}: read the "
                        "files as sources of their own, or convert one."
                    )
                number = kind_of(known.type) == "number"
                found[field.name] = pa.field(field.name, pa.float64() if number else known.type)
    return pa.schema(list(found.values()), metadata=LOGS.metadata)
