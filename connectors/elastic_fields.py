"""What do these indices hold? Their mappings as columns: canonical name, type, and which field answers which test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connectors.errors import BadInput
from connectors.schema import LOGS, TIME

CANONICAL: Mapping[str, tuple[str, ...]] = {
    "time": ("@timestamp", "time", "timestamp", "ts"),
    "message": ("message", "body.text", "body", "msg", "log"),
    "level": ("log.level", "severity_text", "level", "severity"),
    "service": ("service.name", "resource.attributes.service.name", "kubernetes.container.name", "service"),
    "host": ("host.name", "resource.attributes.host.name", "kubernetes.host", "hostname", "host"),
    "trace_id": ("trace.id", "trace_id", "traceId"),
    "span_id": ("span.id", "span_id", "spanId"),
}
"""Where ECS, OpenTelemetry, Filebeat, Fluent Bit and plain documents keep it; the first that is there counts."""

TYPES: Mapping[str, pa.DataType] = {
    **dict.fromkeys(
        ("keyword", "constant_keyword", "wildcard", "text", "match_only_text", "ip", "version"), pa.string()
    ),
    **dict.fromkeys(("long", "integer", "short", "byte"), pa.int64()),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float", "unsigned_long"), pa.float64()),
    **dict.fromkeys(("date", "date_nanos"), TIME),
    "boolean": pa.bool_(),
}
WORDS = frozenset({"text", "match_only_text"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answers.

    `field` is its name in the documents; `exact` the field that compares and groups whole values, None where there is
    none that holds every value; `words` the field that finds words, None where there is none.
    """

    name: str
    field: str
    type: pa.DataType
    exact: str | None
    words: str | None
    nanos: bool = False


def columns_of(
    mappings: Mapping[str, Any], chosen: Mapping[str, str], *, source: str
) -> tuple[dict[str, Column], list[str]]:
    """Which columns do these indices' mappings make, and which fields are left out, and why?

    `chosen` names the document's field of a canonical column where it is not found by its usual names. A field whose
    type differs between indices is left out and named, unless both are numbers. Raises `BadInput` where no field
    holds the time.
    """
    found: dict[str, Mapping[str, Any]] = {}
    left_out: dict[str, str] = {}
    for index in (mappings[name] for name in sorted(mappings)):
        for field, mapping in _leaves(index.get("mappings", {}).get("properties", {}), ""):
            if mapping["type"] not in TYPES:
                left_out[field] = f"{field} is {mapping['type']}"
            elif field in found and TYPES[found[field]["type"]] != TYPES[mapping["type"]]:
                left_out[field] = f"{field} is {found[field]['type']} in one index and {mapping['type']} in another"
            else:
                found[field] = mapping
    for field in left_out:
        found.pop(field, None)
    names = _named(found, chosen, source)
    columns = {name: _column(name, field, found[field]) for name, field in names.items()}
    columns["id"] = Column("id", "_id", pa.string(), "_id", None)
    return columns, sorted(left_out.values())


def _named(found: Mapping[str, Any], chosen: Mapping[str, str], source: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, field in chosen.items():
        if field not in found:
            raise BadInput(f"{source} has no field {field!r}, which its options give to {name}: name another.")
        names[name] = field
    for name, usual in CANONICAL.items():
        there = next((field for field in usual if field in found and field not in names.values()), None)
        if name not in names and there is not None:
            names[name] = there
    if "time" not in names or TYPES[found[names["time"]]["type"]] != TIME:
        raise BadInput(f'{source} has no time field by a usual name: name it with fields = {{ time = "its name" }}.')
    taken = set(names.values())
    reserved = {"id", "seq", "weight", *names}
    return names | {field: field for field in found if field not in taken and field not in reserved}


def _column(name: str, field: str, mapping: Mapping[str, Any]) -> Column:
    kind = mapping["type"]
    parts = {f"{field}.{part}": value for part, value in mapping.get("fields", {}).items()}
    whole = {
        part: value["type"] in ("keyword", "wildcard") and "ignore_above" not in value for part, value in parts.items()
    }
    words = field if kind in WORDS else next((p for p, value in parts.items() if value["type"] in WORDS), None)
    exact = next((p for p, is_whole in whole.items() if is_whole), None) if kind in WORDS else field
    if kind == "keyword" and "ignore_above" in mapping:
        exact = None
    type_ = LOGS.field(name).type if name in LOGS.names else TYPES[kind]
    return Column(name, field, type_, exact, words, nanos=kind == "date_nanos")


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, mapping in properties.items():
        if "properties" in mapping and mapping.get("type", "object") == "object":
            yield from _leaves(mapping["properties"], f"{prefix}{name}.")
        elif mapping.get("enabled", True) and "type" in mapping:
            yield f"{prefix}{name}", mapping
