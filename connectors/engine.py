"""One DuckDB, locked: UTC, no extension fetched, no file outside the given folders, no setting changed afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb


def open_engine(*, folders: Sequence[Path] = ()) -> duckdb.DuckDBPyConnection:
    """An in-memory engine that may read these folders and nothing else, and keeps no files of its own.

    >>> open_engine().execute("SELECT current_setting('TimeZone')").fetchone()
    ('UTC',)
    """
    import duckdb

    engine = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        }
    )
    engine.execute("SET GLOBAL TimeZone = 'UTC'")
    engine.execute("SET python_enable_replacements = false")
    engine.execute("SET temp_directory = ''")
    if folders:
        listed = ", ".join(quote(str(folder.resolve())) for folder in folders)
        engine.execute(f"SET allowed_directories = [{listed}]")
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")
    return engine


def quote(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table's columns in the order and the types of this schema; text is dictionary-encoded where it says so."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        if pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(column.type):
            column = column.cast(field.type.value_type).dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
