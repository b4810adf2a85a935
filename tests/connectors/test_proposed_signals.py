"""What is proposed from what a metric source has; and where nothing is."""

from __future__ import annotations

import orjson
import pyarrow as pa
import pytest

from connectors.base import SignalSpec
from connectors.catalog import read_catalog
from connectors.known_metrics import PARTS, RUNTIMES, SERVERS
from connectors.proposed_signals import proposed_signals, signal_rows
from connectors.samples import CATALOGUE


def catalogue(**metrics):
    rows = [
        {"metric": name, "type": "unknown", "series": 1, "samples": None, "first": None, "last": None,
         "labels": orjson.dumps(labels).decode()}
        for name, labels in metrics.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CATALOGUE)


def test_one_signal_per_service_that_the_labels_name():
    found = proposed_signals(catalogue(http_requests_total={"job": ["shop/cart", "shop/pay"], "instance": ["a", "b"]}))
    assert [(s.service, s.kind, s.name, dict(s.where)) for s in found] == [
        ("cart", "traffic", "http.server.requests", {"job": "shop/cart"}),
        ("pay", "traffic", "http.server.requests", {"job": "shop/pay"}),
    ]


def test_failures_are_shares_of_all_requests_by_status():
    found = proposed_signals(catalogue(http_requests_total={"job": ["cart"], "code": ["200", "404", "503"]}))
    failures = [s for s in found if s.kind == "errors"]
    assert failures == [
        SignalSpec("cart", "errors", "http.server.errors.503", "http_requests_total", "counter", "1",
                   where={"job": "cart", "code": "503"}, divide_by="http_requests_total", divide_where={"job": "cart"})
    ]  # fmt: skip


def test_a_pool_in_use_is_a_share_of_its_size_per_pool():
    labels = {"service": ["cart"], "pool": ["main", "reads"], "instance": ["a"]}
    found = proposed_signals(catalogue(cart_db_pool_in_use=labels, cart_db_pool_size=labels))
    assert [(s.name, dict(s.where), s.divide_by, dict(s.divide_where), s.by) for s in found] == [
        (f"db.client.connection.usage_ratio.{pool}", {"service": "cart", "pool": pool}, "cart_db_pool_size",
         {"service": "cart", "pool": pool}, ("instance",))
        for pool in ("main", "reads")
    ]  # fmt: skip


def test_a_share_of_what_is_not_there_is_proposed_as_an_amount():
    (found,) = proposed_signals(catalogue(node_memory_MemAvailable_bytes={"instance": ["h1"]}))
    assert (found.service, found.name, found.unit, found.divide_by) == (
        "host", "system.memory.available", "By", None,
    )  # fmt: skip


def test_a_histogram_is_proposed_for_its_buckets_and_not_for_its_sum():
    labels = {"service": ["cart"], "le": ["0.1", "+Inf"]}
    found = proposed_signals(
        catalogue(render_duration_seconds_bucket=labels, render_duration_seconds_sum={"service": ["cart"]})
    )
    assert [(s.metric, s.metric_type, s.kind, s.unit) for s in found] == [
        ("render_duration_seconds", "histogram", "latency", "s")
    ]


def test_milliseconds_become_seconds():
    (found,) = proposed_signals(catalogue(rpc_server_duration_milliseconds_bucket={"job": ["a"], "le": ["5"]}))
    assert (found.unit, found.scale) == ("s", 0.001)


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"orders": {"service": ["cart"]}},  # no rule knows it
        {"http_requests_total": {}},  # no label says whose it is
        {"node_cpu_seconds_total": {"mode": ["idle"], "instance": ["h1"]}},  # not the time in which it works
    ],
)
def test_nothing_is_proposed_for_what_no_rule_knows(metrics):
    assert proposed_signals(catalogue(**metrics)) == ()


def test_every_known_metric_is_proposed_when_it_is_there():
    for known in (*SERVERS, *RUNTIMES, *PARTS):
        labels = {label: [text] for label, text in known.where.items()}
        labels |= {"job": ["svc"], "instance": ["a"]}
        name = f"{known.metric}_bucket" if known.metric_type == "histogram" else known.metric
        metrics = {name: labels, **({known.divide_by: {"job": ["svc"]}} if known.divide_by else {})}
        found = proposed_signals(catalogue(**metrics))
        assert (known.service or "svc", known.kind, known.name) in {(s.service, s.kind, s.name) for s in found}, known


def test_what_is_proposed_is_accepted_as_signals_toml(tmp_path):
    import tomli_w

    found = proposed_signals(
        catalogue(
            http_requests_total={"job": ["cart"], "code": ["200", "503"]},
            process_open_fds={"job": ["cart"], "instance": ["a"]},
            process_max_fds={"job": ["cart"], "instance": ["a"]},
        )
    )
    (tmp_path / "sources.toml").write_text('[sources.m]\nkind = "files"\ntable = "metrics"\npath = "m.om"\n')
    (tmp_path / "signals.toml").write_text(tomli_w.dumps({"signal": signal_rows(found)}))
    assert read_catalog(tmp_path).signals == found
