"""What do these indices hold? Their fields as columns: canonical name, type, and which field answers which test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.errors import BadInput
from connectors.files.names import DURATIONS, LEVELS, NAMES, number_level
from connectors.schema import ATTRIBUTE_LIMIT, LOGS, TIME
from connectors.where import need_fields

if TYPE_CHECKING:
    from connectors.elastic_server import Server

FIRST: Mapping[str, Sequence[str]] = {
    "time": ("@timestamp",),
    "message": ("message", "body.text", "body", "log"),
    "level": ("log.level", "severity_text"),
    "service": (
        "service.name", "resource.attributes.service.name", "kubernetes.labels.app_kubernetes_io/name",
        "kubernetes.labels.app", "kubernetes.container.name", "kubernetes.container_name",
    ),
    "host": ("host.name", "resource.attributes.host.name", "kubernetes.node.name", "kubernetes.host"),
    "trace_id": ("trace.id", "trace_id", "traceId"),
    "span_id": ("span.id", "span_id", "spanId"),
}  # fmt: skip
"""Where ECS, OpenTelemetry, Filebeat and Fluent Bit keep it; `names.NAMES` follow."""
PREFIXES = ("attributes.", "resource.attributes.", "labels.")
"""What OpenTelemetry's and Elastic APM's documents put before an attribute's own name."""

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
WHOLE = frozenset({"keyword", "constant_keyword", "wildcard", "ip", "version"})
CUT_AT = 255
"""Whole values are commonly indexed up to 256 characters only; a longer literal cannot be looked for."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answers.

    `field` is its name in the documents; `exact` the field that compares whole values and `grouped` the one that groups
    them, None where there is none; `words` the field that finds words. `cut`: long values may be missing from `exact`
    (the server lists such fields in `_ignored`). `ordered`: they compare by order as the filter does. `numbered`: a
    level that is a number there. `scale`: what a value of the documents is worth in the column's unit.
    """

    name: str
    field: str
    type: pa.DataType
    exact: str | None
    grouped: str | None
    words: str | None = None
    cut: bool = False
    ordered: bool = True
    nanos: bool = False
    numbered: bool = False
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns by name, and which fields are left out or lie partly elsewhere, and why."""

    columns: Mapping[str, Column]
    left_out: tuple[str, ...] = ()

    @property
    def weight(self) -> str | None:
        """The documents' field that says how many rows a document stands for; None where each stands for one."""
        return self.columns["weight"].field if "weight" in self.columns else None

    @property
    def nanos(self) -> bool:
        """Is the time kept in nanoseconds?"""
        return self.columns["time"].nanos

    def chosen(self, fields: Sequence[str] | None, *, source: str) -> list[str]:
        """The columns of rows: those asked for and what every row has; None: those of LOGS and up to the limit more."""
        if fields is None:
            own = [name for name in self.columns if name not in LOGS.names]
            return [*LOGS.names, *own[:ATTRIBUTE_LIMIT]]
        need_fields(fields, {*self.columns, *LOGS.names}, where=source)
        return list(dict.fromkeys(["time", "seq", "weight", *fields]))

    def sent(self, fields: Sequence[str] | None) -> bool | list[str]:
        """What is sent of each document: all of it as it is, or the fields asked for."""
        if fields is None:
            return True
        wanted = {self.columns[name].field for name in fields if name in self.columns and name not in ("id", "time")}
        return sorted(wanted | ({self.weight} if self.weight else set())) or False

    def shape(self, names: Sequence[str]) -> pa.Schema:
        """The schema of rows with these columns."""
        own = {name: column.type for name, column in self.columns.items()}
        fields = [LOGS.field(name) if name in LOGS.names else pa.field(name, own[name]) for name in names]
        return pa.schema(fields, metadata=LOGS.metadata)


def layout_on(server: Server, chosen: Mapping[str, str]) -> Layout:
    """The columns of a server's log documents. Indices without the time, of which no row can come, are named."""
    caps, indices = server.capabilities()
    if len(caps) > ATTRIBUTE_LIMIT and (filled := server.filled()):  # agents' templates map thousands
        caps = {name: cap for name, cap in caps.items() if name in filled or name in chosen.values()}
    layout = layout_of(caps, chosen, source=server.name)
    time = layout.columns["time"].field
    without = server.without(time) if len(indices) > 1 else []
    if not without:
        return layout
    lacking = f"{', '.join(without[:5])} without {time}, so none of its rows"
    return Layout(layout.columns, (*layout.left_out, lacking))


def layout_of(
    caps: Mapping[str, Any],
    chosen: Mapping[str, str],
    *,
    source: str,
    first: Mapping[str, Sequence[str]] = FIRST,
    names: Mapping[str, Sequence[str]] = NAMES,
    shape: pa.Schema = LOGS,
    time: str = "time",
) -> Layout:
    """Which columns do these field capabilities make?

    `chosen` names the document's field of a column where it is not found by its usual names. A field whose type
    differs between indices is left out and named, unless both are numbers, times or text. Raises `BadInput` where no
    field holds the time.
    """
    found, left_out = _types(caps)
    parts = _parts(found, caps)
    named = _named({f: t for f, t in found.items() if f not in parts}, chosen, source, first, names, time)
    columns = {}
    for name, field in named.items():
        type_ = shape.field(name).type if name in shape.names else TYPES[_kind(found[field])]
        columns[name] = _column(name, field, type_, found, caps, [p for p in parts if parts[p] == field])
    columns["id"] = Column("id", "_id", pa.string(), "_id", None, ordered=False)
    return Layout(columns, tuple(sorted(left_out.values())))


