"""Impact: beyond the usual, with intervals; unknown stays unknown, gaps make lower bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit.impact import Quantity, measure_impact, time_to

BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:15Z")
INCIDENT = Window.of("2026-03-01T02:15Z", "2026-03-01T02:20Z")
OBJECTIVES = [{"signal": "errors_ratio", "limit": 0.01}, {"signal": "latency_p99_s", "limit": 0.5}]


def rows(*, usual: float = 0.0, failing: float = 0.0, slow: float = 0.0, lost: float = 0.0) -> pd.DataFrame:
    """Ten requests a second for 20 minutes; the shares hold from 02:15 on, `usual` fails all the time."""
    at = pd.date_range("2026-03-01T02:00Z", "2026-03-01T02:20Z", freq="100ms", inclusive="left")
    n = np.arange(len(at))
    ill = np.asarray(at >= pd.Timestamp(INCIDENT.start))
    frame = pd.DataFrame({"start": at, "duration_s": 0.1, "failed": False, "tenant": [f"t{k % 7}" for k in n // 100]})
    frame.loc[n % 1000 < usual * 1000, "failed"] = True
    frame.loc[ill & ((n * 37) % 100 < failing * 100), "failed"] = True
    frame.loc[ill & ((n * 37) % 100 >= 100 - slow * 100), "duration_s"] = 2.0
    frame = frame[~(ill & ((n * 53) % 100 < lost * 100))]
    frame["time"] = frame["start"] + pd.to_timedelta(frame["duration_s"], unit="s")
    return frame.drop(columns="start")


def measure(frame, **more):
    return measure_impact(frame, baseline=BASELINE, incident=INCIDENT, **more)


def test_failures_that_never_happened_before_are_all_excess():
    impact = measure(rows(failing=0.2))
    assert impact.failed.value == pytest.approx(600)
    assert impact.failed.low > 590
    assert impact.failed.high <= 600
    assert "600" in impact.headline


def test_the_usual_failures_are_taken_off_and_widen_the_interval():
    impact = measure(rows(usual=0.01, failing=0.2))
    assert impact.failed.value == pytest.approx(600 - 30 + 30 * 0.8, abs=30)
    assert impact.failed.low < impact.failed.value < impact.failed.high


def test_a_healthy_window_has_no_impact():
    impact = measure(rows(usual=0.01))
    assert impact.failed.low == 0
    assert impact.slow.value == 0
    assert impact.lost.low == 0


def test_slow_requests_are_counted_once_and_not_when_they_failed():
    impact = measure(rows(failing=0.2, slow=0.3), objective=OBJECTIVES)
    assert impact.slow.value == pytest.approx(900)
    both = rows(failing=0.2, slow=0.9)
    assert measure(both, objective=OBJECTIVES).slow.value == pytest.approx(2700 - 300, abs=1)


def test_without_an_objective_slow_is_what_exceeds_the_usual_tail():
    assert measure(rows(slow=0.3)).slow.value == pytest.approx(900)
    assert measure(rows(slow=0.3)).minutes_over is None
    assert measure(rows(slow=0.3)).budget_burned is None


def test_lost_requests_have_an_interval_that_holds_what_is_missing():
    impact = measure(rows(lost=0.4))
    assert impact.lost.low <= 1200 <= impact.lost.high
    assert impact.lost.low > 900


def test_a_gap_makes_lower_bounds_and_expects_no_traffic_there():
    gap = Window.of("2026-03-01T02:16Z", "2026-03-01T02:17Z")
    frame = rows(failing=0.2)
    frame = frame[~frame["time"].between(gap.start, gap.end)]
    impact = measure(frame, gaps=[gap])
    assert impact.failed.lower_bound
    assert str(impact.failed).startswith("at least")
    assert impact.lost.low == 0


def test_harm_that_lasts_is_a_lower_bound():
    assert measure(rows(failing=0.2), onset="2026-03-01T02:15Z").failed.lower_bound
    done = measure(rows(failing=0.2), onset="2026-03-01T02:15Z", recovered="2026-03-01T02:20Z")
    assert not done.failed.lower_bound
    assert done.times["recovered"] == 300


def test_minutes_over_and_budget():
    impact = measure(rows(failing=0.2), objective=OBJECTIVES)
    assert impact.minutes_over == pytest.approx(5, abs=0.4)
    assert impact.budget_burned == pytest.approx(600 / (0.01 * 10 * 30 * 86400))


def test_who_was_hurt():
    (tenants,) = measure(rows(failing=0.2)).affected
    assert (tenants.kind, tenants.hurt, tenants.active) == ("tenants", 7, 7)
    assert measure(rows()).affected[0].hurt == 0


def test_sampled_rows_stand_for_many_and_widen_the_interval():
    impact = measure(rows(failing=0.2).assign(weight=10.0))
    assert impact.failed.value == pytest.approx(6000)
    assert impact.failed.low < 5600


def test_times_are_none_where_no_mark_says():
    times = time_to("2026-03-01T02:15Z", [{"kind": "engaged", "time": "2026-03-01T02:18Z"}])
    assert times == {"detected": None, "engaged": 180.0, "mitigated": None, "resolved": None, "recovered": None}


def test_quantities_read_plainly():
    assert str(Quantity(1234.2, 1200, 1260)) == "1,234 (1,200–1,260)"
    assert str(Quantity(5, 5, 5)) == "5"


def test_the_table_has_every_figure():
    what = measure(rows(failing=0.2), objective=OBJECTIVES).to_frame()["what"].tolist()
    assert "failed requests beyond the usual" in what
    assert "time to detected" in what
