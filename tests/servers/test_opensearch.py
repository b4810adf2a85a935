"""The OpenSearch connector against a real node."""

from __future__ import annotations

import httpx
import pytest

from connectors.elastic_logs import ElasticLogs
from connectors.errors import BadInput
from connectors.http import Http
from connectors.opensearch import Settings, open_source
from connectors.settings import Place
from connectors.testing import HOUR, contract_documents
from tests.servers.elastic_checks import (
    MAPPINGS,
    IndexContract,
    called_off,
    documents_of,
    ids_of_very_many_rows_are_not_counted,
    interrupted,
    read_while_points_vanish,
)
from tests.servers.nodes import load, opensearch

pytestmark = pytest.mark.server


def source_of(url, index):
    return ElasticLogs("logs", Http(url), index, fields={"weight": "weight"}, product="OpenSearch")


@pytest.fixture(scope="module")
def url():
    with opensearch() as address:
        TestOpenSearch.url = address
        yield address


@pytest.mark.usefixtures("url")
class TestOpenSearch(IndexContract):
    product = "OpenSearch"


@pytest.fixture(scope="module")
def loaded(url):
    load(url, "plain", MAPPINGS, list(documents_of(contract_documents())))
    return url


def test_a_source_opens_from_its_settings(loaded, tmp_path):
    settings = Settings(kind="opensearch", table="logs", url=loaded, index="pla*")
    source = open_source("os", settings, Place(tmp_path))
    assert source.count(HOUR).table.to_pylist() == [{"n": 659.0}]
    assert source.count(HOUR).fetch.engine.startswith("OpenSearch 2.")


def test_the_wrong_kind_is_said(loaded):
    with pytest.raises(BadInput, match=r'is OpenSearch 2.*: write kind = "opensearch"'):
        ElasticLogs("logs", Http(loaded), "plain").count(HOUR)


def test_a_data_stream_answers_like_an_index(url):
    template = {"index_patterns": ["stream-*"], "data_stream": {}, "template": {"mappings": MAPPINGS}}
    httpx.put(f"{url}/_index_template/streams", json=template, trust_env=False).raise_for_status()
    httpx.delete(f"{url}/_data_stream/stream-app", trust_env=False)
    for key, document in list(documents_of(contract_documents()))[:40]:
        httpx.post(f"{url}/stream-app/_create/{key}", json=document, trust_env=False).raise_for_status()
    httpx.post(f"{url}/stream-app/_refresh", trust_env=False).raise_for_status()
    source = source_of(url, "stream-app")
    assert source.count(HOUR).table.to_pylist() == [{"n": 20.0}]
    assert source.rows(HOUR).answer().table.num_rows == 20


def test_rows_come_whole_over_shards_without_a_tiebreaker(loaded, monkeypatch):
    """Two shards number their rows alike and five rows share each time."""
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 10)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 4_000)
    answer = source_of(loaded, "plain").rows(HOUR).answer()
    assert len(set(answer.table.column("id").to_pylist())) == answer.table.num_rows == 659
    assert answer.fetch.partial is None


def test_the_point_in_time_is_closed(loaded):
    source = source_of(loaded, "plain")
    stream = source.rows(HOUR)
    next(iter(stream))
    points = f"{loaded}/_search/point_in_time/_all"
    assert len(httpx.get(points, trust_env=False).json().get("pits", [])) == 1
    stream.close()
    assert httpx.get(points, trust_env=False).json().get("pits", []) == []


def test_rows_go_on_where_points_in_time_are_gone(url, monkeypatch):
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 10)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 4_000)
    assert read_while_points_vanish(url, "OpenSearch") > 2


def test_ids_of_very_many_rows_are_not_counted_and_the_answer_says_so(url, monkeypatch):
    ids_of_very_many_rows_are_not_counted(url, "OpenSearch", monkeypatch)


def test_an_interrupted_question_ends_on_the_server(loaded):
    assert interrupted(loaded, "OpenSearch") < 2


def test_a_question_that_a_widget_calls_off_ends_on_the_server(loaded):
    assert called_off(loaded, "OpenSearch") < 2
