"""Do scenarios of one long run share healthy stretches, and only those?"""

from __future__ import annotations

from sample_incidents.lab.metrics import _family
from sample_incidents.lab.record import SETTLE_S, offsets
from sample_incidents.lab.scenario import parse
from tests.lab.test_scenario import GOOD

QUIET = {"title": "quiet", "services": ["checkout"], "lasts": "16m", "truth": {"verdict": "healthy"}}


def test_an_incident_may_follow_inside_a_healthy_day_and_break_out_when_it_is_over():
    ill = parse(GOOD | {"healthy": "12m"}, slug="ill")
    assert offsets([parse(QUIET, slug="quiet"), ill]) == [0, 16 * 60 - 12 * 60]


def test_after_an_incident_the_next_one_waits_until_it_has_settled():
    ill = parse(GOOD, slug="ill")
    assert offsets([ill, parse(QUIET, slug="quiet")]) == [0, 14 * 60 + SETTLE_S]


def test_counters_without_total_are_unknown_to_openmetrics():
    types = {"http_requests": "counter", "pg_commits": "counter", "seconds": "histogram", "up": "gauge"}
    assert _family("http_requests_total", types) == ("http_requests", "counter")
    assert _family("pg_commits", types) == ("pg_commits", "unknown")
    assert _family("seconds_bucket", types) == ("seconds", "histogram")
    assert _family("up", types) == ("up", "gauge")
    assert _family("never_heard_of", types) == ("never_heard_of", "unknown")
