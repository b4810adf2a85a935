"""What every metric source promises, as tests: inherit `MetricContract`, as logs do `testing.ConnectorContract`.

    class TestMine(MetricContract):
        def open_source(self, samples, folder):
            return MyMetrics("metrics", start_and_load(samples, folder).url)

Each question is compared with what `metric_signals.read_signals` makes of the same samples. Needs pytest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.base import SignalSpec
from connectors.metric_signals import Reading, read_signals
from connectors.samples import SampleBuilder, Samples, Series
from connectors.schema import check
from connectors.window import Window

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=20))
NOTHING = Window.of("2026-02-01T00:00Z", "2026-02-01T00:20Z")
SERVICE = {"service": "checkout"}

SIGNALS = (
    SignalSpec("checkout", "traffic", "requests", "requests_total", "counter", "{request}", where=SERVICE),
    SignalSpec("checkout", "errors", "errors", "requests_total", "counter", where={"code": "503"},
               divide_by="requests_total"),
    SignalSpec("checkout", "saturation", "cpu", "cpu_seconds_total", "counter", by=("instance",)),
    SignalSpec("checkout", "other", "queue", "queue_depth", unit="{message}", by=("instance",)),
    SignalSpec("checkout", "saturation", "pool", "pool_in_use", unit="{connection}"),
    SignalSpec("checkout", "saturation", "pool.usage", "pool_in_use", by=("instance",), divide_by="pool_size"),
    SignalSpec("checkout", "latency", "duration", "duration_seconds", "histogram", "s"),
)  # fmt: skip
"""Signals of every kind over the contract's samples."""


