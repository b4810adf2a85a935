"""Times as files write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadInput, NaiveTime
from connectors.files.times import Clock, ambiguous, parse_time, to_times

AT = datetime(2026, 11, 24, 4, 21, 0, 123000, tzinfo=UTC)


def one(value, clock: Clock | None = None):
    return to_times(pa.array([value]), clock or Clock())[0].as_py()


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-24T04:21:00.123Z",
        "2026-11-24 04:21:00.123Z",
        "2026-11-24T05:21:00.123+01:00",
        "2026-11-24T05:21:00.123+0100",
        "2026-11-24 04:21:00.123 UTC",
        "2026-11-24 04:21:00,123 +0000",
        "2026-11-24T04:21:00.123000000Z",
        "24/Nov/2026:04:21:00.123 +0000",
        "1795494060.123",
        "1795494060123",
        1795494060.123,
        1795494060123,
        1795494060123000,
        1795494060123000000,
    ],
)
def test_one_instant_in_many_hands(written):
    assert one(written) == AT


@pytest.mark.parametrize("written", ["not a time", "", "12:30", 12.5, 0, True])
def test_what_is_no_time_is_null(written):
    assert one(written) is None


@pytest.mark.parametrize("written", ["2026-11-24 04:21:00.123", "2026-11-24T04:21:00,123", "Nov 24 04:21:00"])
def test_a_time_without_a_zone_is_refused_with_the_option_that_mends_it(written):
    with pytest.raises(NaiveTime, match=r'tz = "Europe/Berlin"|year = 2026'):
        to_times(pa.array([written]), Clock(where="app.log"))


def test_the_option_mends_it():
    assert one("2026-11-24 05:21:00.123", Clock(tz="Europe/Berlin")) == AT
    assert one("Nov 24 05:21:00", Clock(tz="Europe/Berlin", year=2026)) == AT.replace(microsecond=0)


def test_a_zone_that_does_not_exist_is_one_sentence():
    with pytest.raises(BadInput, match="no time zone 'Europe/Berln'"):
        to_times(pa.array(["2026-11-24 05:21:00"]), Clock(tz="Europe/Berln"))


def test_the_repeated_hour_is_counted_not_guessed_silently():
    clock = Clock(tz="Europe/Berlin")
    times = to_times(pa.array(["2026-10-25 02:30:00", "2026-10-25 04:30:00"]), clock)
    assert times[0].as_py() == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert ambiguous(times, clock) == 1


def test_an_abbreviation_tells_the_two_passes_apart():
    clock = Clock(tz="Europe/Berlin")
    assert parse_time("2026-10-25 02:30:00 CEST", clock) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse_time("2026-10-25 02:30:00 CET", clock) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_mixed_forms_in_one_column_are_each_read():
    times = to_times(pa.array(["2026-11-24T04:21:00.123Z", "24/Nov/2026:04:21:00 +0000", None, "?"]), Clock())
    assert times.to_pylist() == [AT, AT.replace(microsecond=0), None, None]


@given(st.integers(min_value=200_000_000_000_000, max_value=4_000_000_000_000_000))
def test_iso_text_and_epoch_microseconds_agree(micros):
    at = to_times(pa.array([micros]), Clock())
    text = at[0].as_py().isoformat()
    assert to_times(pa.array([text]), Clock()).equals(at)
    assert to_times(pa.array([micros * 1000]), Clock()).equals(at)


def test_a_small_number_as_text_is_no_time():
    assert parse_time("0", Clock()) is None
