"""Probing both sides of each boundary and cutting between the last good and the first bad."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from connectors.errors import BadInput
from connectors.schema import PATH
from connectors.window import Window
from kit.health import Health, kind_of, read_bins
from kit.path import bisect, probe_path

START = pd.Timestamp("2026-03-01T02:00:00Z")
BASELINE = Window.of(START, START + pd.Timedelta("10min"))
INCIDENT = Window.of(START + pd.Timedelta("10min"), START + pd.Timedelta("15min"))
WINDOWS = {"baseline": BASELINE, "incident": INCIDENT}


def wide(**signals):
    """60 bins of 15 s, 40 before and 20 during; each signal is its value before and its value during."""
    index = pd.date_range(START, periods=60, freq="15s", name="time")
    ripple = 1 + 0.02 * np.sin(np.arange(60))
    return pd.DataFrame(
        {k: np.r_[np.full(40, a), np.full(20, b)] * ripple for k, (a, b) in signals.items()}, index=index
    )


def edge(caller, callee, *, leaves=(), arrives=(), kind="service", route=None, mode="sync"):
    return {
        "caller": caller, "callee": callee, "kind": kind, "route": route, "mode": mode, "arrives": list(arrives),
        "leaves": list(leaves),
    }  # fmt: skip


def path(*edges):
    return pa.Table.from_pylist(list(edges), schema=PATH)


SHOP = path(
    edge("client", "nginx", kind="lb", leaves=["client/requests.duration.p99"],
         arrives=["nginx/requests.duration.p99", "nginx/requests.errors_ratio"]),
    edge("nginx", "checkout", leaves=["nginx/upstream.duration.p99"],
         arrives=["checkout/http.server.request.duration.p99", "checkout/http.server.errors.ratio"]),
    edge("checkout", "postgres", kind="database",
         leaves=["checkout/db.client.operation.duration.p99", "checkout/db.client.connection.usage_ratio.ratio"],
         arrives=["postgres/db.server.statement.duration.ratio"]),
)  # fmt: skip
HEALTHY = {
    "client/requests.duration.p99": (0.2, 0.2),
    "nginx/requests.duration.p99": (0.19, 0.19),
    "nginx/requests.errors_ratio": (0.001, 0.001),
    "nginx/upstream.duration.p99": (0.18, 0.18),
    "checkout/http.server.request.duration.p99": (0.17, 0.17),
    "checkout/http.server.errors.ratio": (0.001, 0.001),
    "checkout/db.client.operation.duration.p99": (0.02, 0.02),
    "checkout/db.client.connection.usage_ratio.ratio": (0.3, 0.3),
    "postgres/db.server.statement.duration.ratio": (0.01, 0.01),
}
ILL = {
    "client/requests.duration.p99": (0.2, 5.1),
    "nginx/requests.duration.p99": (0.19, 5.0),
    "nginx/requests.errors_ratio": (0.001, 0.3),
    "nginx/upstream.duration.p99": (0.18, 5.0),
    "checkout/http.server.request.duration.p99": (0.17, 5.0),
    "checkout/http.server.errors.ratio": (0.001, 0.3),
}
STARVED = HEALTHY | ILL | {
    "checkout/db.client.operation.duration.p99": (0.02, 2.1),
    "checkout/db.client.connection.usage_ratio.ratio": (0.3, 1.0),
    "postgres/db.server.statement.duration.ratio": (0.01, 1.4),
}  # fmt: skip


def cut(signals, *, of=SHOP, **more):
    return bisect(probe_path(of, metrics=wide(**signals), **WINDOWS, **more))


def test_a_slow_query_is_cut_between_service_and_database():
    got = cut(STARVED)
    assert (got.between, got.where, got.last_good, got.first_bad) == (
        "checkout → postgres", "here", ("checkout",), ("postgres",)
    )  # fmt: skip
    assert got.unknown == ()
    assert got.next_probe is None
    assert got.cuts_left == 0


def test_a_healthy_path_has_no_cut():
    got = cut(HEALTHY)
    assert got.between is None
    assert got.breaks == ()
    assert got.headline == "Every boundary that is visible is good"


def test_swapped_windows_have_no_cut():
    probes = probe_path(SHOP, metrics=wide(**STARVED), baseline=INCIDENT, incident=BASELINE)
    assert bisect(probes).between is None


def test_a_service_ill_by_itself_is_cut_before_it():
    got = cut(HEALTHY | ILL)
    assert (got.between, got.where, got.first_bad) == ("nginx → checkout", "here", ("checkout",))


def test_bad_for_the_caller_and_good_for_the_callee_lies_between_them():
    signals = HEALTHY | ILL | {
        "checkout/http.server.request.duration.p99": (0.17, 0.17), "checkout/http.server.errors.ratio": (0.001, 0.001),
    }  # fmt: skip
    got = cut(signals)
    assert (got.between, got.where, got.first_bad) == ("nginx → checkout", "between", ("nginx → checkout",))


def test_a_full_pool_before_a_healthy_database_lies_between_them():
    signals = HEALTHY | ILL | {"checkout/db.client.connection.usage_ratio.ratio": (0.3, 1.0)}
    got = cut(signals)
    assert (got.between, got.where) == ("checkout → postgres", "between")


def test_bad_for_the_callee_but_not_for_this_caller_is_another_callers_harm():
    signals = HEALTHY | ILL | {"postgres/db.server.statement.duration.ratio": (0.01, 1.4)}
    assert cut(signals).between == "nginx → checkout"


def test_a_hop_without_data_is_unknown_and_walked_around():
    signals = {k: v for k, v in STARVED.items() if not k.startswith(("checkout/http", "nginx/upstream"))}
    got = cut(signals)
    assert got.between == "checkout → postgres"


def test_what_lies_beyond_an_unseen_callee_is_said_and_probed_next():
    signals = {k: v for k, v in STARVED.items() if not k.startswith("postgres/")}
    got = cut(signals)
    assert (got.between, got.where, got.unknown) == ("checkout → postgres", "below", ("postgres",))
    assert (got.next_probe, got.cuts_left) == ("postgres", 1)


def test_the_next_probe_halves_what_is_left_as_bisecting_commits_does():
    chain = path(*[edge(f"n{i}", f"n{i + 1}", arrives=[f"n{i + 1}/x.duration.p99"]) for i in range(8)])
    got = cut({"n1/x.duration.p99": (0.1, 9.0)}, of=chain)
    assert got.unknown == tuple(f"n{i}" for i in range(2, 9))
    assert (got.next_probe, got.cuts_left) == ("n5", 3)


def test_without_any_data_nothing_is_claimed():
    got = bisect(probe_path(SHOP, **WINDOWS))
    assert got.between is None
    assert got.headline.startswith("Nothing is visible")


def test_a_calm_neighbour_is_left_alone():
    of = path(
        edge("web", "shop", arrives=["shop/requests.duration.p99"]),
        edge("shop", "cart", arrives=["cart/requests.duration.p99"]),
        edge("shop", "mail", arrives=["mail/requests.duration.p99"]),
    )
    signals = {
        "web/requests.duration.p99": (0.1, 3.0), "shop/requests.duration.p99": (0.1, 3.0),
        "cart/requests.duration.p99": (0.05, 2.9), "mail/requests.duration.p99": (0.05, 0.05),
    }  # fmt: skip
    got = cut(signals, of=of)
    assert (got.between, len(got.breaks)) == ("shop → cart", 1)


def test_two_faults_at_once_are_two_breaks():
    of = path(
        edge("web", "cart", arrives=["cart/requests.duration.p99"]),
        edge("web", "mail", arrives=["mail/requests.duration.p99"]),
    )
    signals = {
        "web/requests.duration.p99": (0.1, 3.0), "cart/requests.duration.p99": (0.05, 2.9),
        "mail/requests.duration.p99": (0.05, 1.0),
    }  # fmt: skip
    assert [b.between for b in cut(signals, of=of).breaks] == ["web → cart", "web → mail"]


def test_calls_to_two_healthy_callees_slow_on_the_callers_side_alone_blame_the_caller():
    of = path(
        edge("web", "shop", arrives=["shop/requests.duration.p99"]),
        edge("shop", "cart", leaves=["shop/cart.duration.p99"], arrives=["cart/requests.duration.p99"]),
        edge("shop", "mail", leaves=["shop/mail.duration.p99"], arrives=["mail/requests.duration.p99"]),
    )
    signals = {
        "web/requests.duration.p99": (0.1, 3.0), "shop/requests.duration.p99": (0.1, 3.0),
        "shop/cart.duration.p99": (0.05, 1.0), "shop/mail.duration.p99": (0.05, 1.0),
        "cart/requests.duration.p99": (0.04, 0.04), "mail/requests.duration.p99": (0.04, 0.04),
    }  # fmt: skip
    assert (cut(signals, of=of).between, cut(signals, of=of).where) == ("web → shop", "here")


def test_a_long_queue_does_not_reach_back_over_an_asynchronous_edge():
    of = path(
        edge("web", "shop", arrives=["shop/requests.duration.p99"]),
        edge("shop", "redis", kind="queue", mode="async", arrives=["redis/queue.depth.gauge"]),
    )
    signals = {
        "web/requests.duration.p99": (0.1, 3.0), "shop/requests.duration.p99": (0.1, 3.0),
        "redis/queue.depth.gauge": (3.0, 900.0),
    }  # fmt: skip
    assert cut(signals, of=of).between == "web → shop"
    calm = {k: (a, a) for k, (a, _) in signals.items()} | {"redis/queue.depth.gauge": (3.0, 900.0)}
    assert cut(calm, of=of).between == "shop → redis"


def test_each_route_has_its_own_cut():
    of = path(
        edge("web", "shop", arrives=["shop/requests.duration.p99"]),
        edge("shop", "cart", route="/cart", arrives=["cart/requests.duration.p99"]),
        edge("shop", "pay", route="/pay", arrives=["pay/requests.duration.p99"]),
    )
    signals = {
        "web/requests.duration.p99": (0.1, 3.0), "shop/requests.duration.p99": (0.1, 3.0),
        "cart/requests.duration.p99": (0.05, 0.05), "pay/requests.duration.p99": (0.05, 2.9),
    }  # fmt: skip
    got = cut(signals, of=of)
    assert got.between == "shop → pay"
    assert {r: c.between for r, c in got.routes.items()} == {"/cart": "web → shop", "/pay": "shop → pay"}


def request_rows(service, n_before, n_after, *, failed=0.0, slow=0.05, before=0.05, **more):
    times = [START + pd.Timedelta(seconds=600 * i / max(n_before, 1)) for i in range(n_before)]
    times += [START + pd.Timedelta(seconds=600 + 300 * i / max(n_after, 1)) for i in range(n_after)]
    status = [200] * n_before + [503 if i < failed * n_after else 200 for i in range(n_after)]
    spread = 1 + 0.1 * np.sin(np.arange(n_before + n_after))
    duration = np.r_[np.full(n_before, before), np.full(n_after, slow)] * spread
    frame = pd.DataFrame({"time": times, "service": service, "http.response.status_code": status, "weight": 1.0})
    return frame.assign(duration_s=duration, seq=range(len(frame)), **more)


def test_the_cut_from_logs_alone_is_the_same():
    nginx = request_rows("nginx", 400, 200, failed=0.3, slow=5.0)
    nginx["upstream.duration_s"] = nginx["duration_s"] * 0.98
    checkout = request_rows("checkout", 400, 200, failed=0.3, slow=4.9)
    slow_log = request_rows("postgres", 60, 90, slow=2.0, before=0.2)
    logs = pd.concat([request_rows("client", 400, 200, failed=0.3, slow=5.1), nginx, checkout, slow_log])
    of = path(
        edge("client", "nginx", arrives=["nginx/requests.errors_ratio", "nginx/requests.duration.p99"]),
        edge("nginx", "checkout", leaves=["nginx/upstream.duration.p99"], arrives=["checkout/requests.duration.p99"]),
        edge("checkout", "postgres", arrives=["postgres/requests.duration.p50"]),
    )
    got = bisect(probe_path(of, logs=logs, **WINDOWS))
    assert (got.between, got.where) == ("checkout → postgres", "here")


def test_under_thirty_requests_there_is_an_interval_and_no_verdict():
    of = path(edge("web", "shop", arrives=["shop/requests.errors_ratio"]))
    few = probe_path(of, logs=request_rows("shop", 400, 20, failed=0.5), **WINDOWS).to_frame()
    row = few[few["signal"] == "shop/requests.errors_ratio"].iloc[0]
    assert row["verdict"] == "unknown"
    assert row["low"] < 0.5 < row["high"]
    enough = probe_path(of, logs=request_rows("shop", 400, 40, failed=0.5), **WINDOWS)
    assert bisect(enough).between == "web → shop"


def trace_rows(*, postgres_s):
    rows = []
    for i in range(120):
        at = START + pd.Timedelta(seconds=7.5 * i)
        ill = i >= 80
        db = (postgres_s if ill else 0.01) * (1 + 0.01 * (i % 7))
        nodes = [("a", None, "client", "client", db + 0.06), ("b", "a", "nginx", "server", db + 0.05),
                 ("c", "b", "nginx", "client", db + 0.04), ("d", "c", "checkout", "server", db + 0.03),
                 ("e", "d", "checkout", "client", db)]  # fmt: skip
        rows += [
            {"start": at, "duration_s": d, "trace_id": f"t{i}", "span_id": s, "parent_id": p, "service": v, "kind": k,
             "name": "op", "status": "ok", "peer": "postgres" if s == "e" else None, "weight": 1.0}
            for s, p, v, k, d in nodes
        ]  # fmt: skip
    return pd.DataFrame(rows)


def test_with_spans_and_without_the_cut_is_the_same():
    spans = trace_rows(postgres_s=1.8)
    bare = path(*[edge(a, b) for a, b in (("client", "nginx"), ("nginx", "checkout"), ("checkout", "postgres"))])
    alone = bisect(probe_path(bare, spans=spans, **WINDOWS))
    both = bisect(probe_path(SHOP, spans=spans, metrics=wide(**STARVED), **WINDOWS))
    withheld = cut(STARVED)
    assert alone.between == both.between == withheld.between == "checkout → postgres"
    assert bisect(probe_path(bare, spans=trace_rows(postgres_s=0.01), **WINDOWS)).between is None


def test_failures_counted_beside_a_duration_are_read_with_it():
    of = path(
        edge("web", "pay", arrives=["pay/http.server.errors.ratio"]),
        edge("pay", "fraud", leaves=["pay/http.client.fraud.duration.p99"]),
    )
    signals = {
        "web/requests.errors_ratio": (0.0, 0.4), "pay/http.server.errors.ratio": (0.0, 0.4),
        "pay/http.client.fraud.duration.p99": (0.1, 0.05), "pay/http.client.fraud.failures.rate": (0.0, 3.0),
    }  # fmt: skip
    assert cut(signals, of=of).between == "pay → fraud"
    assert cut(signals | {"pay/http.client.fraud.failures.rate": (0.0, 0.0)}, of=of).between == "web → pay"


def test_a_rise_too_small_to_matter_is_not_where_the_harm_begins():
    signals = HEALTHY | ILL | {"postgres/db.server.statement.duration.ratio": (0.0003, 0.0006)}
    signals["checkout/db.client.operation.duration.p99"] = (0.002, 0.004)
    got = cut(signals)
    assert (got.between, got.where) == ("nginx → checkout", "here")


def test_of_a_chain_of_calls_into_the_unseen_the_last_one_is_the_break():
    keep = ("client/", "nginx/", "checkout/db.client.operation")
    got = cut({k: v for k, v in STARVED.items() if k.startswith(keep)})
    assert (got.between, got.where) == ("checkout → postgres", "below")


def test_a_hop_that_writes_no_spans_is_passed_over():
    spans = trace_rows(postgres_s=1.8)
    spans = spans[spans["service"] != "nginx"]
    spans.loc[spans["span_id"] == "d", "parent_id"] = "a"
    bare = path(*[edge(a, b) for a, b in (("client", "nginx"), ("nginx", "checkout"), ("checkout", "postgres"))])
    assert bisect(probe_path(bare, spans=spans, **WINDOWS)).between == "checkout → postgres"


def test_long_metrics_and_a_wide_frame_give_the_same():
    frame = wide(**STARVED)
    long = frame.reset_index().melt(id_vars="time", var_name="signal", value_name="value")
    long["kind"] = [kind_of(s) for s in long["signal"]]
    got = bisect(probe_path(SHOP, metrics=long, **WINDOWS))
    assert got.between == cut(STARVED).between


def test_instances_fold_to_their_service():
    frame = wide(**STARVED).rename(columns=lambda c: c.replace("checkout/", "checkout@1/"))
    assert bisect(probe_path(SHOP, metrics=frame, **WINDOWS)).between == "checkout → postgres"


def test_missing_bins_are_no_data_and_not_zero():
    gap = read_bins("a/x.duration.p99", np.array([0.1] * 10), np.array([np.nan] * 8 + [0.9]), kind="latency")
    assert gap.health is Health.UNKNOWN
    assert gap.n_after == 1


def test_less_traffic_is_no_verdict():
    assert read_bins("a/x.count", np.full(20, 9.0), np.full(9, 1.0), kind="traffic").health is Health.UNKNOWN


def test_a_rise_within_the_usual_spread_is_good():
    rng = np.random.default_rng(1)
    before, after = rng.lognormal(0, 1, 40), rng.lognormal(0.3, 1, 20)
    assert read_bins("a/x.duration.p99", before, after, kind="latency").health is Health.GOOD


def test_a_path_without_its_columns_and_naive_times_are_refused():
    with pytest.raises(BadInput, match="caller and callee"):
        probe_path(pd.DataFrame({"from": ["a"]}), **WINDOWS)
    naive = wide(**HEALTHY).tz_localize(None)
    with pytest.raises(BadInput, match="UTC"):
        probe_path(SHOP, metrics=naive, **WINDOWS)


def test_a_sister_pool_that_the_path_does_not_name_is_read_with_the_one_it_names():
    signals = HEALTHY | ILL | {"checkout/db.client.connection.usage_ratio.main.ratio": (0.3, 1.0)}
    got = cut(signals)
    assert (got.between, got.where) == ("checkout → postgres", "between")
    assert cut(signals | {"checkout/db.client.connection.usage_ratio.main.ratio": (0.3, 0.31)}).between == (
        "nginx → checkout"
    )


PAYS = path(
    edge("client", "checkout", arrives=["checkout/http.server.errors.ratio"]),
    edge("checkout", "payments", leaves=["checkout/http.client.payments.duration.p99"],
         arrives=["payments/http.server.errors.ratio"]),
)  # fmt: skip
REFUSING = {
    "client/requests.duration.p99": (0.2, 0.2),
    "client/requests.errors_ratio": (0.0, 0.1),
    "checkout/http.server.errors.ratio": (0.0, 0.1),
    "checkout/http.client.payments.duration.p99": (0.1, 0.1),
    "payments/http.server.errors.ratio": (0.0, 0.0),
}


def test_a_counter_of_failures_that_came_up_with_the_first_one_had_none_before():
    frame = wide(**REFUSING, **{"checkout/http.client.payments.failures.delta": (0.0, 2.0)})
    frame.loc[frame.index < pd.Timestamp(INCIDENT.start), "checkout/http.client.payments.failures.delta"] = np.nan
    assert bisect(probe_path(PAYS, metrics=frame, **WINDOWS)).between == "checkout → payments"
    silent = frame.drop(columns="checkout/http.client.payments.duration.p99")  # nothing says that calls were reported
    assert bisect(probe_path(PAYS, metrics=silent, **WINDOWS)).between == "client → checkout"


def test_what_users_call_failed_is_read_in_the_callees_own_request_log():
    refused = REFUSING | {"checkout/http.server.errors.ratio": (0.0, 0.0)}  # its counter counts no refusals
    assert cut(refused, of=PAYS).between == "user → client"
    seen = refused | {"checkout/requests.errors_ratio": (0.0, 0.1)}
    got = cut(seen, of=PAYS)
    assert (got.between, got.where) == ("client → checkout", "here")


def test_where_users_fail_without_waiting_no_slow_call_is_the_reason():
    slow = {
        "payments/http.server.request.duration.p99": (0.1, 0.4),
        "checkout/http.client.payments.duration.p99": (0.1, 0.4),
    }
    reads = path(
        edge("client", "checkout", arrives=["checkout/http.server.errors.ratio"]),
        edge("checkout", "payments", leaves=["checkout/http.client.payments.duration.p99"],
             arrives=["payments/http.server.request.duration.p99"]),
    )  # fmt: skip
    assert cut(REFUSING | slow, of=reads).between == "client → checkout"
    waiting = REFUSING | slow | {"client/requests.duration.p99": (0.2, 0.5)}
    assert cut(waiting, of=reads).between == "checkout → payments"


def test_what_the_well_sisters_of_an_ill_place_call_as_well_is_not_the_reason():
    probes = probe_path(SHOP, metrics=wide(**STARVED), **WINDOWS)
    got = bisect(probes, places={"checkout": "instance = 'checkout-2' ill"})
    assert (got.between, got.where, got.first_bad) == ("nginx → checkout", "here", ("checkout",))
    assert "checkout-2" in got.because[0]
    deeper = bisect(probes, places={"checkout": "zone = 'b' ill", "postgres": "zone = 'b' ill"})
    assert deeper.between == "checkout → postgres"
