"""Quick answers over a folder of any size: exact where few lines are asked, else from a sample that says so.

Counts over time of a sample are spread evenly over the stretch of its file that each block stands for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from connectors import schema
from connectors.asking import Asking, Stream
from connectors.base import MISSING, OTHER, Answer, Selection
from connectors.folder.drawn import Drawn, draw
from connectors.folder.logs import FEW, FolderLogs
from connectors.forwarded import Forwarded, put
from connectors.kept import Kept
from connectors.questions import asked, counted, step_us
from connectors.where import evaluate, need_fields
from connectors.window import Window, micros

if TYPE_CHECKING:
    from connectors.tables import Tables

SAMPLE_LINES = 20_000
QUICK_LINES = FEW
QUICK_BYTES = 128 << 20
"""The times of so many bytes are read for an exact count at once."""
LOOKED_THROUGH = 100_000
"""Rows that fit a filter are looked for in about so many lines before the quick answer gives what it has."""


class Glance(Forwarded):
    """A log source beside `FolderLogs` with its answers in about a second; `Fetch.sampled` marks those of a sample."""

    def __init__(self, folder: FolderLogs) -> None:
        self.name = folder.name
        self.folder = folder
        self._drawn: Kept[tuple[Window, int], tuple[Drawn, Tables]] = Kept(6)
        self._most: dict[Window, int] = {}

    def exact(self, window: Window) -> bool:
        """Is the answer about this window exact already?"""
        return self.folder.held(window) is not None or self.folder.lines_in(window) <= QUICK_LINES

    def at_hand(self, window: Window, n: int) -> tuple[pa.Table, str | None, str | None]:
        """About `n` rows of the window with their weights, how they were drawn (None: they are all), what they lack."""
        if self.exact(window):
            return self.folder.at_hand(window, n)
        drawn, _ = self._sample(window, n)
        return drawn.rows, drawn.said or None, "; ".join(drawn.missing) or None

    def alike(self, window: Window, where: str | None = None) -> tuple[pa.Table, frozenset[str], str | None] | None:
        """See `FolderLogs.alike`; None as well where few lines are asked, which are read."""
        if self.exact(window) or self.folder.coded(window) is None:
            return None
        return self.folder.alike(window, where)

    def known_lines(self, window: Window, where: str | None = None) -> tuple[np.ndarray, np.ndarray, pa.Table] | None:
        """See `FolderLogs.known_lines`; None as well where few lines are asked, which are read."""
        if self.exact(window) or self.folder.coded(window) is None:
            return None
        return self.folder.known_lines(window, where)

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        """See `Tables.fields`."""
        return self._forward("fields", window, where=where)

    def count(
        self, window: Window, *, every: str | None = None, by: Sequence[str] = (), where: str | None = None,
        top: int = 50,
    ) -> Answer:  # fmt: skip
        """See `Tables.count`. All lines over time: exactly where the times of the window's bytes are read at once."""
        arguments = {"window": window, "every": every, "by": tuple(by), "where": where, "top": top}
        if self.exact(window):
            return self.folder.count(window, every=every, by=by, where=where, top=top)
        if (made := self.folder.coded(window)) is not None and made.answers(where, by):
            return self.folder.count(window, every=every, by=by, where=where, top=top)
        if not by and where is None and self._bytes(window) <= QUICK_BYTES:
            return self.folder.count(window, every=every)
        if every is None:
            return self._forward("count", window, **{k: v for k, v in arguments.items() if k != "window"})
        drawn, _ = self._sample(window, SAMPLE_LINES)
        asking = Asking(self.name, "count", asked(arguments), "files", window, started=time.monotonic())
        asking.missing += drawn.missing
        asking.queries.append(drawn.said)
        need_fields(by, drawn.rows.column_names, where=self.name)
        table = _spread(drawn, window, step_us(every, window), by, where, top)
        return asking.answer(table, binned_by="completion", sampled=drawn.said)

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """See `Tables.sample`. Where not all lines are at hand: about `n` from random blocks, then those that fit."""
        if self.exact(window):
            return self.folder.sample(window, n, where=where, seed=seed, fields=fields)
        drawn, tables = self._sample(window, max(n, SAMPLE_LINES))
        if where is None and drawn.rows.num_rows <= n * 1.1:
            arguments = {"window": window, "n": n, "where": None, "seed": seed, "fields": fields}
            asking = Asking(self.name, "sample", asked(arguments), "files", window, started=time.monotonic())
            asking.missing += drawn.missing
            rows = drawn.rows if fields is None else _chosen(drawn.rows, fields, self.name)
            return asking.answer(rows.sort_by("time"), sampled=drawn.said or None)
        return _told(tables.sample(window, n, where=where, seed=seed, fields=fields), drawn)

    def rows(
        self, window: Window, *, where: str | None = None, fields: Sequence[str] | None = None,
        order: Literal["time", "-time"] = "time", limit: int | None = None,
    ) -> Any:  # fmt: skip
        """See `Tables.rows`. With a filter, what is found in the first lines looked through; the fetch says how far."""
        if where is None or limit is None or self.exact(window) or self.folder.lines_in(window) <= LOOKED_THROUGH:
            return self.folder.rows(window, where=where, fields=fields, order=order, limit=limit)
        made = self.folder.coded(window)
        if made is not None and made.answers(where):
            return self.folder.rows(window, where=where, fields=fields, order=order, limit=limit)
        share = LOOKED_THROUGH / self.folder.lines_in(window)
        span = window.intersect(self.folder.window) or window
        part = span.seconds * share
        near = Window(span.start, span.start).widen(after_s=part)
        if order == "-time":
            near = Window(span.end, span.end).widen(before_s=part)
        stream = self.folder.rows(near, where=where, fields=fields, order=order, limit=limit)
        found = stream.answer()
        if found.table.num_rows >= limit:
            return found
        drawn, tables = self._sample(window, SAMPLE_LINES)
        more = tables.rows(window, where=where, fields=fields, order=order, limit=limit).answer()
        table = more.table if more.table.num_rows > found.table.num_rows else found.table
        said = f"{near} was looked through, and {drawn.said}"
        return Answer(table, replace(found.fetch, rows=table.num_rows, sampled=said, window=window), found.arguments)

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        span = window or _both(arguments["bad"], arguments["good"])
        if self.exact(span):
            return put(self.folder, question, window, arguments)
        drawn, tables = self._sample(span, SAMPLE_LINES)
        return _told(put(tables, question, window, arguments), drawn)

    def _sample(self, window: Window, n: int) -> tuple[Drawn, Tables]:
        """The sample of this window; a larger one that is there already serves as well."""
        from connectors.tables import Tables

        n = max(n, self._most.get(window, 0))
        self._most[window] = n

        def make() -> tuple[Drawn, Tables]:
            drawn = draw(self.folder.texts, *micros(window), n=n)
            return drawn, Tables(self.name, table=drawn.rows)

        return self._drawn.get((window, n), make)

    def _bytes(self, window: Window) -> float:
        start, stop = micros(window)
        return sum(
            text.text.expected() if text.text.unread else high - low
            for text in self.folder.texts
            for low, high in text.ranges(start, stop)
        )


