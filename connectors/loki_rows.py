"""Loki's entries as rows: what their lines and labels hold, as columns, and the LOGS table of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa

from connectors.engine import as_schema
from connectors.errors import BadInput
from connectors.files.columns import flat_row
from connectors.files.names import DURATIONS, LEVELS, NAMES
from connectors.files.text import logfmt_pairs
from connectors.logql import Column, label_of
from connectors.schema import LOGS, REST

Parser = Literal["json", "logfmt", "none"]
LINE = "\0line"
"""The key under which a line that no parser takes apart is kept."""
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_BROKEN = re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,15}")
_NEVER = frozenset({"time", "seq", "weight", "id"})


class Entry(NamedTuple):
    """One line: its time in nanoseconds, its labels with structured metadata, its text."""

    time_ns: int
    labels: Mapping[str, str]
    line: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What the lines of a source look like, as far as it was seen: the parser for them, and their columns by name.

    `mixed`: some lines are not what the parser expects; their text is their message.
    """

    parser: Parser
    columns: Mapping[str, Column]
    mixed: bool = False

    @property
    def stage(self) -> str:
        """The pipeline's stages that take lines apart."""
        message = self.columns.get("message")
        label = message.label if message is not None and message.label else "message"
        if self.parser == "none":
            return f" | label_format {label}=`{{{{ __line__ }}}}`"
        if not self.mixed:
            return f" | {self.parser}"
        line = f"`{{{{ if .__error__ }}}}{{{{ __line__ }}}}{{{{ else }}}}{{{{ .{label} }}}}{{{{ end }}}}`"
        return f" | {self.parser} | label_format {label}={line}"


