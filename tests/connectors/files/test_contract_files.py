"""Files as a log source keep every promise of the contract, in each format that holds logs.

What a format has no place of its own for is written as it is extended in practice: further variables in a `log_format`
of nginx, further keys in JSON and logfmt.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest

from connectors.files import open_files
from connectors.files.formats import FORMATS, reader, sniff
from connectors.files.options import FilesSpec, Options
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
    options = Options()
    format = ""

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
        path = folder / self.name
        path.write_bytes(gzip.compress(data) if self.name.endswith(".gz") else data)
        assert sniff(path) == self.format
        return open_files("logs", FilesSpec(folder, self.name, options=self.options))


class TestJsonLines(FilesContract):
    name = "app.jsonl.gz"
    format = "json_lines"

    def written(self, documents):
        return b"".join(orjson.dumps(row) + b"\n" for row in rows_of(documents))


class TestOtlpJson(FilesContract):
    name = "logs.otlp.jsonl"
    format = "otlp_json"

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
    format = "otlp_protobuf"

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
    format = "log_answers"

    def written(self, documents):
        hits = [{"_index": "shop", "_source": {"@timestamp": row.pop("time"), **row}} for row in rows_of(documents)]
        return orjson.dumps({"timed_out": False, "hits": {"total": {"value": len(hits)}, "hits": hits}})


class TestLokiAnswer(FilesContract):
    """What `query_range` answered, saved: lines of JSON, times beside them."""

    name = "loki.json"
    format = "log_answers"

    def written(self, documents):
        values = [[str(nanoseconds(row.pop("time"))), orjson.dumps(row).decode()] for row in rows_of(documents)]
        streams = [{"stream": {}, "values": values}]
        return orjson.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}})


class TestNginxJson(FilesContract):
    """Variables of nginx for what it measures, and further keys as a `log_format` may add them."""

    name = "access.log.gz"
    format = "nginx_json"

    def written(self, documents):
        ours = {"host": "hostname", "duration_s": "request_time", "http.response.status_code": "status"}
        lines = []
        for row in rows_of(documents):
            named = {ours.get(key, key): value for key, value in row.items()}
            named["msec"] = f"{nanoseconds(named.pop('time')) / 1e9:.3f}"
            named |= {"remote_addr": "10.0.0.1", "request_method": "GET", "body_bytes_sent": 17}
            lines.append(orjson.dumps(named) + b"\n")
        return b"".join(lines)


class TestCombined(FilesContract):
    """The combined format, a bare `$request_time` at its end where it was taken, and further variables by name."""

    name = "access.log"
    format = "combined"

    def written(self, documents):
        lines = []
        for row in rows_of(documents):
            time, route, agent = row.pop("time"), row.pop("route", None), row.pop("user-agent.name", None)
            request = f"GET {route} HTTP/1.1" if route else "-"
            extra = {"rt": row.pop("duration_s", "-"), "hit": str(row.pop("cache.hit", "-")).lower()}
            status = row.pop("http.response.status_code", "-")
            named = " ".join(f'{key}="{nginx(str(value))}"' for key, value in {**extra, **row}.items())
            lines.append(
                f'10.0.0.1 - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "{request}" {status} 17 "-" "{nginx(agent or "-")}" '
                f"{named}\n"
            )
        return "".join(lines).encode()

    options = Options(fields={"user-agent.name": "agent", "cache.hit": "hit"})


def nginx(text: str) -> str:
    """As nginx escapes a variable: quotes, backslashes and control characters as their bytes."""
    return "".join(
        c if " " <= c <= "~" and c not in '"\\' else "".join(f"\\x{b:02X}" for b in c.encode()) for c in text
    )


class TestLogfmt(FilesContract):
    """Plain text in logfmt: every key a column, its type told by its values."""

    name = "app.log"
    format = "text"

    def written(self, documents):
        lines = []
        for row in rows_of(documents):
            row["time"] = row["time"].isoformat()
            lines.append(" ".join(f"{key}={orjson.dumps(value).decode()}" for key, value in row.items()))
        return "\n".join(lines).encode() + b"\n"


class TestPostgresJsonlog(FilesContract):
    """PostgreSQL's own keys for what it says, and further ones as a log shipper puts them beside those."""

    name = "postgresql.json"
    format = "postgres_jsonlog"

    def written(self, documents):
        severity = {"DEBUG": "DEBUG1", "INFO": "LOG", "WARN": "WARNING", "ERROR": "ERROR"}
        lines = []
        for row in rows_of(documents):
            row["timestamp"] = f"{row.pop('time'):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
            if "level" in row:
                row["error_severity"] = severity[row.pop("level")]
            row |= {"pid": 7, "session_id": "65.7", "backend_type": "client backend"}
            lines.append(orjson.dumps(row) + b"\n")
        return b"".join(lines)


def test_every_format_that_holds_logs_is_held_to_the_contract():
    held = {one.format for one in FilesContract.__subclasses__()}
    assert held == {name for name in FORMATS if "LOGS" in reader(name).TABLES}
