"""Whole documents of a window, for what is not lines: spans, metric points, annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa

from connectors.asking import Asking, Stream
from connectors.elastic_fields import Column, Layout, layout_of
from connectors.elastic_filter import within
from connectors.elastic_page import Page
from connectors.elastic_rows import Rows
from connectors.elastic_server import Server, lacking
from connectors.settings import Budget
from connectors.window import Window

SHAPE = pa.schema([("id", pa.string()), ("ns", pa.int64()), ("document", pa.binary())])
Document = tuple[str, int, Any]
"""A document's id, its time in nanoseconds since 1970, and what it holds."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Pages of documents as they are."""

    columns: Mapping[str, Column]
    nanos: bool

    def read(self, content: bytes) -> Page:
        answer = orjson.loads(content)
        hits = answer["hits"]["hits"]
        scale = 1 if self.nanos else 1_000_000
        columns = (
            [hit["_id"] for hit in hits],
            [hit["sort"][0] * scale for hit in hits],
            [orjson.dumps(hit.get("_source") or {}) for hit in hits],
        )
        arrays = [pa.array(values, field.type) for values, field in zip(columns, SHAPE, strict=True)]
        keys = tuple(zip(*(hit["sort"] for hit in hits), strict=True)) if hits else ()
        return Page(
            pa.table(arrays, schema=SHAPE),
            keys,
            answer.get("took", 0),
            len(content),
            missing=tuple(lacking(answer)),
        )


class Documents:
    """The documents of some indices, by their time; `times` are the fields that may hold it."""

    def __init__(self, server: Server, *, fields: Mapping[str, str], times: Sequence[str], budget: Budget) -> None:
        self.server = server
        self._chosen = {name: field for name, field in fields.items() if name == "time"}
        self._times = times
        self._budget = budget

    @cached_property
    def layout(self) -> Layout:
        """The fields there are, under their own names, and the time."""
        _ = self.server.engine
        caps, _ = self.server.capabilities()
        first = {"time": self._times}
        return layout_of(caps, self._chosen, source=self.server.name, first=first, names={}, shape=pa.schema([]))

    def read(self, asking: Asking, window: Window, clauses: Sequence[Mapping[str, Any]] = ()) -> Iterator[Document]:
        """The window's documents in order of time. Raises `OverBudget` for more than the budget of rows."""
        time = self.layout.columns["time"]
        reading = Rows(
            self.server,
            asking,
            _Reader(self.layout.columns, time.nanos),
            query={"bool": {"filter": [within(window, time), *clauses]}},
            source=True,
            down=False,
            limit=None,
            most=self._budget.rows,
        )
        for batch in Stream(SHAPE, asking, reading.batches):
            for row in batch.to_pylist():
                yield row["id"], row["ns"], orjson.loads(row["document"])


def flat(document: Any, above: str = "") -> dict[str, Any]:
    """The document's values under dotted names; lists stay as they are.

    >>> flat({"a": {"b.c": 1}, "d": [2]})
    {'a.b.c': 1, 'd': [2]}
    """
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        elif value is not None:
            found[above + name] = value
    return found
