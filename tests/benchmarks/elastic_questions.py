"""How long does Elasticsearch take for each question over millions of documents, and how much does the asker grow?

`python -m tests.benchmarks.elastic_rows questions --url URL --rows 5000000` loads the documents unless they are there,
and asks each question three times: first, then of a window that begins some minutes later (nothing of that answer can
be remembered, but fields are loaded), then the first again. Seconds by the clock, of the server's processor, and as the
server told; growth is the process's highest memory while it asks over what it had before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.base import Answer, Selection
from connectors.elastic_logs import ElasticLogs
from connectors.http import Http
from connectors.window import Window

KEYWORD = {"type": "keyword"}
MORE = {
    "host": {"properties": {"name": KEYWORD}}, "pod": KEYWORD, "build": KEYWORD, "currency": KEYWORD,
    "cache": {"type": "boolean"}, "remote_addr": KEYWORD, "shard": {"type": "long"},
}  # fmt: skip
"""Mappings of what these documents have beside the others'."""
FIELDS = (
    "level", "service", "host", "instance", "zone", "version", "http.request.method", "route", "url.path",
    "http.response.status_code", "region", "tenant", "client", "user_agent.original", "pod", "build", "currency",
    "cache", "client.address", "shard",
)  # fmt: skip
"""The twenty that are compared."""
TOLD_ANEW_S = 1.1
"""A node looks at its processor time once a second and repeats what it saw in between."""
FAILED = "http.response.status_code >= 500"


def wider(documents: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same documents with seven fields more, one of 50,000 values."""
    for i, document in enumerate(documents):
        client = i * 2_654_435_761 % 50_000
        yield {
            **document, "host.name": f"node-{i % 40:02d}", "pod": f"checkout-{i * 7 % 200:03d}",
            "build": f"b{i // 1_000_000}", "currency": ("eur", "usd", "gbp", "jpy")[i % 4], "cache": i % 3 == 0,
            "remote_addr": f"10.0.{client // 256}.{client % 256}", "shard": i % 16,
        }  # fmt: skip


def _compare(source: ElasticLogs, window: Window) -> Answer:
    bad, good = Selection(window, FAILED), Selection(window, f"NOT {FAILED}")
    return source.compare(FIELDS, bad=bad, good=good)


def _measure(source: ElasticLogs, window: Window) -> Answer:
    return source.measure(window, "duration_s", stats=("n", "p50", "p99"), every="10m")


QUESTIONS: Mapping[str, Callable[[ElasticLogs, Window], Answer]] = {
    "count, a bin each ten minutes, by route": lambda s, w: s.count(w, every="10m", by=["route"]),
    "measure p50 and p99, a bin each ten minutes": _measure,
    "measure p50 and p99 of it all": lambda s, w: s.measure(w, "duration_s", stats=("n", "p50", "p99")),
    "compare 20 fields, failed with the rest": _compare,
    "fields": lambda s, w: s.fields(w),
    "sample of 10,000 whole rows": lambda s, w: s.sample(w, 10_000),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a question took: seconds by the clock, of the server's processor, as the server told; and MB of growth."""

    clock_s: float
    processor_s: float
    told_s: float
    grown_mb: float

    def __str__(self) -> str:
        return f"{self.clock_s:.2f} ({self.processor_s:.2f}, {self.told_s:.2f})"


def ask_questions(url: str, index: str) -> None:
    """Prints a row for each question over all the index's documents."""
    source = ElasticLogs("es", Http(url, deadline_s=900.0), index)
    ever = Window.of("2000-01-01T00:00Z", "2100-01-01T00:00Z")
    start, last = (
        source.rows(ever, fields=["time"], order=order, limit=1).answer().table.column("time")[0].as_py()
        for order in ("time", "-time")
    )
    whole = Window(start.replace(microsecond=0), last.replace(microsecond=0) + timedelta(seconds=1))
    source.sample(Window(whole.start, whole.start + timedelta(minutes=1)), 10)
    print(f"{source.count(whole).table.column('n')[0].as_py():,.0f} documents of {index}; seconds (processor, told)")
    print("| question | first | another window | again | growth |\n|---|---|---|---|---|")
    for name, ask in QUESTIONS.items():
        other = Window(whole.start + timedelta(seconds=random.randrange(60, 3600)), whole.end)
        costs = [_cost(url, source, ask, window) for window in (whole, other, whole)]
        first, another, again = map(str, costs)
        print(f"| {name} | {first} | {another} | {again} | {max(c.grown_mb for c in costs):.0f} MB |", flush=True)


def _cost(url: str, source: ElasticLogs, ask: Callable[[ElasticLogs, Window], Answer], window: Window) -> Cost:
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory is counted anew
    memory, processor, began = _memory("VmRSS"), _processor_s(url), time.monotonic()
    answer = ask(source, window)
    took = time.monotonic() - began
    assert answer.fetch.partial is None, answer.fetch.partial
    return Cost(took, _processor_s(url) - processor, answer.fetch.cost.get("server_s", 0.0), _memory("VmHWM") - memory)


def _processor_s(url: str) -> float:
    time.sleep(TOLD_ANEW_S)
    nodes = Http(url).ask("GET", "/_nodes/_local/stats/process")["nodes"]
    return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes.values()) / 1000


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
