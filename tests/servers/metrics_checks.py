"""What must hold on every store that speaks Prometheus' API: the contract, and counters against the store's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from connectors.base import SignalSpec
from connectors.http import Http
from connectors.metric_signals import read_signals
from connectors.prometheus import PrometheusMetrics
from connectors.samples import SampleBuilder, Series
from connectors.testing_metrics import SIGNALS, WINDOW, MetricContract, assert_same_signals, contract_samples
from connectors.window import Window
from tests.servers.metrics_nodes import exposition

BEGIN = datetime(2026, 3, 1, 3, tzinfo=UTC)
HOUR = Window(BEGIN, BEGIN + timedelta(hours=1))
COUNTERS = 60
GROWN = SignalSpec("lab", "traffic", "work", "work_total", "counter", "{item}", by=("instance",))
SECONDS = SignalSpec("lab", "latency", "took", "took_seconds", "histogram", "s")


def random_samples(seed=7):
    """Sixty counters over an hour and more: uneven scrapes, restarts, gaps; and one histogram's buckets."""
    rng = np.random.default_rng(seed)
    build = SampleBuilder()
    for k in range(COUNTERS):
        at = build.new(Series("work_total", {"instance": f"i{k:02d}"}))
        second, value = -600.0 + float(rng.uniform(0, 30)), float(rng.integers(0, 5000))
        while second < 3660:
            build.add(at, round((BEGIN.timestamp() + round(second, 3)) * 1e6), value)
            grown = float(rng.integers(0, 60))
            value = grown if k % 3 and rng.random() < 0.01 else value + grown
            second += float(rng.uniform(10, 20)) + (float(rng.uniform(90, 400)) if rng.random() < 0.004 else 0.0)
    counts = np.zeros(6)
    buckets = [build.new(Series("took_seconds_bucket", {"le": le})) for le in ("0.05", "0.1", "0.5", "1", "5", "+Inf")]
    for second in range(-600, 3660, 15):
        counts += rng.integers(0, 40, 6)
        for bucket, total in zip(buckets, np.cumsum(counts), strict=True):
            build.add(bucket, round((BEGIN.timestamp() + second) * 1e6), float(total))
    return build.build()


def ask(url, path, **query):
    answer = httpx.get(f"{url}/api/v1/{path}", params=query, timeout=30, trust_env=False)
    answer.raise_for_status()
    return answer.json()["data"]["result"]


def deltas(table):
    """Per instance, the growth in each bin by the bin's start in seconds."""
    found = {}
    for row in table.to_pylist():
        if row["stat"] == "delta":
            found.setdefault(row["instance"], {})[row["time"].timestamp()] = row["value"]
    return found


def whole_growth(samples):
    """What each counter grew between its last sample before the hour and its last one in it, restarts counted."""
    times = samples.table.column("time").cast("int64").to_numpy() / 1e6
    ids, values = (samples.table.column(name).to_numpy() for name in ("series", "value"))
    found = {}
    for i, one in enumerate(samples.series):
        mine = ids == i
        at, value = times[mine], values[mine]
        step = np.diff(value)
        grown = np.where(step < 0, value[1:], step)
        found[one.labels.get("instance")] = grown[(at[1:] > BEGIN.timestamp()) & (at[1:] <= HOUR.end.timestamp())].sum()
    return found


