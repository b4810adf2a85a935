"""Where is a span's time spent: at its service, on the way to a callee, at a peer that was not traced?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kit.spantree import SpanTree


def place(tree: SpanTree, rows: np.ndarray | None = None) -> np.ndarray:
    """A span's place: its service, or `caller → callee` for a client span (the callee traced, else its peer)."""
    rows = np.arange(len(tree)) if rows is None else rows
    callee = tree.peer.texts(rows)
    remote = np.flatnonzero(tree.remote())
    child_of = np.full(len(tree), -1, dtype=np.int64)
    child_of[tree.parent[remote]] = remote
    traced = child_of[rows] >= 0
    callee[traced] = tree.service.texts(child_of[rows][traced])
    service = tree.service.texts(rows)
    client = is_kind(tree, ("client", "producer"))[rows] & np.array([c is not None for c in callee], dtype=bool)
    service[client] = [f"{a} → {b}" for a, b in zip(service[client], callee[client], strict=True)]
    return service


def part_of_time(tree: SpanTree) -> np.ndarray:
    """*self*, *between* (client with its server traced) or *peer* (client whose server is not) of each span."""
    has_remote_child = np.zeros(len(tree), dtype=bool)
    has_remote_child[tree.parent[np.flatnonzero(tree.remote())]] = True
    client = is_kind(tree, ("client", "producer"))
    return np.select([client & has_remote_child, client], ["between", "peer"], "self")


def is_kind(tree: SpanTree, kinds: tuple[str, ...], *, or_null: bool = False) -> np.ndarray:
    """Which spans are of these kinds? `or_null`: those without any count as well."""
    found = np.isin(tree.kind.codes, [tree.kind.code(kind) for kind in kinds])
    return found | (tree.kind.codes < 0) if or_null else found


def trace_weight(tree: SpanTree) -> np.ndarray:
    """How many traces each one stands for: the mean weight of its spans."""
    count = np.bincount(tree.trace, minlength=tree.traces)
    return np.bincount(tree.trace, weights=tree.weight, minlength=tree.traces) / np.maximum(count, 1)


def category(labels: Any, rows: np.ndarray | None = None) -> pd.Categorical:
    """The labels of these rows as a category, which keeps each text once."""
    codes = labels.codes if rows is None else labels.codes[rows]
    values = pd.Index(labels.values)
    if not values.is_unique:
        return pd.Categorical(labels.texts(rows))
    return pd.Categorical.from_codes(codes, categories=values)
