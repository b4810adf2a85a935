"""The metric connector against a real VictoriaMetrics."""

from __future__ import annotations

import pytest

from tests.servers.metrics_checks import BEGIN, GROWN, HOUR, StoreChecks, ask, both_texts, deltas
from tests.servers.metrics_nodes import victoria_metrics

pytestmark = pytest.mark.server


class TestVictoriaMetrics(StoreChecks):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, tmp_path_factory):
        with victoria_metrics(tmp_path_factory.mktemp("victoria"), both_texts()) as address:
            yield address

    def test_growth_is_its_increase_exactly(self, source, url):
        """Bin for bin, and over the whole hour."""
        found = deltas(source.metrics(HOUR, signals=[GROWN], every="1m").table)
        own = ask(
            url, "query_range", query="increase(work_total[1m])", start=f"{BEGIN.timestamp() + 60:.0f}",
            end=f"{HOUR.end.timestamp():.0f}", step="60", nocache="1",
        )  # fmt: skip
        whole = ask(url, "query", query="increase(work_total[1h])", time=f"{HOUR.end.timestamp():.0f}")
        assert len(own) == len(whole) == len(found)
        for one in whole:
            grown = sum(found[one["metric"]["instance"]].values())
            assert float(one["value"][1]) == pytest.approx(grown, abs=1e-6), one["metric"]
        for one in own:
            mine = found[one["metric"]["instance"]]
            for at, value in one["values"]:
                assert mine.get(at - 60, 0.0) == pytest.approx(float(value), abs=1e-6), (one["metric"], at)

    def test_the_engine_is_named(self, source):
        assert source.probe().engine == "VictoriaMetrics"
