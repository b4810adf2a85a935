"""The Loki connector against a real Loki: the contract, paging at equal times, lines of other kinds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from connectors.base import Selection
from connectors.errors import BadInput, NotExpressible
from connectors.http import Http
from connectors.loki import LokiLogs, Settings, open_source
from connectors.settings import Place
from connectors.tables import Tables
from connectors.testing import HOUR, ConnectorContract, assert_same, contract_documents
from connectors.window import Window
from tests.servers.tracing_nodes import loki, push

pytestmark = pytest.mark.server

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns(time: datetime) -> str:
    return str((time - EPOCH) // timedelta(microseconds=1) * 1000)


def streams_of(table, job: str) -> list[dict]:
    """The rows as JSON lines, a stream for each service and host."""
    streams: dict[tuple, list] = {}
    for row in table.to_pylist():
        labels = (row.pop("service"), row.pop("host"))
        at = ns(row.pop("time"))
        line = {name: value for name, value in row.items() if value is not None and name not in ("seq", "weight")}
        streams.setdefault(labels, []).append([at, orjson.dumps(line).decode()])
    named = [{"job": job, "service_name": service, "host": host} for service, host in streams]
    return [
        {"stream": {name: value for name, value in labels.items() if value}, "values": values}
        for labels, values in zip(named, streams.values(), strict=True)
    ]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with loki(tmp_path_factory.mktemp("loki")) as address:
        TestLoki.url = address
        yield address


@pytest.mark.usefixtures("url")
class TestLoki(ConnectorContract):
    url = ""
    weights = False
    unlisted = frozenset({"id"})
    numbers = itertools.count()

    def open_source(self, documents, folder):
        job = f"contract-{next(self.numbers)}"
        push(self.url, streams_of(documents, job))
        return LokiLogs("logs", Http(self.url), selector=f'{{job="{job}"}}', fields={"service": "service_name"})


@pytest.fixture(scope="module")
def source(url):
    push(url, streams_of(contract_documents(), "plain"))
    return opened(url, "plain")


def opened(url, job, **options):
    return LokiLogs("logs", Http(url), selector=f'{{job="{job}"}}', **options)


def test_plain_measures_are_the_servers_own(source):
    reference = Tables("logs", table=contract_documents())
    stats = ("n", "count", "sum", "mean", "min", "max")
    for by, where, top in (((), None, 50), (("route",), None, 2), (("service", "level"), "level >= 'WARN'", 50)):
        answer = source.measure(HOUR, "duration_s", stats=stats, by=by, where=where, top=top)
        assert_same(answer, reference.measure(HOUR, "duration_s", stats=stats, by=by, where=where, top=top), keys=by)
        assert answer.fetch.engine == "Loki"


def test_bins_hold_what_lies_exactly_on_their_edges(source):
    """Loki's own bins are open at the left; and windows may begin and end inside a bin."""
    reference = Tables("logs", table=contract_documents())
    ragged = Window(HOUR.start + timedelta(seconds=27 * 3), HOUR.start + timedelta(minutes=31, seconds=0.5))
    for window, every in ((HOUR, "27s"), (ragged, "27s"), (ragged, "1h"), (ragged, "54s")):
        answer = source.count(window, every=every, by=["level"])
        assert_same(answer, reference.count(window, every=every, by=["level"]), keys=("time", "level"))


@pytest.mark.parametrize("page", [2, 7, 100])
@pytest.mark.parametrize("order", ["time", "-time"])
def test_no_line_is_lost_where_a_page_ends_among_equal_times(url, source, page, order):
    """Five lines share each instant: more than the smallest page holds."""
    window = Window(HOUR.start, HOUR.start + timedelta(minutes=3))
    ids = opened(url, "plain", page=page).rows(window, order=order).answer().table.column("id").to_pylist()
    expected = Tables("logs", table=contract_documents()).rows(window).answer().table.column("id").to_pylist()
    assert sorted(ids) == sorted(expected)
    assert len(ids) == len(set(ids))


def test_a_filter_by_a_label_narrows_the_streams_that_an_instant_is_read_from(url, source):
    """Two streams with lines at one instant, more than a page; only one of them is asked for."""
    at = ns(HOUR.start)
    streams = [
        {"stream": {"job": "two", "host": host}, "values": [[at, f"{host} {i}"] for i in range(5)]}
        for host in ("a", "b")
    ]
    push(url, streams)
    answer = opened(url, "two", page=6).rows(HOUR).answer()
    assert sorted(answer.table.column("message").to_pylist()) == sorted(f"{h} {i}" for h in "ab" for i in range(5))
    assert answer.fetch.partial is None
    only = opened(url, "two", page=6).rows(HOUR, where="host = 'a'").answer()
    assert sorted(only.table.column("message").to_pylist()) == [f"a {i}" for i in range(5)]
    assert '{job="two", host="a"}' in only.fetch.query


def test_a_stream_with_more_lines_at_one_instant_than_a_page_is_said(url):
    at = ns(HOUR.start)
    push(url, [{"stream": {"job": "burst"}, "values": [[at, f"line {i}"] for i in range(20)]}])
    answer = opened(url, "burst", page=5).rows(HOUR).answer()
    assert "over 5 lines in one nanosecond" in answer.fetch.partial
    assert opened(url, "burst").rows(HOUR).answer().table.num_rows == 20


