"""The offset of two clocks as an interval: bounded by requests both saw, silent where too few did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kit.clocks import compare_clocks

AT = pd.date_range("2026-03-01T02:00Z", periods=100, freq="1s")


def rows(ahead_s=0.0, duration_s=0.1, ids=range(100), at=AT):
    return pd.DataFrame(
        {"trace_id": list(ids), "time": at + pd.to_timedelta(ahead_s, unit="s"), "duration_s": duration_s}
    )


def test_clocks_that_agree_are_known_within_the_inner_requests_slack():
    # inner: ends 20 ms before the outer, lasts 40 of its 100 ms: its begin is 40 ms after the outer's
    found = compare_clocks([("web", rows(), "db", rows(-0.02, 0.04))])
    (offset,) = found.offsets
    assert offset.agree
    assert (round(offset.low, 6), round(offset.high, 6)) == (-0.02, 0.04)
    assert found.headline == "The two clocks agree, the least known within 0.04 s."
    assert found.gaps == ()


def test_a_clock_two_seconds_behind_is_reported_with_its_uncertainty():
    found = compare_clocks([("web", rows(), "db", rows(-2.02, 0.04))])
    assert found.offsets[0].text == "the clock of web is ahead of db's by 1.99 ± 0.03 s"
    assert "order within that is unknown" in found.gaps[0]


def test_a_clock_that_was_set_fits_no_offset():
    half = np.where(np.arange(100) < 50, 0.0, 3.0)
    found = compare_clocks([("web", rows(), "db", rows(half - 0.02, 0.04))])
    assert "no constant offset" in found.offsets[0].text


def test_few_shared_requests_and_repeated_ids_say_nothing():
    few = compare_clocks([("web", rows(), "db", rows(ids=range(90, 190)))])
    assert few.offsets == ()
    assert few.unknown == ("web and db share fewer than 20 requests",)
    repeated = compare_clocks([("web", rows(), "db", rows(ids=[7] * 100))])
    assert repeated.offsets == ()