def entries_of(streams: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    """The entries of a query's streams, stream by stream."""
    for stream in streams:
        for value in stream["values"]:
            labels = stream["stream"]
            if len(value) > 2 and isinstance(value[2], dict):
                labels = {**labels, **value[2]}
            yield Entry(int(value[0]), labels, value[1])


def shape_of(entries: Sequence[Entry], chosen: Mapping[str, str], parser: Parser | None, *, source: str) -> Shape:
    """What do these lines hold? `chosen` names the key of a canonical column that has none of the usual names.

    Raises `BadInput` where it names a key that no line has.
    """
    parser = parser or _parser_of(entries)
    kinds: dict[str, set[type]] = {}
    labels: set[str] = set()
    mixed = False
    for entry in entries:
        found = taken_apart(entry.line, parser)
        mixed = mixed or (LINE in found and parser != "none")
        own = {label_of(key) for key in found}
        labels |= {name for name in entry.labels if name not in own and not name.endswith("_extracted")}
        for key, value in found.items():
            if value is not None and value != "":
                kinds.setdefault(key, set()).add(type(value))
    names = _named([k for k in kinds if k != LINE], sorted(labels), chosen, source)
    reached = [label_of(key) for key in kinds]
    columns: dict[str, Column] = {}
    for name, key in names.items():
        if key in kinds:
            label: str | None = label_of(key)
            if reached.count(label) > 1 or kinds[key] & {list, dict}:
                label = None
            elif label in labels:
                label = f"{label}_extracted"
            columns[name] = Column(name, key, label, _type(name, kinds[key]))
        else:
            type_ = LOGS.field(name).type if name in LOGS.names else pa.string()
            columns[name] = Column(name, key, key, type_, of_stream=True)
    if entries and "message" not in columns and (mixed or parser == "none"):
        columns["message"] = Column("message", LINE, "message", pa.string())
    return Shape(parser, columns, mixed)


def taken_apart(line: str, parser: Parser) -> dict[str, Any]:
    """The line's fields by dotted name; under `LINE` the whole of it where it has none.

    >>> taken_apart('{"http": {"status": 503}, "ok": null}', "json")
    {'http.status': 503, 'ok': None}
    """
    if parser == "json":
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        return flat_row(found) if isinstance(found, dict) else {LINE: line}
    if parser == "logfmt":
        return {key: _number_or_text(text) for key, text in logfmt_pairs(line).items()} or {LINE: line}
    return {LINE: line}


def table_of(
    entries: Sequence[Entry], shape: Shape, schema: pa.Schema, *, seq: Sequence[int], weights: Sequence[float]
) -> tuple[pa.Table, int]:
    """Which LOGS rows are these entries? And how many values did not fit their column's type, and are null.

    Fields that are no column stand in `attributes_rest`, where the schema has it.
    """
    fields = [taken_apart(entry.line, shape.parser) for entry in entries]
    arrays: dict[str, Any] = {}
    lost = 0
    for field in schema:
        column = shape.columns.get(field.name)
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name == "time":
            arrays["time"] = pa.array([entry.time_ns // 1000 for entry in entries], pa.int64()).cast(field.type)
            continue
        if field.name == "seq":
            values: list[Any] = list(seq)
        elif field.name == "weight":
            values = list(weights)
        elif field.name == REST:
            keys = {c.key for c in shape.columns.values() if not c.of_stream} | {LINE, "id"}
            values = [_rest(found, keys) for found in fields]
        elif field.name == "id":
            values = [str(f["id"]) if f.get("id") else id_of(e) for f, e in zip(fields, entries, strict=True)]
        elif column is None:
            values = [None] * len(entries)
        elif column.of_stream:
            values = [_fitting(entry.labels.get(column.key), plain) for entry in entries]
        else:
            raw = [found.get(column.key) for found in fields]
            values = [_fitting(value, plain) for value in raw]
            lost += sum(a not in (None, "") and b is None for a, b in zip(raw, values, strict=True))
        if field.name == "message":
            values = [f.get(LINE, value) for f, value in zip(fields, values, strict=True)]
        if field.name == "level":
            values = [None if value is None else LEVELS.get(value.strip().lower()) for value in values]
        arrays[field.name] = pa.array(values, plain)
    return as_schema(pa.table(arrays), schema), lost


def id_of(entry: Entry) -> str:
    """An id for an entry without one of its own: the same whenever it is read."""
    digest = hashlib.sha256(orjson.dumps([sorted(entry.labels.items()), entry.line])).hexdigest()
    return f"{entry.time_ns}-{digest[:8]}"


def _rest(found: Mapping[str, Any], keys: set[str]) -> str | None:
    left = {key: value for key, value in found.items() if key not in keys and value is not None}
    return orjson.dumps(left).decode() if left else None


def _number_or_text(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


def _fitting(value: Any, type_: pa.DataType) -> Any:
    if value is None or value == "":
        return None
    if pa.types.is_string(type_):
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if pa.types.is_boolean(type_):
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if pa.types.is_integer(type_):
        return int(number) if number.is_integer() else None
    return number


def _parser_of(entries: Sequence[Entry]) -> Parser:
    if any(LINE not in taken_apart(entry.line, "json") for entry in entries):
        return "json"
    pairs = sum(len(taken_apart(entry.line, "logfmt")) >= 3 for entry in entries)
    return "logfmt" if entries and pairs * 2 > len(entries) else "none"


def _named(keys: Sequence[str], labels: Sequence[str], chosen: Mapping[str, str], source: str) -> dict[str, str]:
    """Which key or label is each column? Fields of lines before labels, the chosen ones first."""
    there = dict.fromkeys([*keys, *labels])
    names: dict[str, str] = {}
    for name, key in chosen.items():
        if there and key not in there:
            raise BadInput(f"{source} has no field {key!r}, which its options give to {name}: name another.")
        if there:
            names[name] = key
    usual = {**NAMES, "duration_s": tuple(n for n, unit in DURATIONS.items() if unit == 1.0)}
    for name, candidates in usual.items():
        if name in _NEVER or name in names:
            continue
        ranked = [*candidates, "detected_level"] if name == "level" else candidates
        key = next((k for k in ranked if k in there and k not in names.values()), None)
        if key is not None:
            names[name] = key
    taken = {*names.values(), *_NEVER, "detected_level"}
    return names | {key: key for key in there if key not in taken and key not in names}


def _type(name: str, kinds: set[type]) -> pa.DataType:
    if name in LOGS.names:
        return LOGS.field(name).type
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()
