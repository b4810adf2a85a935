"""Do scenarios of one long run share healthy stretches, and only those?"""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_incidents.lab.metrics import _family
from sample_incidents.lab.record import SETTLE_S, offsets, require_seen
from sample_incidents.lab.scenario import BadScenario, parse, read
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


def test_a_small_disk_is_not_put_where_no_disk_is_measured():
    scenarios = Path(__file__).parents[2] / "sample_incidents" / "scenarios"
    disk, job = (read(scenarios / f"{slug}.toml") for slug in ("disk_full", "midnight_job"))
    require_seen(Path("/srv/shop"), [disk, job])
    require_seen(Path("/tmp/shop"), [job])
    with pytest.raises(BadScenario, match="disks are not measured"):
        require_seen(Path("/tmp/shop"), [job, disk])
