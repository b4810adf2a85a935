"""When did an alert fire, and when was a target down? Stretches out of the samples of `ALERTS` and `up`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from connectors import schema
from connectors.samples import Samples, Series
from connectors.services import service_of
from connectors.window import Window

_KEPT = 4
"""A series without a sample for so many intervals has ended."""


def alerts_of(samples: Samples, window: Window) -> pa.Table:
    """ALERTS: a row per stretch of an alert's state, and per stretch of `up` 0, within the window.

    `time` is the first sample of the stretch, up to an interval after it began; at the window's left edge it may have
    begun earlier. `until` is the first sample after it; null where the stretch lasts to the last sample.
    """
    ids = samples.table.column("series").to_numpy()
    times = samples.table.column("time").cast(pa.int64()).to_numpy()
    values = samples.table.column("value").to_numpy()
    newest = int(times.max()) if len(times) else 0
    rows: list[dict[str, Any]] = []
    for i, one in enumerate(samples.series):
        mine = ids == i
        order = np.argsort(times[mine], kind="stable")
        at, value = times[mine][order], values[mine][order]
        wanted = value == 0 if one.metric == "up" else value > 0
        if wanted.any():
            rows += [_row(one, *stretch) for stretch in _stretches(at, wanted, newest)]
    kept = [row for row in rows if row["time"] < window.end and (row["until"] is None or row["until"] > window.start)]
    kept.sort(key=lambda row: (row["time"], row["name"], row["id"]))
    if not kept:
        return schema.empty("ALERTS")
    names = [field.name for field in schema.ALERTS]
    columns = {}
    for field in schema.ALERTS:
        plain = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns[field.name] = pa.array([row[field.name] for row in kept], plain)
    return schema.conform(pa.table({name: columns[name] for name in names}), "ALERTS")


def _stretches(at: np.ndarray, wanted: np.ndarray, newest: int) -> Iterator[tuple[int, int | None]]:
    """Beginning and end, in microseconds; the end None where nothing says that it ended."""
    usual = float(np.quantile(np.diff(at), 0.1)) if len(at) > 1 else 60e6
    begun: int | None = None
    for k in range(len(at)):
        broken = k > 0 and at[k] - at[k - 1] > _KEPT * usual
        if begun is not None and (broken or not wanted[k]):
            yield begun, int(at[k - 1] + usual) if broken else int(at[k])
            begun = None
        if wanted[k] and begun is None:
            begun = int(at[k])
    if begun is not None:
        yield begun, None if newest - at[-1] <= _KEPT * usual else int(at[-1] + usual)


def _row(one: Series, start: int, end: int | None) -> dict[str, Any]:
    labels = one.labels
    if one.metric == "up":
        target = labels.get("instance") or labels.get("job") or "a target"
        name, severity, state = f"target down: {target}", None, "down"
    else:
        name, severity, state = labels.get("alertname", "alert"), labels.get("severity"), labels.get("alertstate")
    digest = hashlib.sha256(f"{one.metric}{one.labels_text}{start}".encode()).hexdigest()
    return {
        "id": digest[:16], "time": _when(start), "until": None if end is None else _when(end), "name": name,
        "severity": severity, "service": service_of(labels), "state": state, "url": None,
    }  # fmt: skip


def _when(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
