"""Data points of OTLP as samples of series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.files.otlp_values import attributes, either
from connectors.files.spans import attribute_text
from connectors.samples import SampleBuilder, Series

_UNREAD = {
    "exponentialHistogram": "exponential histogram", "exponential_histogram": "exponential histogram",
    "summary": "summary",
}  # fmt: skip


class Points:
    """OTLP data points as samples; delta sums are added up to running totals, so that both kinds read alike."""

    def __init__(self) -> None:
        self.build = SampleBuilder()
        self.known: dict[tuple[str, str], int] = {}
        self.deltas: dict[int, list[tuple[int, float]]] = {}
        self.unread: dict[str, str] = {}

    def metric(self, metric: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
        """Adds the points of one metric, with its resource's attributes as labels; a kind not read goes to `unread`."""
        name, unit = str(metric.get("name", "")), str(metric.get("unit") or "")
        if gauge := metric.get("gauge"):
            for point in either(gauge, "dataPoints", "data_points") or ():
                self._add(Series(name, _labels(point, resource), "gauge", unit), point, _number(point), delta=False)
        elif total := metric.get("sum"):
            delta = either(total, "aggregationTemporality", "aggregation_temporality") in (
                1, "AGGREGATION_TEMPORALITY_DELTA",
            )  # fmt: skip
            kind = "counter" if either(total, "isMonotonic", "is_monotonic") else "gauge"
            for point in either(total, "dataPoints", "data_points") or ():
                self._add(Series(name, _labels(point, resource), kind, unit), point, _number(point), delta=delta)
        elif histogram := metric.get("histogram"):
            delta = either(histogram, "aggregationTemporality", "aggregation_temporality") in (
                1, "AGGREGATION_TEMPORALITY_DELTA",
            )  # fmt: skip
            for point in either(histogram, "dataPoints", "data_points") or ():
                self._histogram(name, unit, point, _labels(point, resource), delta)
        else:
            for key in _UNREAD.keys() & metric.keys():
                self.unread[name] = _UNREAD[key]

    def _histogram(self, name: str, unit: str, point: Any, labels: dict[str, str], delta: bool) -> None:
        bounds = [*(either(point, "explicitBounds", "explicit_bounds") or ()), float("inf")]
        counts = [int(n) for n in either(point, "bucketCounts", "bucket_counts") or ()]
        if len(counts) != len(bounds):
            return
        running = 0
        for bound, n in zip(bounds, counts, strict=True):
            running += n
            le = "+Inf" if bound == float("inf") else repr(float(bound))
            self._add(Series(f"{name}_bucket", {**labels, "le": le}, "histogram", ""), point, running, delta=delta)
        if point.get("sum") is not None:
            self._add(Series(f"{name}_sum", labels, "counter", unit), point, float(point["sum"]), delta=delta)

    def _add(self, series: Series, point: Any, value: float | None, *, delta: bool) -> None:
        time = int(either(point, "timeUnixNano", "time_unix_nano") or 0) // 1000
        if value is None or not time:
            return
        key = (series.metric, series.labels_text)
        if key not in self.known:
            self.known[key] = self.build.new(series)
        if delta:
            start = int(either(point, "startTimeUnixNano", "start_time_unix_nano") or 0) // 1000
            points = self.deltas.setdefault(self.known[key], [])
            if not points and 0 < start < time:
                points.append((start, 0.0))
            points.append((time, value))
        else:
            self.build.add(self.known[key], time, value)

    def samples(self) -> Any:
        """All points added so far as samples, each series' own by time."""
        for series, points in self.deltas.items():
            total = 0.0
            for time, value in sorted(points):
                total += value
                self.build.add(series, time, total)
        return self.build.build()


def _number(point: Mapping[str, Any]) -> float | None:
    found = either(point, "asDouble", "as_double")
    if found is None:
        found = either(point, "asInt", "as_int")
    return None if found is None else float(found)


def _labels(point: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, str]:
    named = {**resource, **attributes(point.get("attributes"))}
    return {key: attribute_text(value) for key, value in named.items() if value is not None}
