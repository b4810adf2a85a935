"""The Elasticsearch connector against a real node."""

from __future__ import annotations

import httpx
import pytest

from connectors.base import Selection
from connectors.elastic_logs import ElasticLogs
from connectors.elasticsearch import Settings, open_source
from connectors.errors import BadInput, NotExpressible, NotFound, OverBudget, SourceUnavailable
from connectors.http import Http
from connectors.settings import Budget, Place
from connectors.tables import Tables
from connectors.testing import HOUR, contract_documents
from connectors.window import Window
from tests.servers.elastic_checks import KEYWORD, MAPPINGS, IndexContract, documents_of, interrupted
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


def at(second, **fields):
    return {"@timestamp": f"2026-03-01T02:00:{second:02d}Z", **fields}


def test_words_without_a_whole_form_are_found_and_not_compared(url):
    mappings = {"properties": {"@timestamp": {"type": "date"}, "message": {"type": "text"}}}
    load(url, "words", mappings, [("a", at(0, message="Pool timeout"))])
    source = ElasticLogs("es", Http(url), "words")
    assert source.count(HOUR, where="has(message, 'pool')").table.to_pylist() == [{"n": 1.0}]
    with pytest.raises(NotExpressible, match="message is kept there for its words"):
        source.count(HOUR, where="message = 'Pool timeout'")
    with pytest.raises(NotExpressible, match="cannot be grouped by"):
        source.count(HOUR, by=["message"])


def test_values_too_long_to_be_indexed_are_neither_missing_nor_lost(url):
    """What dynamic mapping makes of text: words, and the whole value up to 256 characters."""
    short = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    mappings = {"properties": {"@timestamp": {"type": "date"}, "note": short}}
    documents = [("a", at(0, note="brief")), ("b", at(1, note="x" * 300)), ("c", at(2))]
    load(url, "long-values", mappings, documents)
    source = ElasticLogs("es", Http(url), "long-values")
    assert source.count(HOUR, where="note = 'brief'").table.to_pylist() == [{"n": 1.0}]
    assert source.count(HOUR, where="note <> 'brief'").table.to_pylist() == [{"n": 1.0}]
    assert source.count(HOUR, where="note IS NULL").table.to_pylist() == [{"n": 1.0}]
    counts = {row["note"]: row["n"] for row in source.count(HOUR, by=["note"]).table.to_pylist()}
    assert counts == {"brief": 1.0, "<other>": 1.0, "<missing>": 1.0}
    side = Selection(HOUR)
    compared = source.compare(["note"], bad=side, good=side).table
    assert dict(zip(*(compared.column(c).to_pylist() for c in ("value", "bad")), strict=True)) == counts
    with pytest.raises(NotExpressible, match="may not be kept whole"):
        source.count(HOUR, where=f"note = '{'x' * 300}'")


def test_a_field_of_two_types_is_left_out_and_named(url):
    for index, kind, value in (("mixed-a", "long", 5), ("mixed-b", "keyword", "x")):
        mappings = {"properties": {"@timestamp": {"type": "date"}, "code": {"type": kind}, "route": KEYWORD}}
        load(url, index, mappings, [("a", {"@timestamp": "2026-03-01T02:00:00Z", "code": value, "route": "/pay"})])
    answer = ElasticLogs("es", Http(url), "mixed-*").fields(HOUR)
    assert answer.table.column("name").to_pylist() == ["route"]
    assert "code is keyword in one index and long in another" in answer.fetch.partial


def test_rows_of_an_index_without_the_time_field_are_said_to_be_missing(url):
    load(url, "timed-a", {"properties": {"@timestamp": {"type": "date"}, "route": KEYWORD}}, [("a", at(0, route="/"))])
    load(url, "timed-b", {"properties": {"route": KEYWORD}}, [("b", {"route": "/pay"})])
    source = ElasticLogs("es", Http(url), "timed-*")
    assert source.rows(HOUR).answer().table.column("id").to_pylist() == ["a"]
    assert "timed-b without @timestamp" in source.fields(HOUR).fetch.partial


