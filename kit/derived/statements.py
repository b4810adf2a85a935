"""Which statements that change a schema stand in the database's own log?"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from kit.derived.rows import Row, derived_row

DDL_WORDS = (
    "DROP INDEX", "CREATE INDEX", "CREATE UNIQUE INDEX", "ALTER TABLE", "DROP TABLE", "CREATE TABLE", "TRUNCATE",
    "ALTER INDEX", "ALTER SYSTEM", "ALTER DATABASE", "ALTER ROLE", "DROP VIEW", "CREATE VIEW", "REINDEX",
)  # fmt: skip
"""Word sequences by which such lines are asked for."""
_LINE = re.compile(
    r"(?:^|statement:\s*|execute [^:]*:\s*|Query\s+)"
    r"((?:DROP|CREATE|ALTER|TRUNCATE|REINDEX)\b[^;]*)", re.I | re.S)  # fmt: skip
_INDEX = re.compile(
    r"^(DROP|CREATE)\s+(?:UNIQUE\s+)?(INDEX|TABLE|VIEW)\s+(?:CONCURRENTLY\s+)?(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
    r"([\w.\"]+)", re.I)  # fmt: skip
_LONGEST = 120


def schema_changes(lines: pd.DataFrame, *, service: str) -> list[Row]:
    """Which schema changes did this database log, and which of them undoes which?

    `lines`: LOGS rows (`time` UTC, `message`) of one database. A CREATE of what was dropped before (or the other way
    round) is told as its reversal. A database that does not log DDL (`log_statement = 'none'`) shows none: absence
    here says nothing. Temporary tables are left out.

    >>> found = schema_changes(pd.DataFrame({"time": pd.to_datetime(["2026-03-01T02:14Z", "2026-03-01T02:20Z"]),
    ...     "message": ["statement: DROP INDEX a_idx", "statement: CREATE INDEX CONCURRENTLY a_idx ON a (b)"]}),
    ...     service="postgres")
    >>> [(r["summary"], bool(r["reverts"])) for r in found]
    [('DROP INDEX a_idx', False), ('CREATE INDEX CONCURRENTLY a_idx ON a (b)', True)]
    """
    rows: list[Row] = []
    last: dict[tuple[str, str], tuple[str, str]] = {}
    for line in lines.sort_values("time", kind="stable").itertuples(index=False):
        said = _LINE.search(str(line.message))
        text = " ".join(said[1].split()) if said else ""
        if not text or re.match(r"CREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP", text, re.I):
            continue
        reverts = None
        named = _INDEX.match(text)
        if named:
            verb, what = named[1].upper(), (named[2].upper(), named[3].strip('"').lower())
            before = last.get(what)
            reverts = before[1] if before is not None and before[0] != verb else None
        row = derived_row("schema", line.time, _short(text), service=service, reverts=reverts)
        if named:
            last[what] = (verb, str(row["id"]))
        rows.append(row)
    return rows


def scanned_tables(plans: Iterable[str]) -> tuple[str, ...]:
    """Which tables do these query plans read row by row, the most named first?

    >>> scanned_tables(["Limit -> Sort -> Seq Scan on orders (cost=0.00..1)", "Seq Scan on orders", "Index Scan on a"])
    ('orders',)
    """
    found: dict[str, int] = {}
    for plan in plans:
        for table in re.findall(r"Seq Scan on (?:\w+\.)?\"?(\w+)", str(plan)):
            found[table] = found.get(table, 0) + 1
    return tuple(sorted(found, key=lambda t: (-found[t], t)))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
