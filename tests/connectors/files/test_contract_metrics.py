"""Files as a metric source keep every promise of the contract, in each format that holds metrics."""

from __future__ import annotations

import orjson

from connectors.files import open_files
from connectors.files.formats import FORMATS, reader, sniff
from connectors.files.options import FilesSpec, Options
from connectors.testing_metrics import MetricContract
from tests.connectors.files.test_contract_files import any_value, nanoseconds, typed
from tests.connectors.files.test_otlp_protobuf import big, field, pair


def samples_of(samples):
    """Each sample: its series' name and labels, its time, its value; a scrape of one moment after the other."""
    rows = sorted(samples.table.to_pylist(), key=lambda row: (row["time"], row["series"]))
    for row in rows:
        one = samples.series[row["series"]]
        yield one.metric, dict(one.labels), row["time"], row["value"]


class FilesContract(MetricContract):
    name = format = ""

    def written(self, samples) -> bytes:
        raise NotImplementedError

    def open_source(self, samples, folder):
        path = folder / self.name
        path.write_bytes(self.written(samples))
        assert sniff(path) == self.format
        return open_files("metrics", FilesSpec(folder, self.name, "METRICS", None, Options()))


class TestOpenMetrics(FilesContract):
    name, format = "metrics.om", "openmetrics"

    def written(self, samples):
        lines = []
        for name, labels, at, value in samples_of(samples):
            shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
            lines.append(f"{name}{{{shown}}} {value!r} {at.timestamp():.3f}\n")
        return "".join(lines).encode() + b"# EOF\n"


def points_of(samples):
    """The samples as OTLP has them: buckets of one moment as one histogram's point, not cumulative."""
    buckets: dict[tuple, dict[str, float]] = {}
    for name, labels, at, value in samples_of(samples):
        if name.endswith("_bucket"):
            bound = labels.pop("le")
            buckets.setdefault((name.removesuffix("_bucket"), tuple(labels.items()), at), {})[bound] = value
        else:
            yield name, labels, at, value
    for (name, labels, at), counts in buckets.items():
        bounds = sorted(counts, key=float)
        own = [counts[b] - (counts[bounds[i - 1]] if i else 0) for i, b in enumerate(bounds)]
        yield name, dict(labels), at, ([float(b) for b in bounds[:-1]], [int(n) for n in own])


class TestOtlpJson(FilesContract):
    name, format = "metrics.otlp.jsonl", "otlp_json"

    def written(self, samples):
        lines = []
        for name, labels, at, value in points_of(samples):
            named = [{"key": key, "value": typed(text)} for key, text in labels.items()]
            point = {"attributes": named, "timeUnixNano": str(nanoseconds(at))}
            if isinstance(value, tuple):
                point |= {"explicitBounds": value[0], "bucketCounts": [str(n) for n in value[1]]}
                data = {"histogram": {"dataPoints": [point], "aggregationTemporality": 2}}
            else:
                points = {"dataPoints": [{**point, "asDouble": value}]}
                total = {**points, "aggregationTemporality": 2, "isMonotonic": True}
                data = {"sum": total} if name.endswith("_total") else {"gauge": points}
            scope = {"metrics": [{"name": name, **data}]}
            lines.append(orjson.dumps({"resourceMetrics": [{"scopeMetrics": [scope]}]}) + b"\n")
        return b"".join(lines)


class TestOtlpProtobuf(FilesContract):
    name, format = "metrics.pb", "otlp_protobuf"

    def written(self, samples):
        messages = []
        for name, labels, at, value in points_of(samples):
            point = field(3, nanoseconds(at), fixed=True)
            if isinstance(value, tuple):
                bounds, counts = value
                point += b"".join(field(6, n, fixed=True) for n in counts) + b"".join(field(7, b) for b in bounds)
                point += b"".join(field(9, pair(key, any_value(text))) for key, text in labels.items())
                data = field(9, field(1, point) + field(2, 2))
            else:
                point += field(4, value)
                point += b"".join(field(7, pair(key, any_value(text))) for key, text in labels.items())
                data = field(7, field(1, point) + field(2, 2) + field(3, 1))
                data = data if name.endswith("_total") else field(5, field(1, point))
            messages.append(big(field(1, field(2, field(2, field(1, name) + data)))))
        return b"".join(messages)


def test_every_format_that_holds_metrics_is_held_to_the_contract():
    held = {one.format for one in FilesContract.__subclasses__()}
    assert held == {name for name in FORMATS if "METRICS" in reader(name).TABLES}
