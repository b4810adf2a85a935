"""Raw samples of metrics: what a scrape, a dump or an OTLP export holds, before any question is asked of it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

import orjson
import pyarrow as pa

from connectors.schema import TIME

SAMPLES = pa.schema([("time", TIME), ("series", pa.int32()), ("value", pa.float64())])
"""One row a sample; `series` is an index into `Samples.series`."""

CATALOGUE = pa.schema(
    [
        ("metric", pa.string()),
        ("type", pa.string()),
        ("series", pa.int64()),
        ("samples", pa.int64()),
        ("first", TIME),
        ("last", TIME),
        ("labels", pa.string()),
    ]
)
"""What `MetricSource.catalogue` answers with, a row per metric.

`labels` is a JSON object of up to ten values per label; what the source does not count is null.
"""


class Series(NamedTuple):
    """One series: the metric's name at the source and its labels. `kind`: gauge, counter, histogram, unknown."""

    metric: str
    labels: Mapping[str, str]
    kind: str = "unknown"
    unit: str = ""

    @property
    def labels_text(self) -> str:
        """The labels as JSON with sorted keys."""
        return orjson.dumps(dict(self.labels), option=orjson.OPT_SORT_KEYS).decode()


class Samples(NamedTuple):
    """Samples of many series, and the series they belong to."""

    table: pa.Table
    series: tuple[Series, ...]


class SampleBuilder:
    """Gathers samples compactly: 20 bytes each."""

    def __init__(self) -> None:
        self.times, self.ids, self.values = array("q"), array("i"), array("d")
        self.series: list[Series] = []

    def new(self, series: Series) -> int:
        """The index of a new series."""
        self.series.append(series)
        return len(self.series) - 1

    def add(self, series: int, micros: int, value: float) -> None:
        """One sample, at microseconds since the epoch."""
        self.times.append(micros)
        self.ids.append(series)
        self.values.append(value)

    def build(self) -> Samples:
        """What was gathered."""
        import numpy as np

        columns = [
            pa.array(np.frombuffer(self.times, dtype=np.int64)).cast(TIME),
            pa.array(np.frombuffer(self.ids, dtype=np.int32)),
            pa.array(np.frombuffer(self.values, dtype=np.float64)),
        ]
        return Samples(pa.table(columns, schema=SAMPLES), tuple(self.series))


def joined(parts: list[Samples]) -> Samples:
    """Several files' samples as one; equal series become one series."""
    if len(parts) == 1:
        return parts[0]
    import numpy as np

    index: dict[tuple[str, str], int] = {}
    series: list[Series] = []
    tables = []
    for part in parts:
        renamed = []
        for one in part.series:
            key = (one.metric, one.labels_text)
            if key not in index:
                index[key] = len(series)
                series.append(one)
            renamed.append(index[key])
        ids = np.asarray(renamed, dtype=np.int32)[part.table.column("series").to_numpy()] if renamed else []
        tables.append(part.table.set_column(1, "series", pa.array(ids, pa.int32())))
    table = pa.concat_tables(tables) if tables else SAMPLES.empty_table()
    return Samples(table.cast(SAMPLES), tuple(series))


def kind_by_name(metric: str) -> str:
    """Which type does the name of a metric suggest? unknown where it suggests none.

    >>> kind_by_name("http_requests_total"), kind_by_name("rpc_duration_seconds_bucket"), kind_by_name("up")
    ('counter', 'histogram', 'unknown')
    """
    if metric.endswith("_bucket"):
        return "histogram"
    return "counter" if metric.endswith(("_total", "_count", "_sum")) else "unknown"
