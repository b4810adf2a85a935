"""One date for a symptom that several signals show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit.common_onset import find_common_onset
from kit.errors import TooShort

START = pd.Timestamp("2026-03-01T02:00Z")
BASELINE = Window(START, START + pd.Timedelta("30min"))


def frame(**columns: list[float]) -> pd.DataFrame:
    named = {k.replace("__", "/").replace("_", "."): v for k, v in columns.items()}
    n = len(next(iter(columns.values())))
    return pd.DataFrame(named, index=pd.date_range(START, periods=n, freq="1min"))


def test_two_signals_outvote_the_clearer_one_that_turned_earlier():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((3, 45)) * 0.05
    wide = frame(
        shop__a_duration_p99=list(1 + noise[0] + np.repeat([0.0, 0.6], [40, 5])),
        shop__b_duration_p99=list(1 + noise[1] + np.repeat([0.0, 0.6], [40, 5])),
        shop__c_duration_p99=list(1 + noise[2] + np.repeat([0.0, 9.0], [34, 11])),
    )
    onset = find_common_onset(wide, baseline=BASELINE)
    assert onset is not None
    assert onset.time == START + pd.Timedelta("40min")
    assert onset.because[-1].startswith("2 of 3 signals")


def test_a_latency_that_falls_is_no_harm():
    wide = frame(shop__a_duration_p99=[1.0, 1.1] * 20 + [0.1, 0.2] * 4)
    assert find_common_onset(wide, baseline=BASELINE) is None


def test_a_traffic_that_falls_is():
    wide = frame(shop__requests_rate=[10.0, 11.0] * 20 + [1.0, 2.0] * 4)
    onset = find_common_onset(wide, baseline=BASELINE)
    assert onset is not None
    assert (onset.direction, onset.time) == ("down", START + pd.Timedelta("40min"))


def test_quiet_signals_have_no_date():
    assert find_common_onset(frame(shop__cpu_gauge=[1.0, 1.1] * 24), baseline=BASELINE) is None


def test_signals_that_are_all_too_short_say_so():
    with pytest.raises(TooShort, match="22 buckets needed"):
        find_common_onset(frame(shop__cpu_gauge=[1.0, 1.1] * 6), baseline=BASELINE)
