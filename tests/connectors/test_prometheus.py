"""What goes wrong between here and a metric store: each a clear sentence, or an honest part of the answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from connectors.base import SignalSpec
from connectors.errors import AccessDenied, BadInput, OverBudget, SourceUnavailable
from connectors.http import Http
from connectors.prometheus import PrometheusMetrics, Settings, open_source
from connectors.settings import Place
from connectors.window import Window

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
REQUESTS = SignalSpec("shop", "traffic", "requests", "requests_total", "counter", "{request}")
DEPTH = SignalSpec("shop", "saturation", "depth", "depth", unit="{message}")
LABELS = {"__name__": "requests_total", "instance": "a"}


class Store:
    """A store of one counter that grows by 2 every 30 s; `faults` answer instead, by what is asked."""

    def __init__(self, **faults):
        self.faults = faults
        self.asked = []

    def __call__(self, request):
        path = request.url.path.rpartition("/api/v1/")[2]
        query = dict(request.url.params)
        self.asked.append((path, query))
        kind = "version" if path == "status/buildinfo" else "rule" if "vector(1)" in query.get("query", "") else path
        if kind in self.faults:
            given = self.faults[kind](query)
            if given is not None:
                return given
        return {"version": lambda: said({"version": "2.42.0"}), "rule": lambda: said(vector("2")),
                "label/__name__/values": lambda: said(["requests_total", "up"]), "metadata": lambda: said({}),
                "series": lambda: said([LABELS])}.get(kind, lambda: said(self.samples(query)))()  # fmt: skip

    def samples(self, query):
        end = float(query["time"])
        width = float(query["query"].rpartition("[")[2].removesuffix("ms]")) / 1000
        first = -(-(end - width) // 30) * 30
        values = []
        while first <= end:
            values.append([first, str(first / 15)])
            first += 30
        return {"resultType": "matrix", "result": [{"metric": LABELS, "values": values}]}


def said(data):
    return httpx.Response(200, json={"status": "success", "data": data})


def refused(status, text, **headers):
    return httpx.Response(status, json={"status": "error", "errorType": "x", "error": text}, headers=headers)


def vector(value):
    return {"resultType": "vector", "result": [{"metric": {}, "value": [0, value]}]}


def source(store, **options):
    http = Http("http://metrics.example", transport=httpx.MockTransport(store), pause=lambda s: None)
    return PrometheusMetrics("prom", http, **options)


def grown(answer):
    return sum(row["value"] for row in answer.table.to_pylist())


def test_a_counter_is_read_whole():
    store = Store()
    answer = source(store).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert grown(answer) == 240
    assert answer.table.num_rows == 60
    assert answer.fetch.partial is None
    assert answer.fetch.engine == "Prometheus 2.42.0"
    assert answer.fetch.round_trips == len(store.asked) - 2  # who it is, is asked once and is no part of the question


def test_too_much_for_one_answer_is_asked_in_halves():
    def limit(query):
        width = float(query["query"].rpartition("[")[2].removesuffix("ms]"))
        if width > 20 * 60_000:
            return refused(422, "query processing would load too many samples into memory in query execution")

    store = Store(query=limit)
    answer = source(store).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert grown(answer) == 240
    assert answer.fetch.partial is None
    assert sum(path == "query" and "[" in query["query"] for path, query in store.asked) > 4


def test_what_is_too_much_even_for_a_minute_is_left_out_and_named():
    def limit(query):
        if "requests" in query["query"]:
            return refused(422, "too many samples")

    answer = source(Store(query=limit)).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert answer.table.num_rows == 0
    assert "requests_total from 2026-03-01T01:55:00Z to" in answer.fetch.partial
    assert "too many samples" in answer.fetch.partial


@pytest.mark.parametrize(("status", "error"), [(400, BadInput), (422, BadInput), (403, AccessDenied)])
def test_a_refusal_is_the_servers_own_words(status, error):
    store = Store(query=lambda q: refused(status, "parse error: unclosed left parenthesis"))
    with pytest.raises(error, match=rf"metrics.example.*HTTP {status}: parse error: unclosed left parenthesis"):
        source(store).metrics(HOUR, signals=[REQUESTS], every="1m")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_broken_store_is_said_when_nothing_came(status):
    with pytest.raises(SourceUnavailable, match=f"busy or broken .HTTP {status}: overloaded"):
        source(Store(query=lambda q: refused(status, "overloaded"))).metrics(HOUR, signals=[REQUESTS], every="1m")


def test_a_busy_store_is_asked_again():
    answers = iter([refused(429, "slow down", **{"retry-after": "1"}), None])
    answer = source(Store(query=lambda q: next(answers, None))).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert grown(answer) == 240


def test_a_store_that_breaks_off_halfway_gives_what_came_and_says_from_when_nothing_did(monkeypatch):
    monkeypatch.setattr("connectors.prometheus_api.CHUNK", 1200)  # 100 minutes at the 5 s assumed: two requests
    late = START.timestamp() + 2400

    def breaks(query):
        if float(query["time"]) > late:
            raise httpx.ReadTimeout("stalled")

    long = Window(HOUR.start - timedelta(hours=1), HOUR.end)
    answer = source(Store(query=breaks)).metrics(long, signals=[REQUESTS], every="1m")
    assert "requests_total from 2026-03-01T02:35:00Z on and what stood after it were not read" in answer.fetch.partial
    assert "gave no whole answer within the time limit" in answer.fetch.partial
    last = max(row["time"] for row in answer.table.to_pylist())
    assert last < START + timedelta(minutes=36)


def test_a_range_with_no_data_is_an_empty_table():
    store = Store(**{"label/__name__/values": lambda q: said([])})
    answer = source(store).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert answer.table.num_rows == 0
    assert answer.fetch.partial == "there is no metric requests_total, so no shop/requests"
    assert not any(path == "query" for path, query in store.asked if "[" in query.get("query", "").replace("[10s", ""))


def test_an_unknown_metric_is_named_with_what_the_server_has():
    wrong = SignalSpec("shop", "traffic", "wrong", "request_total", "counter")
    answer = source(Store()).metrics(HOUR, signals=[wrong, REQUESTS], every="1m")
    assert grown(answer) == 240
    assert answer.fetch.partial == "there is no metric request_total (did you mean requests_total?), so no shop/wrong"


def test_over_the_budget_is_asked_of_nobody():
    store = Store()
    with pytest.raises(OverBudget, match=r"about 7,800 samples of 1 series of prom, over the budget of 100"):
        source(store, rows=100, interval="500ms").metrics(HOUR, signals=[REQUESTS], every=None)
    assert [path for path, _ in store.asked if path.startswith("query")] == ["query"]  # the one about the engine


def test_over_the_budget_with_a_step_the_server_reduces():
    def steps(query):
        first, last, step = (float(query[name]) for name in ("start", "end", "step"))
        if "resets" in query["query"]:
            return said({"resultType": "matrix", "result": []})
        ats = [first + k * step for k in range(round((last - first) / step) + 1)]
        values = [[at, str(at // 30 * 2)] for at in ats]
        return said({"resultType": "matrix", "result": [{"metric": LABELS, "values": values}]})

    answer = source(Store(query_range=steps), rows=500, interval="5s").metrics(HOUR, signals=[REQUESTS], every="1m")
    assert grown(answer) == 240
    assert answer.fetch.sampled.startswith("per 1m by Prometheus 2.42.0")


def test_more_samples_than_the_budget_are_stopped():
    with pytest.raises(OverBudget, match="more than 50 samples"):
        source(Store(), rows=50, read="samples").metrics(HOUR, signals=[REQUESTS], every="1m")


def test_what_is_no_prometheus_is_said():
    store = Store(rule=lambda q: httpx.Response(200, json={"took": 3}))
    with pytest.raises(SourceUnavailable, match="does not answer as Prometheus does: check the address"):
        source(store).catalogue(HOUR)


def test_a_prefix_in_the_address_is_kept():
    store = Store()
    http = Http("http://metrics.example/tenant/7", transport=httpx.MockTransport(store))
    seen = []
    http._client.event_hooks = {"request": [lambda r: seen.append(r.url.path)]}
    PrometheusMetrics("prom", http).catalogue(HOUR)
    assert all(path.startswith("/tenant/7/api/v1/") for path in seen)
    assert seen


def test_labels_to_match_are_in_every_selector():
    store = Store()
    source(store, match={"cluster": 'eu"1'}).metrics(HOUR, signals=[REQUESTS], every="1m")
    selectors = [q.get("match[]") or q["query"] for path, q in store.asked if "vector" not in q.get("query", "") and q]
    assert all('cluster="eu\\"1"' in text for text in selectors)
    assert selectors


def test_no_alerts_without_the_metrics_that_tell_of_them():
    answer = source(Store(**{"label/__name__/values": lambda q: said(["requests_total"])})).alerts(HOUR)
    assert answer.table.num_rows == 0
    assert "no metric ALERTS or up" in answer.fetch.partial


def test_only_metrics_and_alerts_can_be_asked(tmp_path):
    settings = Settings(kind="prometheus", table="logs", url="http://metrics.example")
    with pytest.raises(BadInput, match="gives metrics and alerts"):
        open_source("prom", settings, Place(tmp_path))


def test_the_time_in_milliseconds_is_exact():
    def odd(query):
        values = [[START.timestamp() + 0.123, "1"], [START.timestamp() + 30.123, "NaN"]]
        return said({"resultType": "matrix", "result": [{"metric": {"__name__": "depth"}, "values": values}]})

    faults = {"query": odd, "label/__name__/values": lambda q: said(["depth"]),
              "series": lambda q: said([{"__name__": "depth"}])}  # fmt: skip
    rows = source(Store(**faults)).metrics(HOUR, signals=[DEPTH]).table.to_pylist()
    assert [(row["time"], row["value"]) for row in rows] == [(START + timedelta(milliseconds=123), 1.0)]
    assert orjson.loads(rows[0]["labels"]) == {}


def test_all_requests_of_a_question_share_one_deadline(monkeypatch):
    store, later, real = Store(), [0.0], time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + later[0])

    def slow(request):
        later[0] += 40.0  # each in time for itself
        return store(request)

    with pytest.raises(SourceUnavailable, match="time limit"):
        source(slow, deadline_s=100).metrics(HOUR, signals=[REQUESTS], every="1m")
    assert grown(source(slow, deadline_s=400).metrics(HOUR, signals=[REQUESTS], every="1m")) == 240


def test_the_same_question_opens_in_the_servers_own_pages():
    answer = source(Store(), ui="https://prom.example/").metrics(HOUR, signals=[REQUESTS], every="1m")
    assert answer.fetch.link == (
        "https://prom.example/graph?g0.expr=%7B__name__%3D%22requests_total%22%7D&g0.range_input=3600s"
        "&g0.end_input=2026-03-01+03%3A00%3A00&g0.tab=0"
    )
    assert source(Store()).metrics(HOUR, signals=[REQUESTS], every="1m").fetch.link is None
