"""The lines of a Loki's streams: which fields they have, told by looking, and how a filter of them is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa

from connectors.asking import Asking
from connectors.errors import BadInput, ConnectorError
from connectors.http import Http
from connectors.logql import NO_ERRORS, Column, label_of, nanoseconds, quoted, stages
from connectors.loki_counts import Ask, numbers
from connectors.loki_pages import SLICES, Pager
from connectors.loki_rows import Entry, Parser, Shape, shape_of
from connectors.questions import asked
from connectors.schema import LOGS, REST
from connectors.where import And, Compare, fields, need_fields, parse, resolve
from connectors.window import Window

LOOKED_AT = 2_000
_MILLI = timedelta(milliseconds=1)


class TooManySeries(Exception):
    """The server refuses to make so many series of one query."""


class LokiLines:
    """What the lines of these streams look like, and the requests for them.

    A window is looked at once; one that lies in it looks the same. `page` is the most lines of one answer.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        selector: str,
        parser: Parser | None,
        fields: Mapping[str, str],
        page: int,
        tenant: str | None,
    ) -> None:
        self.name, self.page = name, page
        self._http, self._selector, self._parser = http, selector.strip(), parser
        self._headers = {"X-Scope-OrgID": tenant} if tenant else {}
        self._chosen = dict(fields)
        self._shapes: dict[Window, Shape] = {}
        self._found: dict[tuple[Window, str], Column | None] = {}
        if not (self._selector.startswith("{") and self._selector.endswith("}")):
            raise BadInput(f'The selector of {name} is {selector!r}: write it like {{namespace="shop"}}.')

    def pager(self, asking: Asking) -> Pager:
        """Pages of lines for one question."""

        def ask(query: Mapping[str, str]) -> list[Any]:
            asking.queries.append(query["query"])
            return self._ask(asking, "query_range", query)

        def streams(selector: str, low: int, high: int) -> list[dict[str, str]]:
            asking.queries.append(f"series {selector}")
            around = {"start": str(low - 1_000_000_000), "end": str(high + 1_000_000_000)}  # none shorter is accepted
            return self.get("series", {"match[]": selector, **around})["data"]

        return Pager(self.page, ask, streams, asking.missing)

    def total(self, asking: Asking, window: Window, where: str | None) -> float:
        """How many lines of the window fit the filter?"""
        return self.n(asking, self.pipeline(window, self.columns(window, (), where), where, ()), window)

    def n(self, asking: Asking, query: str, window: Window) -> float:
        """How many lines does this query give in the window?"""
        return sum(numbers(self.asker(asking), query, window, ()).values())

    def asker(self, asking: Asking) -> Ask:
        """Asks for counts, and writes into the record what it asked."""

        def ask(path: str, query: Mapping[str, str]) -> list[Any]:
            asking.queries.append(query["query"])
            return self._ask(asking, path, query)

        return ask

    def pipeline(self, window: Window, columns: Mapping[str, Column], where: str | None, names: Sequence[str]) -> str:
        """The selector and the stages that give the filter's rows, with labels for these columns."""
        shape = self.shape_with(window, columns)
        tree = None
        if where is not None:
            known = {name: column.type for name, column in columns.items()}
            tree = resolve(parse(where), known, source=self.name)
        used = [*names, *(fields(parse(where)) if where is not None else ())]
        parsed = any(name != "time" and not columns[name].of_stream for name in used)
        stage = f"{shape.stage}{NO_ERRORS}" if parsed else ""
        return f"{self._narrowed(tree, columns)}{stage}{stages(tree, columns)}"

    def query_of(self, window: Window, columns: Mapping[str, Column], where: str | None) -> str:
        """The query of the filter's lines, without the labels that a parser made: each line would be its own stream."""
        query = self.pipeline(window, columns, where, ())
        own = sorted({column.key for column in columns.values() if column.of_stream} | {"detected_level"})
        return f"{query} | keep {', '.join(own)}" if NO_ERRORS in query else query

    def _narrowed(self, tree: Any, columns: Mapping[str, Column]) -> str:
        """The selector, with the equalities of stream labels that the whole filter demands."""
        parts = tree.parts if isinstance(tree, And) else (tree,)
        more = [
            f"{columns[p.field].label}={quoted(p.value)}"
            for p in parts
            if isinstance(p, Compare) and p.op == "=" and isinstance(p.value, str) and p.value and p.field != "time"
            and columns[p.field].of_stream and columns[p.field].label in self._stream_labels
        ]  # fmt: skip
        inner = self._selector[1:-1].strip().rstrip(",")
        return "{" + ", ".join(filter(None, [inner, *more])) + "}"

    @cached_property
    def _stream_labels(self) -> frozenset[str]:
        """The labels that are indexed, and so can stand in a selector."""
        return frozenset(self.get("labels", {"since": "8760h"}).get("data") or ())

    def shape_with(self, window: Window, columns: Mapping[str, Column]) -> Shape:
        """The shape of the window's lines, with these columns in place of those that were seen."""
        seen = self.shape(window)
        return Shape(seen.parser, columns, seen.mixed)

    def _looked_at(self, window: Window) -> Window:
        """The window whose lines tell what this one's look like: one that holds it and was looked at, or itself."""
        around = (w for w, shape in self._shapes.items() if w.start <= window.start and window.end <= w.end)
        return next((w for w in around if self._shapes[w].columns), window)

    def shape(self, window: Window) -> Shape:
        """What the window's lines look like, told by some of them from all over it."""
        window = self._looked_at(window)
        if window not in self._shapes:
            asking = self.asking("looking", window, {})
            pager, width = self.pager(asking), (window.end - window.start) / SLICES
            entries: list[Entry] = []
            size = min(self.page, LOOKED_AT // SLICES)
            for i in range(SLICES if width > _MILLI else 1):
                low = window.start + width * i
                high = window.end if width <= _MILLI else low + width
                if high > low:
                    entries += pager.page(self._selector, nanoseconds(low), nanoseconds(high), size)
            self._shapes[window] = shape_of(entries, self._chosen, self._parser, source=self.name)
        return self._shapes[window]

    def columns(self, window: Window, names: Sequence[str], where: str | None) -> dict[str, Column]:
        """The window's columns by name; what is named and was not seen is looked for once.

        Raises `UnknownField` when it is nowhere in the window. A window without lines has any column, empty.
        """
        shape, window = self.shape(window), self._looked_at(window)
        known = {"time": Column("time", "time", None, LOGS.field("time").type), **shape.columns}
        known |= {name: column for (w, name), column in self._found.items() if w == window and column is not None}
        wanted = [*names, *(fields(parse(where)) if where is not None else ())]
        for name in dict.fromkeys(n for n in wanted if n not in known):
            if (window, name) not in self._found:
                self._found[window, name] = self._searched(window, shape, name)
            column = self._found[window, name]
            if column is None:
                need_fields([name], known, where=self.name)
            else:
                known[name] = column
        return known

    def _searched(self, window: Window, shape: Shape, name: str) -> Column | None:
        """The column of a field that was not seen in the lines looked at; None where no line of the window has it."""
        if not shape.columns:
            return Column(name, name, label_of(name), pa.null())
        column = Column(name, name, label_of(name), pa.string())
        query = f'{self._selector}{shape.stage}{NO_ERRORS} | {column.label}!=""'
        return column if self.n(self.asking("looking", window, {}), query, window) else None

    def names(self, window: Window, fields: Sequence[str] | None) -> list[str]:
        """The columns of an answer that was asked for these fields; None: all that were seen."""
        own = [name for name in self.shape(window).columns if name not in LOGS.names]
        if fields is None:
            return [*LOGS.names, *own, REST]
        need_fields(fields, {*own, *LOGS.names, *self.columns(window, (), None)}, where=self.name)
        return list(dict.fromkeys(["time", "seq", "weight", *fields]))

    def schema(self, names: Sequence[str], columns: Mapping[str, Column]) -> pa.Schema:
        """The types of these columns."""

        def typed(name: str) -> pa.Field:
            if name in LOGS.names:
                return LOGS.field(name)
            return pa.field(name, pa.string() if name == REST else columns[name].type)

        return pa.schema([typed(name) for name in names], metadata=LOGS.metadata)

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """What Loki's API says at this path."""
        reply = self._http.send("GET", f"/loki/api/v1/{path}", query=query, headers=self._headers)
        if not reply.good:
            raise self._http.refusal(reply)
        return self._http.json(reply.content)

    def _ask(self, asking: Asking, path: str, query: Mapping[str, str]) -> list[Any]:
        try:
            found = self.get(path, query)
        except BadInput as error:
            if "maximum" in str(error) and "series" in str(error):
                raise TooManySeries(str(error)) from None
            raise
        for warning in found.get("warnings") or ():
            asking.missing.append(f"Loki warns: {str(warning)[:200]}")
        data = found.get("data") or {}
        summary = (data.get("stats") or {}).get("summary") or {}
        asking.cost["server_s"] = asking.cost.get("server_s", 0.0) + float(summary.get("execTime") or 0.0)
        asking.cost["bytes"] = asking.cost.get("bytes", 0.0) + float(summary.get("totalBytesProcessed") or 0.0)
        return data.get("result") or []

    @cached_property
    def engine(self) -> str:
        """Which Loki is it?"""
        try:
            version = self.get("status/buildinfo", {}).get("version")
        except ConnectorError:
            version = None
        return f"Loki {version}" if version else "Loki"

    def asking(self, question: str, window: Window | None, arguments: dict[str, Any]) -> Asking:
        """The record of one question, from its beginning."""
        return Asking(self.name, question, asked(arguments) if arguments else "{}", self.engine, window)
