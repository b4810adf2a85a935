"""Changes as JSON lines or CSV under the canonical names: what a deploy feed of one's own writes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.json_rows import first_object
from connectors.files.options import Options, Reading
from connectors.files.stream import Faults, whole
from connectors.files.times import Clock, parse_time

NAME = "changes_jsonl"
TABLES = ("CHANGES",)

NAMES: Mapping[str, Sequence[str]] = {
    "id": ("id", "change_id", "uid", "uuid"),
    "time": (
        "time",
        "start",
        "started_at",
        "start_time",
        "timestamp",
        "@timestamp",
        "created_at",
        "date",
        "when",
        "at",
    ),
    "until": ("until", "end", "end_time", "finished_at", "completed_at"),
    "kind": ("kind", "type", "category"),
    "service": ("service", "app", "application", "component", "service_name"),
    "summary": ("summary", "title", "description", "message", "text", "name", "what"),
    "ref": ("ref", "sha", "commit", "tag", "release", "key", "flag"),
    "before": ("before", "from", "old", "previous", "old_value", "previous_version"),
    "after": ("after", "to", "new", "new_value", "new_version", "version"),
    "fraction": ("fraction", "rollout"),
    "takes_effect": ("takes_effect",),
    "reverts": ("reverts", "rollback_of"),
    "derived": ("derived",),
    "url": ("url", "link", "html_url"),
}
KINDS: Mapping[str, str] = {
    "deployment": "deploy", "release": "deploy", "rollout": "deploy", "rollback": "deploy", "configuration": "config",
    "setting": "config", "feature_flag": "flag", "feature-flag": "flag", "toggle": "flag", "migration": "schema",
    "database": "schema", "ddl": "schema", "scaling": "scale", "autoscale": "scale", "reboot": "restart",
    "cert": "certificate", "cron": "job", "batch": "job", "infra": "node", "upstream": "dependency",
}  # fmt: skip


def sniff(head: bytes, name: str) -> bool:
    """Is the first line a JSON object with a time, a kind of change and a summary?

    >>> sniff(b'{"time":"2026-11-24T04:13:00Z","kind":"deploy","summary":"deploy checkout 4.7"}', "changes.jsonl")
    True
    """
    row = first_object(head)
    if row is None or not any(name in row for name in NAMES["time"]):
        return False
    kind = next((row[n] for n in NAMES["kind"] if isinstance(row.get(n), str)), "").lower()
    return (kind in schema.CHANGE_KINDS or kind in KINDS) and any(n in row for n in NAMES["summary"])


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which CHANGES does this file hold? One JSON object a line.

    A `kind` that is none of the canonical ones nor a usual word for one becomes `other`. A person's name or address
    is not read. Lines without a readable time are left out and said; naive times need `options.tz`.
    """
    faults = Faults(label or path.name)
    rows, lines = [], 0
    text = whole(path, faults)
    torn = bool(text) and not text.endswith(b"\n")
    all_lines = text.split(b"\n")
    for number, line in enumerate(all_lines, 1):
        if not line.strip():
            continue
        lines += 1
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            half = torn and number == len(all_lines)
            faults.bad(number, "the last line is half-written" if half else "not JSON")
            continue
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            faults.bad(number, "not a JSON object")
    if lines and not rows:
        raise BadInput(f"{faults.path} is not JSON lines: none of its {lines:,} lines is a JSON object.")
    return finished(rows, options, faults)


def read_csv(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """The same from a CSV file whose first line names the columns."""
    import csv

    faults = Faults(label or path.name)
    text = whole(path, faults).decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    rows = []
    for row in reader:
        plain = {k: v for k, v in row.items() if isinstance(k, str) and isinstance(v, str) and v.strip()}
        rows.append((reader.line_num, plain))
    return finished(rows, options, faults)


def finished(rows: Sequence[tuple[int, Mapping[str, Any]]], options: Options, faults: Faults) -> Reading:
    """Numbered rows as canonical CHANGES, ordered by time; faults say which were left out."""
    clock = Clock(options.tz, options.year, faults.path)
    out: list[dict[str, Any]] = []
    for number, row in rows:
        values = {
            name: row.get(options.fields[name]) if name in options.fields else first_of(row, sources)
            for name, sources in NAMES.items()
        }
        time = moment(values["time"], clock)
        if time is None:
            faults.bad(number, "no readable time")
            continue
        out.append(
            change(values, time=time, until=moment(values["until"], clock), number=number, options=options, row=row)
        )
    return Reading(to_changes(out), faults.sentences(), tuple(faults.notes))


def change(
    values: Mapping[str, Any], *, time: Any, until: Any, number: int, options: Options, row: Mapping[str, Any]
) -> dict[str, Any]:
    """One change with canonical kinds, numbers and texts."""
    kind = str(values["kind"] or "other").strip().lower()
    kind = kind if kind in schema.CHANGE_KINDS else KINDS.get(kind, "other")
    takes = str(values["takes_effect"] or "now").lower()
    summary = values["summary"] or " ".join(str(v) for v in (kind, values["service"], values["ref"]) if v)
    made = {
        "id": str(values["id"] or f"{options.service or 'change'}:{number}"),
        "time": time,
        "until": until,
        "kind": kind,
        "service": _text(values["service"]) or options.service,
        "summary": " ".join(str(summary).split()),
        "ref": _text(values["ref"]),
        "before": _text(values["before"]),
        "after": _text(values["after"]),
        "fraction": fraction(values["fraction"]),
        "takes_effect": takes if takes in schema.TAKES_EFFECT else "now",
        "reverts": _text(values["reverts"]),
        "derived": str(values["derived"]).lower() == "true",
        "url": _text(values["url"]),
    }
    for name in schema.DIMENSIONS:
        if name in row and name != "version":
            made[name] = _text(row[name])
    return made


def to_changes(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Canonical CHANGES of these rows, ordered by time; keys that are missing are null."""
    if not rows:
        return schema.empty("CHANGES")
    columns = {}
    for field in schema.CHANGES:
        values = [row.get(field.name) for row in rows]
        type_ = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns[field.name] = pa.array(values, type_)
    return schema.conform(pa.table(columns), "CHANGES").sort_by("time")


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of these names that the row has one for."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def moment(value: Any, clock: Clock) -> Any:
    """A time as text or epoch number; None when it is none."""
    return None if value is None or isinstance(value, bool | dict | list) else parse_time(str(value), clock)


def fraction(value: Any) -> float | None:
    """A share as 0–1, from a number, "50%" or 50.

    >>> fraction("50%"), fraction(0.25), fraction(20), fraction("most")
    (0.5, 0.25, 0.2, None)
    """
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if text.endswith("%") or number > 1:
        number /= 100
    return number if 0 <= number <= 1 else None


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return attribute(value)


def attribute(value: Any) -> str:
    """A plain value as text: true, not True."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
