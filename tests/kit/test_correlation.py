"""Associations: which moves first, what a third explains, dose, and a natural experiment; none of them is a verdict."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit import correlation
from kit.correlation import difference_in_differences, dose_response, lead_lag, third_factor

INDEX = pd.date_range("2026-03-01T02:00Z", periods=240, freq="10s")


def walk(seed: int, name: str) -> pd.Series:
    return pd.Series(np.cumsum(np.random.default_rng(seed).normal(size=240)), index=INDEX, name=name)


def noisy(series: pd.Series, seed: int, name: str, size: float = 2.0) -> pd.Series:
    return (series + np.random.default_rng(seed).normal(0, size, 240)).rename(name)


def test_the_leader_is_named_and_the_interval_holds_the_true_lag() -> None:
    queue = walk(1, "queue")
    latency = noisy(queue.shift(4), 2, "latency", size=0.3)
    found = lead_lag(queue, latency, most_s=100)
    assert found is not None
    assert found.lag_s == 40.0
    assert found.low_s <= 40.0 <= found.high_s
    assert found.headline == "queue moves 40 s before latency"
    back = lead_lag(latency, queue, most_s=100)
    assert back is not None
    assert back.headline == "queue moves 40 s before latency"


def test_two_that_move_in_the_same_bin_are_not_ordered() -> None:
    queue = walk(3, "queue")
    found = lead_lag(queue, noisy(queue, 4, "latency", size=0.3), most_s=60)
    assert found is not None
    assert found.headline == "queue and latency move together; which first is unknown"


def test_independent_walks_do_not_move_together() -> None:
    alarms = 0
    for seed in range(10):
        found = lead_lag(walk(100 + seed, "a"), walk(200 + seed, "b"), most_s=60)
        assert found is not None
        alarms += found.p <= 0.05
    assert alarms <= 2


def test_a_third_that_both_follow_explains_them_and_a_bystander_does_not() -> None:
    slow = walk(5, "fraud-check latency")
    cpu, p99 = noisy(slow, 6, "CPU"), noisy(slow, 7, "latency")
    found = third_factor(cpu, p99, given=slow)
    assert found is not None
    assert found.explains
    assert found.headline == "CPU and latency both follow fraud-check latency"
    bystander = pd.Series(np.random.default_rng(8).normal(size=240), index=INDEX, name="web errors")
    other = third_factor(cpu, p99, given=bystander)
    assert other is not None
    assert not other.explains
    assert other.headline == "CPU and latency go together; web errors does not account for it"


def test_a_dose_that_does_nothing_is_told_from_one_that_does() -> None:
    dose = pd.Series([1.0] * 60 + list(np.linspace(1, 9, 60)) + [1.0] * 120, index=INDEX, name="attempts")
    response = noisy(dose * 2, 9, "errors", size=0.5)
    found = dose_response(dose, response)
    assert found is not None
    assert found.p <= 0.05
    assert found.low > 0
    assert found.quarters[3][1] > found.quarters[0][1]
    none = dose_response(dose, pd.Series(np.random.default_rng(10).normal(size=240), index=INDEX, name="web"))
    assert none is not None
    assert none.headline == "web does not go with attempts"


def test_the_treated_part_beyond_the_untreated_is_the_effect() -> None:
    rng = np.random.default_rng(11)
    common = rng.normal(0, 0.5, 240)
    step = np.where(np.arange(240) >= 120, 3.0, 0.0)
    treated = pd.Series(10 + common + step + 5 * (step > 0) + rng.normal(0, 0.1, 240), index=INDEX, name="zone a")
    rest = pd.Series(4 + common + step + rng.normal(0, 0.1, 240), index=INDEX, name="zone b")
    before, after = Window(INDEX[0], INDEX[120]), Window(INDEX[120], INDEX[-1])
    found = difference_in_differences(treated, rest, before=before, after=after)
    assert found is not None
    assert found.effect == pytest.approx(5.0, abs=0.1)
    assert found.low <= 5.0 <= found.high
    assert found.parallel
    alike = difference_in_differences(rest + 1, rest, before=before, after=after)
    assert alike is not None
    assert alike.headline == "zone b changed no more than zone b"


def test_parts_that_drifted_apart_before_are_no_comparison() -> None:
    drifting = pd.Series(np.linspace(0, 10, 240), index=INDEX, name="a")
    still = pd.Series(np.random.default_rng(12).normal(0, 0.01, 240), index=INDEX, name="b")
    windows = {"before": Window(INDEX[0], INDEX[120]), "after": Window(INDEX[120], INDEX[-1])}
    found = difference_in_differences(drifting, still, **windows)
    assert found is not None
    assert not found.parallel
    assert "no comparison" in found.headline


def test_too_few_bins_or_a_constant_are_none() -> None:
    short = walk(13, "a")[:8]
    assert lead_lag(short, short) is None
    assert third_factor(short, short, given=short) is None
    assert dose_response(short, short) is None
    constant = pd.Series(1.0, index=INDEX, name="c")
    assert lead_lag(constant, walk(14, "b")) is None
    assert dose_response(constant, walk(14, "b")) is None


def test_the_same_data_give_the_same_numbers() -> None:
    a, b = walk(15, "a"), walk(16, "b")
    assert lead_lag(a, b, most_s=60) == lead_lag(a, b, most_s=60)


def test_there_is_no_way_to_return_a_cause() -> None:
    for name, thing in vars(correlation).items():
        assert "cause" not in name.lower()
        if inspect.isclass(thing) and thing.__module__ == correlation.__name__:
            assert not [f for f in vars(thing) if "cause" in f.lower() and f != "because"]
    follows = walk(17, "a")
    shown = [lead_lag(follows, noisy(follows.shift(3), 18, "b")), third_factor(follows, follows, given=follows)]
    assert not [r for r in shown if r is not None and " cause" in str(r).lower()]
