"""The HTTP API of Prometheus as it is asked here: names, series, raw samples, values at steps; bounded on every side.

VictoriaMetrics, Mimir and Thanos speak the same. They differ in whether a range takes in the sample at its very start
(Prometheus 2 does, Prometheus 3 and VictoriaMetrics do not), which one question to the server tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from connectors.asking import Asking
from connectors.errors import BadInput, ConnectorError, NotFound, OverBudget, SourceUnavailable
from connectors.http import Http
from connectors.probe import clock_by_date
from connectors.samples import SAMPLES, Samples, Series
from connectors.schema import TIME

POINTS = 10_000
"""Values per series in one answer: Prometheus allows 11,000, VictoriaMetrics 30,000."""
CHUNK = 500_000
"""Raw samples that one answer should hold, about."""
NAMES = 20
"""Metrics asked for in one request."""
SHORTEST_US = 60_000_000
_TOO_MUCH = ("too many", "exceed", "maximum", "too large", "limit", "too long")


class Engine(NamedTuple):
    """Which server answers, and does a range take in the sample at its very start?"""

    name: str
    closed: bool


class Api:
    """One server's API. `match`: labels that every series asked for has. `rows`: how many samples may be moved.

    `deadline_s`: how long a question may take, all its requests together.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        match: Mapping[str, str],
        rows: int,
        interval_s: float | None,
        deadline_s: float = 120.0,
    ) -> None:
        self.name = name
        self._http = http
        self._match = dict(match)
        self._rows = rows
        self.interval_s = interval_s
        self._deadline_s = deadline_s

    # -- what the server is -----------------------------------------------------------------------------------

    @cached_property
    def engine(self) -> Engine:
        """Asked once, in two requests."""
        closed = self._ask("query", {"query": "count_over_time(vector(1)[10s:10s])", "time": "1700000000"})
        values = closed["result"]
        return Engine(self._version(), bool(values) and float(values[0]["value"][1]) > 1)

    def _version(self) -> str:
        try:
            built = self._ask("status/buildinfo", {})
        except (BadInput, NotFound):
            built = {}
        version = str(built.get("version") or "")
        if not version:
            return "VictoriaMetrics" if self._is_victoria() else "a server with the Prometheus API"
        return f"{built.get('application') or 'Prometheus'} {version.partition('+')[0]}"

    def _is_victoria(self) -> bool:
        try:
            return bool(self._ask("query", {"query": "WITH (x = 1) x"})["result"])
        except ConnectorError:
            return False

    def clock(self) -> tuple[float, float]:
        """How many seconds is the server's clock ahead of ours, and within how many is that known?"""
        if self.engine.name.startswith("VictoriaMetrics"):  # its time() is behind by what it waits for late samples
            return clock_by_date(self._http, "health")
        before = time.time()
        data = self._ask("query", {"query": "time()"})
        after = time.time()
        value = data["result"][1] if data["resultType"] == "scalar" else data["result"][0]["value"][1]
        return float(value) - (before + after) / 2, (after - before) / 2 + 0.001

    # -- what it has ------------------------------------------------------------------------------------------

    def names(self, asking: Asking, low: int, high: int) -> list[str]:
        """The metrics that have a series in this time (microseconds), sorted."""
        query = {"start": _seconds(low), "end": _seconds(high)}
        if self._match:
            query["match[]"] = self.selector()
        asking.queries.append(f"GET /api/v1/label/__name__/values?{_shown(query)}")
        return sorted(str(name) for name in self._ask("label/__name__/values", query, asking))

    def series(self, asking: Asking, names: Sequence[str], low: int, high: int) -> list[dict[str, str]]:
        """The label sets of these metrics in this time, in a fixed order."""
        found: list[dict[str, str]] = []
        for batch in batches(names, NAMES):
            query = {"match[]": self.selector(batch), "start": _seconds(low), "end": _seconds(high)}
            asking.queries.append(f"GET /api/v1/series?{_shown(query)}")
            found += self._ask("series", query, asking)
        return sorted(found, key=lambda labels: orjson.dumps(labels, option=orjson.OPT_SORT_KEYS))

    def kinds(self) -> dict[str, str]:
        """The type that the server knows of a metric; empty where it keeps none (backfilled series have none)."""
        try:
            known = self._ask("metadata", {})
        except (BadInput, NotFound):
            return {}
        return {name: str(entries[0].get("type", "")) for name, entries in known.items() if entries}

    # -- samples ----------------------------------------------------------------------------------------------

    def raw(self, asking: Asking, counts: Mapping[str, int], low: int, high: int) -> Samples:
        """Every sample of these metrics with `low` ≤ time ≤ `high`; `counts`: how many series each has.

        Split by metric and by time, again where the server says that it is too much. What a part of the time lacks
        because the server broke off is named in `asking.missing`; nothing at all got is the server's own error.
        """
        build = _Gathered(self._rows, self.name)
        for names, n in _packed(counts):
            span = max(SHORTEST_US, int(CHUNK * (self.interval_s or 5.0) / max(n, 1) * 1e6))
            for a in range(low, high, span):
                try:
                    self._chunk(asking, build, names, a, min(a + span, high))
                except SourceUnavailable as error:
                    if not build.rows:
                        raise
                    asking.missing.append(
                        f"{', '.join(names)} from {_clock(a)} on and what stood after it were not read: {error}"
                    )
                    return build.samples()
        return build.samples()

    def _chunk(self, asking: Asking, build: _Gathered, names: Sequence[str], low: int, high: int) -> None:
        end, width = -(-high // 1000), -(-(high - low) // 1000) + (0 if self.engine.closed else 1)
        query = {"query": f"{self.selector(names)}[{width}ms]", "time": f"{end / 1000:.3f}"}
        asking.queries.append(f"GET /api/v1/query?{_shown(query)}")
        try:
            build.add(self._ask("query", query, asking)["result"])
        except BadInput as error:
            if not any(word in str(error).lower() for word in _TOO_MUCH):
                raise
            if high - low > SHORTEST_US:
                middle = (low + high) // 2
                self._chunk(asking, build, names, low, middle)
                self._chunk(asking, build, names, middle, high)
            elif len(names) > 1:
                for name in names:
                    self._chunk(asking, build, [name], low, high)
            else:
                asking.missing.append(f"{names[0]} from {_clock(low)} to {_clock(high)} was not read: {error}")

    def at_steps(self, asking: Asking, expression: str, first: int, last: int, step: int) -> Samples:
        """The expression's values at `first`, `first` + `step` … `last` (milliseconds), split under the point limit."""
        build = _Gathered(self._rows, self.name)
        for a in range(first, last + 1, step * POINTS):
            b = min(a + step * (POINTS - 1), last)
            query = {
                "query": expression, "start": f"{a / 1000:.3f}", "end": f"{b / 1000:.3f}", "step": f"{step / 1000:g}",
                "nocache": "1",
            }  # fmt: skip
            asking.queries.append(f"GET /api/v1/query_range?{_shown(query)}")
            build.add(self._ask("query_range", query, asking)["result"])
        return build.samples()

    def selector(self, names: Sequence[str] = ()) -> str:
        """The selector of these metrics' series.

        >>> Api("p", Http("http://p.example"), match={"cluster": "eu"}, rows=1, interval_s=None).selector(["up"])
        '{__name__="up",cluster="eu"}'
        """
        parts = [f"{name}={_quoted(value)}" for name, value in sorted(self._match.items())]
        if len(names) == 1:
            parts.insert(0, f"__name__={_quoted(names[0])}")
        elif names:
            parts.insert(0, f"__name__=~{_quoted('|'.join(names))}")
        return "{" + ",".join(parts) + "}"

    def _ask(self, path: str, query: Mapping[str, str], asking: Asking | None = None) -> Any:
        began = time.monotonic()
        left = self._deadline_s if asking is None else asking.started + self._deadline_s - began
        answer = self._http.ask("GET", f"api/v1/{path}", query=query, deadline_s=max(left, 0.0))
        if asking is not None:
            asking.cost["server_seconds"] = asking.cost.get("server_seconds", 0.0) + time.monotonic() - began
        if not isinstance(answer, dict) or answer.get("status") != "success" or "data" not in answer:
            raise SourceUnavailable(f"{self._http.origin} does not answer as Prometheus does: check the address.")
        return answer["data"]


class _Gathered:
    """Samples as they come, series told apart by their labels, however many answers they are spread over."""

    def __init__(self, rows: int, name: str) -> None:
        self.rows = 0
        self._limit, self._name = rows, name
        self._parts: dict[bytes, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(self, result: Iterable[Mapping[str, Any]]) -> None:
        for one in result:
            pairs = one.get("values") or []
            n = len(pairs)
            times = np.fromiter((p[0] for p in pairs), np.float64, n)
            values = np.fromiter((float(p[1]) for p in pairs), np.float64, n)
            there = ~np.isnan(values)
            times = np.rint(times[there] * 1000).astype(np.int64) * 1000
            key = orjson.dumps(one.get("metric") or {}, option=orjson.OPT_SORT_KEYS)
            self._parts.setdefault(key, []).append((times, values[there]))
            self.rows += n
        if self.rows > self._limit:
            raise OverBudget(
                f"The metrics asked of {self._name} have more than {self._limit:,} samples in this time: ask a shorter "
                f"window or a coarser step, name fewer signals, or allow more with rows under [budget] in sources.toml."
            )

    def samples(self) -> Samples:
        series, ids, times, values = [], [], [], []
        for i, key in enumerate(sorted(self._parts)):
            labels = orjson.loads(key)
            series.append(Series(labels.pop("__name__", ""), labels))
            for at, read in self._parts[key]:
                ids.append(np.full(len(at), i, np.int32))
                times.append(at)
                values.append(read)
        if not series:
            return Samples(SAMPLES.empty_table(), ())
        columns = [
            pa.array(np.concatenate(times)).cast(TIME),
            pa.array(np.concatenate(ids)),
            pa.array(np.concatenate(values)),
        ]
        return Samples(pa.table(columns, schema=SAMPLES), tuple(series))


def batches(names: Sequence[str], size: int) -> list[Sequence[str]]:
    """The names in portions of at most `size`."""
    return [names[at : at + size] for at in range(0, len(names), size)]


def _packed(counts: Mapping[str, int]) -> list[tuple[list[str], int]]:
    """Metrics that go into one request together: up to 20, up to 2,000 series."""
    packed: list[tuple[list[str], int]] = []
    for name, n in sorted(counts.items()):
        if packed and len(packed[-1][0]) < NAMES and packed[-1][1] + n <= 2_000:
            names, so_far = packed.pop()
            packed.append(([*names, name], so_far + n))
        else:
            packed.append(([name], n))
    return packed


def _seconds(micros: int) -> str:
    return f"{micros / 1e6:.3f}"


def _clock(micros: int) -> str:
    return str(np.datetime64(micros // 1_000_000, "s")) + "Z"


def _shown(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in query.items())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
