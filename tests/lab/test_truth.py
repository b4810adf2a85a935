"""Is the truth written from what was injected and what the users saw, and from nothing else?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sample_incidents.lab.truth import Effect, Seen, write

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def effect(role: str, second: float, *, edge: str = "start", took: float = 0) -> Effect:
    return Effect(role, edge, "deploy", "checkout-v2", at(second), at(second + took))


GIVEN = {"verdict": "incident", "failure": {"name": "bad_change"}, "suspects": [{"ref": "checkout-v2", "rank": 1}]}
SEEN = [
    Seen(at(10), 200, 0.02),
    Seen(at(100.5), 200, 0.02),
    Seen(at(101), 500, 0.02),
    Seen(at(110), 200, 0.7),
    Seen(at(125), 0, 6.0),
    Seen(at(130), 200, 0.02),
]


def test_the_onset_lies_between_the_injection_and_the_first_broken_request():
    truth = write(GIVEN, [effect("trigger", 100), effect("cure", 120, took=3)], SEEN, 500, at(200))
    assert truth["episodes"][0]["onset"] == {"earliest": at(100), "latest": at(101)}


def test_recovery_lies_between_the_cure_and_the_last_broken_request():
    truth = write(GIVEN, [effect("trigger", 100), effect("cure", 120, took=3)], SEEN, 500, at(200))
    assert truth["episodes"][0]["recovered"] == {"earliest": at(120), "latest": at(125)}


def test_without_a_cure_a_fault_that_ends_is_the_recovery():
    truth = write(GIVEN, [effect("trigger", 100), effect("trigger", 118, edge="end")], SEEN, 500, at(200))
    assert truth["episodes"][0]["recovered"]["earliest"] == at(118)


def test_without_cure_and_end_the_recovery_is_censored():
    truth = write(GIVEN, [effect("trigger", 100)], SEEN, 500, at(200))
    assert truth["episodes"][0]["recovered"] == {"censored": True}


def test_a_request_that_failed_is_not_counted_as_slow_as_well():
    truth = write(GIVEN, [effect("trigger", 100), effect("cure", 120)], SEEN, 500, at(200))
    assert truth["impact"]["failed"]["value"] == 2
    assert truth["impact"]["slow"]["value"] == 1
    assert truth["impact"]["failed"]["low"] <= 2 <= truth["impact"]["failed"]["high"]


def test_refusals_count_when_the_scenario_says_so():
    seen = [Seen(at(10), 200, 0.02), Seen(at(105), 401, 0.01), Seen(at(130), 200, 0.02)]
    effects = [effect("trigger", 100), effect("cure", 120)]
    assert write(GIVEN, effects, seen, 400, at(200))["impact"]["failed"]["value"] == 1
    assert write(GIVEN, effects, seen, 500, at(200))["impact"]["failed"]["value"] == 0


def test_a_healthy_day_has_no_episode():
    assert write({"verdict": "healthy"}, [], SEEN[:1], 500, at(200)) == {"verdict": "healthy", "episodes": []}
