"""What the tests of Elasticsearch and of OpenSearch share: the contract's documents in an index, a cell interrupted."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connectors.asking import Asking
from connectors.elastic_logs import ElasticLogs
from connectors.elastic_server import Server
from connectors.http import Http
from connectors.progress import Cancelled, watched
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
    """Seconds until the server's task list no longer has a question of several searches whose cell was interrupted.

    Servers look up from their work every few thousand rows, so it takes some rows to see it.
    """
    server, bodies = _long_questions(url, product)

    def interrupt():
        _worked_on(url)
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started deaf to it
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        server.searches(Asking("logs", "compare", "{}", product), bodies)
    return _seconds_until_gone(url)


def called_off(url, product):
    """The same of one that a widget's thread asks and calls off once it is worked on, from the calling off."""
    server, bodies = _long_questions(url, product)
    over = threading.Event()

    def ask():
        with watched(lambda share: not over.is_set()):
            server.searches(Asking("logs", "compare", "{}", product), bodies)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        _worked_on(url)
        over.set()
        began = time.monotonic()
        assert isinstance(asked.exception(timeout=120), Cancelled)
    _seconds_until_gone(url)
    return time.monotonic() - began


def _long_questions(url, product):
    documents = [(f"{key}-{copy}", row) for key, row in documents_of(contract_documents()) for copy in range(30)]
    load(url, "work", MAPPINGS, documents)
    fields = ("route", "host.name", "duration_s")
    inner = {f"c{at}": {"cardinality": {"field": field}} for at, field in enumerate(fields)}

    def body(first):
        some = range(first, first + 120)
        phrases = {"filters": {"filters": [{"match_phrase": {"message": f"pool {at}"}} for at in some]}}
        return {"size": 0, "aggs": {"a": {**phrases, "aggs": {"b": {**phrases, "aggs": inner}}}}}

    return Server("logs", Http(url), "work", product=product), [body(1_000 * number) for number in range(8)]


def _tasks(client):
    listed = client.get("/_tasks?actions=indices:data/read/*search*").json()
    return [task for node in listed["nodes"].values() for task in node["tasks"].values()]


def _worked_on(url):
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        while not _tasks(client):
            pass


def _seconds_until_gone(url):
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        began = time.monotonic()
        while _tasks(client) and time.monotonic() < began + 10:
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


def ids_of_very_many_rows_are_not_counted(url, product, monkeypatch):
    """Of 660 rows, 609 have a duration; from as many rows on as are too many it is said, not counted."""
    rows, said = asked_how_many(url, product, monkeypatch, too_many=659)
    assert rows["duration_s"]["distinct"] is rows["duration_s"]["distinct_error"] is None
    assert rows["duration_s"]["share_present"] == pytest.approx(609 / 659)
    assert "duration_s" in said
    assert (rows["route"]["distinct"], rows["route"]["distinct_error"]) == (5, 0.0)
    rows, said = asked_how_many(url, product, monkeypatch, too_many=660)
    assert rows["duration_s"]["distinct"] == pytest.approx(609, rel=rows["duration_s"]["distinct_error"])
    assert said is None
