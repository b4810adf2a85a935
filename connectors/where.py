"""The portable filter: a small closed grammar that every backend can be asked exactly.

    field op literal           op is one of = <> < <= > >=
    field [NOT] IN (literal, …)
    field [NOT] BETWEEN literal AND literal
    field IS [NOT] NULL
    has(field, 'words in order')        case-insensitive, whole words
    AND, OR, NOT, brackets

Field names may hold dots, hyphens, @ and slashes (`@timestamp`, `a.my-field`); any other name stands in double quotes.
Text stands in single quotes (doubled inside), numbers and TRUE and FALSE bare, times as ISO 8601 text with a zone.

It is two-valued everywhere: a comparison with a missing field is false (`status <> 200` too) and its NOT is true, so
`NOT status = 200` keeps rows without a status; `NOT IN` and `NOT BETWEEN` are the NOT of theirs. NaN counts as missing.
`level` compares by severity. A word is a run of letters, digits, marks and underscores.

Anything else is refused by name. A backend calls `resolve(parse(text), known)` and walks the tree with `match`: its own
small compiler is all that it adds. This is the face of three files: `where_tree` (the tree), `where_text` (parsing) and
`where_sql` (what it means on a table).
"""

from __future__ import annotations

from connectors.where_sql import evaluate, kind_of, need_fields, resolve, sql_name, to_sql, word_pattern
from connectors.where_text import parse
from connectors.where_tree import (
    And,
    Between,
    Compare,
    Has,
    In,
    IsNull,
    Not,
    Op,
    Or,
    Value,
    Where,
    fields,
    leaves,
    quote_field,
    quote_value,
    values_of,
)

__all__ = [
    "And", "Between", "Compare", "Has", "In", "IsNull", "Not", "Op", "Or", "Value", "Where", "all_of", "equals",
    "evaluate", "fields", "kind_of", "leaves", "need_fields", "parse", "quote_field", "quote_value", "resolve",
    "sql_name", "to_sql", "values_of", "word_pattern",
]  # fmt: skip


def all_of(*texts: str | None) -> str | None:
    """Which filter keeps the rows that fit all of these? None fits every row.

    >>> all_of("a = 1", None, "b = 2 OR c = 3")
    '(a = 1) AND (b = 2 OR c = 3)'
    """
    given = [text for text in texts if text is not None]
    return given[0] if len(given) == 1 else " AND ".join(f"({text})" for text in given) or None


def equals(field: str, value: Value | None) -> str:
    """Which filter keeps the rows where the field has this value? None: where it is missing.

    >>> equals("user_agent.original", "it's"), equals("my field", None)
    ("user_agent.original = 'it''s'", '"my field" IS NULL')
    """
    return str(IsNull(field) if value is None else Compare(field, "=", value))
