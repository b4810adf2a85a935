"""Rows of CHANGES that were computed from other data, so marked, with what a reader must know to check them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.schema import TABLES

Row = Mapping[str, Any]


def derived_row(
    kind: str,
    time: datetime,
    summary: str,
    *,
    service: str | None = None,
    until: datetime | None = None,
    before: str | None = None,
    after: str | None = None,
    fraction: float | None = None,
    takes_effect: str = "now",
    reverts: str | None = None,
    name: str | None = None,
) -> Row:
    """One derived change. `time`, `until`: UTC. `name`: what tells it from others of its kind; None: its summary.

    Its id is made of kind, service and name, so that the same data always give the same id.

    >>> from connectors.window import utc
    >>> derived_row("schema", utc("2026-03-01T02:14Z"), "DROP INDEX a", service="postgres")["id"]
    'derived:schema:postgres:DROP INDEX a@02:14:00'
    """
    words = name if name is not None else f"{summary}@{pd.Timestamp(time):%H:%M:%S}"
    return {
        "id": f"derived:{kind}:{service or ''}:{words}",
        "time": time,
        "until": until,
        "kind": kind,
        "service": service,
        "summary": summary,
        "ref": summary,
        "before": before,
        "after": after,
        "fraction": fraction,
        "takes_effect": takes_effect,
        "reverts": reverts,
        "derived": True,
    }


def as_changes(rows: Iterable[Row]) -> pd.DataFrame:
    """These rows as a CHANGES frame, in order of time; empty with the same columns when there are none."""
    empty = TABLES["CHANGES"].empty_table().to_pandas()
    found = pd.DataFrame(list(rows))
    if found.empty:
        return empty
    for name in ("time", "until"):
        found[name] = pd.to_datetime(found[name], utc=True).dt.as_unit("us")
    found["fraction"] = found["fraction"].astype("float64")
    return found.reindex(columns=empty.columns).sort_values("time", kind="stable").reset_index(drop=True)