def test_plain_text_is_its_own_message(url):
    lines = ["Pool timeout after 5 s", "served", 'worker says: "no"']
    values = [[ns(HOUR.start + timedelta(seconds=i)), line] for i, line in enumerate(lines)]
    push(url, [{"stream": {"job": "text", "service_name": "pay", "level": "warning"}, "values": values}])
    source = opened(url, "text")
    table = source.rows(HOUR).answer().table
    assert table.column("message").to_pylist() == lines
    assert table.column("level").to_pylist() == ["WARN"] * 3
    assert source.count(HOUR, where="has(message, 'pool timeout') AND level = 'WARN'").table.to_pylist() == [{"n": 1.0}]
    assert source.count(HOUR, where="service = 'pay'", by=["level"]).table.to_pylist() == [{"level": "WARN", "n": 3.0}]


def test_lines_that_are_no_json_among_those_that_are(url):
    lines = ['{"msg": "Pool timeout", "status": 503}', "panic: pool gone", '{"msg": "ok", "status": 200}']
    values = [[ns(HOUR.start + timedelta(seconds=i)), line] for i, line in enumerate(lines)]
    push(url, [{"stream": {"job": "mixed"}, "values": values}])
    source = opened(url, "mixed")
    assert source.rows(HOUR).answer().table.column("message").to_pylist() == ["Pool timeout", "panic: pool gone", "ok"]
    for where, n in (
        ("has(message, 'pool')", 2),
        ("http.response.status_code >= 500", 1),
        ("NOT http.response.status_code >= 500", 2),
        ("http.response.status_code IS NULL", 1),
    ):
        assert source.count(HOUR, where=where).table.to_pylist() == [{"n": n}], where


def test_logfmt(url):
    lines = ['level=warn msg="pool timeout" took=0.25 code=503', "level=info msg=served took=0.01 code=200"]
    values = [[ns(HOUR.start + timedelta(seconds=i)), line] for i, line in enumerate(lines)]
    push(url, [{"stream": {"job": "logfmt"}, "values": values}])
    source = opened(url, "logfmt", fields={"duration_s": "took"})
    rows = source.rows(HOUR).answer().table.to_pylist()
    assert [(r["level"], r["message"], r["duration_s"], r["code"]) for r in rows] == [
        ("WARN", "pool timeout", 0.25, 503), ("INFO", "served", 0.01, 200),
    ]  # fmt: skip
    assert source.count(HOUR, where="duration_s > 0.1 AND code = 503").table.to_pylist() == [{"n": 1.0}]


def test_more_lines_than_are_looked_at(url):
    """Fields and samples are then of slices of time, and say so; counts stay exact; a rare field is found."""
    values = []
    for i in range(9000):
        line = {"i": i, "route": "/pay" if i % 4 else "/home", "id": f"d{i}", **({"rare": "yes"} if i == 4321 else {})}
        values.append([ns(HOUR.start + timedelta(milliseconds=300 * i)), orjson.dumps(line).decode()])
    push(url, [{"stream": {"job": "many"}, "values": values}])
    source = opened(url, "many")
    assert source.count(HOUR, by=["route"]).table.to_pylist() == [{"route": "/pay", "n": 6750.0},
                                                                  {"route": "/home", "n": 2250.0}]  # fmt: skip
    assert source.count(HOUR, where="rare = 'yes'").table.to_pylist() == [{"n": 1.0}]
    found = {row["name"]: row for row in source.fields(HOUR).table.to_pylist()}
    assert found["route"]["share_present"] == 1.0
    assert "time slices: 5,000 of 9,000 lines" in source.fields(HOUR).fetch.sampled
    drawn = source.sample(HOUR, 500, seed=1)
    assert drawn.table.num_rows == 500
    assert sum(drawn.table.column("weight").to_pylist()) == pytest.approx(9000)
    assert source.rows(HOUR).answer().table.num_rows == 9000
    side = Selection(HOUR, "i < 100")
    compared = source.compare(["id", "route"], bad=side, good=Selection(HOUR, "i >= 8900"))  # too many ids for series
    assert {r["value"] for r in compared.table.to_pylist() if r["field"] == "route"} == {"/pay", "/home"}


def test_what_loki_cannot_be_asked_is_named(source):
    with pytest.raises(NotExpressible, match="cannot order texts"):
        source.count(HOUR, where="route > '/a'")
    with pytest.raises(NotExpressible, match="whole milliseconds"):
        source.count(HOUR, every="100.5ms")
    greedy = LokiLogs("logs", source._http, selector='{job="plain"}', page=5001)
    with pytest.raises(BadInput, match=r"limit > max_entries_limit_per_query"):
        greedy.rows(HOUR).answer()


def test_it_tells_of_itself(source):
    probe = source.probe()
    assert (probe.engine, probe.may) == ("Loki", ("labels",))
    assert abs(probe.clock_offset_s) <= probe.clock_error_s + 1


def test_it_opens_from_its_settings(source, url, tmp_path):
    settings = Settings(kind="loki", table="logs", url=url, selector='{job="plain"}', tenant="shop")
    opened_source = open_source("loki", settings, Place(tmp_path))
    assert opened_source.count(HOUR).table.to_pylist() == [{"n": 659.0}]
    with pytest.raises(BadInput, match="gives logs"):
        open_source("loki", settings.model_copy(update={"table": "spans"}), Place(tmp_path))
    with pytest.raises(BadInput, match="write it like"):
        open_source("loki", settings.model_copy(update={"selector": "job=plain"}), Place(tmp_path))
    with pytest.raises(BadInput, match="syntax error"):
        LokiLogs("loki", Http(url), selector="{job=}").count(HOUR)
