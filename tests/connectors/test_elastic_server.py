"""What an Elasticsearch or OpenSearch says when it cannot, will not or could only in part; told by a made-up server."""

from __future__ import annotations

import httpx
import pytest

from connectors.asking import Asking
from connectors.elastic_server import PointGone, Server, TooLarge, TooManyBuckets
from connectors.errors import BadInput, NotFound, SourceUnavailable
from connectors.http import TRIES, Http

WHOLE = {"took": 5, "timed_out": False, "_shards": {"total": 2, "failed": 0}, "hits": {"total": {"value": 7}}}
HALF = {**WHOLE, "_shards": {"total": 2, "failed": 1, "failures": [{"reason": {"type": "node_disconnected"}}]}}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("connectors.elastic_server.time.sleep", lambda seconds: None)


def server(*replies, product="Elasticsearch"):
    """A server that gives these replies, the last one for good, and the list of the requests it got."""
    got = []

    def answer(request):
        got.append(request)
        return replies[min(len(got), len(replies)) - 1]

    http = Http("http://logs.example", transport=httpx.MockTransport(answer), pause=lambda seconds: None)
    return Server("logs", http, "shop-*", product=product), got


def good(body):
    return httpx.Response(200, json=body)


def refused(status, kind, reason="because"):
    cause = {"type": kind, "reason": reason}
    error = {"type": "search_phase_execution_exception", "root_cause": [cause], "reason": "all shards failed"}
    return httpx.Response(status, json={"error": error, "status": status})


def searched(one):
    asking = Asking("logs", "count", "{}", "Elasticsearch 8.19.0")
    return one.search(asking, {"size": 0}), asking


# --- which server this is --------------------------------------------------------------------------------------------


def told(number, **more):
    return good({"version": {"number": number, **more}})


def test_a_version_that_is_too_old_is_refused_with_the_oldest_that_is_not():
    with pytest.raises(BadInput, match=r"logs is Elasticsearch 6\.8\.23, and 7\.12 is the oldest .* files"):
        _ = server(told("6.8.23"))[0].engine
    with pytest.raises(BadInput, match=r"OpenSearch 1\.3\.20, and 2\.4 is the oldest"):
        _ = server(told("1.3.20", distribution="opensearch"), product="OpenSearch")[0].engine


@pytest.mark.parametrize("number", ["7.12.0", "8.19.0", "9.0.1", "10.0.0-SNAPSHOT"])
def test_a_version_that_can_be_asked_is_told(number):
    assert server(told(number))[0].engine == f"Elasticsearch {number}"


def test_another_product_is_named_with_the_line_to_write():
    with pytest.raises(BadInput, match=r'is OpenSearch 2\.19\.1: write kind = "opensearch"'):
        _ = server(told("2.19.1", distribution="opensearch"))[0].engine
    with pytest.raises(BadInput, match=r'is Elasticsearch 8\.19\.0: write kind = "elasticsearch"'):
        _ = server(told("8.19.0"), product="OpenSearch")[0].engine


def test_a_key_that_may_not_ask_who_it_is_finds_the_product_only():
    one, _ = server(refused(403, "security_exception"))
    assert one.engine == "Elasticsearch"


# --- a part of an answer ---------------------------------------------------------------------------------------------


def test_shards_that_failed_are_asked_again_and_their_rows_are_not_missed():
    one, got = server(good(HALF), good(WHOLE))
    found, asking = searched(one)
    assert (found["hits"]["total"]["value"], asking.missing, len(got)) == (7, [], 2)


def test_shards_that_keep_failing_are_said():
    one, got = server(good(HALF))
    _, asking = searched(one)
    assert len(got) == 3
    assert asking.missing == ["1 of 2 shards failed (node_disconnected), so their rows are missing"]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("timed_out", "the server stopped at the time limit, so rows are missing"),
        ("terminated_early", "the server stopped early, so rows are missing"),
    ],
)
def test_a_search_that_was_cut_short_is_said_and_not_asked_again(flag, said):
    one, got = server(good({**WHOLE, flag: True}))
    _, asking = searched(one)
    assert (asking.missing, len(got)) == ([said], 1)


def test_one_search_of_several_that_lacks_a_shard_is_said():
    one, _ = server(good({"responses": [WHOLE, HALF]}))
    asking = Asking("logs", "compare", "{}", "Elasticsearch")
    one.searches(asking, [{"size": 0}, {"size": 0}])
    assert asking.fetch(0).partial == "1 of 2 shards failed (node_disconnected), so their rows are missing"


def test_a_server_has_less_time_than_the_question_and_the_same_question_the_same_words():
    one, got = server(good(WHOLE))
    searched(one)
    searched(one)
    assert got[0].content == got[1].content
    assert b'"timeout":"100s"' in got[0].content


# --- not now, not so much --------------------------------------------------------------------------------------------


def test_a_busy_server_is_asked_again_later():
    busy = refused(429, "es_rejected_execution_exception")
    one, got = server(busy, busy, good(WHOLE))
    found, asking = searched(one)
    assert (found["hits"]["total"]["value"], asking.missing, len(got)) == (7, [], 3)


def test_a_server_that_stays_busy_is_given_up():
    one, got = server(refused(429, "es_rejected_execution_exception", "queue is full"))
    with pytest.raises(SourceUnavailable, match=r"busy.*HTTP 429: queue is full.*ask again later"):
        searched(one)
    assert len(got) == TRIES


def test_no_memory_for_a_question_is_said_at_once():
    one, got = server(refused(429, "circuit_breaking_exception", "Data too large"))
    with pytest.raises(TooLarge, match=r"has not the memory for this \(Data too large\): ask a narrower window"):
        searched(one)
    assert len(got) == 1


def test_too_many_buckets_are_said_at_once():
    one, got = server(refused(400, "too_many_buckets_exception", "maximum of 65536"))
    with pytest.raises(TooManyBuckets, match=r"so many groups at once \(maximum of 65536\): take a longer step"):
        searched(one)
    assert len(got) == 1


def test_an_error_of_one_search_among_several_is_raised():
    error = {"type": "circuit_breaking_exception", "reason": "Data too large"}
    one, _ = server(good({"responses": [WHOLE, {"error": error, "status": 429}]}))
    with pytest.raises(TooLarge):
        one.searches(Asking("logs", "compare", "{}", "Elasticsearch"), [{"size": 0}, {"size": 0}])


def test_a_point_in_time_that_is_gone_is_told_apart():
    one, _ = server(refused(404, "search_context_missing_exception", "No search context found"))
    with pytest.raises(PointGone, match="point in time"):
        searched(one)


def test_no_index_is_said():
    one, _ = server(refused(404, "index_not_found_exception", "no such index [shop-x]"))
    with pytest.raises(NotFound, match=r"no index shop-\* \(no such index \[shop-x\]\): check index ="):
        searched(one)