class StoreChecks(MetricContract):
    """Inherited with a fixture `url` (scope class) that starts the store with `both_texts`."""

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, url):
        return PrometheusMetrics("metrics", Http(url), interval="15s")

    @pytest.fixture(scope="class")
    @classmethod
    def drawn(cls):
        return random_samples()

    # -- counters against the store's own functions ---------------------------------------------------------

    @pytest.mark.parametrize("read", ["samples", "bins"])
    @pytest.mark.parametrize("every", ["1m", "4m"])
    def test_bins_of_counters_sum_to_the_whole(self, url, drawn, read, every):
        source = PrometheusMetrics("metrics", Http(url), interval="15s", lookback="10m", read=read)
        found = deltas(source.metrics(HOUR, signals=[GROWN], every=every).table)
        assert len(found) == COUNTERS
        for instance, grown in whole_growth(drawn).items():
            if instance is not None:
                assert sum(found[instance].values()) == pytest.approx(grown, abs=1e-6), instance

    def test_quantiles_are_the_stores_own_on_the_same_growth(self, source, url):
        """Where scrapes fall on the bins' edges, the store's own difference is the same growth."""
        answer = source.metrics(HOUR, signals=[SECONDS], every="1m").table.to_pylist()
        found = {(row["stat"], row["time"].timestamp()): row["value"] for row in answer}
        for stat, q in (("p50", 0.5), ("p99", 0.99)):
            expression = f"histogram_quantile({q}, took_seconds_bucket - took_seconds_bucket offset 1m)"
            own = ask(
                url, "query_range", query=expression, start=f"{BEGIN.timestamp() + 60:.0f}",
                end=f"{HOUR.end.timestamp():.0f}", step="60", nocache="1",
            )  # fmt: skip
            assert len(own[0]["values"]) == 60
            for at, value in own[0]["values"]:
                assert found[stat, at - 60] == pytest.approx(float(value), rel=1e-9), (stat, at)

    # -- reduced by the store -------------------------------------------------------------------------------

    @pytest.mark.parametrize("every", ["1m", "4m"])
    def test_what_the_store_reduces_are_the_same_signals(self, url, samples, every):
        """Rates are per second of the bin; several gauges' maximum is a bound and says so; all else is equal."""
        signals = [s for s in SIGNALS if s.name != "pool.usage" and s.name != "pool"]
        source = PrometheusMetrics("metrics", Http(url), interval="15s", read="bins")
        answer = source.metrics(WINDOW, signals=signals, every=every)
        assert_same_signals(answer.table, read_signals(samples, signals, WINDOW, every), rates=0.3)
        assert "last value of counters" in answer.fetch.sampled

    def test_a_spike_survives_a_coarse_step(self, url):
        spec = SignalSpec("checkout", "saturation", "pool", "pool_in_use", by=("instance",), divide_by="pool_size")
        for read in ("samples", "bins"):
            source = PrometheusMetrics("metrics", Http(url), interval="15s", read=read)
            rows = source.metrics(WINDOW, signals=[spec], every="4m").table.to_pylist()
            peak = {r["stat"]: r["value"] for r in rows if r["time"] == WINDOW.start + timedelta(minutes=4)
                    and r["instance"] == "c1:9100"}  # fmt: skip
            assert peak["max"] == 1.0, read
            assert peak["ratio"] < 0.3, read

    def test_long_windows_are_split_under_the_point_limit(self, url):
        """Two days in bins of 15 s are 11,520 points: over Prometheus' limit in one answer."""
        source = PrometheusMetrics("metrics", Http(url), interval="5s", read="bins")
        long = Window(WINDOW.end - timedelta(days=2), WINDOW.end)
        whole, part = (source.metrics(w, signals=[SIGNALS[0]], every="15s") for w in (long, WINDOW))
        later = {r["time"]: r["value"] for r in whole.table.to_pylist() if r["time"] >= WINDOW.start}
        assert later == {r["time"]: r["value"] for r in part.table.to_pylist()}

    # -- alerts ---------------------------------------------------------------------------------------------

    def test_alerts_and_targets_that_were_down_are_stretches(self, source):
        rows = source.alerts(WINDOW).table.to_pylist()
        said = [(r["name"], r["state"], r["severity"], r["service"], _minute(r["time"])) for r in rows]
        assert said == [
            ("PoolFull", "pending", "page", "checkout", 5.0),
            ("PoolFull", "firing", "page", "checkout", 6.0),
            ("target down: c1:9100", "down", None, "checkout", 12.0),
        ]
        assert [_minute(r["until"]) for r in rows] == [pytest.approx(6.0, abs=0.3), pytest.approx(9.0, abs=0.3), 15.0]

    def test_the_store_says_who_it_is(self, source):
        probe = source.probe()
        assert abs(probe.clock_offset_s) <= probe.clock_error_s + 0.5
        assert probe.took_s < 5


def _minute(time):
    return round((time - WINDOW.start).total_seconds() / 60, 2)


def both_texts():
    """The contract's samples, the random ones and one alert as OpenMetrics text."""
    contract, drawn = contract_samples(), random_samples()
    build = SampleBuilder()
    labels = {"alertname": "PoolFull", "severity": "page", "service": "checkout"}
    for state, first, last in (("pending", 5, 6), ("firing", 6, 9)):
        at = build.new(Series("ALERTS", {**labels, "alertstate": state}))
        for second in range(first * 60, last * 60, 15):
            build.add(at, round((WINDOW.start.timestamp() + second) * 1e6), 1.0)
    texts = [exposition(part) for part in (build.build(), contract, drawn)]
    return "".join(text.removesuffix("# EOF\n") for text in texts) + "# EOF\n"
