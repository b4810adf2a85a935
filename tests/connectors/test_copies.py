"""A connector with rows only answers everything, from a copy that is bounded and says so."""

from __future__ import annotations

import pytest

from connectors.base import LogSource
from connectors.errors import OverBudget
from connectors.testing import HOUR, NOTHING, ConnectorContract, RowsOnly, contract_documents


class TestRowsOnly(ConnectorContract):
    def open_source(self, documents, folder):
        return RowsOnly("logs", documents)


@pytest.fixture
def source():
    return RowsOnly("logs", contract_documents())


def test_it_is_a_log_source(source):
    assert isinstance(source, LogSource)


def test_too_many_rows_are_refused_with_the_window_that_fits(source):
    source.copy_rows = 100
    # rows 20 to 119 of the documents are the first hundred of the hour; the 101st stands at (100 // 5) × 27 s = 02:09
    with pytest.raises(OverBudget, match=r"over 100 rows .* ask 2026-03-01T02:00:00Z … 2026-03-01T02:09:00Z"):
        source.count(HOUR)


def test_the_copy_is_made_once_a_window(source):
    first = source.count(HOUR)
    asked = []
    rows = source.rows
    source.rows = lambda *args, **kwargs: asked.append(args) or rows(*args, **kwargs)
    source.measure(HOUR, "duration_s")
    assert asked == []
    source.count(NOTHING)
    assert len(asked) == 1
    assert "copied into DuckDB" in first.fetch.engine
