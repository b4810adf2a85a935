"""Files keep the contracts of logs and of metrics, like any other source."""

from __future__ import annotations

import gzip

import orjson

from connectors.files import open_files
from connectors.files.options import FilesSpec, Options
from connectors.testing import ConnectorContract
from connectors.testing_metrics import MetricContract


class TestJsonLines(ConnectorContract):
    weights = False

    def document_of(self, own_id):
        file, line = own_id.rsplit(":", 1)
        return f"doc-{int(line) - 1 + (350 if file.startswith('late') else 0):04d}"

    def open_source(self, documents, folder):
        rows = [{k: v for k, v in row.items() if v is not None and k != "seq"} for row in documents.to_pylist()]
        lines = [orjson.dumps({**row, "time": row["time"].isoformat()}) + b"\n" for row in rows]
        half = len(lines) // 2
        (folder / "early.jsonl").write_bytes(b"".join(lines[:half]))
        (folder / "late.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[half:])))
        return open_files("logs", FilesSpec(folder, "*.jsonl*", "LOGS", "json_lines", Options()))


class TestOpenMetrics(MetricContract):
    def open_source(self, samples, folder):
        lines = []
        for at, series, value in zip(*(samples.table.column(c).to_pylist() for c in ("time", "series", "value")),
                                     strict=True):  # fmt: skip
            one = samples.series[series]
            labels = ",".join(f'{name}="{text}"' for name, text in one.labels.items())
            lines.append(f"{one.metric}{{{labels}}} {value!r} {at.timestamp():.3f}\n")
        (folder / "metrics.om").write_text("".join(lines) + "# EOF\n")
        return open_files("metrics", FilesSpec(folder, "metrics.om", "METRICS", None, Options()))
