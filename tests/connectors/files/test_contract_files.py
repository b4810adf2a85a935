"""Files as a log source keep every promise of the contract: JSON lines, OTLP, saved answers of Elasticsearch and Loki.

Access logs, PostgreSQL's log and plain text have fixed columns or none: they have tests of their own.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest

from connectors.files import open_files
from connectors.files.options import FilesSpec
from connectors.testing import ConnectorContract, contract_documents
from tests.connectors.files.test_otlp_protobuf import big, field, pair

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}


def rows_of(documents):
    """The rows without what is null and what a file does not hold: ids are places in it, the order is its own."""
    for row in documents.to_pylist():
        yield {k: v for k, v in row.items() if v is not None and k not in ("id", "seq", "weight")}


def nanoseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1) * 1000


def typed(value) -> dict:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(value)]: str(value) if type(value) is int else value}


def record(row: dict) -> tuple[dict, dict]:
    """One row as an OTLP log record and the attributes of its resource."""
    resource = {"service.name": row.pop("service"), "host.name": row.pop("host")}
    found = {"timeUnixNano": str(nanoseconds(row.pop("time")))}
    if "level" in row:
        found["severityNumber"] = SEVERITIES[row.pop("level")]
    if "message" in row:
        found["body"] = typed(row.pop("message"))
    found["attributes"] = [{"key": key, "value": typed(value)} for key, value in row.items()]
    return found, resource


class FilesContract(ConnectorContract):
    weights = False
    unlisted = frozenset({"id"})
    name = ""

    @pytest.fixture(scope="class")
    @classmethod
    def documents(cls) -> pa.Table:
        """The contract's documents, with the ids that a file gives."""
        table = contract_documents()
        ids = pa.array([f"{cls.name}:{line}" for line in range(1, table.num_rows + 1)])
        return table.set_column(table.column_names.index("id"), table.schema.field("id"), ids)

    def written(self, documents: pa.Table) -> bytes:
        raise NotImplementedError

    def open_source(self, documents, folder):
        data = self.written(documents)
        (folder / self.name).write_bytes(gzip.compress(data) if self.name.endswith(".gz") else data)
        return open_files("logs", FilesSpec(folder, self.name))


class TestJsonLines(FilesContract):
    name = "app.jsonl.gz"

    def written(self, documents):
        return b"".join(orjson.dumps(row) + b"\n" for row in rows_of(documents))


class TestOtlpJson(FilesContract):
    name = "logs.otlp.jsonl"

    def written(self, documents):
        lines = []
        for row in rows_of(documents):
            found, resource = record(row)
            named = [{"key": key, "value": typed(value)} for key, value in resource.items()]
            logs = {"resource": {"attributes": named}, "scopeLogs": [{"logRecords": [found]}]}
            lines.append(orjson.dumps({"resourceLogs": [logs]}) + b"\n")
        return b"".join(lines)


def any_value(value) -> bytes:
    number = {bool: 2, int: 3, float: 4, str: 1}[type(value)]
    return field(number, int(value) if isinstance(value, bool) else value)


class TestOtlpProtobuf(FilesContract):
    name = "logs.pb"

    def written(self, documents):
        messages = []
        for row in rows_of(documents):
            found, resource = record(dict(row))
            item = field(1, int(found["timeUnixNano"]), fixed=True)
            if "severityNumber" in found:
                item += field(2, found["severityNumber"])
            if "message" in row:
                item += field(5, any_value(row["message"]))
            for key in [k for k in row if k not in ("time", "level", "message", "service", "host")]:
                item += field(6, pair(key, any_value(row[key])))
            named = b"".join(field(1, pair(key, any_value(value))) for key, value in resource.items())
            messages.append(big(field(1, field(1, named) + field(2, field(2, item)))))
        return b"".join(messages)


class TestElasticsearchAnswer(FilesContract):
    """What `_search` answered, saved; no ids, so that each document is named by its place."""

    name = "answer.json"

    def written(self, documents):
        hits = [{"_index": "shop", "_source": {"@timestamp": row.pop("time"), **row}} for row in rows_of(documents)]
        return orjson.dumps({"timed_out": False, "hits": {"total": {"value": len(hits)}, "hits": hits}})


class TestLokiAnswer(FilesContract):
    """What `query_range` answered, saved: lines of JSON, times beside them."""

    name = "loki.json"

    def written(self, documents):
        values = [[str(nanoseconds(row.pop("time"))), orjson.dumps(row).decode()] for row in rows_of(documents)]
        streams = [{"stream": {}, "values": values}]
        return orjson.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}})
