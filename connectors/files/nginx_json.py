"""nginx access logs written as JSON (`log_format … escape=json`), one object a request."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from connectors.files.access import with_request_line, with_upstream
from connectors.files.json_rows import looks_like, read_rows
from connectors.files.options import Options, Reading

NAME = "nginx_json"
TABLES = ("LOGS",)

_OWN = {
    "time": ("msec", "time_iso8601", "time_local", "time", "timestamp", "@timestamp", "ts"),
    "server.address": ("host", "http_host", "server_name"),
    "url.path": ("uri", "request_uri", "path", "url"),
    "http.request.id": ("request_id", "http_x_request_id"),
}
_KEYS = (
    "request_time", "upstream_response_time", "upstream_status", "upstream_addr", "body_bytes_sent", "msec",
    "time_iso8601", "time_local", "remote_addr", "request_method", "request_uri", "http_user_agent",
)  # fmt: skip


def sniff(head: bytes, name: str) -> bool:
    """Is the first line a JSON object with nginx's variable names?

    >>> sniff(b'{"msec":"1790000000.123","request_time":0.004,"status":200,"remote_addr":"10.0.0.1"}', "access.log")
    True
    >>> sniff(b'{"msg":"listening","level":"info"}', "app.log")
    False
    """
    return looks_like(head, *_KEYS, least=3)


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this file hold? `time` is the completion, `duration_s` the whole request as nginx saw it.

    `upstream.duration_s` is summed over attempts, `upstream.status` keeps them apart ("502, 200"), `attempts` counts
    them. `route` is the path with ids folded when the log has no route of its own.
    """
    return read_rows(path, options, label or path.name, names=_OWN, prepare=_prepared)


def _prepared(rows: pa.Table) -> pa.Table:
    return with_upstream(with_request_line(rows))
