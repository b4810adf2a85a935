"""The reference keeps its own contract, in memory and from Parquet files."""

from __future__ import annotations

import pyarrow.parquet as pq

from connectors.tables import Tables
from connectors.testing import ConnectorContract


class TestTablesInMemory(ConnectorContract):
    def open_source(self, documents, folder):
        return Tables("logs", table=documents)


class TestTablesInParquet(ConnectorContract):
    def open_source(self, documents, folder):
        half = documents.num_rows // 2
        pq.write_table(documents.slice(half), folder / "late.parquet")
        pq.write_table(documents.slice(0, half), folder / "early.parquet", row_group_size=50)
        return Tables("logs", parquet=[folder / "late.parquet", folder / "early.parquet"])
