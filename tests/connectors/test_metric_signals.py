"""Signals out of raw samples, worked out by hand; and by property: bins sum to the whole."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import schema
from connectors.base import SignalSpec
from connectors.increments import quantile
from connectors.metric_signals import read_signals
from connectors.samples import SampleBuilder, Series
from connectors.window import Window

T0 = 1_795_494_060  # a multiple of 60
WINDOW = Window(datetime.fromtimestamp(T0, UTC), datetime.fromtimestamp(T0 + 60, UTC))


def samples(*series):
    """Each series: (metric, labels, [(seconds after T0, value), …])."""
    build = SampleBuilder()
    for metric, labels, points in series:
        at = build.new(Series(metric, labels))
        for seconds, value in points:
            build.add(at, round((T0 + seconds) * 1e6), value)
    return build.build()


def every(step, points):
    return [(i * step, value) for i, value in enumerate(points)]


def read(data, *specs, window=WINDOW, step="15s"):
    reading = read_signals(data, specs, window, step)
    schema.check(reading.table, "METRICS")
    found: dict[str, list] = {}
    for row in reading.table.to_pylist():
        found.setdefault(row["signal"], []).append((row["time"].timestamp() - T0, row["value"]))
    return found, reading


GAUGE = SignalSpec("checkout", "other", "queue", "depth", unit="{message}")
COUNTER = SignalSpec("checkout", "traffic", "requests", "requests_total", "counter", unit="{request}")


def test_a_gauge_is_the_mean_of_its_bin_and_a_gap_stays_a_gap():
    data = samples(("depth", {}, [(0, 1), (5, 2), (10, 6), (45, 8), (50, 10)]))
    assert read(data, GAUGE)[0] == {"checkout/queue.gauge": [(0, 3.0), (45, 9.0)]}


def test_a_gauge_at_each_sample_when_no_step_is_asked():
    data = samples(("depth", {}, [(-5, 9), (0, 1), (5, 2), (60, 3)]))
    assert read(data, GAUGE, step=None)[0] == {"checkout/queue.gauge": [(0, 1.0), (5, 2.0)]}


def test_a_spike_in_a_saturation_gauge_survives_a_coarse_step():
    spec = SignalSpec("checkout", "saturation", "pool", "depth")
    found, _ = read(samples(("depth", {}, every(5, [0, 9, 0, 1, 1, 1]))), spec)
    assert found == {"checkout/pool.gauge": [(0, 3.0), (15, 1.0)], "checkout/pool.max": [(0, 9.0), (15, 1.0)]}


def test_a_counters_bin_is_what_it_grew_between_its_edges():
    # the sample at 15 s lies on an edge: what grew up to it counts in the first bin
    data = samples(("requests_total", {}, every(5, [100, 101, 103, 106, 110, 115, 121])))
    assert read(data, COUNTER)[0] == {"checkout/requests.delta": [(0, 6.0), (15, 15.0)]}


def test_a_counter_looks_back_before_the_window():
    data = samples(("requests_total", {}, [(-5, 90), (5, 101), (10, 103)]))
    assert read(data, COUNTER)[0] == {"checkout/requests.delta": [(0, 13.0)]}


def test_a_restart_counts_from_zero():
    data = samples(("requests_total", {}, every(5, [100, 104, 3, 5])))
    assert read(data, COUNTER)[0] == {"checkout/requests.delta": [(0, 4.0 + 3 + 2)]}


def test_a_gap_has_no_bin_and_its_growth_stands_behind_it():
    data = samples(("requests_total", {}, [(0, 0), (5, 5), (10, 10), (47, 47), (50, 50)]))
    found, reading = read(data, COUNTER)
    assert found == {"checkout/requests.delta": [(0, 10.0), (45, 40.0)]}
    assert reading.remarks == (
        "nothing was scraped from the target between 2026-11-24T04:21:10Z and 2026-11-24T04:21:47Z",
    )


def test_a_counter_born_beside_others_counts_from_zero_and_is_zero_before():
    ok = ("requests_total", {"code": "200", "instance": "c1"}, every(5, [10, 20, 30, 40, 50, 60, 70]))
    bad = ("requests_total", {"code": "503", "instance": "c1"}, [(20, 4), (25, 5), (30, 5)])
    errors = SignalSpec("checkout", "errors", "errors", "requests_total", "counter", where={"code": "503"})
    assert read(samples(ok, bad), errors)[0] == {"checkout/errors.delta": [(0, 0.0), (15, 5.0)]}


def test_a_counter_that_never_appears_is_zero_where_its_metric_is_scraped():
    ok = ("requests_total", {"code": "200"}, every(5, [10, 20, 30, 40]))
    errors = SignalSpec("checkout", "errors", "errors", "requests_total", "counter", where={"code": "503"})
    assert read(samples(ok), errors)[0] == {"checkout/errors.delta": [(0, 0.0)]}


def test_a_counter_first_seen_alone_has_no_growth_before_its_second_sample():
    assert read(samples(("requests_total", {}, [(5, 1000), (10, 1003)])), COUNTER)[0] == {
        "checkout/requests.delta": [(0, 3.0)]
    }


def test_counters_of_all_instances_are_added_unless_kept_apart():
    data = samples(
        ("requests_total", {"instance": "c1"}, every(5, [0, 1, 2, 3])),
        ("requests_total", {"instance": "c2"}, every(5, [0, 10, 20, 30])),
    )
    assert read(data, COUNTER)[0] == {"checkout/requests.delta": [(0, 33.0)]}
    apart = SignalSpec("checkout", "traffic", "requests", "requests_total", "counter", by=("instance",))
    found, reading = read(data, apart)
    assert found == {"checkout@c1/requests.delta": [(0, 3.0)], "checkout@c2/requests.delta": [(0, 30.0)]}
    assert reading.table.column("instance").to_pylist() == ["c1", "c2"]


def test_errors_divided_by_requests_and_no_ratio_without_requests():
    data = samples(
        ("errors_total", {}, every(5, [0, 0, 0, 3, 3, 3, 3])),
        ("requests_total", {}, every(5, [0, 4, 8, 12, 12, 12, 12])),
    )
    spec = SignalSpec("checkout", "errors", "errors", "errors_total", "counter", divide_by="requests_total")
    assert read(data, spec)[0] == {"checkout/errors.ratio": [(0, 0.25)]}


def test_a_pools_use_is_divided_by_its_size_instance_by_instance():
    data = samples(
        ("in_use", {"instance": "c1"}, every(5, [1, 2, 3])),
        ("in_use", {"instance": "c2"}, every(5, [4, 4, 4])),
        ("size", {"instance": "c1"}, every(5, [4, 4, 4])),
        ("size", {"instance": "c2"}, every(5, [4, 4, 4])),
    )
    spec = SignalSpec("checkout", "other", "usage", "in_use", by=("instance",), divide_by="size")
    assert read(data, spec)[0] == {"checkout@c1/usage.ratio": [(0, 0.5)], "checkout@c2/usage.ratio": [(0, 1.0)]}


def test_cpu_seconds_become_utilisation():
    spec = SignalSpec("host", "saturation", "cpu", "cpu_seconds_total", "counter", scale=0.5)
    data = samples(("cpu_seconds_total", {}, every(5, [0, 5, 10, 15, 20, 25, 30])))
    assert read(data, spec)[0] == {"host/cpu.rate": [(0, 0.5), (15, 0.5)]}


def test_a_histograms_quantiles_are_those_of_its_growth():
    data = samples(
        ("d_bucket", {"le": "0.1"}, every(15, [100, 150])),
        ("d_bucket", {"le": "0.5"}, every(15, [100, 200])),
        ("d_bucket", {"le": "+Inf"}, every(15, [100, 200])),
    )
    spec = SignalSpec("checkout", "latency", "duration", "d", "histogram", unit="s")
    found, _ = read(data, spec)
    assert found["checkout/duration.count"] == [(0, 100.0)]
    assert found["checkout/duration.p50"] == [(0, pytest.approx(0.1))]
    assert found["checkout/duration.p99"] == [(0, pytest.approx(0.1 + 0.4 * 49 / 50))]


def test_a_quantile_in_the_last_bucket_is_a_lower_bound_and_says_so():
    data = samples(("d_bucket", {"le": "0.5"}, every(15, [0, 10])), ("d_bucket", {"le": "+Inf"}, every(15, [0, 100])))
    spec = SignalSpec("checkout", "latency", "duration", "d", "histogram")
    found, reading = read(data, spec)
    assert found["checkout/duration.p99"] == [(0, 0.5)]
    said = {r["stat"]: r["labels"] for r in reading.table.to_pylist()}
    assert said == {"count": "{}", "p50": '{"bound":"at_least"}', "p99": '{"bound":"at_least"}'}


def test_no_requests_no_quantile():
    data = samples(("d_bucket", {"le": "0.5"}, every(15, [5, 5])), ("d_bucket", {"le": "+Inf"}, every(15, [5, 5])))
    found, _ = read(data, SignalSpec("checkout", "latency", "duration", "d", "histogram"))
    assert found == {"checkout/duration.count": [(0, 0.0)]}


def test_a_step_finer_than_the_samples_is_refused_for_that_signal_alone():
    data = samples(("depth", {}, every(30, [1, 2, 3])), ("requests_total", {}, every(5, [0, 1, 2])))
    found, reading = read(data, GAUGE, COUNTER, step="10s")
    assert list(found) == ["checkout/requests.delta"]
    assert "checkout/queue has a sample every 30 s, further apart than the step of 10 s" in reading.remarks[0]


def test_a_metric_that_is_not_there_is_named_with_its_neighbours():
    _, reading = read(samples(("requests_total", {}, every(5, [0, 1]))), SignalSpec("a", "other", "x", "request_total"))
    assert reading.remarks == ("there is no metric request_total (did you mean requests_total?), so no a/x",)
    assert reading.table.num_rows == 0


def test_a_series_that_is_absent_from_a_scrape_reads_null_not_zero():
    data = samples(
        ("waiting", {"wait": "IO"}, every(5, [1, 1, 1, 1, 1, 1])),
        ("waiting", {"wait": "Lock"}, [(20, 7)]),
    )
    spec = SignalSpec("pg", "other", "locks", "waiting", where={"wait": "Lock"}, unit="{x}")
    assert read(data, spec)[0] == {"pg/locks.gauge": [(0, None), (15, 7.0)]}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 50), st.booleans()), min_size=2, max_size=40),
    st.sampled_from(["40s", "60s", "90s"]),
)
def test_bins_sum_to_the_whole_with_resets_gaps_and_uneven_scrapes(steps, step):
    at, value, whole = -30, 1000.0, 0.0
    points = [(at, value)]
    for gap, growth, restart in steps:
        at += gap
        if restart and growth < value:
            value, whole = float(growth), whole + growth
        else:
            value, whole = value + growth, whole + growth
        points.append((at, value))
    end = T0 + -(-(at + 1) // 90) * 90 + 360
    window = Window(datetime.fromtimestamp(T0 - 360, UTC), datetime.fromtimestamp(end, UTC))
    found, _ = read(samples(("requests_total", {}, points)), COUNTER, window=window, step=step)
    deltas = found["checkout/requests.delta"]
    assert sum(v for _, v in deltas) == pytest.approx(whole)
    assert len({t for t, _ in deltas}) == len(deltas)
    size = float(step[:-1])
    for t, _ in deltas:  # no value where there is no sample
        assert any(t < p <= t + size for p, _ in points)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=8).filter(any), st.floats(0.01, 0.99))
def test_quantiles_lie_in_the_bucket_that_holds_their_rank(counts, q):
    bounds = np.array([*np.arange(1, len(counts)), np.inf])
    cumulative = np.cumsum(counts).astype(float)
    value, open_ended = quantile(bounds, cumulative, q)
    at = int(np.searchsorted(cumulative, q * cumulative[-1]))
    if at == len(bounds) - 1:
        assert open_ended
        assert value == bounds[-2]
    else:
        assert not open_ended
        assert (bounds[at - 1] if at else 0) <= value <= bounds[at]


def test_a_targets_first_scrape_is_no_growth_of_zero():
    data = samples(
        ("requests_total", {"instance": "c1"}, [(1, 100), (16, 104)]),
        ("requests_total", {"instance": "c2"}, [(3, 200), (18, 207)]),
    )
    assert read(data, COUNTER)[0] == {"checkout/requests.delta": [(15, 11.0)]}


def test_peaks_are_told_of_what_hurts_when_high_and_dips_of_traffic():
    points = every(5, [1, 9, 2, 4, 4, 4])
    latency = SignalSpec("worker", "latency", "age", "age", unit="s")
    traffic = SignalSpec("worker", "traffic", "rate", "age", unit="{x}/s")
    found, _ = read(samples(("age", {}, points)), latency, traffic)
    assert found["worker/age.max"] == [(0, 9.0), (15, 4.0)]
    assert found["worker/rate.min"] == [(0, 1.0), (15, 4.0)]
    assert "worker/age.min" not in found
    assert "worker/rate.max" not in found
    assert list(read(samples(("age", {}, points)), latency, step="5s")[0]) == ["worker/age.gauge"]  # one sample a bin


def test_names_that_the_source_has_beside_its_samples_are_near_misses_too():
    reading = read_signals(samples(), [COUNTER], WINDOW, "15s", known=["request_total", "up"])
    assert reading.remarks == (
        "there is no metric requests_total (did you mean request_total?), so no checkout/requests",
    )


def test_samples_known_to_be_far_apart_are_no_gaps():
    thin = samples(("depth", {"instance": "c1"}, [(0, 1), (5, 1), (10, 1), (15, 1), (60, 1)]))
    window = Window(WINDOW.start, datetime.fromtimestamp(T0 + 120, UTC))
    assert "nothing was scraped from c1" in read_signals(thin, [GAUGE], window, "15s").remarks[0]
    assert read_signals(thin, [GAUGE], window, "15s", apart_s=15).remarks == ()
