"""Fewer requests come: whose are missing, and a cut before the first hop that is seen."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from connectors.window import Window
from kit.lost_traffic import cut_before_entry, whose_are_missing

BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:08Z")
INCIDENT = Window.of("2026-03-01T02:10Z", "2026-03-01T02:12Z")


class Log:
    """A request log that only counts: per region in the baseline and in the incident."""

    def __init__(self, before: dict[str, int], now: dict[str, int], field: str = "region") -> None:
        self.parts, self.field = {BASELINE: before, INCIDENT: now}, field

    def count(self, window, *, by=(), where=None):
        part = self.parts[window]
        if not by:
            return SimpleNamespace(table=pa.table({"n": [sum(part.values())]}))
        assert by == (self.field,)
        return SimpleNamespace(table=pa.table({self.field: list(part), "n": list(part.values())}))


def missing(*logs):
    return whose_are_missing([(log, None, (log.field,)) for log in logs], baseline=BASELINE, incident=INCIDENT)


def test_the_region_whose_requests_are_gone_carries_the_loss():
    # two minutes would bring 400 of eu and 600 of us; 20 and 600 came: 380 are missing, all of them of eu
    found = missing(Log({"eu": 1600, "us": 2400}, {"eu": 20, "us": 600}))
    assert found["predicate"].tolist() == ["region = 'eu'"]
    assert found["explains"].iloc[0] == pytest.approx(1.0)
    assert (found["bad_share"].iloc[0], round(found["good_share"].iloc[0], 3)) == (0.4, 0.032)


def test_a_loss_that_all_share_is_nobodys():
    assert missing(Log({"eu": 1600, "us": 2400}, {"eu": 200, "us": 300})).empty


def test_no_loss_is_nobodys():
    assert missing(Log({"eu": 1600, "us": 2400}, {"eu": 100, "us": 900})).empty


def test_the_next_log_inwards_is_asked_where_the_outermost_knows_nothing():
    outer = Log({"/pay": 2000, "/cart": 2000}, {"/pay": 310, "/cart": 310}, field="route")
    inner = Log({"eu": 1600, "us": 2400}, {"eu": 20, "us": 600})
    assert missing(outer, inner)["predicate"].tolist() == ["region = 'eu'"]


def test_the_cut_lies_before_the_first_hop_that_is_seen():
    path = pd.DataFrame({"caller": ["client", "edge"], "callee": ["edge", "nginx"]})
    cut = cut_before_entry(path, "edge")
    assert (cut.between, cut.first_bad, cut.unknown) == ("client → edge", ("edge",), ("client",))
    assert cut_before_entry(None, "edge").between == "whoever calls it → edge"
