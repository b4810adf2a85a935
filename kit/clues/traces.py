"""What do the traces say against a service? Its own time, the time on the way to it, the calls it makes otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.clues.clue import Clue, shared_gaps, sureness, workload
from kit.spantree import covered_by_children, span_tree

FEWEST = 4
"""Spans needed on each side of a comparison."""
SHARE_OF_TRACE = 0.01
"""Times below this share of the median trace are noise: they are added to both sides of every ratio."""


def trace_clues(spans: Any, *, baseline: Window, incident: Window) -> tuple[list[Clue], list[tuple[str, str]]]:
    """Which services work longer, are reached more slowly, err first or call otherwise; and who calls whom.

    *self time*: a span's own time, per operation, by mean and Mann–Whitney. *calls*: the time that a caller's span
    spends beyond its callee's, per edge; slow to all its callees, it is put to the caller, slow to one, to that callee.
    *flow*: of the spans of one operation, the share that makes a certain call. *errors*: erring spans without an
    erring child.
    """
    table, edges = _table(spans, baseline, incident)
    if table.empty:
        return [], edges
    tops = table.loc[table["top"], "seconds"]
    floor = max(SHARE_OF_TRACE * float(tops.median() if len(tops) else table["seconds"].median()), 1e-6)
    clues = _self_time(table[table["callee"].isna()], floor)
    clues += _calls(table[table["callee"].notna()], floor)
    clues += _flow(table)
    clues += _errors(table)
    return clues, edges


def _table(spans: Any, baseline: Window, incident: Window) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    tree = span_tree(spans)
    folded = np.array([*(workload(v) for v in tree.service.values), None], dtype=object)
    service = folded[tree.service.codes]
    parent = np.maximum(tree.parent, 0)
    has_parent = tree.parent >= 0
    caller = np.where(has_parent, service[parent], None)
    remote = np.flatnonzero(has_parent & (service != caller))
    callee = np.full(len(tree), None, dtype=object)
    client = np.isin(tree.kind.codes, [tree.kind.code("client"), tree.kind.code("producer")])
    callee[client] = tree.peer.texts()[client]
    callee[tree.parent[remote]] = service[remote]
    during = (tree.start >= _at(incident.start)) & (tree.start < _at(incident.end))
    before = (tree.start >= _at(baseline.start)) & (tree.start < _at(baseline.end)) & ~during
    erring_child = np.zeros(len(tree), dtype=bool)
    erring_child[tree.parent[np.flatnonzero(tree.error & has_parent)]] = True
    frame = pd.DataFrame(
        {
            "service": service,
            "name": tree.name.texts(),
            "callee": callee,
            "seconds": tree.duration_s,
            "own": np.maximum(tree.duration_s - covered_by_children(tree) / 1e6, 0.0),
            "during": during,
            "parent": tree.parent,
            "caller": caller,
            "caller_name": np.where(has_parent, tree.name.texts()[parent], None),
            "trace": tree.trace,
            "top": tree.depth == 0,
            "origin": tree.error & ~erring_child,
        }
    )
    edges = sorted({(a, b) for a, b in zip(caller[remote], service[remote], strict=True) if a and b})
    return frame[before | during], edges


def _self_time(table: pd.DataFrame, floor: float) -> list[Clue]:
    out = []
    for (service, name), rows in table.groupby(["service", "name"], sort=True):
        grown = _growth(rows["own"].to_numpy(), rows["during"].to_numpy(), floor)
        if grown is not None and grown[0] > 0:
            strength, before, after = grown
            why = f"own time of {name} {before * 1e3:.3g} → {after * 1e3:.3g} ms a call"
            out.append(Clue(service, "self time", strength, why, str(name), after - before))
    return out


def _calls(table: pd.DataFrame, floor: float) -> list[Clue]:
    """Gaps per edge, put to the caller as far as all its callees share them, the rest to the callee."""
    gap: dict[tuple[str, str], tuple[float, str, float]] = {}
    for (caller, callee, _), rows in table.groupby(["service", "callee", "name"], sort=True):
        grown = _growth(rows["own"].to_numpy(), rows["during"].to_numpy(), floor)
        if grown is None:
            continue
        strength, before, after = grown
        why = f"{caller} waits {before * 1e3:.3g} → {after * 1e3:.3g} ms beyond what {callee} accounts for"
        if (caller, callee) not in gap or strength > gap[caller, callee][0]:
            gap[caller, callee] = strength, why, after - before
    return shared_gaps(gap)


def _flow(table: pd.DataFrame) -> list[Clue]:
    """Per operation, the share of its spans that makes a certain call, before and during."""
    keys = ["service", "name"]
    total = table.groupby([*keys, "during"], dropna=False).size().unstack(fill_value=0)
    total = total.reindex(columns=[False, True], fill_value=0)
    child = table[table["parent"] >= 0].drop_duplicates(["parent", *keys])
    made = child.groupby(["caller", "caller_name", *keys, "during"]).size().unstack(fill_value=0)
    made = made.reindex(columns=[False, True], fill_value=0)
    out = []
    for (caller, operation, service, name), (a, b) in zip(made.index, made.to_numpy(), strict=True):
        if (caller, operation) not in total.index:
            continue
        n, m = total.loc[(caller, operation)]
        if min(n, m) < FEWEST:
            continue
        one, two = min(a / n, 1.0), min(b / m, 1.0)
        pooled = (one * n + two * m) / (n + m)
        z = (two - one) / np.sqrt(max(pooled * (1 - pooled), 1e-4) * (1 / n + 1 / m))
        strength = 2 * abs(two - one) * float(sureness(z))
        if strength > 0:
            why = f"{operation} calls {service} {name} in {one:.0%} → {two:.0%} of its runs"
            out.append(Clue(str(caller), "flow", strength, why, str(operation), two - one))
    return out


def _errors(table: pd.DataFrame) -> list[Clue]:
    out = []
    if not table["origin"].any():
        return out
    for service, rows in table.groupby("service", sort=True):
        during, origin = rows["during"].to_numpy(), rows["origin"].to_numpy()
        n, m = int((~during).sum()), int(during.sum())
        if min(n, m) < FEWEST:
            continue
        one, two = float(origin[~during].mean()), float(origin[during].mean())
        pooled = (one * n + two * m) / (n + m)
        z = (two - one) / np.sqrt(max(pooled * (1 - pooled), 1e-6) * (1 / n + 1 / m))
        strength = float(np.log1p(max(two - one, 0.0) / 0.01)) / 2 * float(sureness(z))
        if strength > 0:
            why = f"errors begin in {one:.1%} → {two:.1%} of its spans"
            out.append(Clue(str(service), "errors", strength, why, "error origin", two - one))
    return out


def _growth(own: np.ndarray, during: np.ndarray, floor: float) -> tuple[float, float, float] | None:
    """(strength, mean before, mean after) of a growing time: ln of the factor, weighted by Mann–Whitney's z."""
    from scipy.stats import rankdata

    n, m = int((~during).sum()), int(during.sum())
    if min(n, m) < FEWEST:
        return None
    before, after = float(own[~during].mean()), float(own[during].mean())
    u = float(rankdata(own)[during].sum()) - m * (m + 1) / 2
    z = (u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)
    factor = float(np.log((after + floor) / (before + floor)))
    return max(factor, 0.0) * float(sureness(max(z, 0.0), none=1.5, full=3.5)), before, after


def _at(moment: Any) -> int:
    return round(moment.timestamp() * 1e6)
