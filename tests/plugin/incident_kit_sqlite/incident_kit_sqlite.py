"""Logs in a table of an SQLite file: a connector of your own, in forty lines."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from connectors.copies import AnsweredFromCopy
from connectors.schema import TIME, conform
from connectors.settings import Settings as Base
from connectors.tables import Tables

TYPES = {"INTEGER": pa.int64(), "REAL": pa.float64(), "BOOLEAN": pa.bool_(), "TIME": TIME}


class Settings(Base):
    path: str  # of the file, below the case's folder


def open_source(name, settings, place):
    return SqliteLogs(name, place.folder / settings.path)


class SqliteLogs(AnsweredFromCopy):
    def __init__(self, name, file):
        super().__init__()
        self.name, self.file = name, file

    def fields(self, window, *, where=None):
        answer = self._within(window).fields(window, where=where)
        return replace(answer, fetch=replace(answer.fetch, engine=f"SQLite {sqlite3.sqlite_version}"))

    def rows(self, window, *, where=None, fields=None, order="time", limit=None):
        return self._within(window).rows(window, where=where, fields=fields, order=order, limit=limit)

    def _within(self, window):
        edges = [round(edge.timestamp() * 1e6) for edge in (window.start, window.end)]
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as base:
            columns = [(row[1], TYPES.get(row[2], pa.string())) for row in base.execute("PRAGMA table_info(logs)")]
            found = base.execute("SELECT * FROM logs WHERE time >= ? AND time < ? ORDER BY time, seq", edges).fetchall()
        arrays = [pa.array([row[at] for row in found]).cast(kind) for at, (_, kind) in enumerate(columns)]
        return Tables(self.name, table=conform(pa.table(arrays, [name for name, _ in columns]), "LOGS"))
