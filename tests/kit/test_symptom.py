"""Who was hurt, since when: dated by the start of requests, healthy when nothing is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit.episodes.quiet_hours import Fall, without_quiet_hours
from kit.requests import rebin_by_start
from kit.symptom import find_symptom, find_symptom_in_bins, refine_symptom

T0 = datetime(2026, 3, 1, 2, tzinfo=UTC)
LOOK = Window(T0, T0 + timedelta(minutes=21))
OBJECTIVES = ({"signal": "errors_ratio", "limit": 0.01}, {"signal": "latency_p99_s", "limit": 0.5})


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def traffic(*, rate: int = 20, seed: int = 1, errors: float = 0.002) -> pd.DataFrame:
    """21 minutes of requests on three routes; `start` in seconds, usual durations 20–50 ms."""
    rng = np.random.default_rng(seed)
    n = 21 * 60 * rate
    rows = pd.DataFrame(
        {
            "start": np.arange(n) / rate,
            "route": rng.choice(["/pay", "/cart", "/items"], n, p=[0.2, 0.3, 0.5]),
            "duration_s": 0.03 * rng.lognormal(0, 0.4, n),
            "http.response.status_code": np.where(rng.random(n) < errors, 500, 200),
        }
    )
    return rows


def rows_of(rows: pd.DataFrame) -> pd.DataFrame:
    us = (int(T0.timestamp() * 1e6) + (rows["start"] + rows["duration_s"]) * 1e6).round().astype("int64")
    return rows.assign(time=pd.to_datetime(us, unit="us", utc=True)).drop(columns="start").sort_values("time")


def failing(rows: pd.DataFrame, start: float, end: float, share: float = 0.4, route: str | None = None) -> pd.DataFrame:
    hit = rows["start"].between(start, end) & (np.arange(len(rows)) % 10 < share * 10)
    if route:
        hit &= rows["route"] == route
    return rows.assign(**{"http.response.status_code": rows["http.response.status_code"].mask(hit, 503)})


def holds(moment, time: datetime, slack: float = 2.0) -> bool:
    return moment.earliest - timedelta(seconds=slack) <= time <= moment.latest + timedelta(seconds=slack)


def test_a_healthy_day_is_healthy_and_says_what_was_tested():
    symptom = find_symptom(rows_of(traffic()), window=LOOK, objectives=OBJECTIVES)
    assert symptom.verdict == "healthy"
    assert symptom.episodes == ()
    assert "none ill" in symptom.headline


@pytest.mark.parametrize("seed", range(6))
def test_chance_alone_raises_nothing(seed):
    assert find_symptom(rows_of(traffic(seed=seed, errors=0.005)), window=LOOK).verdict == "healthy"


def test_errors_are_dated_at_both_ends_within_thirty_seconds():
    symptom = find_symptom(rows_of(failing(traffic(), 900, 1050)), window=LOOK, objectives=OBJECTIVES)
    (episode,) = symptom.episodes
    assert symptom.verdict == "incident"
    assert holds(episode.onset, at(900))
    assert holds(episode.recovered, at(1050))
    assert episode.onset.width_s <= 30
    assert episode.signals == ("errors_ratio",)
    assert episode.routes == ()
    assert episode.baseline.end <= episode.onset.earliest
    assert episode.baseline.seconds == pytest.approx(4 * episode.incident.seconds, rel=0.01)


def test_only_the_ill_route_is_named_with_its_share():
    symptom = find_symptom(rows_of(failing(traffic(), 900, 1050, 0.8, "/pay")), window=LOOK, objectives=OBJECTIVES)
    (episode,) = symptom.episodes
    assert episode.routes == ("/pay",)
    assert episode.share_of_traffic == pytest.approx(0.2, abs=0.03)
    assert episode.explains > 0.9


def test_hanging_requests_date_the_onset_at_their_start_and_no_traffic_is_lost():
    rows = traffic()
    hit = rows["start"].between(900, 1050) & (np.arange(len(rows)) % 2 == 0)
    rows = rows.assign(duration_s=rows["duration_s"].mask(hit, 30.0))
    rows["http.response.status_code"] = rows["http.response.status_code"].mask(hit, 504)
    (episode,) = find_symptom(rows_of(rows), window=LOOK).episodes
    assert holds(episode.onset, at(900))
    assert "traffic_rps" not in episode.signals


def test_slowness_alone_is_found():
    rows = traffic()
    rows = rows.assign(duration_s=rows["duration_s"].where(~rows["start"].between(900, 1050), rows["duration_s"] + 0.8))
    (episode,) = find_symptom(rows_of(rows), window=LOOK, objectives=OBJECTIVES).episodes
    assert episode.signals == ("slow_ratio",)
    assert holds(episode.onset, at(900))


def test_a_change_that_keeps_its_objective_is_told_but_not_ill():
    rows = traffic()
    rows = rows.assign(duration_s=rows["duration_s"].where(~rows["start"].between(900, 1050), rows["duration_s"] * 3))
    symptom = find_symptom(rows_of(rows), window=LOOK, objectives=OBJECTIVES)
    assert symptom.verdict == "healthy"
    assert any("kept within the objective" in reason for reason in symptom.because)
    assert find_symptom(rows_of(rows), window=LOOK).verdict == "incident"


def test_lost_traffic_is_harm_but_silence_past_the_last_line_is_not():
    rows = traffic()
    gone = rows["start"].between(900, 1050) & (np.arange(len(rows)) % 5 > 0)
    (episode,) = find_symptom(rows_of(rows[~gone]), window=LOOK).episodes
    assert episode.signals == ("traffic_rps",)
    assert holds(episode.onset, at(900), 4)
    short = rows_of(traffic()[lambda r: r["start"] < 900])
    assert find_symptom(short, window=LOOK).verdict == "healthy"
    assert find_symptom(short, window=LOOK, covered=LOOK).verdict == "incident"


def test_moving_the_look_moves_no_finding():
    rows = rows_of(failing(traffic(), 900, 1050))
    found = {
        (str(e.onset), str(e.recovered), e.routes, e.signals)
        for shift in (-170, -40, 0, 95, 180)
        for e in find_symptom(rows, window=LOOK.shift(shift), objectives=OBJECTIVES).episodes
    }
    assert len(found) == 1


def test_two_stretches_are_two_episodes_and_flapping_is_one():
    apart = failing(failing(traffic(), 300, 400), 900, 1000)
    assert len(find_symptom(rows_of(apart), window=LOOK).episodes) == 2
    flapping = failing(failing(traffic(), 900, 950), 980, 1030)
    assert len(find_symptom(rows_of(flapping), window=LOOK).episodes) == 1


def test_harm_that_lasts_has_no_recovery_and_harm_at_the_left_edge_is_censored():
    lasting = find_symptom(rows_of(failing(traffic(), 1000, 2000)), window=LOOK).episodes[0]
    assert lasting.recovered is None
    edge = find_symptom(rows_of(failing(traffic(), 0, 200)), window=LOOK).episodes[0]
    assert edge.onset.censored
    assert not lasting.onset.censored


def test_probes_do_not_count():
    probes = failing(traffic(rate=5), 900, 1050, 1.0)
    both = pd.concat([traffic().assign(probe=False), probes.assign(probe=True)])
    assert find_symptom(rows_of(both), window=LOOK).verdict == "healthy"
    assert find_symptom(rows_of(both.assign(probe=False)), window=LOOK).verdict == "incident"


def test_too_little_cannot_tell():
    symptom = find_symptom(rows_of(traffic().head(40)), window=LOOK)
    assert symptom.verdict == "cannot_tell"
    assert "60 are needed" in symptom.because[0]


def test_counts_find_the_same_episode_and_rows_then_date_it():
    rows = rows_of(failing(traffic(), 900, 1050))
    bins = rebin_by_start(rows, window=LOOK, every="10s")
    coarse = find_symptom_in_bins(bins, window=LOOK, objectives=OBJECTIVES)
    (episode,) = coarse.episodes
    assert holds(episode.onset, at(900), 10)
    fine = refine_symptom(coarse, rows).episodes[0]
    assert fine.onset.width_s <= 5
    assert holds(fine.onset, at(900))
    assert coarse.rows_wanted[0].contains(at(900))


def test_fewer_requests_alone_are_harm_dated_by_when_they_began():
    rows = traffic()
    eu = np.random.default_rng(3).random(len(rows)) < 0.38
    (episode,) = find_symptom(rows_of(rows[~(rows["start"].between(900, 1020) & eu)]), window=LOOK).episodes
    assert episode.hurts == "lost"
    assert holds(episode.onset, at(900), 4)
    assert holds(episode.recovered, at(1020), 4)
    assert "Less traffic" in episode.readings[0].told


def test_a_tenth_less_traffic_is_no_harm():
    rows = traffic()
    gone = rows["start"].between(900, 1020) & (np.arange(len(rows)) % 10 == 0)
    assert find_symptom(rows_of(rows[~gone]), window=LOOK).verdict == "healthy"


def test_traffic_that_fell_at_the_same_time_earlier_as_well_is_not_lost():
    rows = traffic()
    gone = rows["start"].between(900, 1020) & (np.arange(len(rows)) % 2 == 0)
    episodes = find_symptom(rows_of(rows[~gone]), window=LOOK).episodes
    fell, steady, empty = Fall(20.0, 10.0, 9000), Fall(20.0, 19.5, 9000), Fall(0.0, 0.0, 0)
    assert without_quiet_hours(episodes, {0: {"a week earlier": fell}})[0] == ()
    assert without_quiet_hours(episodes, {0: {"a week earlier": steady}})[0] == episodes
    kept, said = without_quiet_hours(episodes, {0: {"a week earlier": empty}})
    assert kept == episodes
    assert "not known" in said[0]


def ages(*late: float, step: int = 5) -> pd.DataFrame:
    """The age of waiting work every 5 s over the look: 20 ms, from 02:15:00 on the given seconds."""
    times = pd.date_range(T0, LOOK.end, freq=f"{step}s", inclusive="left", name="time")
    values = np.full(len(times), 0.02)
    values[180 : 180 + len(late)] = late
    return pd.DataFrame({"worker@1/messaging.message.age.gauge": values}, index=times)


def test_a_metric_over_its_objective_is_harm_though_no_request_is_hurt():
    wide = ages(2.0, 6.0, 9.0, 14.0, 20.0, 25.0, 26.0, 20.0, 9.0)
    objective = [{"signal": "worker/messaging.message.age.gauge", "limit": 5.0}]
    symptom = find_symptom(rows_of(traffic()), window=LOOK, objectives=objective, signals=wide)
    (episode,) = symptom.episodes
    assert (symptom.verdict, episode.hurts, episode.share_of_traffic) == ("incident", "late", 0.0)
    assert holds(episode.onset, at(900), 0)
    assert episode.onset.latest == at(910)
    assert holds(episode.recovered, at(945), 0)
    assert episode.where == "no request; worker@1/messaging.message.age.gauge"


def test_work_that_waits_is_late_without_an_objective_only_beyond_half_a_minute():
    rows = rows_of(traffic())
    assert find_symptom(rows, window=LOOK, signals=ages(*[20.0] * 12)).verdict == "healthy"
    assert find_symptom(rows, window=LOOK, signals=ages(*[40.0] * 12)).verdict == "incident"


def test_two_stray_samples_over_an_objective_are_no_harm():
    objective = [{"signal": "worker/messaging.message.age.gauge", "limit": 5.0}]
    symptom = find_symptom(rows_of(traffic()), window=LOOK, objectives=objective, signals=ages(9.0, 9.0))
    assert symptom.verdict == "healthy"


def test_an_objective_about_a_signal_that_is_not_there_is_told():
    objective = [{"signal": "worker/lag.gauge", "limit": 5.0}]
    symptom = find_symptom(rows_of(traffic()), window=LOOK, objectives=objective, signals=ages())
    assert any("worker/lag.gauge cannot be judged" in reason for reason in symptom.because)


def test_harm_behind_the_requests_is_told_where_requests_are_too_few_to_judge():
    symptom = find_symptom(rows_of(traffic()).head(20), window=LOOK, signals=ages(*[40.0] * 12))
    assert symptom.verdict == "incident"
    assert any("Too little" in reason for reason in symptom.because)


def test_two_faults_that_begin_apart_and_end_apart_are_two_episodes():
    rows = failing(failing(traffic(), 800, 950, 0.8, "/pay"), 880, 1030, 0.8, "/cart")
    first, second = find_symptom(rows_of(rows), window=LOOK).episodes
    assert (first.routes, second.routes) == (("/pay",), ("/cart",))
    assert holds(first.onset, at(800))
    assert holds(second.onset, at(880))
    assert second.baseline.end <= first.onset.earliest
    assert first.residual == second.residual < 0.05
    assert first.alone.end <= second.onset.latest
    assert second.alone.start >= first.recovered.earliest


def test_what_one_fault_does_to_others_later_and_ends_with_it_is_one_episode():
    rows = failing(failing(traffic(), 800, 1000, 0.8, "/pay"), 880, 1000, 0.8, "/cart")
    (episode,) = find_symptom(rows_of(rows), window=LOOK).episodes
    assert episode.routes == ("/pay", "/cart")
    assert episode.alone is None


def test_what_no_episode_carries_is_its_residual():
    rows = failing(failing(traffic(), 900, 1050, 0.8, "/pay"), 900, 1050, 0.1, "/items")
    rows.loc[(rows["route"] == "/items") & (rows["start"] % 7 > 3), "route"] = "/rare"
    episode = find_symptom(rows_of(rows), window=LOOK).episodes[0]
    assert 0.0 <= episode.residual < 1.0
    assert episode.explains + episode.residual == pytest.approx(1.0, abs=0.05)


def test_given_up_requests_are_slow_whatever_they_waited():
    rows = traffic()
    hit = rows["start"].between(900, 1050) & (np.arange(len(rows)) % 3 == 0)
    rows = rows.assign(**{"http.response.status_code": rows["http.response.status_code"].mask(hit, 499)})
    (episode,) = find_symptom(rows_of(rows), window=LOOK, objectives=OBJECTIVES).episodes
    assert episode.signals == ("slow_ratio",)
    assert holds(episode.onset, at(900))


def test_harm_that_builds_up_is_dated_from_its_first_requests():
    rows = traffic(errors=0.0)
    ramp = rows["start"].between(900, 920) & (np.arange(len(rows)) % 25 == 0)
    full = rows["start"].between(920, 1050) & (np.arange(len(rows)) % 2 == 0)
    rows = rows.assign(**{"http.response.status_code": rows["http.response.status_code"].mask(ramp | full, 503)})
    (episode,) = find_symptom(rows_of(rows), window=LOOK).episodes
    assert episode.onset.earliest <= at(901)
    assert episode.onset.latest >= at(901)
