"""Two baselines side by side: just before, and the same clock time earlier, by the people's own clock."""

from __future__ import annotations

from connectors.window import Window, utc
from kit.baselines import compare_baselines, earlier_windows

WELL = {"requests": 900.0, "failed share": 0.001, "p99 (s)": 0.1, "requests/s": 10.0}
ILL = {"requests": 900.0, "failed share": 0.2, "p99 (s)": 2.0, "requests/s": 10.0}


def differs(found):
    return dict(zip(found.table["figure"], found.table["differs"], strict=True))


def test_harm_differs_from_both():
    found = compare_baselines(ILL, WELL, {"a day earlier": WELL, "a week earlier": WELL})
    assert differs(found) == {"failed share": "both", "p99 (s)": "both", "requests/s": "no"}
    assert found.headline.startswith("failed share, p99 (s) differs from the minutes before")


def test_a_daily_ramp_differs_from_just_before_only():
    busy = {**WELL, "requests/s": 30.0}
    found = compare_baselines(busy, WELL, {"a week earlier": busy})
    assert differs(found)["requests/s"] == "just before only"
    assert "the day's own course" in found.headline


def test_an_earlier_day_that_was_ill_itself_is_left_out_and_the_other_counts():
    found = compare_baselines(ILL, WELL, {"a day earlier": WELL, "a week earlier": ILL})
    assert set(found.table["of"]) == {"a day earlier"}
    assert found.because == ("a week earlier was ill itself (20.0% failed)",)


def test_without_earlier_data_it_is_unknown_and_said():
    found = compare_baselines(ILL, WELL, {"a day earlier": {"requests": 0.0}, "a week earlier": {"requests": 3.0}})
    assert differs(found)["failed share"] == "just before; earlier unknown"
    assert found.because == (
        "no data of the same clock time a day earlier or a week earlier: the day's own course is not known",
    )


def test_the_same_clock_time_over_a_change_of_the_clocks_is_civil_time():
    # 2026-03-29 02:00 CET → 03:00 CEST: 08:00 on the 30th is 06:00 UTC, a day earlier too, a week earlier 07:00 UTC
    windows = earlier_windows(Window.of("2026-03-30T06:00Z", "2026-03-30T06:10Z"), zone="Europe/Berlin")
    assert windows["a day earlier"].start == utc("2026-03-29T06:00Z")
    assert windows["a week earlier"].start == utc("2026-03-23T07:00Z")
    assert {w.seconds for w in windows.values()} == {600.0}