def contract_samples() -> Samples:
    """Two targets scraped at uneven times for half an hour, small enough to reason about.

    `c2` starts again at 10 min (its counters fall to zero); `c1` is not scraped from 12 to 15 min; errors are first
    counted at 8 min; one pool reading is a spike between two low ones.
    """
    build = SampleBuilder()
    for instance, offset in (("c1", 0.0), ("c2", 3.25)):
        target = {"instance": f"{instance}:9100", **SERVICE}
        at = {
            name: build.new(Series(name, {**target, **labels}))
            for name, labels in (
                ("requests_total", {"code": "200"}), ("cpu_seconds_total", {}), ("queue_depth", {}),
                ("pool_in_use", {}), ("pool_size", {}), ("up", {"job": "shop"}),
            )
        }  # fmt: skip
        failed = build.new(Series("requests_total", {**target, "code": "503"}))
        bounds = ("0.1", "0.5", "1.0", "+Inf")
        buckets = [build.new(Series("duration_seconds_bucket", {**target, "le": bound})) for bound in bounds]
        for i in range(-20, 100):
            second = i * 15 + offset + (0.75 if i % 7 == 0 else 0.0)
            restarted = instance == "c2" and i >= 40
            n = i - 40 if restarted else i + 20
            up = not (instance == "c1" and 48 <= i < 60)
            micros = round((START.timestamp() + second) * 1e6)
            build.add(at["up"], micros, float(up))
            if not up:
                continue
            served = n * 30 + n * n % 17
            build.add(at["requests_total"], micros, served)
            if i >= 32:
                build.add(failed, micros, (n - 12) * 2 + n % 3 if restarted and n > 12 else (i - 31) * 3)
            build.add(at["cpu_seconds_total"], micros, n * 4.5 + (n * 7 % 5) / 8)
            build.add(at["queue_depth"], micros, abs(i * 37 % 23 - 9))
            build.add(at["pool_in_use"], micros, 40.0 if i == 21 else 4 + i % 3)
            build.add(at["pool_size"], micros, 40.0)
            for bucket, share in zip(buckets, (6, 9, 10, 12), strict=True):
                build.add(bucket, micros, served * share // 12)
    return build.build()


class MetricContract:
    """Inherit it under a name that begins with Test, and say how the samples get into the source."""

    def open_source(self, samples: Samples, folder: Path) -> Any:
        """A source that holds exactly these samples; `folder` is empty and yours. Name it "metrics".

        Where the server must be stopped afterwards, override the fixture `source` instead.
        """
        raise NotImplementedError("A contract needs open_source(): a source that holds the given samples.")

    @pytest.fixture(scope="class")
    @classmethod
    def samples(cls) -> Samples:
        """What the source was given."""
        return contract_samples()

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Any:
        """The source under test."""
        return cls().open_source(samples, tmp_path_factory.mktemp("source"))

    @pytest.mark.parametrize("every", ["15s", "1m", "4m", None])
    def test_signals_are_those_of_the_raw_samples(self, source: Any, samples: Samples, every: str | None) -> None:
        """Growth through restarts and gaps, means, peaks, ratios, quantiles: bin for bin, no bin more or less."""
        answer = source.metrics(WINDOW, signals=SIGNALS, every=every)
        check(answer.table, "METRICS")
        assert_same_signals(answer.table, read_signals(samples, SIGNALS, WINDOW, every))

    def test_a_window_that_is_no_multiple_of_the_step_reads_the_same(self, source: Any, samples: Samples) -> None:
        """Its first and last bin hold what lies in the window."""
        uneven = Window(WINDOW.start + timedelta(seconds=37), WINDOW.end - timedelta(seconds=11))
        answer = source.metrics(uneven, signals=SIGNALS, every="1m")
        assert_same_signals(answer.table, read_signals(samples, SIGNALS, uneven, "1m"))

    def test_a_gap_has_no_value(self, source: Any) -> None:
        """Nothing is carried over the three minutes in which one target was not scraped, and they are named."""
        answer = source.metrics(WINDOW, signals=SIGNALS[3:4], every="1m")
        read = {
            row["time"]
            for row in answer.table.to_pylist()
            if row["signal"] == "checkout@c1:9100/queue.gauge" and row["value"] is not None
        }
        gap = {START + timedelta(minutes=m) for m in (12, 13, 14)}
        assert read == {START + timedelta(minutes=m) for m in range(20)} - gap

    def test_a_metric_that_is_not_there_is_named_with_its_neighbours(self, source: Any) -> None:
        """And the others are answered."""
        wrong = SignalSpec("checkout", "other", "wrong", "queue_dept")
        answer = source.metrics(WINDOW, signals=[wrong, SIGNALS[3]], every="1m")
        assert "there is no metric queue_dept (did you mean queue_depth" in answer.fetch.partial
        assert {row["name"] for row in answer.table.to_pylist()} == {"queue"}

    def test_a_window_without_data_is_an_empty_table(self, source: Any) -> None:
        """No error, and no bins made up."""
        answer = source.metrics(NOTHING, signals=SIGNALS, every="1m")
        check(answer.table, "METRICS")
        assert answer.table.num_rows == 0

    def test_the_catalogue_has_every_metric_with_its_labels(self, source: Any, samples: Samples) -> None:
        """Names, types where they can be told, series, and up to ten values a label."""
        rows = {row["metric"]: row for row in source.catalogue(WINDOW).table.to_pylist()}
        assert set(rows) >= {one.metric for one in samples.series}
        assert rows["requests_total"]["type"] == "counter"
        assert rows["requests_total"]["series"] == 4
        assert sorted(orjson.loads(rows["requests_total"]["labels"])["code"]) == ["200", "503"]
        assert source.catalogue(NOTHING).table.num_rows == 0

    def test_the_fetch_tells_how_it_was_got(self, source: Any) -> None:
        """Enough to ask again."""
        fetch = source.metrics(WINDOW, signals=SIGNALS[:1], every="1m").fetch
        assert (fetch.source, fetch.question, fetch.window) == (source.name, "metrics", WINDOW)
        assert fetch.query
        assert fetch.round_trips >= 0
        assert not fetch.truncated

    def test_the_same_question_has_the_same_evidence(self, source: Any) -> None:
        """And another question another."""
        one, same = (source.metrics(WINDOW, signals=SIGNALS, every="1m").evidence for _ in range(2))
        assert one == same != source.metrics(WINDOW, signals=SIGNALS, every="4m").evidence


def assert_same_signals(table: Any, expected: Reading, *, rates: float = 1e-9) -> None:
    """Are these the signals of the reference, bin for bin? `rates`: by how much rates per second may differ."""
    got, want = _by_key(table), _by_key(expected.table)
    assert sorted(got) == sorted(want)
    for key, row in want.items():
        loose = rates if row["stat"] == "rate" else 1e-9
        value = row["value"]
        assert got[key]["value"] == (None if value is None else pytest.approx(value, rel=loose, abs=1e-9)), key
        for name in ("service", "kind", "name", "stat", "unit", "labels"):
            assert got[key][name] == row[name], (key, name)


def _by_key(table: Any) -> dict[tuple[str, datetime], dict[str, Any]]:
    rows = {(row["signal"], row["time"]): row for row in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows
