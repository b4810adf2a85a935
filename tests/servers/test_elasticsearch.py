"""The Elasticsearch connector against a real node."""

from __future__ import annotations

import httpx
import pytest

from connectors.base import Selection
from connectors.elastic_logs import ElasticLogs
from connectors.elasticsearch import Settings, open_source
from connectors.errors import BadInput, NotFound, OverBudget, SourceUnavailable
from connectors.http import Http
from connectors.settings import Budget, Place
from connectors.tables import Tables
from connectors.testing import HOUR, contract_documents
from tests.servers.elastic_checks import (
    MAPPINGS,
    IndexContract,
    called_off,
    documents_of,
    ids_of_very_many_rows_are_not_counted,
    interrupted,
)
from tests.servers.nodes import elasticsearch, load

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with elasticsearch(tmp_path_factory.mktemp("node")) as address:
        TestElasticsearch.url = address
        yield address


@pytest.mark.usefixtures("url")
class TestElasticsearch(IndexContract):
    pass


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


def test_an_alias_answers_like_its_index(loaded):
    httpx.put(f"{loaded}/plain/_alias/by-another-name", trust_env=False).raise_for_status()
    assert ElasticLogs("es", Http(loaded), "by-another-name").count(HOUR).table.to_pylist() == [{"n": 659.0}]


def test_the_servers_own_language_narrows_any_question(loaded):
    source = ElasticLogs("es", Http(loaded), "plain")
    native = "lucene: http.response.status_code:503"
    expected = source.count(HOUR, where="http.response.status_code = 503")
    answer = source.count(HOUR, native=native)
    assert answer.table.to_pylist() == expected.table.to_pylist()
    assert answer.evidence != source.count(HOUR).evidence
    assert source.rows(HOUR, native=native).answer().table.num_rows == expected.table.column("n")[0].as_py()
    with pytest.raises(BadInput, match="does not say its language"):
        source.count(HOUR, native="status:503")


def test_a_question_over_the_budget_is_not_asked(loaded):
    poor = ElasticLogs("es", Http(loaded), "plain", budget=Budget(server_seconds=1e-6, rows=100))
    with pytest.raises(OverBudget, match=r"659 rows.*server_seconds under \[budget\]"):
        poor.compare(["route"], bad=Selection(HOUR), good=Selection(HOUR))
    with pytest.raises(OverBudget, match=r"659 rows and the budget is 100: ask a window like .*rows under \[budget\]"):
        poor.rows(HOUR).answer()
    assert poor.rows(HOUR, limit=50).answer().table.num_rows == 50


def test_a_large_sample_is_drawn_in_several_pages(loaded, monkeypatch):
    whole = ElasticLogs("es", Http(loaded), "plain").sample(HOUR, 300, seed=5)
    monkeypatch.setattr("connectors.elastic_sample.AT_ONCE", 70)
    paged = ElasticLogs("es", Http(loaded), "plain").sample(HOUR, 300, seed=5)
    assert paged.fetch.round_trips == 5
    assert sorted(paged.table.column("id").to_pylist()) == sorted(whole.table.column("id").to_pylist())


def test_nobody_there_is_said():
    http = Http("http://127.0.0.1:9", pause=lambda seconds: None)
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        ElasticLogs("es", http, "logs").count(HOUR)


def test_es_ql_gives_its_own_table_over_the_window(loaded):
    source = ElasticLogs("es", Http(loaded), "plain")
    answer = source.esql("FROM plain | STATS n = COUNT(*) BY route | SORT n DESC | LIMIT 3", HOUR)
    rows = source.count(HOUR, by=["route"], top=50).table.to_pylist()
    assert [row["n"] for row in answer.table.to_pylist()] == sorted((int(r["n"]) for r in rows), reverse=True)[:3]
    assert source.esql("FROM plain | KEEP `@timestamp`, route", HOUR).fetch.truncated is False
    with pytest.raises(BadInput, match="begins with FROM"):
        source.esql("SHOW INFO", HOUR)


def test_values_looked_for_in_a_sample_are_counted_in_all_rows(loaded, monkeypatch):
    """What is done with fields of very many values, on a small index: no count differs, and the answer says it."""
    monkeypatch.setattr("connectors.elastic_logs.MANY_ROWS", 1)
    monkeypatch.setattr("connectors.elastic_many.LOOKED_AT", 50)
    monkeypatch.setattr("connectors.elastic_many.MANY", 5)
    monkeypatch.setattr("connectors.elastic_logs.DISCOVERED_IN", 200)
    bad, good = Selection(HOUR, "level >= 'WARN'"), Selection(HOUR, "NOT level >= 'WARN'")
    answer = ElasticLogs("es", Http(loaded), "plain").compare(["host", "route"], bad=bad, good=good)
    assert "host" in answer.fetch.sampled
    whole = Tables("logs", table=contract_documents()).compare(["host", "route"], bad=bad, good=good)
    expected = {(row["field"], row["value"]): (row["bad"], row["good"]) for row in whole.table.to_pylist()}
    got = {(row["field"], row["value"]): (row["bad"], row["good"]) for row in answer.table.to_pylist()}
    named = [key for key in got if key[1] != "<other>"]
    assert len(named) > 10
    assert all(got[key] == expected[key] for key in named)


def test_ids_of_very_many_rows_are_not_counted_and_the_answer_says_so(url, monkeypatch):
    ids_of_very_many_rows_are_not_counted(url, "Elasticsearch", monkeypatch)


def test_an_interrupted_question_ends_on_the_server(loaded):
    assert interrupted(loaded, "Elasticsearch") < 2


def test_a_question_that_a_widget_calls_off_ends_on_the_server(loaded):
    assert called_off(loaded, "Elasticsearch") < 2