def _both(bad: Selection, good: Selection) -> Window:
    return Window(min(bad.window.start, good.window.start), max(bad.window.end, good.window.end))


def _chosen(rows: pa.Table, fields: Sequence[str], source: str) -> pa.Table:
    need_fields(fields, rows.column_names, where=source)
    return rows.select(list(dict.fromkeys(["time", "seq", "weight", *fields])))


def _told(answer: Answer, drawn: Drawn) -> Answer:
    said = "; ".join(s for s in (drawn.said, answer.fetch.sampled) if s) or None
    partial = "; ".join(p for p in (answer.fetch.partial, *drawn.missing) if p) or None
    return replace(answer, fetch=replace(answer.fetch, sampled=said, partial=partial))


def _spread(drawn: Drawn, window: Window, step: int, by: Sequence[str], where: str | None, top: int) -> pa.Table:
    """Counts per bin and group, each stratum's rows spread over the stratum's time."""
    start, stop = micros(window)
    base = start - start % step
    bins = (stop - base - 1) // step + 1
    rows, stratum = drawn.rows, drawn.stratum
    if where is not None and rows.num_rows:
        kept = np.asarray(evaluate(where, rows).to_numpy(zero_copy_only=False), bool)
        rows, stratum = rows.filter(pa.array(kept)), stratum[kept]
    weights = rows.column("weight").to_numpy()
    labels, codes = _groups(rows, by, weights, top)
    sums = np.zeros((len(labels), len(drawn.strata)))
    np.add.at(sums, (codes, stratum), weights)
    shares = _shares(drawn, base, step, bins)
    counts = sums @ shares
    groups, at = np.nonzero(counts > 1e-9)
    order = np.lexsort((groups, at))
    groups, at = groups[order], at[order]
    shape = counted(every="1s", by=by)
    columns = [pa.array(base + at * step, pa.int64()).cast(schema.TIME)]
    columns += [pa.array([labels[g][i] for g in groups.tolist()], pa.string()) for i in range(len(by))]
    return pa.table([*columns, counts[groups, at]], schema=shape)


def _groups(
    rows: pa.Table, by: Sequence[str], weights: np.ndarray, top: int
) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """The labels of the largest groups, the remainder's last, and each row's group."""
    if not by:
        return [()], np.zeros(rows.num_rows, np.int64)
    values = [[MISSING if v is None else str(v) for v in rows.column(name).to_pylist()] for name in by]
    keys = list(zip(*values, strict=True))
    totals: dict[tuple[str, ...], float] = {}
    for key, weight in zip(keys, weights.tolist(), strict=True):
        totals[key] = totals.get(key, 0.0) + weight
    ranked = sorted(totals, key=lambda key: (-totals[key], key))
    labels = ranked[:top]
    place = {key: i for i, key in enumerate(labels)}
    rest = len(labels)
    if len(ranked) > top:
        labels = [*labels, (OTHER,) * len(by)]
    return labels, np.array([place.get(key, rest) for key in keys], np.int64)


def _shares(drawn: Drawn, base: int, step: int, bins: int) -> np.ndarray:
    """Which share of each stratum's time lies in each bin? A row per stratum, adding up to one."""
    shares = np.zeros((len(drawn.strata), bins))
    for i, one in enumerate(drawn.strata):
        first, last = one.first - base, max(one.last, one.first + 1) - base
        low, high = max(first // step, 0), min((last - 1) // step, bins - 1)
        if high < low:
            low = high = min(max(low, 0), bins - 1)
        edges = np.clip(np.arange(low, high + 2) * step, first, last)
        part = np.diff(edges).astype(float)
        shares[i, low : high + 1] = part / part.sum() if part.sum() else 1.0 / (high - low + 1)
    return shares


__all__ = ["Glance", "Stream"]
