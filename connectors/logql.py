"""The portable filter in LogQL, two-valued: a pipeline of label filters after the parser, one for each part.

Loki cannot tell a label that is empty from one that is missing: empty text counts as missing here, in every test.
Negation is carried down to the single tests, since LogQL has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa

from connectors.errors import NotExpressible
from connectors.files.names import LEVELS
from connectors.where import And, Between, Compare, Has, In, IsNull, Not, Or, Where, leaves, word_pattern
from connectors.window import utc

STAMP = "kit_stamp"
"""The label that holds an entry's time in nanoseconds, where a filter or a bin's edge needs it."""
NUMBER = r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?"
NO_ERRORS = " | drop __error__, __error_details__"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answers: its name, the key in lines or labels, the LogQL label, its type.

    `of_stream`: it is a label of the stream or structured metadata, there without a parser. `label` is None where
    LogQL does not reach the value (lists).
    """

    name: str
    key: str
    label: str | None
    type: pa.DataType
    of_stream: bool = False


def label_of(key: str) -> str:
    """What Loki's parsers call this key.

    >>> label_of("http.response.status_code"), label_of("2xx")
    ('http_response_status_code', '_2xx')
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", key)
    return f"_{plain}" if plain[:1].isdigit() else plain


def quoted(text: str) -> str:
    """The text as a LogQL string.

    >>> quoted('say "hi"')
    '"say \\\\"hi\\\\""'
    """
    return orjson.dumps(text).decode()


def stages(where: Where | None, columns: Mapping[str, Column]) -> str:
    """The pipeline's stages that keep the rows of a resolved filter; empty for None.

    Raises `NotExpressible` for order among texts, and for values that LogQL does not reach.
    """
    if where is None:
        return ""
    stamp = stamped() if any(leaf.field == "time" for leaf in leaves(where)) else ""
    parts = where.parts if isinstance(where, And) else (where,)
    return stamp + "".join(f" | {_said(part, columns, wanted=True)}" for part in parts)


def stamped() -> str:
    """The stage that puts an entry's time into the label `STAMP`."""
    return f" | label_format {STAMP}=`{{{{ unixEpochNanos __timestamp__ }}}}`"


def nanoseconds(time: datetime) -> int:
    """The instant in nanoseconds since the epoch."""
    return (utc(time) - _EPOCH) // timedelta(microseconds=1) * 1000


def _said(node: Where, columns: Mapping[str, Column], *, wanted: bool) -> str:
    match node:
        case Not(part):
            return _said(part, columns, wanted=not wanted)
        case And(parts) | Or(parts):
            word = " and " if isinstance(node, And) == wanted else " or "
            return f"({word.join(_said(part, columns, wanted=wanted) for part in parts)})"
    label = STAMP if node.field == "time" else reached(columns[node.field])
    match node:
        case IsNull() if node.field == "level":
            return _among(label, _words(set(LEVELS.values())), wanted=not wanted)
        case IsNull():
            return f'{label}{"=" if wanted else "!="}""'
        case Has(_, words):
            pattern = f"(?is).*(?:{word_pattern(words)}).*"
            return f"{label}{'=~' if wanted else '!~'}{quoted(pattern)}"
        case In(_, values) if node.field == "level":
            return _among(label, _words(set(map(str, values))), wanted=wanted)
        case In(_, values):
            each = [_said(Compare(node.field, "=", value), columns, wanted=wanted) for value in values]
            return f"({(' or ' if wanted else ' and ').join(each)})" if each else _never(label, wanted)
        case Between(_, low, high):
            both = And((Compare(node.field, ">=", low), Compare(node.field, "<=", high)))
            return _said(both, columns, wanted=wanted)
        case Compare():
            return _compared(node, label, wanted=wanted)


def _compared(node: Compare, label: str, *, wanted: bool) -> str:
    value, op = node.value, node.op
    if node.field == "time":
        return _number(label, op, float(nanoseconds(utc(str(value)))), wanted=wanted)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(label, op, value, wanted=wanted)
    if op not in ("=", "<>"):
        raise NotExpressible(f"Loki cannot order texts ({node}): compare with = or IN, or filter the rows.")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text:
        return _never(label, wanted) if op == "=" else f'{label}{"!=" if wanted else "="}""'
    if op == "=":
        return f"{label}{'=' if wanted else '!='}{quoted(text)}"
    return (
        f'({label}!={quoted(text)} and {label}!="")' if wanted else f'({label}={quoted(text)} or {label}="")'
    )  # fmt: skip


def _number(label: str, op: str, value: float, *, wanted: bool) -> str:
    """A comparison of numbers, guarded: Loki keeps a row whose value is no number."""
    sign = {"=": "==", "<>": "!="}.get(op, op)
    literal = repr(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))
    guard = quoted(NUMBER)
    if wanted:
        return f"({label}=~{guard} and {label} {sign} {literal})"
    other = {"=": "!=", "<>": "=="}.get(op) or _OPPOSITE[op]
    return f"({label}!~{guard} or {label} {other} {literal})"


def _among(label: str, words: Iterable[str], *, wanted: bool) -> str:
    pattern = "(?i)\\s*(?:" + "|".join(re.escape(word) for word in sorted(words)) + ")\\s*"
    return f"{label}{'=~' if wanted else '!~'}{quoted(pattern)}"


def _words(levels: set[str]) -> list[str]:
    return [word for word, level in LEVELS.items() if level in levels]


def _never(label: str, wanted: bool) -> str:
    """No row, or every one."""
    return f'({label}="" and {label}!="")' if wanted else f'({label}="" or {label}!="")'


def reached(column: Column) -> str:
    """The column's label. Raises `NotExpressible` where LogQL has none for it."""
    if column.label is None:
        raise NotExpressible(
            f"{column.name} holds lists, or shares its name in LogQL with another field, so Loki cannot be asked about "
            f"it: choose another field, or filter the rows."
        )
    return column.label
