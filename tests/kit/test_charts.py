"""Charts never hide a spike, draw the changes on every axis of time, and name the recorded answers on hover."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.plots.board import signal_board
from kit.plots.chart import PLOTLY_MIME
from kit.plots.decimate import kept_points
from kit.plots.strip import incident_strip

TIMES = pd.date_range("2026-03-01T02:00Z", periods=50_000, freq="1s", name="time")
CHANGES = pd.DataFrame(
    {"time": [TIMES[100]], "until": [pd.NaT], "kind": ["deploy"], "service": ["web"], "summary": ["<b>v2</b>"]}
)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 49_999), st.sampled_from([1e9, -1e9]))
def test_a_spike_of_one_sample_is_drawn(at, height):
    values = np.sin(np.arange(50_000) / 1000.0)
    values[at] = height
    kept = kept_points(values, points=500)
    assert at in kept
    assert len(kept) <= 504


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 49_000))
def test_a_gap_stays_a_gap(start):
    values = np.ones(50_000)
    values[start : start + 300] = np.nan
    kept = kept_points(values, points=500)
    assert np.isnan(values[kept]).any()


def test_a_short_line_is_drawn_whole_and_one_of_nothing_is_drawn_as_nothing():
    assert kept_points(np.array([1.0, 2, 3])).tolist() == [0, 1, 2]
    assert np.isnan(np.full(10_000, np.nan)[kept_points(np.full(10_000, np.nan))]).all()


def test_the_strip_of_many_points_is_small_keeps_the_spike_and_draws_the_change_on_each_axis():
    values = np.zeros(50_000)
    values[31_234] = 1.0
    frame = pd.DataFrame({"failed share": values, "requests/s": values}, index=TIMES)
    figure = incident_strip(frame, title="t", changes=CHANGES).figure
    line = figure.data[0]
    assert len(line.x) < 2_100
    assert max(line.y) == 1.0
    dotted = [s for s in figure.layout.shapes if s.type == "line"]
    assert {s.xref for s in dotted} == {"x", "x2", "x3"}


def test_the_board_draws_the_change_in_each_cell_and_hover_cites():
    wide = pd.DataFrame({"web/requests.duration.p99": np.ones(50_000)}, index=TIMES)
    row = {"service": "web", "kind": "latency", "signal": "web/requests.duration.p99", "direction": "up",
           "before": 1.0, "after": 2.0, "onset": TIMES[3]}  # fmt: skip
    chart = signal_board(pd.DataFrame([row]), wide, title="t", incident=(TIMES[0], TIMES[9]), changes=CHANGES)
    drawn = chart.citing("ev_0123456789abcdef", "ev_1123456789abcdef")._repr_mimebundle_()[PLOTLY_MIME]
    assert [s["type"] for s in drawn["layout"]["shapes"]].count("line") == 1
    hover = [t["hovertemplate"] for t in drawn["data"] if "hovertemplate" in t]
    assert hover == [
        "web/requests.duration.p99<br>%{x|%H:%M:%S}  %{y:.6~g}<br>ev_0123456789abcdef and 1 more<extra></extra>"
    ]
