"""What the portable filter says, as a tree: Compare, In, Between, IsNull, Has, And, Or, Not.

A backend walks it with `match`. `str` of a tree is its canonical text, which parses to the same tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

KEYWORDS = {"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "HAS"}
REFUSED = {
    "LIKE", "ILIKE", "RLIKE", "REGEXP", "SIMILAR", "GLOB", "MATCH", "ESCAPE", "SELECT", "FROM", "WHERE", "EXISTS",
    "UNION", "CASE", "WHEN", "CAST", "TRY_CAST", "INTERVAL", "COLLATE", "ANY", "ALL", "SOME", "SYMMETRIC", "DISTINCT",
    "ISNULL", "NOTNULL", "WITH", "VALUES",
}  # fmt: skip
NAME = re.compile(r"[^\W\d][\w.@/-]*|@[\w.@/-]+")
"""A field name that needs no quotes."""

Value = str | int | float | bool
Op = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`; false where the field is missing."""

    field: str
    op: Op
    value: Value

    def __str__(self) -> str:
        return f"{quote_field(self.field)} {self.op} {quote_value(self.value)}"


@dataclass(frozen=True, slots=True)
class In:
    """`field IN (values)`; false where the field is missing."""

    field: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{quote_field(self.field)} IN ({', '.join(map(quote_value, self.values))})"


@dataclass(frozen=True, slots=True)
class Between:
    """`field BETWEEN low AND high`, both included; false where the field is missing."""

    field: str
    low: Value
    high: Value

    def __str__(self) -> str:
        return f"{quote_field(self.field)} BETWEEN {quote_value(self.low)} AND {quote_value(self.high)}"


@dataclass(frozen=True, slots=True)
class IsNull:
    """The field is missing."""

    field: str

    def __str__(self) -> str:
        return f"{quote_field(self.field)} IS NULL"


@dataclass(frozen=True, slots=True)
class Has:
    """The text field holds these words (lower case), whole, one after the other; false where it is missing."""

    field: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"has({quote_field(self.field)}, {quote_value(' '.join(self.words))})"


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold."""

    parts: tuple[Where, ...]

    def __str__(self) -> str:
        return " AND ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """One of these holds at least."""

    parts: tuple[Where, ...]

    def __str__(self) -> str:
        return " OR ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    part: Where

    def __str__(self) -> str:
        match self.part:
            case In(field, values):
                return f"{quote_field(field)} NOT IN ({', '.join(map(quote_value, values))})"
            case Between(field, low, high):
                return f"{quote_field(field)} NOT BETWEEN {quote_value(low)} AND {quote_value(high)}"
            case IsNull(field):
                return f"{quote_field(field)} IS NOT NULL"
            case part:
                return f"NOT {_bracketed(part)}"


Where = Compare | In | Between | IsNull | Has | And | Or | Not


def fields(where: Where) -> tuple[str, ...]:
    """Which fields does the filter read? Sorted, each once.

    >>> from connectors.where import parse
    >>> fields(parse("a = 1 OR NOT has(b, 'x')"))
    ('a', 'b')
    """
    return tuple(sorted({leaf.field for leaf in leaves(where)}))


def quote_field(name: str) -> str:
    """The field name as the grammar wants it: bare where that is unambiguous, else in double quotes."""
    bare = NAME.fullmatch(name) and name.upper() not in KEYWORDS | REFUSED
    return name if bare else '"' + name.replace('"', '""') + '"'


def quote_value(value: Value) -> str:
    """The literal as the grammar wants it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"


def leaves(where: Where) -> list[Compare | In | Between | IsNull | Has]:
    """Which tests is the filter made of, without the ANDs, ORs and NOTs that join them?"""
    match where:
        case And(parts) | Or(parts):
            return [leaf for part in parts for leaf in leaves(part)]
        case Not(part):
            return leaves(part)
        case leaf:
            return [leaf]


def values_of(node: Compare | In | Between) -> tuple[Value, ...]:
    """Which literals is the field compared with?"""
    match node:
        case Compare(_, _, value):
            return (value,)
        case In(_, values):
            return values
        case Between(_, low, high):
            return (low, high)


def _bracketed(part: Where) -> str:
    return f"({part})" if isinstance(part, And | Or) else str(part)
