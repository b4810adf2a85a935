"""SPANS on the grid, by their start: what servers did, and what clients saw of each peer."""

from __future__ import annotations

import numpy as np

from kit.aligned.cells import distribution, means, totals
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid


def span_columns(spans: Table, grid: Grid) -> dict[str, np.ndarray]:
    """`spans.server…` a service, and `spans.client.<peer>…` where clients name their peer."""
    bins, inside = grid.place(columns.times_us(spans, "start"))
    service, services = columns.codes(spans, "service")
    kind, kinds = columns.codes(spans, "kind")
    duration = columns.numbers(spans, "duration_s")
    status, statuses = columns.codes(spans, "status")
    failed = status == (statuses.index("error") if "error" in statuses else -2)
    found: dict[str, np.ndarray] = {}
    for wanted, name in (("server", "spans.server"), ("client", "spans.client")):
        if wanted not in kinds:
            continue
        rows = inside & (service >= 0) & (kind == kinds.index(wanted))
        who, names = service, services
        if wanted == "client" and columns.has(spans, "peer"):
            peer, peers = columns.codes(spans, "peer")
            rows = rows & (peer >= 0)
            who = service * len(peers) + peer
            names = [f"{s}/spans.client.{p}" for s in services for p in peers]
        prefix = name if who is service else ""
        found.update(distribution(bins, who, names, duration, rows, grid, f"{prefix}.duration".lstrip(".")))
        found.update(totals(bins, who, names, rows, grid, f"{prefix}.count".lstrip(".")))
        found.update(means(bins, who, names, failed.astype(float), rows, grid, f"{prefix}.errors_ratio".lstrip(".")))
    return {_join_client(key): values for key, values in found.items()}


def _join_client(key: str) -> str:
    """`api/spans.client.db/duration.p99` → `api/spans.client.db.duration.p99`."""
    head, slash, tail = key.partition("/")
    return head + slash + tail.replace("/", ".")
