"""The offset of two clocks as an interval: bounded by what both saw, silent where too little was, nothing shifted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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


# --- hosts, by the calls between them ---------------------------------------------------------------------------------


def calls(caller, callee, *, ahead_s, n=30, kinds=("client", "server"), first=0):
    """Calls of 100 ms each second; the callee works from 20 to 60 ms in it by the caller's clock."""
    rows = []
    for i in range(first, first + n):
        at = AT[0] + pd.Timedelta(seconds=i)
        rows.append((at, 0.1, f"t{i}", f"{i}a", None, caller, kinds[0]))
        rows.append((at + pd.Timedelta(seconds=0.02 + ahead_s), 0.04, f"t{i}", f"{i}b", f"{i}a", callee, kinds[1]))
    names = ["start", "duration_s", "trace_id", "span_id", "parent_id", "host", "kind"]
    return pd.DataFrame(rows, columns=names).assign(service=lambda rows: rows["host"])


def test_a_clock_ahead_is_an_interval_that_holds_the_truth():
    (offset,) = compare_clocks(spans=calls("a-web", "b-db", ahead_s=2.0)).offsets
    assert (offset.one, offset.other, offset.pairs) == ("a-web", "b-db", 30)
    assert offset.low == pytest.approx(1.95)  # its end may be as late as the caller's
    assert offset.high == pytest.approx(2.03)  # its begin as early
    assert not offset.agree


def test_the_direction_of_the_calls_does_not_matter():
    there = compare_clocks(spans=calls("a-web", "b-db", ahead_s=2.0)).offsets[0]
    back = compare_clocks(spans=calls("b-db", "a-web", ahead_s=-2.0)).offsets[0]
    assert (back.one, back.other) == ("a-web", "b-db")
    assert back.low == pytest.approx(1.97)
    assert back.high == pytest.approx(2.05)
    both = pd.concat([calls("a-web", "b-db", ahead_s=2.0), calls("b-db", "a-web", ahead_s=-2.0, first=100)])
    (offset,) = compare_clocks(spans=both).offsets
    assert (offset.low, offset.high) == (pytest.approx(1.97), pytest.approx(2.03))
    assert there.low <= offset.low <= offset.high <= there.high


def test_hosts_whose_clocks_agree_are_said_to_and_how_well():
    found = compare_clocks(spans=calls("a-web", "b-db", ahead_s=0.0))
    assert found.offsets[0].agree
    assert found.gaps == ()
    assert found.headline == "The two clocks agree, the least known within 0.05 s."


def test_a_host_whose_clock_was_set_fits_no_offset():
    both = pd.concat([calls("a-web", "b-db", ahead_s=2.0), calls("a-web", "b-db", ahead_s=0.0, first=100)])
    found = compare_clocks(spans=both)
    assert "one was set, or drifts" in found.headline


def test_a_server_that_ends_its_span_a_little_late_is_no_clock_that_was_set():
    spans = calls("a-web", "b-db", ahead_s=0.0)
    served = spans["kind"] == "server"
    spans.loc[served, ["start"]] -= pd.Timedelta("18ms")
    spans.loc[served, "duration_s"] = 0.101  # begins 2 ms after its caller, ends 3 ms after it
    assert compare_clocks(spans=spans).offsets[0].agree


def test_a_caller_that_gave_up_says_nothing():
    spans = calls("a-web", "b-db", ahead_s=0.0, n=60).assign(status="unset")
    asked, served = (spans["kind"] == kind for kind in ("client", "server"))
    early = spans["trace_id"].isin([f"t{i}" for i in range(0, 60, 3)])
    spans.loc[asked & early, "status"] = "error"
    spans.loc[served & early, "duration_s"] = 30.0
    (offset,) = compare_clocks(spans=spans).offsets
    assert (offset.agree, offset.pairs) == (True, 40)


def test_messages_few_calls_and_one_host_say_nothing():
    assert compare_clocks(spans=calls("a", "b", ahead_s=2.0, kinds=("producer", "consumer"))).offsets == ()
    assert compare_clocks(spans=calls("a", "a", ahead_s=2.0)).offsets == ()
    few = compare_clocks(spans=calls("a", "b", ahead_s=2.0, n=19))
    assert (few.offsets, few.unknown) == ((), ("a and b share fewer than 20 calls",))


def test_lost_parents_are_counted_and_the_spans_stay_as_they_are():
    spans = calls("a-web", "b-db", ahead_s=2.0)
    lost = spans[spans["span_id"] != "0a"]
    before = lost.copy(deep=True)
    found = compare_clocks(spans=lost)
    assert found.because[0] == "1 of 59 spans lack the parent they name"
    assert found.gaps[:-1] == ()  # few are lost, so only the clocks are a gap
    assert found.offsets[0].pairs == 29
    pd.testing.assert_frame_equal(lost, before)


def test_traces_of_which_much_is_lost_are_said_to_be_partial():
    spans = calls("a-web", "b-db", ahead_s=0.0)
    found = compare_clocks(spans=spans[spans["kind"].eq("server") | (spans["start"] >= AT[15])])
    assert (found.spans, found.orphans) == (45, 15)
    assert found.gaps == (
        "33% of 45 spans lack the parent they name: traces are partial, totals from them are lower bounds",
    )


def test_logs_and_spans_are_compared_side_by_side_and_each_says_by_what():
    found = compare_clocks([("web", rows(), "db", rows(-0.02, 0.04))], spans=calls("a-web", "b-db", ahead_s=2.0))
    assert found.to_frame()[["one", "other", "shared", "agree"]].values.tolist() == [
        ["web", "db", "requests", True], ["a-web", "b-db", "calls", False],
    ]  # fmt: skip
    assert found.headline == "The clock of b-db is ahead of a-web's by 1.99 ± 0.04 s; nothing was shifted."


def test_no_spans_are_no_clocks():
    assert compare_clocks(spans=calls("a", "b", ahead_s=0.0).iloc[:0]).offsets == ()
