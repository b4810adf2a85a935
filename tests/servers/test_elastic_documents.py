"""Documents as they are found: of the usual shippers or of none, with mappings that differ, lack, cut or lie."""

from __future__ import annotations

import pytest

from connectors.base import Selection
from connectors.elastic_logs import ElasticLogs
from connectors.errors import BadInput, NotExpressible
from connectors.http import Http
from connectors.testing import HOUR
from connectors.window import Window
from tests.servers.elastic_checks import KEYWORD
from tests.servers.nodes import elasticsearch, load

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def url():
    with elasticsearch() as address:
        yield address


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
    "filebeat": at(
        1,
        message="m",
        log={"level": "error", "file": {"path": "/var/log/pay.log"}, "offset": 7},
        trace={"id": "t"},
        host={"name": "h1"},
        agent={"type": "filebeat", "version": "8.19.0", "name": "h1"},
        kubernetes={"labels": {"app_kubernetes_io/name": "pay"}, "container": {"name": "app"}, "pod": {"name": "p"}},
        input={"type": "filestream"},
        ecs={"version": "8.0.0"},
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


def test_documents_of_no_usual_shape_are_read_by_a_mapping(url):
    """As `fields` in sources.toml gives it."""
    document = {"when": "2026-03-01T02:00:01Z", "grade": "E", "words": "m", "component": "pay", "box": "h1"}
    load(url, "own-shape", {"dynamic": True}, [("a", {**document, "grade": "ERROR"})])
    with pytest.raises(BadInput, match="no time field by a usual name"):
        ElasticLogs("es", Http(url), "own-shape").count(HOUR)
    fields = {"time": "when", "level": "grade", "message": "words", "service": "component", "host": "box"}
    source = ElasticLogs("es", Http(url), "own-shape", fields=fields)
    (row,) = source.rows(HOUR).answer().table.to_pylist()
    assert [row[name] for name in ("level", "message", "service", "host")] == ["ERROR", "m", "pay", "h1"]
    assert source.count(HOUR, by=["service"], where="has(message, 'm')").table.to_pylist() == [
        {"service": "pay", "n": 1.0}
    ]
    with pytest.raises(BadInput, match="has no field 'wenn', which its options give to time"):
        ElasticLogs("es", Http(url), "own-shape", fields={"time": "wenn"}).count(HOUR)


def test_a_field_that_only_one_of_two_indices_has_is_missing_in_the_other(url):
    dated = {"@timestamp": {"type": "date"}}
    load(url, "part-a", {"properties": {**dated, "route": KEYWORD}}, [("a", at(0, route="/pay"))])
    load(url, "part-b", {"properties": {**dated, "zone": KEYWORD}}, [("b", at(1, zone="z"))])
    source = ElasticLogs("es", Http(url), "part-*")
    assert source.rows(HOUR).answer().table.select(["id", "route", "zone"]).to_pylist() == [
        {"id": "a", "route": "/pay", "zone": None},
        {"id": "b", "route": None, "zone": "z"},
    ]
    counts = {row["route"]: row["n"] for row in source.count(HOUR, by=["route"]).table.to_pylist()}
    assert counts == {"/pay": 1.0, "<missing>": 1.0}
    shares = {row["name"]: row["share_present"] for row in source.fields(HOUR).table.to_pylist()}
    assert shares == {"route": 0.5, "zone": 0.5}
