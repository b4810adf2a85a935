"""The metric connector against a real Prometheus."""

from __future__ import annotations

import pytest

from connectors.prometheus import Settings, open_source
from connectors.proposed_signals import proposed_signals
from connectors.settings import Place
from connectors.testing_metrics import SIGNALS, WINDOW
from kit.case import Case
from kit.check import check_sources, pillar_gaps
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

    def test_a_case_is_told_whether_it_is_there_how_fast_and_by_which_clock(self, url, tmp_path):
        window = f"start = {WINDOW.start.isoformat()}\nend = {WINDOW.end.isoformat()}\n"
        (tmp_path / "incident.toml").write_text(f'id = "c"\ntitle = "c"\nservices = ["checkout"]\n[look]\n{window}')
        (tmp_path / "sources.toml").write_text(
            f'[sources.prom]\nkind = "prometheus"\ntable = "metrics"\nurl = "{url}"\n'
            f'[sources.alerts]\nkind = "prometheus"\ntable = "alerts"\nurl = "{url}"\n'
        )
        case = Case(tmp_path)
        metrics, alerts = check_sources(case)
        assert "clock agrees within" in metrics.says
        assert "(Prometheus 2." in metrics.says
        assert "requests_total" in metrics.fields
        assert alerts.says.startswith("3 alerts in ")
        assert pillar_gaps(case, [metrics, alerts]) == [
            "checkout: no metrics",  # no signals.toml yet
            "no source answers for logs, traces and changes: add one to sources.toml if there is one",
        ]

    def test_what_is_proposed_from_it_can_be_read(self, source):
        specs = proposed_signals(source.catalogue(WINDOW).table)
        assert {(s.service, s.name) for s in specs} >= {
            ("checkout", n) for n in ("duration", "requests", "pool.in.use", "up")
        }
        rows = source.metrics(WINDOW, signals=specs, every="1m").table.to_pylist()
        assert {r["name"] for r in rows} >= {"duration", "requests", "pool.in.use", "up"}
