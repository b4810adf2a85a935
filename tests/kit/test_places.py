"""One place alone is told from its well sisters, and never from a version that reached it first."""

import pandas as pd

from connectors.errors import SourceUnavailable
from connectors.window import Window
from kit.places import HopLog, find_places
from tests.kit.test_difference import Store

INCIDENT = Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z")


def rows(**slow_of: int) -> pd.DataFrame:
    """200 requests of each of three instances; of each as many slow ones as said. web-2 is alone in its zone."""
    parts = []
    for name, zone in (("web-1", "a"), ("web-2", "b"), ("web-3", "a")):
        slow = slow_of.get(name.replace("-", ""), 0)
        parts.append(
            pd.DataFrame(
                {"instance": name, "zone": zone, "version": "v1", "duration_s": [0.9] * slow + [0.1] * (200 - slow)}
            )
        )
    return pd.concat(parts, ignore_index=True)


def found(frame: pd.DataFrame):
    log = HopLog("web", Store(frame), None, "duration_s > 0.5", frozenset(frame.columns))
    return find_places([log], incident=INCIDENT)


def test_one_slow_replica_of_three_is_named_by_its_instance():
    (place,) = found(rows(web2=100, web1=2, web3=2))
    assert (place.service, place.field, place.value) == ("web", "instance", "web-2")
    assert place.here == 0.5
    assert round(place.elsewhere, 6) == 0.01
    assert place.text.startswith("instance = 'web-2' served 96% of what is hurt at web: 50% of its requests are")


def test_replicas_that_are_hurt_alike_are_no_place():
    assert found(rows(web1=50, web2=50, web3=50)) == ()


def test_sisters_that_are_hurt_as_well_are_not_well():
    assert found(rows(web1=40, web2=150, web3=40)) == ()


def test_a_rollout_that_reached_one_replica_first_is_a_version_and_no_place():
    frame = rows(web2=100)
    frame.loc[frame["instance"] == "web-2", "version"] = "v2"
    assert found(frame) == ()


def test_a_hop_that_cannot_be_asked_or_knows_no_place_has_none():
    class Down(Store):
        def fields(self, window, *, where=None):
            raise SourceUnavailable("web's log does not answer.")

    frame = rows(web2=100)
    down = HopLog("web", Down(frame), None, "duration_s > 0.5", frozenset(frame.columns))
    blind = HopLog("web", Store(frame), None, "duration_s > 0.5", frozenset({"duration_s"}))
    assert find_places([down, blind], incident=INCIDENT) == ()