SHAPES = {
    "ecs": at(1, log={"level": "error"}, service={"name": "pay"}, host={"name": "h1"}, message="m", trace={"id": "t"}),
    "ecs-flat": at(
        1, **{"log.level": "error", "service.name": "pay", "host.name": "h1", "message": "m", "trace.id": "t"}
    ),
    "otel": at(
        1,
        severity_text="ERROR",
        body={"text": "m"},
        trace_id="t",
        resource={"attributes": {"service.name": "pay", "host.name": "h1"}},
        attributes={"http.route": "/pay", "http.response.status_code": 503},
    ),
    "fluent-bit": at(
        1, log="m", level="error", trace_id="t", kubernetes={"container_name": "pay", "host": "h1", "pod_name": "p"}
    ),
    "plain": {
        "timestamp": "2026-03-01T02:00:01Z",
        "level": 50,
        "msg": "m",
        "app": "pay",
        "hostname": "h1",
        "traceId": "t",
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_usual_shapes_of_documents_are_recognised(url, shape):
    """With the mappings that the server makes of them by itself."""
    load(url, f"shape-{shape}", {"dynamic": True}, [("a", SHAPES[shape])])
    source = ElasticLogs("es", Http(url), f"shape-{shape}")
    (row,) = source.rows(HOUR).answer().table.to_pylist()
    assert {name: row[name] for name in ("service", "host", "level", "message", "trace_id")} == {
        "service": "pay", "host": "h1", "level": "ERROR", "message": "m", "trace_id": "t",
    }  # fmt: skip
    assert row["time"].isoformat() == "2026-03-01T02:00:01+00:00"
    assert source.count(HOUR, by=["service"], where="level >= 'WARN'").table.to_pylist() == [
        {"service": "pay", "n": 1.0}
    ]
    if shape == "otel":
        assert (row["route"], row["http.response.status_code"]) == ("/pay", 503)


def test_durations_in_other_units_are_seconds(url):
    mappings = {"properties": {"@timestamp": {"type": "date"}, "event": {"properties": {"duration": {"type": "long"}}}}}
    documents = [("a", at(0, event={"duration": 1_500_000_000})), ("b", at(1, event={"duration": 500_000_000}))]
    load(url, "units", mappings, documents)
    source = ElasticLogs("es", Http(url), "units")
    (row,) = source.measure(HOUR, "duration_s", stats=("sum", "max")).table.to_pylist()
    assert (row["sum"], row["max"]) == (2.0, 1.5)
    assert source.count(HOUR, where="duration_s > 1").table.to_pylist() == [{"n": 1.0}]
    assert source.rows(HOUR).answer().table.column("duration_s").to_pylist() == [1.5, 0.5]


def test_nanoseconds_are_cut_and_milliseconds_keep_the_window(url):
    load(url, "nanos", {"properties": {"@timestamp": {"type": "date_nanos"}}}, [
        ("a", {"@timestamp": "2026-03-01T02:00:00.123456789Z"}), ("b", {"@timestamp": "2026-03-01T02:00:00.123456Z"}),
    ])  # fmt: skip
    load(
        url,
        "millis",
        {"properties": {"@timestamp": {"type": "date"}}},
        [("c", {"@timestamp": "2026-03-01T02:00:00.123Z"})],
    )
    times = ElasticLogs("es", Http(url), "nanos").rows(HOUR).answer().table.column("time").to_pylist()
    assert [time.microsecond for time in times] == [123456, 123456]
    both = ElasticLogs("es", Http(url), "nanos,millis")
    assert both.rows(HOUR).answer().table.column("id").to_pylist() == ["c", "b", "a"]
    late = Window.of("2026-03-01T02:00:00.1234Z", "2026-03-01T02:00:01Z")
    assert ElasticLogs("es", Http(url), "millis").count(late).table.to_pylist() == [{"n": 0.0}]


def test_values_that_do_not_fit_their_mapping_come_all_the_same(url):
    """Numbers written as text, text written as numbers, and lists."""
    mappings = {
        "properties": {
            "@timestamp": {"type": "date"},
            "code": {"type": "long"},
            "tag": KEYWORD,
            "ok": {"type": "boolean"},
        }
    }
    documents = [
        ("a", at(0, code=1, tag="x", ok=True)),
        ("b", at(1, code="2", tag=7, ok="false")),
        ("c", at(2, code=[3, 4], tag=["y", "z"])),
    ]
    load(url, "loose", mappings, documents)
    table = ElasticLogs("es", Http(url), "loose").rows(HOUR).answer().table
    assert table.select(["code", "tag", "ok"]).to_pylist() == [
        {"code": 1, "tag": "x", "ok": True},
        {"code": 2, "tag": "7", "ok": False},
        {"code": 3, "tag": '["y","z"]', "ok": None},
    ]


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


def test_more_bins_than_the_server_makes_at_once_are_asked_for_in_parts(loaded, monkeypatch):
    monkeypatch.setattr("connectors.elastic_counts.MOST_BUCKETS", 40)
    source = ElasticLogs("es", Http(loaded), "plain")
    answer = source.count(HOUR, every="30s", by=["route"])
    assert answer.fetch.round_trips > 10
    reference = Tables("logs", table=contract_documents())
    assert answer.table.to_pylist() == reference.count(HOUR, every="30s", by=["route"]).table.to_pylist()


def test_rows_come_whole_however_small_the_pages(loaded, monkeypatch):
    """Five rows share each time; a page ends between any two rows."""
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 10)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 4_000)
    source = ElasticLogs("es", Http(loaded), "plain")
    for order in ("time", "-time"):
        answer = source.rows(HOUR, order=order).answer()
        times = answer.table.column("time").to_pylist()
        assert len(set(answer.table.column("id").to_pylist())) == answer.table.num_rows == 659
        assert times == sorted(times, reverse=order == "-time")
        assert answer.fetch.partial is None
        assert answer.fetch.round_trips > 30


def test_a_large_sample_is_drawn_in_several_pages(loaded, monkeypatch):
    whole = ElasticLogs("es", Http(loaded), "plain").sample(HOUR, 300, seed=5)
    monkeypatch.setattr("connectors.elastic_sample.MOST_ROWS", 70)
    paged = ElasticLogs("es", Http(loaded), "plain").sample(HOUR, 300, seed=5)
    assert paged.fetch.round_trips == 5
    assert sorted(paged.table.column("id").to_pylist()) == sorted(whole.table.column("id").to_pylist())


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


def test_an_interrupted_question_ends_on_the_server(loaded):
    assert interrupted(loaded, "Elasticsearch") < 2
