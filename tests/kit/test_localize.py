"""One ranking of services, from each pillar alone and from all of them."""

import numpy as np
import pandas as pd
import pytest

from connectors.errors import BadInput
from connectors.window import Window
from kit.clues.clue import Clue, workload
from kit.localize import localize, rank

START = pd.Timestamp("2026-03-01T02:00:00Z")
BASELINE = Window.of(START, START + pd.Timedelta("20min"))
INCIDENT = Window.of(START + pd.Timedelta("20min"), START + pd.Timedelta("30min"))
WINDOWS = {"baseline": BASELINE, "incident": INCIDENT}


def wide(**signals):
    """30 bins of a minute, 20 before and 10 during; each signal is its value before and its value during."""
    index = pd.date_range(START, periods=30, freq="1min", name="time")
    ripple = 1 + 0.02 * np.sin(np.arange(30))
    return pd.DataFrame(
        {k: np.r_[np.full(20, a), np.full(10, b)] * ripple for k, (a, b) in signals.items()}, index=index
    )


def path(*pairs):
    return pd.DataFrame(pairs, columns=["caller", "callee"])


def first(frame):
    return frame["service"].iloc[0]


def test_elevated_with_no_elevated_dependency_comes_first():
    signals = {
        "web/requests.duration.p99": (0.3, 3.0), "shop/requests.duration.p99": (0.2, 2.9),
        "db/query.duration.p99": (0.1, 2.8), "mail/send.duration.p99": (0.1, 0.1),
    }  # fmt: skip
    got = localize(metrics=wide(**signals), path=path(("web", "shop"), ("shop", "db"), ("shop", "mail")), **WINDOWS)
    assert got["service"].tolist()[0] == "db"
    assert "mail" not in got["service"].tolist()


def test_time_between_what_caller_and_callee_measure_accuses_the_callee():
    edges = path(("web", "cart"), ("web", "mail"))
    edges["leaves"] = [["web/calls.cart.duration.p50"], ["web/calls.mail.duration.p50"]]
    edges["arrives"] = [["cart/called.web.duration.p50"], ["mail/called.web.duration.p50"]]
    calm = {
        "web/calls.cart.duration.p50": (0.01, 0.01), "web/calls.mail.duration.p50": (0.01, 0.01),
        "cart/called.web.duration.p50": (0.009, 0.009), "mail/called.web.duration.p50": (0.009, 0.009),
    }  # fmt: skip
    assert localize(metrics=wide(**calm), path=edges, **WINDOWS).empty
    slow_way = calm | {"web/calls.cart.duration.p50": (0.01, 0.5)}
    assert first(localize(metrics=wide(**slow_way), path=edges, **WINDOWS)) == "cart"
    both = slow_way | {"web/calls.mail.duration.p50": (0.01, 0.5)}
    assert first(localize(metrics=wide(**both), path=edges, **WINDOWS)) == "web"


def test_where_errors_are_the_symptom_latency_says_less():
    clues = [Clue("a", "latency", 1.5, ""), Clue("b", "errors", 1.0, "")]
    assert first(rank(clues, set(), symptom="web/requests.errors_ratio")) == "b"
    assert first(rank(clues, set(), symptom="web/requests.duration.p99")) == "a"


def test_a_load_balancer_shows_what_is_behind_it():
    clues = [Clue("front", "latency", 1.5, ""), Clue("shop", "latency", 1.0, "")]
    assert first(rank(clues, set(), kinds={"front": "lb"})) == "shop"
    assert first(rank(clues, set())) == "front"


def test_a_door_known_only_from_outside_is_explained_by_the_service_beside_it():
    clues = [Clue("door", "latency", 1.5, "", "p99", 2.0), Clue("shop", "latency", 1.0, "", "p99", 1.9)]
    edges = {("web", "door"), ("web", "shop"), ("shop", "db")}
    assert first(rank(clues, edges, symptom="web")) == "shop"
    shared = edges | {("shop", "door")}
    assert first(rank(clues, shared, symptom="web")) == "door"


def test_a_busy_processor_tells_the_service_from_its_callers():
    signals = {
        "web/requests.duration.p99": (0.3, 3.0), "cart/requests.duration.p99": (0.2, 2.9),
        "web/process.cpu.utilization": (0.3, 0.3), "cart/process.cpu.utilization": (0.1, 0.95),
    }  # fmt: skip
    assert first(localize(metrics=wide(**signals), **WINDOWS)) == "cart"


def test_what_nobody_the_symptom_depends_on_shows_counts_half():
    clues = [Clue("far", "saturation", 1.5, ""), Clue("db", "saturation", 1.0, "")]
    edges = {("web", "db"), ("batch", "far")}
    assert first(rank(clues, edges, symptom="web")) == "db"
    assert first(rank(clues, edges, symptom="batch/jobs.duration.p99")) == "far"


def test_what_every_service_shows_accuses_none():
    signals = {f"s{i}/network.receive.rate": (100.0, 300.0) for i in range(9)}
    signals["s3/process.cpu.utilization"] = (0.2, 0.9)
    got = localize(metrics=wide(**signals), **WINDOWS)
    assert first(got) == "s3"
    assert got["score"].iloc[0] > 2 * got["score"].iloc[1]


def test_a_calm_system_has_no_suspect():
    got = localize(metrics=wide(**{f"s{i}/requests.duration.p99": (0.2, 0.2) for i in range(5)}), **WINDOWS)
    assert got.empty


def test_earlier_faults_in_the_baseline_do_not_hide_this_one():
    frame = wide(**{"cart/process.cpu.utilization": (0.1, 0.9), "web/process.cpu.utilization": (0.1, 0.1)})
    frame.iloc[3:14, 0] = 0.9
    assert first(localize(metrics=frame, **WINDOWS)) == "cart"


