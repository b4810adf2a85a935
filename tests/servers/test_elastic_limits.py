"""A server at its limits, or one whose point in time is gone: the whole answer in smaller parts, or a clear refusal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import orjson
import pytest

from connectors.elastic_logs import ElasticLogs
from connectors.elastic_server import TooLarge, TooManyBuckets
from connectors.http import Http
from connectors.tables import Tables
from connectors.testing import HOUR, contract_documents
from tests.servers.elastic_checks import KEYWORD, MAPPINGS, documents_of, read_while_points_vanish
from tests.servers.nodes import elasticsearch, load

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def loaded():
    with elasticsearch() as url:
        load(url, "limits", MAPPINGS, list(documents_of(contract_documents())))
        yield url


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 10)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 4_000)


@pytest.fixture
def reference():
    return Tables("logs", table=contract_documents())


@contextmanager
def limited(url: str, **settings: str | int) -> Iterator[None]:
    """The server with these settings of its cluster, names with _ for dots, and as it was afterwards."""
    named = {name.replace("__", "."): value for name, value in settings.items()}

    def put(values):
        httpx.put(f"{url}/_cluster/settings", json={"persistent": values}, trust_env=False).raise_for_status()

    put(named)
    try:
        yield
    finally:
        put(dict.fromkeys(named))


class Between(httpx.HTTPTransport):
    """Passes requests on, has no memory for pages of over `room` rows nor, without `bins`, for a histogram; counts the
    requests under way."""

    def __init__(self, room: int = 1_000_000, *, bins: bool = True) -> None:
        super().__init__()
        self.room, self.bins, self.refused, self.pages = room, bins, 0, []
        self.now = self.most = 0
        self._lock = threading.Lock()

    def handle_request(self, request):
        body = orjson.loads(request.read() or b"{}") if request.url.path.endswith("_search") else {}
        if body.get("size", 0) > self.room or (not self.bins and b"date_histogram" in request.content):
            self.refused += 1
            error = {"type": "circuit_breaking_exception", "reason": "[parent] Data too large"}
            return httpx.Response(429, json={"error": {**error, "root_cause": [error]}, "status": 429})
        self.pages += [body["size"]] if "sort" in body else []
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return super().handle_request(request)
        finally:
            with self._lock:
                self.now -= 1


def same_rows(answer, reference):
    ids = answer.table.column("id").to_pylist()
    assert len(ids) == len(set(ids))
    assert set(ids) == set(reference.rows(HOUR).answer().table.column("id").to_pylist())
    assert answer.table.column("time").to_pylist() == sorted(answer.table.column("time").to_pylist())
    assert answer.fetch.partial is None


# --- buckets ---------------------------------------------------------------------------------------------------------


def test_more_bins_than_the_server_makes_at_once_are_asked_for_in_parts(loaded, monkeypatch):
    monkeypatch.setattr("connectors.elastic_counts.MOST_BUCKETS", 40)
    source = ElasticLogs("es", Http(loaded), "limits")
    answer = source.count(HOUR, every="30s", by=["route"])
    assert answer.fetch.round_trips > 10
    reference = Tables("logs", table=contract_documents())
    assert answer.table.to_pylist() == reference.count(HOUR, every="30s", by=["route"]).table.to_pylist()


def test_a_server_that_makes_few_buckets_is_asked_for_fewer_at_once(loaded, reference):
    source = ElasticLogs("es", Http(loaded), "limits")
    with limited(loaded, search__max_buckets=60):
        answer = source.count(HOUR, every="30s", by=["route"])
        same_rows(source.rows(HOUR).answer(), reference)
    assert answer.table.to_pylist() == reference.count(HOUR, every="30s", by=["route"]).table.to_pylist()
    assert answer.fetch.partial is None


def test_not_even_one_bin_at_once_is_refused_with_what_to_do(loaded):
    with (
        limited(loaded, search__max_buckets=2),
        pytest.raises(TooManyBuckets, match="take a longer step, fewer fields"),
    ):
        ElasticLogs("es", Http(loaded), "limits").count(HOUR, every="30s", by=["route"])


def test_groups_of_several_fields_come_in_pages_and_the_rest_is_told(loaded, reference, monkeypatch):
    monkeypatch.setattr("connectors.elastic_counts.PAGE", 20)
    for top in (3, 50):
        answer = ElasticLogs("es", Http(loaded), "limits").count(HOUR, by=["host", "route"], top=top)
        assert answer.fetch.round_trips > 5
        expected = reference.count(HOUR, by=["host", "route"], top=top).table.to_pylist()
        assert sorted(answer.table.to_pylist(), key=str) == sorted(expected, key=str)
        assert sum(answer.table.column("n").to_pylist()) == 659


def test_a_field_of_more_values_than_come_at_once_is_counted_whole(loaded):
    """1,500 shelves with a line each, one with two: no shard's own commonest are trusted."""
    documents = [
        (str(at), {"@timestamp": "2026-03-01T02:00:00Z", "shelf": f"shelf-{max(at, 1):04d}"}) for at in range(1_501)
    ]
    load(loaded, "shelves", {"properties": {"@timestamp": {"type": "date"}, "shelf": KEYWORD}}, documents)
    answer = ElasticLogs("es", Http(loaded), "shelves").count(HOUR, by=["shelf"], top=2)
    assert answer.table.to_pylist() == [
        {"shelf": "shelf-0001", "n": 2.0},
        {"shelf": "shelf-0002", "n": 1.0},
        {"shelf": "<other>", "n": 1_498.0},
    ]


