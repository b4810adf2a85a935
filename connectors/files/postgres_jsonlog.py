"""PostgreSQL's jsonlog (`log_destination = jsonlog`): slow statements, plans of auto_explain, errors with SQLSTATE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.json_rows import looks_like, read_rows
from connectors.files.options import Options, Reading
from connectors.files.sql import collection, operation, summary

NAME = "postgres_jsonlog"
TABLES = ("LOGS",)

_OWN = {
    "time": ("timestamp",),
    "level": ("error_severity",),
    "client": ("application_name",),
    "client.address": ("remote_host",),
    "db.namespace": ("dbname",),
    "user.name": ("user",),
    "db.query.text": ("db.query.text",),
    "process.pid": ("pid",),
    "service": (),
}
_LOGGED = (
    r"(?s)^duration: (?P<ms>[0-9.]+) ms"
    r"(?:  (?P<logged>statement|execute|parse|bind|plan|fastpath function call)(?: [^:\n]*)?:\s*(?P<text>.*))?$"
)


def sniff(head: bytes, name: str) -> bool:
    """Is the first line a JSON object with jsonlog's keys?

    >>> sniff(b'{"timestamp":"2026-11-24 04:21:00.123 UTC","pid":7,"error_severity":"LOG","message":"hi"}', "pg.json")
    True
    """
    return looks_like(head, "timestamp", "error_severity", "pid", "message", "backend_type", "session_id", least=4)


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this file hold? Every line; for logged durations also `duration_s` and the statement.

    `db.query.text` is the statement as logged, `db.query.summary` the same with literals masked, so that runs of one
    statement are equal; `db.operation.name` and `db.collection.name` its verb and first table; `postgresql.plan` the
    plan that auto_explain logged; `postgresql.logged` what PostgreSQL logged the duration for (statement, execute,
    plan…): a statement over both thresholds appears once as each. `time` is the statement's end. `state_code` is
    the SQLSTATE.
    """
    return read_rows(path, options, label or path.name, names=_OWN, prepare=_prepared)


def _prepared(rows: pa.Table) -> pa.Table:
    if "message" not in rows.column_names:
        return rows
    message = rows.column("message").cast(pa.string()).combine_chunks()
    starts = pc.starts_with(message, "duration: ")
    statement = (
        rows.column("statement").cast(pa.string()).combine_chunks() if "statement" in rows.column_names else None
    )
    if not pc.any(starts).as_py() and statement is None:
        return rows
    found = pc.extract_regex(pc.if_else(starts, message, None), _LOGGED)
    text, logged = pc.struct_field(found, "text"), pc.struct_field(found, "logged")
    seconds = pc.divide(pc.struct_field(found, "ms").cast(pa.float64()), 1000.0)
    is_plan = pc.fill_null(pc.equal(logged, "plan"), False)
    query = pc.if_else(is_plan, None, text)
    plans = None
    if pc.any(is_plan).as_py():
        parsed = [_plan(t) for t in pc.if_else(is_plan, text, None).to_pylist()]
        plans = pa.array([p[1] for p in parsed], pa.string())
        query = pc.coalesce(query, pa.array([p[0] for p in parsed], pa.string()))
    query = pc.if_else(pc.equal(query, ""), None, query)
    if statement is not None:
        query = pc.coalesce(query, statement)
        rows = rows.drop_columns(["statement"])
    coded = query.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    columns: dict[str, Any] = {
        "duration_s": seconds,
        "postgresql.logged": pc.if_else(pc.equal(logged, ""), None, logged),
        "db.query.text": query,
        "db.query.summary": pa.array([summary(t) for t in texts], pa.string()).take(coded.indices),
        "db.operation.name": pa.array([operation(t) for t in texts], pa.string()).take(coded.indices),
        "db.collection.name": pa.array([collection(t) for t in texts], pa.string()).take(coded.indices),
    }
    if plans is not None:
        columns["postgresql.plan"] = plans
    for name, column in columns.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, column)
    return rows


def _plan(text: str | None) -> tuple[str | None, str | None]:
    """The statement and the plan of one auto_explain text, in its text or JSON format."""
    if not text:
        return None, None
    if text.lstrip().startswith("{"):
        import orjson

        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None, text
        query = document.pop("Query Text", None) if isinstance(document, dict) else None
        return query, orjson.dumps(document).decode()
    if not text.startswith("Query Text: "):
        return None, text
    lines = text.removeprefix("Query Text: ").split("\n")
    for i, line in enumerate(lines):
        if i and "(cost=" in line:
            return "\n".join(lines[:i]).strip(), "\n".join(lines[i:]).rstrip()
    return lines[0], "\n".join(lines[1:]).rstrip() or None
