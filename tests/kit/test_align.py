"""The grid: no sample lost, none counted twice, no value where there is no data."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadInput, NaiveTime
from connectors.window import Window
from kit.align import align_tables, counter_increase, rebin_by_start, signals_from_answers
from kit.numerics.grid import Grid

T0 = datetime(2026, 3, 1, tzinfo=UTC)
US0 = int(T0.timestamp() * 1e6)
WINDOW = Window.of("2026-03-01T00:00Z", "2026-03-01T00:10Z")


def times(seconds):
    return pd.to_datetime([US0 + round(s * 1e6) for s in seconds], unit="us", utc=True)


def metric(seconds, values, signal="web/cpu.gauge"):
    return pd.DataFrame(
        {"time": times(seconds), "signal": signal, "stat": signal.rsplit(".", 1)[1], "value": np.array(values, float)}
    )


def requests(seconds, durations, status, **more):
    return pd.DataFrame(
        {"time": times(seconds), "service": "web", "duration_s": durations, "http.response.status_code": status, **more}
    )


def test_each_statistic_reduces_in_its_own_way():
    rows = pd.concat(
        [
            metric([0, 30], [1, 3], "web/cpu.gauge"),
            metric([0, 30], [1, 3], "web/requests.delta"),
            metric([0, 30], [1, 3], "web/latency.p99"),
            metric([0, 30], [1, 3], "web/free.min"),
        ]
    )
    wide = align_tables(rows, window=WINDOW, every="1m")
    assert wide.iloc[0].to_dict() == {
        "web/cpu.gauge": 2.0, "web/requests.delta": 4.0, "web/latency.p99": 3.0, "web/free.min": 1.0,
    }  # fmt: skip
    assert wide.iloc[1:].isna().all().all()
    assert wide.index.name == "time"
    assert str(wide.index.tz) == "UTC"
    assert len(wide) == 10


def test_bins_keep_their_edges_when_the_window_moves():
    rows = metric(range(0, 600, 15), range(40))
    one = align_tables(rows, window=WINDOW, every="1m")
    two = align_tables(rows, window=WINDOW.shift(37), every="1m")
    shared = one.index.intersection(two.index)[1:-1]
    pd.testing.assert_frame_equal(one.loc[shared], two.loc[shared])


def test_a_step_finer_than_the_source_is_refused_with_the_interval():
    with pytest.raises(BadInput, match="every 60 s"):
        align_tables(metric([0, 60, 120, 180], [1, 2, 3, 4]), window=WINDOW, every="15s")


def test_a_signal_with_holes_is_not_taken_for_a_coarse_one():
    rows = metric([0, 15, 30, 300, 315, 330], [1] * 6, "web/latency.p99")
    assert align_tables(rows, window=WINDOW, every="15s")["web/latency.p99"].notna().sum() == 6


def test_naive_times_are_refused():
    rows = metric([0], [1]).assign(time=pd.to_datetime(["2026-03-01T00:00:00"]))
    with pytest.raises(NaiveTime):
        align_tables(rows, window=WINDOW, every="1m")


def test_a_counter_bin_is_last_less_last_before_resets_added():
    grid = Grid.of(Window.of("2026-03-01T00:00Z", "2026-03-01T00:01:30Z"), "30s")
    at = US0 + np.array([0, 15, 30, 45, 60, 75, 90]) * 1_000_000
    # 10 … 40 | 50, reset to 5 | 8, 9
    assert counter_increase(at, np.array([10.0, 20, 40, 50, 5, 8, 9]), grid).tolist() == [30.0, 15.0, 4.0]


def test_what_a_counter_grew_across_a_gap_stands_after_the_gap():
    grid = Grid.of(Window.of("2026-03-01T00:00Z", "2026-03-01T00:02Z"), "30s")
    at = US0 + np.array([0, 15, 100]) * 1_000_000
    got = counter_increase(at, np.array([0.0, 2.0, 9.0]), grid)
    assert np.isnan(got[1:3]).all()
    assert got[[0, 3]].tolist() == [2.0, 7.0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-60, 700), st.integers(0, 50), st.booleans()),
        min_size=2,
        max_size=60,
        unique_by=lambda x: x[0],
    ),
    st.sampled_from(["7s", "30s", "1m"]),
)
def test_counter_bins_sum_to_the_whole(samples, every):
    samples.sort()
    at = np.array([US0 + s * 1_000_000 for s, _, _ in samples])
    values, whole = [100.0], 0.0
    for _, growth, restart in samples[1:]:
        values.append(growth + (0.0 if restart and growth < values[-1] else values[-1]))
        whole += growth
    window = Window.of(
        pd.Timestamp(int(at[0]), unit="us", tz="UTC"), pd.Timestamp(int(at[-1]) + 61_000_000, unit="us", tz="UTC")
    )
    got = counter_increase(at, np.array(values), Grid.of(window, every))
    assert np.nansum(got) == whole


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-100, 700), st.sampled_from(["INFO", "ERROR", None])), min_size=1, max_size=80),
    st.sampled_from(["1s", "13s", "1m"]),
)
def test_every_line_is_counted_once_and_nothing_is_made_up(lines, every):
    rows = pd.DataFrame(
        {"time": times([s for s, _ in lines]), "service": "web", "level": [v for _, v in lines], "weight": 1.0}
    )
    wide = align_tables(logs=rows, window=WINDOW, every=every)
    inside = [s for s, _ in lines if 0 <= s < 600]
    assert np.nansum(wide.to_numpy()) == len(inside)
    step = int(every.rstrip("sm")) * (60 if every.endswith("m") else 1)
    filled = {int((US0 // 10**6 + s) // step) for s in inside}
    seen = wide.index[wide.notna().any(axis=1)] if len(wide.columns) else []
    assert {int(t.timestamp()) // step for t in seen} == filled


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 599), st.floats(-5, 5)), min_size=1, max_size=60, unique_by=lambda x: x[0]))
def test_gauges_stay_within_what_was_measured(samples):
    samples.sort()
    wide = align_tables(metric([s for s, _ in samples], [v for _, v in samples]), window=WINDOW, every="10m")
    mean = sum(v for _, v in samples) / len(samples)
    assert wide["web/cpu.gauge"].iloc[0] == pytest.approx(mean)


def test_pandas_and_arrow_give_the_same_frame():
    rows = metric(range(0, 600, 15), range(40))
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.set_column(
        table.column_names.index("signal"), "signal", table.column("signal").cast(pa.string()).dictionary_encode()
    )
    pd.testing.assert_frame_equal(
        align_tables(rows, window=WINDOW, every="1m"), align_tables(table, window=WINDOW, every="1m")
    )


def test_order_of_rows_does_not_matter():
    rows = pd.concat([metric(range(0, 600, 15), range(40)), metric(range(0, 600, 15), range(40), "db/load.max")])
    mixed = rows.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(
        align_tables(rows, window=WINDOW, every="1m"), align_tables(mixed, window=WINDOW, every="1m")
    )


def test_request_rows_become_signals_and_probes_do_not():
    rows = requests(
        [1, 2, 3, 4, 70], [0.1, 0.2, 0.3, 9.0, 0.1], [200, 404, 503, 200, 200],
        **{"probe": [False, False, False, True, False], "upstream.duration_s": [0.05, None, 0.2, None, 0.1]},
    )  # fmt: skip
    wide = align_tables(logs=rows, window=WINDOW, every="1m")
    assert wide["web/requests.count"].tolist()[:2] == [3.0, 1.0]
    assert wide["web/requests.errors_ratio"].tolist()[:2] == [pytest.approx(1 / 3), 0.0]
    assert wide["web/requests.client_errors_ratio"].iloc[0] == pytest.approx(1 / 3)
    assert wide["web/requests.duration.p50"].iloc[0] == pytest.approx(0.2)
    assert wide["web/upstream.duration.p50"].iloc[0] == pytest.approx(0.125)
    assert wide["web/requests.count"].iloc[2:].isna().all()


def test_slow_statements_are_not_requests():
    rows = requests([1, 2], [1.0, 2.0], [None, None], **{"db.query.summary": ["SELECT orders", "SELECT orders"]})
    wide = align_tables(logs=rows.assign(service="postgres"), window=WINDOW, every="1m")
    assert wide["postgres/statements.count"].iloc[0] == 2
    assert "postgres/requests.count" not in wide


def test_small_answers_give_the_same_signals_as_rows():
    rows = requests([1, 2, 3, 70], [0.1, 0.2, 0.3, 0.1], [200, 503, 200, 200], level=["INFO", "ERROR", "INFO", "INFO"])
    local = align_tables(logs=rows, window=WINDOW, every="1m")
    edge = times([0, 60])
    answered = signals_from_answers(
        window=WINDOW,
        every="1m",
        counts=pd.DataFrame({"time": edge, "service": "web", "n": [3, 1]}),
        failures=pd.DataFrame({"time": edge[:1], "service": "web", "n": [1]}),
        durations=pd.DataFrame({"time": edge, "service": "web", "p50": [0.2, 0.1], "p99": [0.298, 0.1]}),
        levels=pd.DataFrame(
            {"time": edge[[0, 0, 1]], "service": "web", "level": ["INFO", "ERROR", "INFO"], "n": [2, 1, 1]}
        ),
    )
    for key in answered.columns:
        np.testing.assert_allclose(answered[key], local[key], err_msg=key)
    assert answered["web/log.error.count"].iloc[1] == 0


def test_spans_are_binned_by_start_and_clients_name_their_peer():
    spans = pd.DataFrame(
        {
            "start": times([1, 2]), "duration_s": [0.5, 1.5], "service": "web", "kind": ["server", "client"],
            "peer": [None, "db"], "status": ["error", "ok"],
        }
    )  # fmt: skip
    wide = align_tables(spans=spans, window=WINDOW, every="1m")
    assert wide["web/spans.server.errors_ratio"].iloc[0] == 1.0
    assert wide["web/spans.client.db.duration.p99"].iloc[0] == 1.5


def test_changes_say_what_is_active():
    changes = pd.DataFrame(
        {
            "time": times([90, 200, 210]), "kind": ["deploy", "deploy", "flag"], "service": "web",
            "after": ["4.6", "4.7", "on"], "fraction": [1.0, 0.1, None],
        }
    )  # fmt: skip
    wide = align_tables(changes=changes, window=WINDOW, every="1m")
    assert np.isnan(wide["web/change.deploy.version"].iloc[0])
    assert wide["web/change.deploy.version"].tolist()[1:4] == [1.0, 1.0, 2.0]
    assert wide["web/change.deploy.fraction"].tolist()[3] == 0.1
    assert wide["web/change.deploy.since_s"].tolist()[2] == 30.0
    assert wide["web/change.flag.state"].tolist()[3] == 1.0


def test_a_hang_is_dated_by_its_start_not_its_end():
    rows = requests([5, 35, 36], [0.1, 30.0, 30.0], [200, 504, 504])
    got = rebin_by_start(rows, window=WINDOW, every="5s")
    assert got["failed"].tolist()[:3] == [0.0, 2.0, 0.0]
    assert got["count"].sum() == 3
    assert np.isnan(got["ratio"].iloc[2])


def test_rebin_by_route_keeps_all_bins_of_each():
    rows = requests([1, 2], [0.1, 0.1], [200, 500], route=["/a", "/pay"])
    got = rebin_by_start(rows, window=WINDOW, every="1m", by="route")
    assert got.groupby("route")["failed"].sum().to_dict() == {"/a": 0.0, "/pay": 1.0}
    assert len(got) == 20


def test_rows_that_say_nothing_about_failure_are_refused():
    with pytest.raises(BadInput, match="status_code"):
        rebin_by_start(pd.DataFrame({"time": times([1]), "duration_s": [1.0]}), window=WINDOW, every="1m")


def test_nothing_gives_an_empty_grid():
    assert align_tables(window=WINDOW, every="1m").shape == (10, 0)


def test_lines_are_counted_the_same_in_blocks_in_disorder_and_with_many_templates(monkeypatch):
    rng = np.random.default_rng(4)
    n = 3000
    rows = pd.DataFrame(
        {
            "time": times(rng.integers(-50, 700, n)), "service": rng.choice(["web", "db"], n),
            "level": rng.choice(["INFO", "ERROR"], n), "template": rng.choice([f"t{k}" for k in range(400)], n),
            "weight": rng.choice([1.0, 4.0], n),
        }
    )  # fmt: skip
    whole = align_tables(logs=rows, window=WINDOW, every="5s")
    monkeypatch.setattr(
        sys.modules["kit.aligned.lines"], "BLOCK", 64
    )  # small blocks, each with far fewer rows than cells
    pd.testing.assert_frame_equal(align_tables(logs=rows, window=WINDOW, every="5s"), whole)
    inside = rows[(rows["time"] >= pd.Timestamp(WINDOW.start)) & (rows["time"] < pd.Timestamp(WINDOW.end))]
    assert np.nansum(whole.filter(like="log.template.")) == inside["weight"].sum()
    assert np.nansum(whole.filter(regex=r"log\.(info|error)\.count")) == inside["weight"].sum()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-90, 690), st.integers(1, 9)), min_size=1, max_size=60, unique_by=lambda x: x[0]),
    st.sampled_from(["30s", "1m", "150s"]),
    st.sampled_from(["delta", "count"]),
)
def test_every_sample_stands_in_one_bin_and_no_bin_has_a_value_without_one(samples, every, stat):
    samples.sort()
    seconds = [s for s, _ in samples]
    try:
        wide = align_tables(metric(seconds, [v for _, v in samples], f"web/n.{stat}"), window=WINDOW, every=every)
    except BadInput:  # further apart than the step: refused as a whole
        assert len(samples) > 1
        return
    step = int(every[:-1]) * (60 if every.endswith("m") else 1)
    inside = [(s, v) for s, v in samples if 0 <= s < 600]
    assert np.nansum(wide.to_numpy()) == sum(v for _, v in inside)
    seen = wide.index[wide.notna().any(axis=1)] if len(wide.columns) else []
    assert {int(t.timestamp() - US0 // 10**6) // step for t in seen} == {s // step for s, _ in inside}
