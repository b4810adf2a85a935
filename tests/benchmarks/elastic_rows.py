"""How fast do rows come out of Elasticsearch, and in how little memory? Beside the usual two ways.

    python -m tests.benchmarks.elastic_rows load --url URL --rows 1000000
    python -m tests.benchmarks.elastic_rows pairs --url URL --pairs 7 [--eland PYTHON]
    python -m tests.benchmarks.elastic_rows memory --url URL
    python -m tests.benchmarks.elastic_rows questions --url URL --rows 5000000

`load` writes documents of the lab's shape (a request's line of the checkout service) into the index `bench-N`. `pairs`
reads the same window by turns in one process: the kit's rows to a pandas DataFrame, and `elasticsearch.helpers.scan` to
one; it prints the median ratio of both with a 90 % bootstrap interval, by the clock and by the client's processor time.
With `--eland`, the Python of an environment that has eland 8.18, its `to_pandas` is run once as well.
`memory` streams the rows to Parquet and prints by how much the process grew. `questions` is `elastic_questions`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from connectors.elastic_logs import ElasticLogs
from connectors.http import Http
from connectors.window import Window, iso
from tests.benchmarks.elastic_questions import MORE, ask_questions, wider

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
AT_ONCE = 5_000
KEYWORD = {"type": "keyword"}
MAPPINGS = {
    "properties": {
        "@timestamp": {"type": "date"}, "log": {"properties": {"level": KEYWORD}},
        "message": {"type": "text", "fields": {"raw": KEYWORD}}, "service": {"properties": {"name": KEYWORD}},
        "instance": KEYWORD, "zone": KEYWORD, "version": KEYWORD, "region": KEYWORD, "tenant": KEYWORD,
        "route": KEYWORD,
        "client": {"properties": {"name": KEYWORD}}, "trace": {"properties": {"id": KEYWORD}},
        "span": {"properties": {"id": KEYWORD}}, "url": {"properties": {"path": KEYWORD}},
        "http": {"properties": {
            "request": {"properties": {"method": KEYWORD, "id": KEYWORD}},
            "response": {"properties": {"status_code": {"type": "long"}}},
        }},
        "user_agent": {"properties": {"original": KEYWORD}}, "duration_s": {"type": "double"},
    }
}  # fmt: skip


def documents(n: int) -> Iterator[dict[str, Any]]:
    """Lines as the lab's checkout service writes them, forty a second, the same ones every time."""
    drawn = random.Random(7)
    routes = (("GET", "/orders"), ("GET", "/catalog"), ("POST", "/cart"), ("POST", "/pay"))
    for i in range(n):
        method, route = routes[drawn.randrange(4)]
        status = 503 if drawn.random() < 0.01 else 200
        key = f"{drawn.getrandbits(128):032x}"
        yield {
            "@timestamp": (START + timedelta(milliseconds=25 * i)).isoformat(timespec="milliseconds"),
            "log.level": "error" if status == 503 else "info", "message": f"{method} {route} {status}",
            "service.name": "checkout", "instance": f"checkout-{i % 3 + 1}", "zone": f"zone-{'ab'[i % 2]}",
            "version": "v1.41.0", "trace.id": key, "span.id": f"{drawn.getrandbits(64):016x}",
            "http.request.method": method, "route": route, "url.path": route, "http.response.status_code": status,
            "duration_s": round(drawn.expovariate(20), 4), "region": drawn.choice(("eu", "us", "ap")),
            "tenant": drawn.choice(("free", "pro")), "client.name": f"ios-5.{drawn.randrange(4)}",
            "http.request.id": key, "user_agent.original": f"shop-ios-5.{drawn.randrange(4)}",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """The documents of an index that are read: those of a window, `rows` of them."""

    url: str
    index: str
    window: Window
    rows: int

    @classmethod
    def first(cls, url: str, index: str, rows: int) -> Part:
        """The window from the index's first document on that has so many, to the second; how many it really has."""
        source = ElasticLogs("es", Http(url, deadline_s=900.0), index)
        ever = Window.of("2000-01-01T00:00Z", "2100-01-01T00:00Z")
        start = source.rows(ever, fields=["time"], limit=1).answer().table.column("time")[0].as_py()
        start = start.replace(microsecond=0)
        seconds, total = source.count(Window(start, start + timedelta(days=1)), every="1s").table, 0
        for at, n in zip(seconds.column("time").to_pylist(), seconds.column("n").to_pylist(), strict=True):
            total += int(n)
            if total >= rows:
                return cls(url, index, Window(start, at + timedelta(seconds=1)), total)
        raise SystemExit(f"{index} has {total:,} documents only.")


def load(url: str, index: str, written: Iterable[dict[str, Any]], mappings: dict[str, Any]) -> None:
    """Writes them, in two shards, unless the index is there."""
    http = Http(url, deadline_s=600.0, timeout_s=600.0)
    if http.send("GET", f"/{index}").good:
        return
    settings = {
        "number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "-1", "translog": {"durability": "async"},
    }  # fmt: skip
    http.ask("PUT", f"/{index}", body={"settings": settings, "mappings": mappings})
    lines: list[bytes] = []
    for document in written:
        lines += [b'{"index":{}}', orjson.dumps(document)]
        if len(lines) >= 2 * AT_ONCE:
            http.ask("POST", f"/{index}/_bulk", body=b"\n".join(lines) + b"\n", query={"filter_path": "errors"})
            lines.clear()
    if lines:
        http.ask("POST", f"/{index}/_bulk", body=b"\n".join(lines) + b"\n", query={"filter_path": "errors"})
    http.ask("POST", f"/{index}/_refresh")
    http.ask("POST", f"/{index}/_flush")
    print(http.ask("GET", f"/{index}/_count"))


def ours(part: Part) -> int:
    """The kit's rows as a DataFrame."""
    source = ElasticLogs("es", Http(part.url, deadline_s=900.0), part.index)
    return len(source.rows(part.window).answer().to_frame())


def scan(part: Part) -> int:
    """`helpers.scan`, as its manual has it, and a DataFrame of the documents."""
    import pandas as pd
    from elasticsearch import Elasticsearch, helpers

    client = Elasticsearch(part.url, request_timeout=600)
    hits = helpers.scan(client, index=part.index, query={"query": within(part)}, size=1000)
    return len(pd.DataFrame([hit["_source"] for hit in hits]))


def within(part: Part) -> dict[str, Any]:
    """The window as a query."""
    ends = {"gte": iso(part.window.start), "lt": iso(part.window.end)}
    return {"range": {"@timestamp": ends}}


ELAND = """
import json, resource, sys, time
import eland
from elasticsearch import Elasticsearch
es = Elasticsearch(sys.argv[1], request_timeout=600)
es._eland_es_version = (8, 18, 2)
wall, cpu = time.monotonic(), time.process_time()
frame = eland.DataFrame(es, es_index_pattern=sys.argv[2]).es_query(json.loads(sys.argv[3])).to_pandas()
print(len(frame), time.monotonic() - wall, time.process_time() - cpu,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def timed(read: Callable[[Part], int], part: Part) -> tuple[float, float]:
    """Seconds by the clock, and of this process's processor time."""
    wall, cpu = time.monotonic(), time.process_time()
    got = read(part)
    assert got == part.rows, f"{read.__name__} read {got:,} of {part.rows:,}"
    return time.monotonic() - wall, time.process_time() - cpu


def pairs(part: Part, n: int, eland: str | None) -> None:
    """Prints each pair, and the medians of the ratios with their intervals."""
    walls, cpus = [], []
    print(f"{part.rows:,} rows of {part.index}")
    for at in range(n):
        both = [ours, scan] if at % 2 == 0 else [scan, ours]
        found = {read.__name__: timed(read, part) for read in both}
        (ow, oc), (sw, sc) = found["ours"], found["scan"]
        walls.append(sw / ow)
        cpus.append(oc / sc)
        print(json.dumps({"ours": (round(ow, 1), round(oc, 1)), "scan": (round(sw, 1), round(sc, 1))}), flush=True)
    for name, ratios in (("scan's seconds / ours", walls), ("our processor time / scan's", cpus)):
        low, high = interval(ratios)
        print(f"{name}: {statistics.median(ratios):.2f} [{low:.2f}, {high:.2f}]", flush=True)
    if eland:
        query = json.dumps(within(part))
        command = [eland, "-c", ELAND, part.url, part.index, query]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print("eland: rows, seconds, processor seconds, MB:", done.stdout.strip() or done.stderr.strip()[-500:])


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 90 % bootstrap interval of their median."""
    drawn = random.Random(1)
    medians = sorted(statistics.median(drawn.choices(ratios, k=len(ratios))) for _ in range(10_000))
    return medians[500], medians[9_500]


GROWTH = """
import resource, sys, tempfile, time
import pyarrow.parquet as pq
from connectors.elastic_logs import ElasticLogs
from connectors.http import Http
from connectors.window import Window
url, index, start, end, rows = sys.argv[1:]
source = ElasticLogs("es", Http(url, deadline_s=900.0), index)
window = Window.of(start, end)
source.rows(window, limit=10).answer()
before, began, n = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic(), 0
stream = source.rows(window)
with tempfile.TemporaryDirectory() as folder, pq.ParquetWriter(folder + "/rows.parquet", stream.schema) as file:
    for batch in stream:
        file.write_batch(batch)
        n += batch.num_rows
assert n == int(rows), n
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(f"{n:,} rows to Parquet: {grown:.0f} MB of growth, {time.monotonic() - began:.0f} s")
"""


def memory(part: Part) -> None:
    """Streams the rows to Parquet in a process of its own and prints by how much that grew."""
    ends = (iso(part.window.start), iso(part.window.end), str(part.rows))
    command = [sys.executable, "-c", GROWTH, part.url, part.index, *ends]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


def main() -> None:
    """Does what the command line asks."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["load", "pairs", "memory", "questions"])
    asked.add_argument("--url", required=True)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--index", help="documents that are there already (bench-ROWS)")
    asked.add_argument("--pairs", type=int, default=7)
    asked.add_argument("--eland", help="the Python of an environment with eland 8.18")
    given = asked.parse_args()
    if given.what == "questions":
        index = given.index or f"questions-{given.rows}"
        load(given.url, index, wider(documents(given.rows)), {"properties": {**MAPPINGS["properties"], **MORE}})
        ask_questions(given.url, index)
        return
    if given.what == "load":
        load(given.url, f"bench-{given.rows}", documents(given.rows), MAPPINGS)
        return
    part = Part.first(given.url, given.index or f"bench-{given.rows}", given.rows)
    if given.what == "pairs":
        pairs(part, given.pairs, given.eland)
    else:
        memory(part)


if __name__ == "__main__":
    main()
