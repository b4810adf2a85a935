"""When it turned: what counts as an onset, what does not, and what the interval promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.errors import BadInput
from connectors.window import Window
from kit.errors import TooShort
from kit.onset import find_changepoints, find_changepoints_each, find_onset

START = "2026-03-01T02:00Z"


def bins(values: list[float] | np.ndarray, *, every: str = "15s") -> pd.Series:
    return pd.Series(np.asarray(values, float), index=pd.date_range(START, periods=len(values), freq=every))


def baseline(minutes: float, *, start: str = START) -> Window:
    begin = pd.Timestamp(start)
    return Window(begin, begin + pd.Timedelta(minutes=minutes))


def noise(n: int, *, seed: int, rho: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    for t in range(1, n):
        x[t] = rho * x[t - 1] + np.sqrt(1 - rho * rho) * x[t]
    return x


def at(series: pd.Series, position: int) -> pd.Timestamp:
    return series.index[position]


class TestErrorRatio:
    """15 minutes without an error in 15 s bins, then harm: the primary use."""

    def test_the_first_bin_with_errors_is_the_onset_and_the_interval_is_that_bin(self) -> None:
        series = bins([0.0] * 60 + [0.3] * 12)
        onset = find_onset(series, baseline=baseline(15))
        assert onset is not None
        assert (onset.earliest, onset.time, onset.latest) == (at(series, 60), at(series, 60), at(series, 61))
        assert (onset.kind, onset.direction, onset.size, onset.censored) == ("step", "up", pytest.approx(0.3), False)
        assert onset.p < 0.001

    def test_a_first_bin_that_is_ill_in_part_is_within_the_interval(self) -> None:
        series = bins([0.0] * 59 + [0.02] + [0.3] * 12)
        onset = find_onset(series, baseline=baseline(14.5))
        assert onset is not None
        assert onset.earliest <= at(series, 59) <= onset.latest
        assert (onset.latest - onset.earliest).total_seconds() <= 30

    def test_a_few_lone_errors_before_do_not_date_it_early(self) -> None:
        values = np.zeros(72)
        values[[9, 31, 48]] = 0.02, 0.05, 0.01
        values[60:] = 0.3, 0.4, 0.2, 0.35, 0.3, 0.25, 0.4, 0.3, 0.2, 0.35, 0.3, 0.3
        series = bins(values)
        onset = find_onset(series, baseline=baseline(15))
        assert onset is not None
        assert (onset.time, onset.latest) == (at(series, 60), at(series, 61))

    def test_harm_that_was_cured_has_the_same_onset(self) -> None:
        series = bins([0.0] * 60 + [0.3] * 8 + [0.0] * 20)
        onset = find_onset(series, baseline=baseline(15))
        assert onset is not None
        assert onset.time == at(series, 60)

    def test_no_errors_no_onset(self) -> None:
        assert find_onset(bins([0.0] * 72), baseline=baseline(15)) is None

    def test_three_lone_errors_are_no_step(self) -> None:
        values = np.zeros(80)
        values[[9, 31, 48]] = 0.01
        onset = find_onset(bins(values), baseline=baseline(15))
        assert onset is None or onset.kind not in ("step", "ramp")


class TestLatency:
    def test_a_threefold_p99_is_dated_within_half_a_minute(self) -> None:
        values = 0.1 * np.exp(0.2 * noise(92, seed=3))
        values[76:] *= 3
        series = bins(values)
        onset = find_onset(series, baseline=baseline(18))
        assert onset is not None
        assert onset.earliest <= at(series, 76) <= onset.latest
        assert (onset.latest - onset.earliest).total_seconds() <= 30

    def test_a_loss_of_traffic_goes_down(self) -> None:
        series = bins(100 + 5 * noise(92, seed=4) - 60 * (np.arange(92) >= 76))
        onset = find_onset(series, baseline=baseline(18))
        assert onset is not None
        assert (onset.time, onset.direction) == (at(series, 76), "down")

    def test_a_slope_is_a_ramp_and_dated_at_its_foot(self) -> None:
        slope = np.clip(np.arange(120) - 70, 0, None) * 1.0
        series = bins(10 + 0.5 * noise(120, seed=5) + slope)
        onset = find_onset(series, baseline=baseline(15))
        assert onset is not None
        assert onset.kind == "ramp"
        assert onset.earliest <= at(series, 72)
        assert abs((onset.time - at(series, 70)).total_seconds()) <= 60

    @pytest.mark.parametrize("seed", range(5))
    def test_quiet_noise_has_no_onset(self, seed: int) -> None:
        onset = find_onset(bins(10 + noise(92, seed=100 + seed, rho=0.3)), baseline=baseline(18))
        assert onset is None or onset.p > 0.001


class TestEdges:
    def test_a_gap_before_the_harm_is_part_of_the_interval(self) -> None:
        values = 100 + 5 * noise(92, seed=6)
        values[70:76] = np.nan
        values[76:] = 20
        series = bins(values)
        onset = find_onset(series, baseline=baseline(17))
        assert onset is not None
        assert onset.earliest == at(series, 70)
        assert onset.time == at(series, 76)
        assert any("no data for 90 s" in reason for reason in onset.because)

    def test_harm_from_the_first_bin_on_is_censored(self) -> None:
        values = 100 + 5 * noise(92, seed=7)
        values[:8] = 200
        onset = find_onset(bins(values), baseline=baseline(20, start="2026-03-01T02:03Z"))
        assert onset is not None
        assert onset.censored
        assert "before" in onset.headline

    def test_too_short_says_how_much_is_needed_and_which_step_would_do(self) -> None:
        with pytest.raises(TooShort, match="22 buckets needed, 15 present: use 10 s buckets or start 1 min earlier"):
            find_onset(bins([0.0] * 12 + [1.0] * 3), baseline=baseline(3))

    def test_a_baseline_without_data_is_too_short(self) -> None:
        with pytest.raises(TooShort, match="8 baseline buckets needed, 0 present"):
            find_onset(bins([0.0] * 60), baseline=baseline(10, start="2026-03-01T01:00Z"))

    def test_times_without_a_zone_are_refused(self) -> None:
        series = pd.Series(np.zeros(60), index=pd.date_range("2026-03-01", periods=60, freq="15s"))
        with pytest.raises(BadInput, match="zone"):
            find_onset(series, baseline=baseline(10))

    def test_the_series_is_left_as_it_was(self) -> None:
        series = bins([0.0] * 60 + [0.3] * 12)
        before = series.copy()
        find_onset(series, baseline=baseline(15))
        pd.testing.assert_series_equal(series, before)


class TestSeason:
    def test_a_daily_rise_seen_on_two_days_is_no_onset(self) -> None:
        hours = np.arange(3 * 288) / 12
        daily = 100 + 50 * np.sin(2 * np.pi * hours / 24) + noise(864, seed=8)
        series = bins(daily, every="5min")
        found = find_onset(series, baseline=Window.of("2026-03-03T02:00Z", "2026-03-03T10:00Z"))
        assert found is None or found.p > 0.001

    def test_a_step_on_top_of_the_daily_rise_is(self) -> None:
        hours = np.arange(3 * 288) / 12
        daily = 100 + 50 * np.sin(2 * np.pi * hours / 24) + noise(864, seed=9)
        daily[800:] += 30
        series = bins(daily, every="5min")
        found = find_onset(series, baseline=Window.of("2026-03-03T02:00Z", "2026-03-03T10:00Z"))
        assert found is not None
        assert found.time == at(series, 800)


class TestChangepoints:
    def test_up_and_down_again_are_two_changes_on_any_index(self) -> None:
        values = 10 + noise(200, seed=10)
        values[80:140] += 12
        found = find_changepoints(pd.Series(values, index=np.arange(1000, 1200)))
        assert found["start"].tolist() == [1080, 1140]
        assert found["direction"].tolist() == ["up", "down"]
        assert found["end"].tolist() == [1139, 1199]
        assert found["size"].round().abs().tolist() == [12, 12]
        assert (found["p"] < 1e-6).all()

    def test_a_lone_point_is_a_spike_and_ends_by_itself(self) -> None:
        values = noise(200, seed=11)
        values[120] += 25
        found = find_changepoints(pd.Series(values))
        assert found[["start", "end", "kind", "direction"]].values.tolist() == [[120, 120, "spike", "up"]]

    def test_a_wider_spread_is_a_change_of_variance(self) -> None:
        values = noise(300, seed=12)
        values[180:] *= 5
        found = find_changepoints(pd.Series(values))
        change = found[found["kind"] == "variance"].iloc[0]
        assert abs(change["start"] - 180) <= 12
        assert change["direction"] == "up"
        assert change["size"] == pytest.approx(4, abs=1.5)

    def test_missing_points_are_left_out_not_filled(self) -> None:
        values = noise(200, seed=13)
        values[100:] += 10
        values[40:60] = np.nan
        found = find_changepoints(pd.Series(values))
        assert found["start"].tolist() == [100]

    def test_noise_gives_no_row(self) -> None:
        assert find_changepoints(pd.Series(noise(200, seed=14))).empty

    def test_a_constant_gives_no_row(self) -> None:
        assert find_changepoints(pd.Series([3.0] * 100)).empty

    def test_few_points_with_a_clear_step_have_no_p(self) -> None:
        found = find_changepoints(pd.Series([1.0, 2, 1, 2, 1, 2, 9, 8, 9, 8, 9, 8]))
        assert found["start"].tolist() == [6]
        assert found["p"].isna().all()

    def test_an_index_out_of_order_is_refused(self) -> None:
        with pytest.raises(BadInput, match="increase"):
            find_changepoints(pd.Series([1.0] * 30, index=[2, 1, *range(3, 31)]))

    def test_many_at_once_are_what_they_are_one_by_one(self) -> None:
        wide = pd.DataFrame({f"s{i}": noise(120, seed=20 + i) + (i % 2) * 8 * (np.arange(120) >= 70) for i in range(6)})
        wide.loc[3, "s5"] = np.nan
        together = find_changepoints_each(wide)
        apart = pd.concat([find_changepoints(wide[c]).assign(signal=c) for c in wide], ignore_index=True)
        ordered = together.sort_values(["signal", "start"], ignore_index=True)
        pd.testing.assert_frame_equal(ordered[apart.columns], apart, check_dtype=False)


class TestAnEarlierFault:
    """Half an hour that holds the fault before as well."""

    def series(self) -> pd.Series:
        x = noise(48, seed=3) * 0.05 + 1
        x[20:25] += 5.0
        x[42:] += 2.0
        return bins(x, every="1min")

    def test_what_came_and_went_inside_the_baseline_is_not_the_onset(self):
        onset = find_onset(self.series(), baseline=baseline(38))
        assert onset is not None
        assert onset.time == pd.Timestamp(START) + pd.Timedelta("42min")
        assert any(line.startswith("left out: 5 bins") for line in onset.because)

    def test_without_a_second_fault_there_is_none(self):
        series = self.series()
        series.iloc[42:] = series.iloc[:6].to_numpy()
        assert find_onset(series, baseline=baseline(38)) is None


def test_only_the_direction_asked_for_counts():
    x = np.repeat([5.0, 1.0], [40, 12]) + noise(52, seed=5) * 0.1
    assert find_onset(bins(x), baseline=baseline(9), direction="up") is None
    fallen = find_onset(bins(x), baseline=baseline(9), direction="down")
    assert fallen is not None
    assert fallen.direction == "down"


def test_a_slight_drift_before_the_harm_is_not_its_beginning():
    x = np.repeat([0.0, 1.0, 20.0], [40, 10, 10]) + noise(60, seed=7) * 0.2
    onset = find_onset(bins(x), baseline=baseline(10))
    assert onset is not None
    assert onset.time == pd.Timestamp(START) + pd.Timedelta(seconds=15 * 50)


def test_many_columns_with_a_busy_minute_every_hour_are_answered_as_one_by_one():
    busy = 3.0 * (np.arange(300) % 60 < 3)
    index = pd.date_range(START, periods=300, freq="1min")
    wide = pd.DataFrame({"calm": noise(300, seed=1) + busy, "stepped": noise(300, seed=2) + busy}, index=index)
    wide.iloc[200:, 1] += 4.0
    together = find_changepoints_each(wide)
    for name in wide:
        mine = together[together["signal"] == name]
        assert mine["start"].tolist() == find_changepoints(wide[name])["start"].tolist()
    assert index[200] in together.loc[together["signal"] == "stepped", "start"].tolist()