# --- memory ----------------------------------------------------------------------------------------------------------


def test_pages_that_a_server_has_no_memory_for_become_smaller(loaded, reference):
    between = Between(room=120)
    source = ElasticLogs("es", Http(loaded, transport=between), "limits")
    same_rows(source.rows(HOUR).answer(), reference)
    assert 1 <= between.refused <= 4
    assert max(between.pages) <= 120
    sampled = source.sample(HOUR, 300)
    assert len(set(sampled.table.column("id").to_pylist())) == 300
    assert max(between.pages) <= 120


def test_no_memory_for_even_a_small_page_is_refused(loaded):
    source = ElasticLogs("es", Http(loaded, transport=Between(room=5)), "limits")
    with pytest.raises(TooLarge, match=r"has not the memory for this \(\[parent\] Data too large\)"):
        source.rows(HOUR).answer()


def test_a_server_without_memory_for_counting_says_so_at_once(loaded):
    source = ElasticLogs("es", Http(loaded), "limits")
    source.count(HOUR)
    with limited(loaded, indices__breaker__request__limit="1kb"):
        began = time.monotonic()
        with pytest.raises(TooLarge, match="has not the memory for this"):
            source.count(HOUR, every="1s", by=["host", "route"])
        assert time.monotonic() - began < 10
    assert source.count(HOUR).table.to_pylist() == [{"n": 659.0}]


def test_a_server_without_memory_for_a_plan_still_gives_its_rows(loaded, reference, small_pages):
    between = Between(bins=False)
    same_rows(ElasticLogs("es", Http(loaded, transport=between), "limits").rows(HOUR).answer(), reference)
    assert between.refused == 2
    assert len(between.pages) > 20


# --- pages and points in time ----------------------------------------------------------------------------------------


def test_rows_come_whole_however_small_the_pages(loaded, monkeypatch):
    """Five rows share each time; a page ends between any two rows."""
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 10)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 4_000)
    source = ElasticLogs("es", Http(loaded), "limits")
    for order in ("time", "-time"):
        answer = source.rows(HOUR, order=order).answer()
        times = answer.table.column("time").to_pylist()
        assert len(set(answer.table.column("id").to_pylist())) == answer.table.num_rows == 659
        assert times == sorted(times, reverse=order == "-time")
        assert answer.fetch.partial is None
        assert answer.fetch.round_trips > 30


def test_the_point_in_time_is_always_closed(loaded):
    source = ElasticLogs("es", Http(loaded), "limits")

    def still_open():
        stats = httpx.get(f"{loaded}/limits/_stats/search", trust_env=False).json()
        return stats["_all"]["total"]["search"]["open_contexts"]

    stream = source.rows(HOUR)
    next(iter(stream))
    assert still_open() > 0
    stream.close()
    assert still_open() == 0
    source.rows(HOUR, limit=3).answer()
    assert still_open() == 0


def test_rows_go_on_where_points_in_time_are_gone(loaded, small_pages):
    assert read_while_points_vanish(loaded, "Elasticsearch") > 2


def test_two_requests_at_a_time(loaded, monkeypatch):
    monkeypatch.setattr("connectors.elastic_rows.FIRST_PAGE", 100)
    monkeypatch.setattr("connectors.elastic_rows.PAGE_BYTES", 30_000)
    between = Between()
    source = ElasticLogs("es", Http(loaded, transport=between), "limits")
    reading = [threading.Thread(target=lambda: source.rows(HOUR).answer()) for _ in range(3)]
    for thread in reading:
        thread.start()
    for thread in reading:
        thread.join(60)
    assert between.most == 2
    assert len(between.pages) > 10