def test_a_baseline_around_the_incident_leaves_the_incident_out():
    frame = wide(**{"cart/process.cpu.utilization": (0.1, 0.9)})
    around = Window.of(START, START + pd.Timedelta("30min"))
    got = localize(metrics=frame, baseline=around, incident=INCIDENT)
    assert first(got) == "cart"


def spans(*, own=(0.01, 0.01), gap=(0.001, 0.001), errors=0.0, skip=0.0, others_gap=None):
    """web calls cart and mail, 40 traces before and 20 during; cart works `own` seconds and is reached after `gap`."""
    rows = []
    for i in range(60):
        ill = i >= 40
        at = START + pd.Timedelta(seconds=30 * i)
        wobble = 1 + 0.05 * (i % 5)
        work, way = own[ill] * wobble, gap[ill] * wobble
        far = (others_gap or (0.001, 0.001))[ill] * wobble
        broken = ill and (i % 10) < errors * 10
        skipped = ill and (i % 10) < skip * 10
        nodes = [("r", None, "web-5f6585d649-fnmft", "GET /", work + way + far + 0.03, 0.0, False)]
        nodes += [("a", "r", "web-5f6585d649-fnmft", "cart/Get", work + way, 0.001, broken)]
        nodes += [("b", "a", "cart-5f6585d649-aaaaa", "Get", work, 0.001 + way / 2, broken)]
        if not skipped:
            nodes += [("c", "r", "web-5f6585d649-fnmft", "mail/Send", 0.01 + far, work + way + 0.002, False)]
            nodes += [("d", "c", "mail-5f6585d649-bbbbb", "Send", 0.01, work + way + 0.002 + far / 2, False)]
        rows += [
            {"start": at + pd.Timedelta(seconds=off), "duration_s": d, "trace_id": f"t{i}", "span_id": s,
             "parent_id": p, "service": v, "name": n, "status": "error" if e else "ok", "weight": 1.0}
            for s, p, v, n, d, off, e in nodes
        ]  # fmt: skip
    return pd.DataFrame(rows)


def test_self_time_accuses_the_service_that_works_longer():
    assert first(localize(spans=spans(own=(0.01, 0.5)), **WINDOWS)) == "cart"


def test_a_slow_way_to_one_callee_accuses_that_callee():
    got = localize(spans=spans(gap=(0.001, 0.4)), **WINDOWS)
    assert first(got) == "cart"
    assert "beyond what cart accounts for" in got["because"].iloc[0][0]


def test_a_slow_way_to_all_callees_accuses_the_caller():
    assert first(localize(spans=spans(gap=(0.001, 0.4), others_gap=(0.001, 0.4)), **WINDOWS)) == "web"


def test_errors_accuse_where_they_begin():
    assert first(localize(spans=spans(errors=0.5), **WINDOWS)) == "cart"


def test_calls_left_out_accuse_the_one_who_should_make_them():
    assert first(localize(spans=spans(skip=0.8), **WINDOWS)) == "web"


def test_traces_that_have_not_changed_accuse_nobody():
    assert localize(spans=spans(), **WINDOWS).empty


def lines(*, broken):
    """Per request, cart looks up and finds (or, when broken, gives up), web says what it got."""
    rows = []
    for i in range(60):
        at = START + pd.Timedelta(seconds=30 * i)
        ill = broken and i >= 40
        texts = [("web", "INFO", f"request {i} received"), ("cart", "INFO", f"looking up basket {i}")]
        texts += [("cart", "ERROR", f"no basket {i} in store") if ill else ("cart", "INFO", f"basket {i} found")]
        texts += [("web", "INFO", f"request {i} answered")]
        rows += [
            {"time": at + pd.Timedelta(milliseconds=k), "seq": k, "service": s, "level": v, "message": m,
             "trace_id": f"t{i}", "span_id": s, "weight": 1.0}
            for k, (s, v, m) in enumerate(texts)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def test_another_line_than_usual_accuses_its_writer():
    assert first(localize(logs=lines(broken=True), **WINDOWS)) == "cart"


def test_lines_without_traces_are_counted_instead():
    bare = lines(broken=True).drop(columns=["trace_id", "span_id"])
    assert first(localize(logs=bare, **WINDOWS)) == "cart"


def test_lines_as_ever_accuse_nobody():
    assert localize(logs=lines(broken=False), **WINDOWS).empty


def test_all_pillars_together_agree():
    metrics = wide(**{"cart/process.cpu.utilization": (0.1, 0.9), "web/requests.duration.p99": (0.1, 0.6)})
    got = localize(metrics=metrics, spans=spans(own=(0.01, 0.5)), logs=lines(broken=True), **WINDOWS)
    assert first(got) == "cart"
    assert len(got["because"].iloc[0]) >= 3


def test_reversed_order_of_rows_changes_nothing():
    metrics = wide(**{"cart/process.cpu.utilization": (0.1, 0.9), "web/requests.duration.p99": (0.1, 0.6)})
    one = localize(metrics=metrics, spans=spans(own=(0.01, 0.5)), **WINDOWS)
    two = localize(metrics=metrics.iloc[::-1], spans=spans(own=(0.01, 0.5)).iloc[::-1], **WINDOWS)
    pd.testing.assert_frame_equal(one, two)


def test_pods_fold_and_other_names_stay():
    assert workload("ts-order-service-5b67c48447-mv5hb") == "ts-order-service"
    assert workload("checkout-eu-west") == "checkout-eu-west"


def test_nothing_to_go_by_is_said():
    with pytest.raises(BadInput, match="metrics, spans or logs"):
        localize(**WINDOWS)
