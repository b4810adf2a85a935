"""Rows as a stream: one point in time, its stretches of time read side by side, in order, none lost and none twice.

The window is cut where the server's own counts say, so that a stretch is about a page; two pages at a time are on their
way while one is used. A page that fails is read again, from a new point in time where the old one is gone: its rows are
given only when it is whole. Rows are ordered by time and sequence number; a page ends between two rows that differ in
them, so no tiebreaker is needed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa

from connectors.asking import Asking, Stream
from connectors.elastic_page import Damaged, Page, PageReader
from connectors.elastic_server import AGAIN_S, KEPT_ALIVE, PointGone, Server, TooLarge, TooManyBuckets
from connectors.errors import OverBudget, SourceUnavailable
from connectors.http import Http
from connectors.progress import reached
from connectors.window import Window

FIRST_PAGE = 500
MOST_ROWS = 10_000
"""What a server gives at once by default (index.max_result_window)."""
LEAST_ROWS = 10
PAGE_BYTES = 4 << 20
BINS = 4_000
REOPENED = 10
"""How often a point in time may be opened again before the reading is given up."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Milliseconds [start, end) with about `rows` rows; those up to `after` are read. None: the window's own ends.
    A page of it has room for `least` rows."""

    start: int | None
    end: int | None
    rows: int
    after: Sequence[int] | None = None
    least: int = 0


Read = tuple[Page, int]
"""A page and the size it was asked in."""


class Rows:
    """The reading of one question's rows."""

    def __init__(
        self,
        server: Server,
        asking: Asking,
        reader: PageReader,
        *,
        query: Mapping[str, Any],
        source: bool | Sequence[str],
        down: bool,
        limit: int | None,
        most: int,
    ) -> None:
        self._server = server
        self._asking = asking
        self._reader = reader
        self._query = query
        self._source = source
        self._down = down
        self._limit = limit
        self._most = most
        self._field = reader.columns["time"].field
        self._http: Http = server.http.apart()
        self._point: str | None = None
        self._opened = 0
        self._opening = threading.Lock()
        self._page_rows = FIRST_PAGE
        self._room = MOST_ROWS
        self._packed = False

    def batches(self, stream: Stream) -> Iterator[pa.RecordBatch]:
        """Batches in order, ended by `limit`. Everything held for them is given back at the end, however it comes."""
        pool = ThreadPoolExecutor(self._http.in_flight, thread_name_prefix=f"rows of {self._server.name}")
        try:
            yield from self._given(stream, pool)
        finally:
            self._http.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            self._http.close()
            if self._point is not None:
                self._server.close_point(self._point)

    def _given(self, stream: Stream, pool: ThreadPoolExecutor) -> Iterator[pa.RecordBatch]:
        whole = Stretch(None, None, 0)
        counted = None
        if self._limit is not None and self._limit < MOST_ROWS // 2:
            self._page_rows = self._limit + 1
            stretches = iter([replace(whole, rows=self._limit)])
        else:
            self._point = self._new_point()
            counted, bins = self._plan()
            stretches = iter(self._grouped(deque(bins)))
        given = 0
        waiting: deque[tuple[Stretch, Future[Read]]] = deque()
        while True:
            while len(waiting) <= self._http.in_flight and (new := next(stretches, None)) is not None:
                waiting.append((new, pool.submit(self._read, new)))
            if not waiting:
                break
            stretch, future = waiting.popleft()
            page, size = future.result()
            self._told(page)
            reached(given / max(1, self._limit or counted or 1))
            page, rest = _cut(stretch, page, size)
            wanted = page.rows if self._limit is None else self._limit - given
            table = page.table.slice(0, wanted)
            given += table.num_rows
            ended = given == self._limit
            if rest is not None and not ended:
                waiting.appendleft((rest, pool.submit(self._read, rest)))
            stream.truncated = ended and (page.rows > wanted or rest is not None or (counted or 0) > given)
            if table.num_rows:
                yield from table.combine_chunks().to_batches()
            if ended:
                return
        if counted is not None and given < counted:
            self._asking.missing.append(f"{given:,} rows came of the {counted:,} that were counted before")

    # -- what is read -----------------------------------------------------------------------------------------

    def _plan(self) -> tuple[int, list[Stretch]]:
        """How many rows there are, and how many in each bin of their time."""
        ends = {name: {name: {"field": self._field}} for name in ("min", "max")}
        found = self._counted({"track_total_hits": True, "aggs": ends})
        total = found["hits"]["total"]["value"]
        if not total:
            return 0, []
        self._within_budget(total)
        if total <= FIRST_PAGE:
            return total, [Stretch(None, None, total)]
        low, high = (int(found["aggregations"][name]["value"]) for name in ("min", "max"))
        for bins in (BINS, BINS // 20):
            try:
                return total, self._bins(low, high, min(bins, max(100, 20 * total // MOST_ROWS)))
            except (TooManyBuckets, TooLarge):
                continue
        return total, [Stretch(None, None, total)]

    def _bins(self, low: int, high: int, most: int) -> list[Stretch]:
        """The time from the first row to the last in equal parts, with how many rows are in each that has any."""
        step = max(1, (high + 1 - low) // most)
        bins = {"field": self._field, "fixed_interval": f"{step}ms", "offset": f"{low % step}ms", "min_doc_count": 1}
        found = self._counted({"track_total_hits": False, "aggs": {"bins": {"date_histogram": bins}}})
        return [
            Stretch(bucket["key"], bucket["key"] + step, bucket["doc_count"])
            for bucket in found["aggregations"]["bins"]["buckets"]
        ]

    def _within_budget(self, total: int) -> None:
        wanted = total if self._limit is None else min(total, self._limit)
        if wanted <= self._most:
            return
        window = self._asking.window
        fits = ""
        if window is not None:
            share = self._most / total
            shorter = Window(window.start, window.start + (window.end - window.start) * share)
            fits = f"a window like {shorter}, "
        raise OverBudget(
            f"{self._server.name} would send {wanted:,} rows and the budget is {self._most:,}: ask {fits}a narrower "
            f"filter or a limit, or raise rows under [budget] in sources.toml."
        )

    def _counted(self, body: Mapping[str, Any]) -> Any:
        body = {"size": 0, "query": self._query, **body}
        self._asking.queries.append(orjson.dumps(body).decode())
        if self._point is not None:
            body["pit"] = {"id": self._point, "keep_alive": KEPT_ALIVE}
        reply = self._server.page(self._http, body, packed=False)
        return self._http.json(reply.content)

    def _grouped(self, bins: deque[Stretch]) -> Iterator[Stretch]:
        """Neighbouring bins together, as many as make a page now."""
        take = bins.pop if self._down else bins.popleft
        while bins:
            one = take()
            while bins and one.rows + bins[-1 if self._down else 0].rows <= self._page_rows:
                more = take()
                both = [at for part in (one, more) for at in (part.start, part.end) if at is not None]
                one = Stretch(min(both), max(both), one.rows + more.rows)
            yield one

    def _read(self, stretch: Stretch) -> Read:
        """One page of a stretch and the size it was asked in; again where that may help."""
        for pause in (*AGAIN_S, None):
            try:
                page, size, point = self._whole(stretch)
            except Damaged as error:
                if pause is None:
                    raise Damaged(f"{self._server.name}: {error}") from None
                continue
            if not page.missing or pause is None:
                break
            time.sleep(pause)
            if point is not None:
                self._again(point)
        return page, size

    def _whole(self, stretch: Stretch) -> tuple[Page, int, str | None]:
        while True:
            point = self._point
            size = self._page_rows
            if not stretch.after and stretch.rows <= size:
                size = stretch.rows + 1  # one more would be too many, so one page is enough
            size = min(MOST_ROWS, max(LEAST_ROWS, stretch.least, min(size, self._room)))
            try:
                return self._asked(stretch, point, size), size, point
            except TooLarge:
                if size <= max(LEAST_ROWS, stretch.least):
                    raise
                self._room = self._page_rows = max(LEAST_ROWS, size // 4)  # for good: its memory is others' too
            except PointGone:
                if point is None or not self._again(point):
                    raise

    def _again(self, gone: str) -> bool:
        """Another point in time in the place of one that is gone; False when that was done too often."""
        with self._opening:
            if self._point == gone:
                if self._opened > REOPENED:
                    return False
                self._server.close_point(gone)
                self._point = self._new_point()
            return True

    def _new_point(self) -> str | None:
        """A point in time; None where it cannot be had, and the indices are read as they are."""
        self._opened += 1
        try:
            return self._server.open_point()
        except SourceUnavailable:
            return None

    def _asked(self, stretch: Stretch, point: str | None, size: int) -> Page:
        order = "desc" if self._down else "asc"
        time_sort: dict[str, Any] = {"order": order, "unmapped_type": "date"}
        if self._reader.nanos:
            time_sort |= {"numeric_type": "date_nanos", "unmapped_type": "date_nanos"}
        query = self._query
        if stretch.start is not None:
            inside = {"gte": stretch.start, "lt": stretch.end, "format": "epoch_millis"}
            query = {"bool": {"filter": [{"range": {self._field: inside}}, query]}}
        body: dict[str, Any] = {
            "size": size,
            "track_total_hits": False,
            "query": query,
            "sort": [{self._field: time_sort}, {"_seq_no": order}],
            "_source": self._source,
        }
        shown = orjson.dumps({**body, "size": "a page", "query": self._query}).decode()
        self._asking.queries.append(shown)
        if stretch.after is not None:
            body["search_after"] = list(stretch.after)
        if point is not None:
            body["pit"] = {"id": point, "keep_alive": KEPT_ALIVE}
        reply = self._server.page(self._http, body, packed=self._packed)
        page = self._reader.read(reply.content)
        self._adapt(page, reply.took_s)
        return page

    def _adapt(self, page: Page, took_s: float) -> None:
        """Pages of about `PAGE_BYTES`; packed on a link that takes longer than the server."""
        if page.rows:
            fits = int(PAGE_BYTES / (page.bytes / page.rows))
            self._page_rows = max(LEAST_ROWS, min(MOST_ROWS - 1, self._room, fits, 8 * self._page_rows))
        if page.bytes > 100_000 and took_s > 0.5 and took_s > 4 * page.took_ms / 1000:
            self._packed = True

    def _told(self, page: Page) -> None:
        self._asking.missing += page.missing
        self._asking.cost["server_s"] = self._asking.cost.get("server_s", 0.0) + page.took_ms / 1000


def _cut(stretch: Stretch, page: Page, size: int) -> tuple[Page, Stretch | None]:
    """The page up to a row that differs from the next in time or sequence number, and what is still to be read."""
    if page.rows < size:
        return page, None
    times, seqs = ([int(key) for key in _plain(part)] for part in page.keys[:2])
    kept = page.rows - 1
    while kept and (times[kept - 1], seqs[kept - 1]) == (times[-1], seqs[-1]):
        kept -= 1
    if not kept:
        if size >= MOST_ROWS:
            raise SourceUnavailable(f"Over {size:,} rows have the same time and number: ask a narrower filter.")
        return replace(page, table=page.table.slice(0, 0)), replace(stretch, least=4 * size)
    after = (times[kept - 1], seqs[kept - 1])
    return replace(page, table=page.table.slice(0, kept)), replace(stretch, after=after, least=0)


def _plain(keys: Any) -> Sequence[Any]:
    return keys.to_pylist() if hasattr(keys, "to_pylist") else keys
