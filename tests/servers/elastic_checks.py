"""What the tests of Elasticsearch and of OpenSearch share: the contract's documents in an index, a cell interrupted."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import httpx
import pytest

from connectors.asking import Asking
from connectors.elastic_logs import ElasticLogs
from connectors.elastic_server import Server
from connectors.http import Http
from connectors.testing import HOUR, ConnectorContract, contract_documents
from tests.servers.nodes import load

NAMES = {"time": "@timestamp", "level": "log.level", "service": "service.name", "host": "host.name"}
KEYWORD = {"type": "keyword"}
MAPPINGS = {
    "properties": {
        "@timestamp": {"type": "date_nanos"},
        "log": {"properties": {"level": KEYWORD}},
        "service": {"properties": {"name": KEYWORD}},
        "host": {"properties": {"name": KEYWORD}},
        "message": {"type": "text", "fields": {"raw": KEYWORD}},
        "route": KEYWORD,
        "weight": {"type": "double"},
        "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
        "duration_s": {"type": "double"},
        "cache": {"properties": {"hit": {"type": "boolean"}}},
        "user-agent": {"properties": {"name": KEYWORD}},
    }
}


def documents_of(table):
    for row in table.to_pylist():
        written = {NAMES.get(name, name): value for name, value in row.items() if value is not None}
        key = written.pop("id")
        written["@timestamp"] = written["@timestamp"].isoformat()
        yield key, {name: value for name, value in written.items() if name != "seq"}


class IndexContract(ConnectorContract):
    """The contract of log sources on an index of its own for each set of documents; `url` is set by the fixture."""

    url = ""
    product = "Elasticsearch"
    unlisted = frozenset({"id"})
    numbers = itertools.count()

    def open_source(self, documents, folder):
        index = f"contract-{next(self.numbers)}"
        load(self.url, index, MAPPINGS, list(documents_of(documents)))
        return ElasticLogs("logs", Http(self.url), index, fields={"weight": "weight"}, product=self.product)


def interrupted(url, product):
    """Seconds until the server's task list no longer has a question whose cell was interrupted.

    Servers look up from their work every few thousand rows, so it takes some rows to see it.
    """
    documents = [(f"{key}-{copy}", row) for key, row in documents_of(contract_documents()) for copy in range(30)]
    load(url, "work", MAPPINGS, documents)
    phrases = {"filters": {"filters": [{"match_phrase": {"message": f"pool {at}"}} for at in range(120)]}}
    fields = ("route", "host.name", "duration_s")
    inner = {f"c{at}": {"cardinality": {"field": field}} for at, field in enumerate(fields)}
    body = {"size": 0, "aggs": {"a": {**phrases, "aggs": {"b": {**phrases, "aggs": inner}}}}}
    server = Server("logs", Http(url), "work", product=product)

    def tasks():
        listed = httpx.get(f"{url}/_tasks?actions=indices:data/read/search*", trust_env=False, timeout=30).json()
        return [task for node in listed["nodes"].values() for task in node["tasks"].values()]

    def interrupt():
        while not tasks():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started deaf to it
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        server.search(Asking("logs", "count", "{}", product), body)
    began = time.monotonic()
    while tasks() and time.monotonic() < began + 10:
        pass
    return time.monotonic() - began


def read_while_points_vanish(url, product):
    """Reads the contract's rows while every point in time is closed behind the reader's back; how many it opened.

    As when they expire, or are lost with their node: no row is lost or comes twice.
    """
    load(url, "vanishing", MAPPINGS, list(documents_of(contract_documents())))
    source = ElasticLogs("logs", Http(url), "vanishing", product=product)
    points, open_point = [], source.server.open_point
    source.server.open_point = lambda: points.append(open_point()) or points[-1]
    ids, times = [], []
    stream = source.rows(HOUR)
    for number, batch in enumerate(stream):
        ids += batch.column("id").to_pylist()
        times += batch.column("time").to_pylist()
        if number % 8 == 0:
            source.server.close_point(points[-1])
    assert len(ids) == len(set(ids)) == 659
    assert times == sorted(times)
    assert stream.fetch.partial is None
    return len(points)


def asked_how_many(url, product, monkeypatch, *, too_many):
    """The answer of `fields` where each row has a duration of its own, and a million rows are `too_many` rows."""
    monkeypatch.setattr("connectors.elastic_logs.MANY_ROWS", 1)
    monkeypatch.setattr("connectors.elastic_many.MANY", 100)
    monkeypatch.setattr("connectors.elastic_overview.MANY_ROWS", too_many)
    load(url, "own-durations", MAPPINGS, list(documents_of(contract_documents())))
    answer = ElasticLogs("logs", Http(url), "own-durations", product=product).fields(HOUR)
    return {row["name"]: row for row in answer.table.to_pylist()}, answer.fetch.sampled
