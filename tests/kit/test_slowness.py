"""Which requests are slow: half as much again as usual, and a tenth of a second more."""

from __future__ import annotations

import pandas as pd

from kit.episodes.slowness import slow_requests
from kit.requests import request_arrays


def slow(usual_s: float, then_s: float, *, objective_s: float | None = None) -> int:
    times = pd.date_range("2026-03-01T00:00Z", periods=240, freq="1s")
    rows = pd.DataFrame({"time": times, "duration_s": [usual_s] * 230 + [then_s] * 10, "failed": False})
    arrays = request_arrays(rows)
    return int(slow_requests(arrays, None, arrays.failed & False, objective_s=objective_s).sum())


def test_a_route_of_ten_milliseconds_is_not_slow_at_sixteen():
    assert slow(0.010, 0.016) == 0


def test_a_route_of_ten_milliseconds_is_slow_at_two_hundred():
    assert slow(0.010, 0.200) == 10


def test_a_route_of_a_second_is_slow_beyond_half_as_much_again():
    assert slow(1.0, 1.4) == 0
    assert slow(1.0, 1.6) == 10


def test_an_objective_between_the_two_decides():
    assert slow(0.010, 0.060, objective_s=0.050) == 10
