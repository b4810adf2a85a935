"""OpenMetrics text with times."""

from __future__ import annotations

import pytest

from connectors.errors import BadInput

from .reading import read, told

TEXT = """# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{code="200",path="/a b\\"c"} 10 1795494060.000
http_requests_total{code="200",path="/a b\\"c"} 12 1795494065.250 # {trace_id="abc"} 0.2 1795494065.1
# TYPE pool_in_use gauge
pool_in_use{instance="c1"} 3 1795494060
pool_in_use{instance="c1"} NaN 1795494065
# TYPE latency histogram
latency_bucket{le="0.1"} 4 1795494060.0
latency_bucket{le="+Inf"} 5 1795494060.0
latency_sum 0.5 1795494060.0
latency_count 5 1795494060.0
up 1 1795494060.0
# EOF
"""


def samples(reading):
    series = reading.samples.series
    return [
        (series[row["series"]].metric, row["time"].timestamp(), row["value"])
        for row in reading.samples.table.to_pylist()
    ]


def test_samples_labels_and_types(tmp_path):
    assert told(tmp_path, TEXT) == "openmetrics"
    reading = read(tmp_path, "openmetrics", TEXT)
    assert samples(reading)[:3] == [
        ("http_requests_total", 1795494060.0, 10.0),
        ("http_requests_total", 1795494065.25, 12.0),
        ("pool_in_use", 1795494060.0, 3.0),
    ]
    kinds = {s.metric: s.kind for s in reading.samples.series}
    assert kinds == {
        "http_requests_total": "counter", "pool_in_use": "gauge", "latency_bucket": "histogram",
        "latency_sum": "counter", "latency_count": "counter", "up": "unknown",
    }  # fmt: skip
    assert reading.samples.series[0].labels == {"code": "200", "path": '/a b"c'}
    assert reading.faults == ()


def test_a_staleness_mark_is_no_sample(tmp_path):
    assert [s for s in samples(read(tmp_path, "openmetrics", TEXT)) if s[0] == "pool_in_use"] == [
        ("pool_in_use", 1795494060.0, 3.0)
    ]


def test_prometheus_text_counts_milliseconds(tmp_path):
    reading = read(tmp_path, "openmetrics", 'up{job="a"} 1 1795494060250\n')
    assert samples(reading) == [("up", 1795494060.25, 1.0)]


def test_a_scrape_without_times_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(BadInput, match="carry no time: it is one scrape"):
        read(tmp_path, "openmetrics", '# TYPE up gauge\nup{job="a"} 1\nup 2\n')


def test_bad_lines_are_counted(tmp_path):
    reading = read(tmp_path, "openmetrics", 'up{job="a"} 1 1795494060\nup{job="a" 1 1795494065\nup{job="a"} x 17')
    assert len(samples(reading)) == 1
    assert reading.faults == ("2 lines were left out of a.log, the first at line 2 (not a series with labels)",)


def test_what_is_no_metrics_text_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="none of its 1 lines is a sample"):
        read(tmp_path, "openmetrics", "hello big wide world here\n")