def level_of(word: Any, field: str = "") -> str | None:
    """The canonical level of a document's word or number for it; None for one that is none.

    >>> level_of("warning"), level_of(17, "severity_number"), level_of("loud")
    ('WARN', 'ERROR', None)
    """
    if isinstance(word, int | float) and not isinstance(word, bool):
        return number_level(word, field.rpartition(".")[2])
    return LEVELS.get(str(word).strip().lower())


def forms_of_level(column: Column, level: str) -> list[Any]:
    """The ways in which documents may write this level."""
    if column.numbered:
        return [n for n in range(61) if number_level(n, column.field.rpartition(".")[2]) == level]
    words = [word for word, meant in LEVELS.items() if meant == level]
    return list(dict.fromkeys(form for word in words for form in (word, word.upper(), word.capitalize())))


def _kind(kinds: Sequence[str]) -> str:
    """The widest of the types that a field has in these indices."""
    order = ["double", "float", "half_float", "scaled_float", "unsigned_long", "date_nanos", "text", "match_only_text"]
    return next((kind for kind in order if kind in kinds), kinds[0])


def _types(caps: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, str]]:
    found: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    for field, by_type in sorted(caps.items()):
        kinds = sorted(
            kind for kind, cap in by_type.items() if kind != "unmapped" and not cap.get("metadata_field", False)
        )
        if not kinds or field.startswith("_") or kinds == ["object"]:
            continue
        unknown = [kind for kind in kinds if kind not in TYPES]
        meant = {str(TYPES[kind]) for kind in kinds if kind in TYPES}
        numbers = {"int64", "double"}
        if unknown and len(kinds) == 1:
            left_out[field] = f"{field} is {unknown[0]}"
        elif unknown or (len(meant) > 1 and not meant <= numbers):
            left_out[field] = f"{field} is {' in one index and '.join(kinds)} in another"
        else:
            found[field] = kinds
    return found, left_out


def _parts(found: Mapping[str, Sequence[str]], caps: Mapping[str, Any]) -> dict[str, str]:
    """Fields that are another form of one and the same value (`message.keyword`), and of which field."""
    parts = {}
    for field in found:
        above = field.rpartition(".")[0]
        if above in found and "object" not in caps[above] and "nested" not in caps[above]:
            parts[field] = above
    return parts


def _named(
    found: Mapping[str, Sequence[str]],
    chosen: Mapping[str, str],
    source: str,
    first: Mapping[str, Sequence[str]],
    names: Mapping[str, Sequence[str]],
    time: str,
) -> dict[str, str]:
    for name, field in chosen.items():
        if field not in found:
            raise BadInput(f"{source} has no field {field!r}, which its options give to {name}: name another.")
    named = dict(chosen)
    taken = set(named.values())
    for name in dict.fromkeys([*first, *names]):
        usual = [*first.get(name, ()), *names.get(name, ())]
        usual = [prefix + one for one in usual for prefix in ("", *PREFIXES)]
        there = next(
            (field for field in usual if field in found and field not in taken and _fits(name, found[field])), None
        )
        if name not in named and there is not None:
            named[name] = there
            taken.add(there)
    if time not in named or TYPES[found[named[time]][0]] != TIME:
        raise BadInput(
            f'{source} has no time field by a usual name: name it with fields = {{ {time} = "its name" }}, or take '
            f"another index."
        )
    lasted = next((f for d in DURATIONS for p in ("", *PREFIXES) if (f := p + d) in found and f not in taken), None)
    if "duration_s" not in named and lasted is not None and _number(found[lasted]):
        named["duration_s"] = lasted
        taken.add(lasted)
    reserved = {"id", "seq", "weight"}
    for field in found:
        name = field
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        name = name if name not in named and name not in reserved else field
        if field not in taken and name not in named and name not in reserved:
            named[name] = field
    return named


def _fits(name: str, kinds: Sequence[str]) -> bool:
    """May this column be of such a type?"""
    meant = TYPES[kinds[0]]
    if name == "time":
        return meant == TIME
    return meant == pa.string() or name not in LOGS.names or (name == "level" and _number(kinds))


def _number(kinds: Sequence[str]) -> bool:
    return TYPES[kinds[0]] in (pa.int64(), pa.float64())


def _column(
    name: str,
    field: str,
    type_: pa.DataType,
    found: Mapping[str, Sequence[str]],
    caps: Mapping[str, Any],
    parts: Sequence[str],
) -> Column:
    kinds = found[field]
    nanos = "date_nanos" in kinds
    scale = 1.0
    if name == "duration_s":
        bare = field
        for prefix in PREFIXES:
            bare = bare.removeprefix(prefix)
        scale, type_ = DURATIONS.get(bare, 1.0), pa.float64()
    words = field if set(kinds) <= WORDS else None
    words = words or next((p for p in parts if set(found[p]) <= WORDS), None)
    whole = field if not set(kinds) & WORDS else None
    whole = whole or next((p for p in parts if set(found[p]) <= {"keyword", "wildcard", "constant_keyword"}), None)
    able = defaultdict(bool)
    if whole is not None:
        for ability in ("searchable", "aggregatable"):
            able[ability] = all(cap.get(ability, False) for kind, cap in caps[whole].items() if kind != "unmapped")
    return Column(
        name,
        field,
        type_,
        whole if able["searchable"] else None,
        whole if able["aggregatable"] else None,
        words,
        cut=whole is not None and bool(set(found[whole]) & {"keyword", "wildcard"}),
        ordered=not set(kinds) & {"ip", "version"} and (not _number(kinds) or not pa.types.is_dictionary(type_)),
        nanos=nanos,
        numbered=name == "level" and _number(kinds),
        scale=scale,
    )
