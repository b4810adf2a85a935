"""The Elasticsearch connector against a real node."""

from __future__ import annotations

import itertools

import httpx
import pytest

from connectors.elasticsearch import ElasticLogs, Settings, open_source
from connectors.errors import BadInput, NotExpressible, NotFound, SourceUnavailable
from connectors.http import Http
from connectors.settings import Place
from connectors.testing import HOUR, ConnectorContract, contract_documents
from tests.servers.nodes import elasticsearch, load

pytestmark = pytest.mark.server

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


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with elasticsearch(tmp_path_factory.mktemp("node")) as address:
        TestElasticsearch.url = address
        yield address


@pytest.mark.usefixtures("url")
class TestElasticsearch(ConnectorContract):
    url = ""
    unlisted = frozenset({"id"})
    numbers = itertools.count()

    def open_source(self, documents, folder):
        index = f"contract-{next(self.numbers)}"
        load(self.url, index, MAPPINGS, list(documents_of(documents)))
        return ElasticLogs("logs", Http(self.url), index, fields={"weight": "weight"})


@pytest.fixture(scope="module")
def loaded(url):
    load(url, "plain", MAPPINGS, list(documents_of(contract_documents())))
    return url


def test_a_source_opens_from_its_settings(loaded, tmp_path):
    settings = Settings(kind="elasticsearch", table="logs", url=loaded, index="pla*")
    source = open_source("es", settings, Place(tmp_path))
    assert source.count(HOUR).table.to_pylist() == [{"n": 659.0}]
    assert source.count(HOUR).fetch.engine.startswith("Elasticsearch 8.")


def test_no_such_index_is_said(loaded):
    with pytest.raises(NotFound, match="no such index"):
        ElasticLogs("es", Http(loaded), "nowhere").count(HOUR)


def test_an_index_without_a_time_field_is_said(url):
    load(url, "timeless", {"properties": {"message": {"type": "text"}}}, [("a", {"message": "x"})])
    with pytest.raises(BadInput, match="no time field by a usual name"):
        ElasticLogs("es", Http(url), "timeless").count(HOUR)


def test_an_empty_index_answers_with_nothing(url):
    load(url, "empty", MAPPINGS, [])
    source = ElasticLogs("es", Http(url), "empty")
    assert source.count(HOUR).table.to_pylist() == [{"n": 0.0}]
    assert source.rows(HOUR).answer().table.num_rows == 0


def test_what_is_kept_for_its_words_is_not_compared(url):
    short = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    mappings = {"properties": {"@timestamp": {"type": "date"}, "message": short}}
    load(url, "words", mappings, [("a", {"@timestamp": "2026-03-01T02:00:00Z", "message": "Pool timeout"})])
    source = ElasticLogs("es", Http(url), "words")
    assert source.count(HOUR, where="has(message, 'pool')").table.to_pylist() == [{"n": 1.0}]
    with pytest.raises(NotExpressible, match="message is kept there for its words"):
        source.count(HOUR, where="message = 'Pool timeout'")
    with pytest.raises(NotExpressible, match="cannot be grouped by"):
        source.count(HOUR, by=["message"])


def test_a_field_of_two_types_is_left_out_and_named(url):
    for index, kind, value in (("mixed-a", "long", 5), ("mixed-b", "keyword", "x")):
        mappings = {"properties": {"@timestamp": {"type": "date"}, "code": {"type": kind}, "route": KEYWORD}}
        load(url, index, mappings, [("a", {"@timestamp": "2026-03-01T02:00:00Z", "code": value, "route": "/pay"})])
    answer = ElasticLogs("es", Http(url), "mixed-*").fields(HOUR)
    assert answer.table.column("name").to_pylist() == ["route"]
    assert "code is long in one index and keyword in another" in answer.fetch.partial


def test_the_point_in_time_is_always_closed(loaded):
    source = ElasticLogs("es", Http(loaded), "plain")

    def still_open():
        stats = httpx.get(f"{loaded}/plain/_stats/search", trust_env=False).json()
        return stats["_all"]["total"]["search"]["open_contexts"]

    stream = source.rows(HOUR)
    next(iter(stream))
    assert still_open() > 0
    stream.close()
    assert still_open() == 0
    source.rows(HOUR, limit=3).answer()
    assert still_open() == 0


def test_nobody_there_is_said():
    http = Http("http://127.0.0.1:9", pause=lambda seconds: None)
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        ElasticLogs("es", http, "logs").count(HOUR)
