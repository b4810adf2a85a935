"""Access logs of Apache and nginx in their common and combined formats, with whatever was appended to them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.errors import BadInput
from connectors.files.access import with_request_line, with_upstream
from connectors.files.bare_times import bare_times, said
from connectors.files.columns import LINE, concat, to_array, with_numbers
from connectors.files.escapes import unescaped, unescaped_column
from connectors.files.logs import to_logs
from connectors.files.options import Options, Reading
from connectors.files.stream import Chunk, Faults, chunks
from connectors.schema import conform

NAME = "combined"
TABLES = ("LOGS",)

_ROW = re.compile(
    r"(?:(?P<vhost>[\w.\-]+:\d+) )?(?P<remote_addr>\S+) (?P<ident>\S+) (?P<user>.*?) \[(?P<time>[^\]]+)\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}|-) (?P<bytes>\d+|-)'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?P<extra>.*)'
)
_EXTRA = re.compile(
    r"(?:(?P<key>[A-Za-z_][\w.@/-]*(?==)|[A-Za-z_]\w*(?=:))[=:])?"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>(?:[^\s"]+(?:, | : ))*[^\s"]+))'
)
_RENAMED = {
    "rt": "request_time", "urt": "upstream_response_time", "uct": "upstream_connect_time",
    "uht": "upstream_header_time",
    "ua": "upstream_addr", "us": "upstream_status", "req_id": "request_id",
}  # fmt: skip
_NAMES = ["remote_addr", "ident", "user", "day", "zone", "request", "status", "bytes", "referer", "agent"]
_QUOTED = ("request", "referer", "agent")
_TEXTS = frozenset({*_NAMES, "vhost", "time", "message", "level", "service", *_RENAMED.values()})
_MAPPED = {
    "time": ("time",),
    "http.request.header.referer": ("referer",),
    "user_agent.original": ("agent",),
    "user.name": ("user",),
}


def sniff(head: bytes, name: str) -> bool:
    """Does a first line look like one of an access log?

    >>> sniff(b'10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 203 "-" "curl/8"\\n', "access.log")
    True
    """
    lines = [line for line in head.decode("utf-8", "replace").split("\n")[:5] if line.strip()]
    return bool(lines) and _ROW.fullmatch(lines[0].rstrip("\r")) is not None


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this file hold? One row a request; `time` as the server logs it.

    Apache logs the time a request began, nginx the time it ended; a duration is there only when the format was
    extended: with a name (`rt=0.004`, `urt="0.003"`), or as a bare number with decimals on every line (`bare_times`,
    which the notes then say). Other extensions are columns by their names, or `extra.1`, `extra.2` … by their place,
    which `options.fields` can name.
    """
    faults = Faults(label or path.name)
    tables, lines = [], 0
    times: dict[str, str] | None = None
    for chunk in chunks(path, faults):
        lines += chunk.data.count(b"\n")
        rows = _fast(chunk)
        if rows is None:
            rows = _slow(chunk, faults)
        if rows.num_rows == 0:
            continue
        if times is None:
            times = bare_times(rows, spoken_for=options.fields.values())
            faults.notes += said(times, faults.path)
        rows = rows.rename_columns([times.get(name, name) for name in rows.column_names])
        tables.append(to_logs(with_upstream(with_request_line(_finished(rows))), options, faults, _MAPPED))
    if not tables:
        if faults.bad_lines:
            raise BadInput(f"{faults.path} is not an access log: none of its {lines:,} lines fits the combined format.")
        if not lines and not faults.missing:
            faults.notes.append(f"{faults.path} is empty")
        return Reading(schema.empty("LOGS"), faults.sentences(), tuple(faults.notes))
    return Reading(conform(concat(tables), "LOGS"), faults.sentences(), tuple(faults.notes))


def _fast(chunk: Chunk) -> pa.Table | None:
    """A piece of plain lines through Arrow's CSV reader, with what was appended without names; None otherwise."""
    from pyarrow import csv

    match = _ROW.fullmatch(chunk.data.split(b"\n", 1)[0].decode())
    if match is None or match["vhost"] or b'\\"' in chunk.data:
        return None
    extras = _extras(match["extra"])
    if any(not name.startswith("extra.") for name in extras):
        return None
    names = [*(_NAMES if match["agent"] is not None else _NAMES[:8]), *extras]
    try:
        table = csv.read_csv(
            io.BytesIO(chunk.data),
            read_options=csv.ReadOptions(column_names=names),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char='"', double_quote=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    lines = chunk.data.count(b"\n")
    if table.num_rows != lines or not pc.all(pc.starts_with(table.column("day"), "[")).as_py():
        return None
    stamp = pc.binary_join_element_wise(
        pc.utf8_ltrim(table.column("day"), "["), pc.utf8_rtrim(table.column("zone"), "]"), " "
    )
    import numpy as np

    numbers = pa.array(np.arange(chunk.first_line, chunk.first_line + lines, dtype=np.int64))
    return table.drop_columns(["day", "zone"]).append_column("time", stamp).append_column(LINE, numbers)


def _slow(chunk: Chunk, faults: Faults) -> pa.Table:
    rows, numbers = [], []
    lines = chunk.data.decode().split("\n")[:-1]
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        match = _ROW.fullmatch(line.rstrip("\r"))
        if match is None:
            torn = chunk.torn and i == len(lines) - 1
            faults.bad(chunk.first_line + i, "the last line is half-written" if torn else "not an access-log line")
            continue
        row = match.groupdict()
        row.update(_extras(row.pop("extra")))
        rows.append(row)
        numbers.append(chunk.first_line + i)
    if not rows:
        return pa.table({})
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: to_array([row.get(name) for row in rows]) for name in names})
    return table.append_column(LINE, pa.array(numbers, pa.int64()))


def _extras(text: str) -> dict[str, str]:
    """What was appended, by its names; without a name by its place among all that was."""
    found: dict[str, str] = {}
    for i, match in enumerate(_EXTRA.finditer(text), 1):
        value = unescaped(match["quoted"]) if match["quoted"] is not None else match["plain"]
        key = match["key"]
        found[_RENAMED.get(key, key) if key else f"extra.{i}"] = value
    return found


def _finished(table: pa.Table) -> pa.Table:
    """The piece's columns with `-` as nothing, escapes undone, and numbers that were appended as numbers."""
    for name in table.column_names:
        if not pa.types.is_string(table.schema.field(name).type):
            continue
        column = table.column(name)
        if name not in ("request", "time"):
            column = pc.if_else(pc.is_in(column, pa.array(["-", ""])), None, column)
        if name in _QUOTED:
            column = unescaped_column(column)
        table = table.set_column(table.column_names.index(name), name, column)
    return with_numbers(table.drop_columns(["ident"]), leave=_TEXTS)
