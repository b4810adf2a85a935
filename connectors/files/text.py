"""Plain text logs: a time somewhere at the start of a line, syslog (also year-less), logfmt, stack traces joined on.

A line without a time belongs to the line before it, as the lines of a stack trace do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.columns import LINE, concat, from_rows, with_numbers
from connectors.files.escapes import unescaped
from connectors.files.logs import to_logs
from connectors.files.options import Options, Reading
from connectors.files.stream import Chunk, Faults, chunks
from connectors.schema import conform

NAME = "text"
TABLES = ("LOGS",)

_TIME = re.compile(
    r"^(?:<(?P<pri>\d{1,3})>(?:\d )?)?\W{0,3}(?P<time>"
    r"\d{4}[-/.]\d\d?[-/.]\d\d?[T ]+\d\d:\d\d(?::\d\d(?:[.,:]\d+)?)?"
    r"(?: ?(?:Z|[+-]\d\d:?\d\d|UTC|GMT|[A-Z]{3,4}(?=[\s\]])))?"
    r"|\d\d?/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: \d{4})?"
    r"|\d{10}(?:\.\d+)?(?=\s)|\d{13}(?=\s)"
    r")\]?,?"
)
_LEVEL = re.compile(
    r"(?<![A-Za-z])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG|PANIC)(?![A-Za-z])"
    r"|(?:\[|\blevel=)(trace|debug|info|notice|warn(?:ing)?|error|err|crit(?:ical)?|fatal|alert|emerg)\b"
)
_SYSLOG = re.compile(r"^\s*(?P<host>[A-Za-z0-9_.\-:]+) (?P<prog>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<text>.*)", re.S)
_SYSLOG5424 = re.compile(
    r"^\s*(?P<host>\S+) (?P<prog>\S+) (?P<pid>\S+) (?P<msgid>\S+) (?:-|\[.*?\](?=\s|$)) ?(?:\ufeff)?(?P<text>.*)", re.S
)
_PAIR = re.compile(r'(?P<key>[A-Za-z_@][\w.@/-]*)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]*))')
_JOINED_BYTES = 1 << 16
_TEXTS = frozenset({"time", "message", "level", "host"})
_TIME_KEYS = ("time", "ts", "timestamp", "t", "@timestamp", "at")


def sniff(head: bytes, name: str) -> bool:
    """Does one of the first lines begin with a time, or hold logfmt with one?

    >>> sniff(b"2026-11-24 04:21:00,123 INFO worker started\\n", "app.log"), sniff(b"PNG\\r\\n", "x.png")
    (True, False)
    """
    lines = head.decode("utf-8", "replace").split("\n")[:20]
    return any(_TIME.match(line) or _logfmt(line) for line in lines)


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this file hold? One row a message, with the lines that belong to it.

    The message keeps the whole text after the time. Lines of logfmt give a typed column per key. A level is taken
    when the text names one in capitals, in brackets or as level=. Raises `NaiveTime` when times have no zone (or no
    year) and no option gives it.
    """
    faults = Faults(label or path.name)
    tables, rows, numbers, lines = [], [], [], 0
    for chunk in chunks(path, faults):
        lines += chunk.data.count(b"\n")
        for number, text in _messages(chunk, faults):
            rows.append(_row(text))
            numbers.append(number)
        if rows:
            table = with_numbers(from_rows(rows), leave=_TEXTS).append_column(LINE, pa.array(numbers, pa.int64()))
            tables.append(to_logs(table, options, faults))
            rows, numbers = [], []
    if not tables:
        if lines and faults.bad_lines:
            raise BadInput(f"No line of {faults.path} begins with a time that is known; its lines cannot be placed.")
        if not lines and not faults.missing:
            faults.notes.append(f"{faults.path} is empty")
        return Reading(schema.empty("LOGS"), faults.sentences(), tuple(faults.notes))
    return Reading(conform(concat(tables), "LOGS"), faults.sentences(), tuple(faults.notes))


def _messages(chunk: Chunk, faults: Faults) -> Iterator[tuple[int, str]]:
    """Lines with the lines that belong to them; a piece that begins inside a message loses its beginning's time."""
    held: list[str] = []
    size, first = 0, chunk.first_line
    for number, line in enumerate(chunk.data.decode().split("\n")[:-1], chunk.first_line):
        line = line.rstrip("\r")
        if _TIME.match(line) or _logfmt(line):
            if held:
                yield first, "\n".join(held)
            held, size, first = [line], len(line), number
        elif held:
            size += len(line)
            if size < _JOINED_BYTES:
                held.append(line)
        elif line.strip():
            faults.bad(number, "no time at its start")
    if held:
        yield first, "\n".join(held)


def _logfmt(line: str) -> bool:
    if "=" not in line:
        return False
    pairs = [m["key"] for m in _PAIR.finditer(line)]
    return len(pairs) >= 2 and any(key in _TIME_KEYS for key in pairs)


def _row(text: str) -> dict[str, Any]:
    match = _TIME.match(text)
    if match is None:
        return logfmt_pairs(text)
    row: dict[str, Any] = {"time": match["time"].strip()}
    rest = text[match.end() :]
    if match["pri"] is not None:
        row["level"] = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")[int(match["pri"]) % 8]
        syslog = _SYSLOG5424.match(rest) if "T" in row["time"][:11] else _SYSLOG.match(rest)
    else:
        syslog = _SYSLOG.match(rest) if row["time"][0].isalpha() or "T" in row["time"][:11] else None
    if syslog is not None and syslog["prog"].rstrip(":").upper() not in _LEVEL_WORDS:
        row["host"], row["program"] = syslog["host"], syslog["prog"]
        if syslog["pid"] and syslog["pid"].isdigit():
            row["pid"] = int(syslog["pid"])
        rest = syslog["text"]
    row["message"] = rest.strip()
    if "level" not in row and (level := _LEVEL.search(rest[:200])):
        row["level"] = level[1] or level[2]
    if rest.count("=") >= 2:
        pairs = {k: v for k, v in logfmt_pairs(rest).items() if k not in ("time", "host")}
        if len(pairs) >= 3 or "level" in pairs:
            row.update({k: v for k, v in pairs.items() if k not in row or k == "level"})
    return row


_LEVEL_WORDS = frozenset({"INFO", "WARN", "WARNING", "ERROR", "DEBUG", "TRACE", "FATAL", "CRITICAL", "NOTICE"})


def logfmt_pairs(text: str) -> dict[str, Any]:
    """The `key=value` pairs of a line of logfmt, as text.

    >>> logfmt_pairs('level=warn msg="pool timeout"')
    {'level': 'warn', 'msg': 'pool timeout'}
    """
    row: dict[str, Any] = {}
    for match in _PAIR.finditer(text):
        quoted = match["quoted"]
        row[match["key"]] = unescaped(quoted) if quoted is not None else match["plain"]
    return row
