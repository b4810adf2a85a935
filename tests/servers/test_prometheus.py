"""The metric connector against a real Prometheus."""

from __future__ import annotations

import pytest

from connectors.prometheus import Settings, open_source
from connectors.settings import Place
from connectors.testing_metrics import SIGNALS, WINDOW
from tests.servers.metrics_checks import GROWN, HOUR, StoreChecks, ask, both_texts, deltas
from tests.servers.metrics_nodes import prometheus

pytestmark = pytest.mark.server


class TestPrometheus(StoreChecks):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, tmp_path_factory):
        with prometheus(tmp_path_factory.mktemp("prometheus"), both_texts()) as address:
            yield address

    def test_growth_over_the_whole_window_is_within_five_percent_of_increase(self, source, url):
        """Prometheus extrapolates to the window's edges, so its own figure is near, not equal."""
        found = deltas(source.metrics(HOUR, signals=[GROWN], every="1m").table)
        own = ask(url, "query", query="increase(work_total[1h])", time=f"{HOUR.end.timestamp():.0f}")
        assert len(own) == len(found)
        for one in own:
            grown = sum(found[one["metric"]["instance"]].values())
            assert float(one["value"][1]) == pytest.approx(grown, rel=0.05), one["metric"]

    def test_a_source_opens_from_its_settings(self, url, tmp_path):
        settings = Settings(kind="prometheus", table="metrics", url=url, interval="15s", match={"service": "checkout"})
        source = open_source("prom", settings, Place(tmp_path))
        answer = source.metrics(WINDOW, signals=SIGNALS, every="1m")
        assert answer.table.num_rows
        assert answer.fetch.engine.startswith("Prometheus 2.")
        assert "work_total" not in source.catalogue(HOUR).table.column("metric").to_pylist()
