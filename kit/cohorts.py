"""What is different between two sets of traces? Both are condensed to paths, then compared path by path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.numerics.contrast import benjamini_hochberg, chi2_tail, g_statistic
from kit.result import Result
from kit.spantree import SpanTree, covered_by_children, span_tree

PRESENCE_FLOOR, RELATIVE_FLOOR, Q_LIMIT, FEWEST = 0.05, 0.20, 0.01, 10
SEPARATOR = " / "


@dataclass(frozen=True)
class TraceDifference(Result):
    """Two cohorts of traces, path by path.

    `paths`, a row per path: `path` (services and operations from the root), `service`, `name`, `presence_bad|good`
    (share of traces), `calls_bad|good` (per trace that has it), `errors_bad|good` (share of its spans),
    `self_p50_bad|good`, `self_p95_bad|good` (seconds), `what` (what differs past the floors: presence, calls, errors,
    self time; empty when nothing does), `size` (the largest effect: points of presence or errors, |ln ratio| for the
    others), `q` (of the strongest claim). Claims first, then the rest.
    """

    paths: pd.DataFrame
    traces_bad: int
    traces_good: int
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        claims = self.paths[self.paths["what"] != ""]
        if claims.empty:
            return f"No path sets {self.traces_bad:,} traces apart from {self.traces_good:,}"
        return f"{claims.iloc[0]['service']} {claims.iloc[0]['name']} differs most: {claims.iloc[0]['what']}"

    def to_frame(self) -> pd.DataFrame:
        return self.paths


def compare_traces(bad: Any, good: Any) -> TraceDifference:
    """Along which paths do the bad traces differ from the good ones?

    Method: spans with the same chain of (service, operation) from the root are one path; calls of it inside one trace
    are counted, so retries and N+1 show as calls per trace. Presence and errors by G-test, calls and self time by
    Mann–Whitney, one family of tests under Benjamini–Hochberg at q ≤ .01; a claim also needs an effect of 5 points
    (presence, errors) or 20 % (calls, self time) and 10 traces on each side. Errors are tested per trace (any erring
    span on the path), since spans of one trace are not independent. Traces, not spans, are the unit throughout. Assumes
    that traces are independent of each other. False alarms: of the paths told, at most 1 in 100 by design.

    It misleads when sampling kept bad traces by another rule than good ones (presence then tells the sampler), and
    under a partial trace whose root is missing: its paths begin where the part begins, and are marked `…`.
    Source: Jaeger's condensed trace DAG, with tests added.

    >>> import pandas as pd
    >>> t = pd.Timestamp("2026-01-01T00:00:00Z")
    >>> def traces(n, self_s):
    ...     ids = [f"{self_s}-{i}" for i in range(n)]
    ...     slow = [self_s + i / 1e4 for i in range(n)]
    ...     return pd.DataFrame({"start": t, "duration_s": slow, "service": "db", "name": "SELECT", "trace_id": ids,
    ...         "span_id": ids, "parent_id": None})
    >>> compare_traces(traces(30, 1.8), traces(40, 0.012)).headline
    'db SELECT differs most: self time 0.01395 s → 1.801 s (p50)'
    """
    sides = [_condense(span_tree(bad)), _condense(span_tree(good))]
    paths = pd.Index(sorted(set(sides[0].keys) | set(sides[1].keys)))
    rows, tests = [], []
    for number, path in enumerate(paths):
        a, b = (side.of(path) for side in sides)
        rows.append(_row(path, a, b))
        tests += [(number, *claim) for claim in _claims(a, b)]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame["what"], frame["size"], frame["q"] = "", 0.0, np.nan
    if tests:
        adjusted = benjamini_hochberg([t[2] for t in tests])
        for (number, text, _, size), q in sorted(zip(tests, adjusted, strict=True), key=lambda c: -c[0][3]):
            if q <= Q_LIMIT and text:
                said = frame.at[number, "what"]
                frame.at[number, "what"] = f"{said}; {text}" if said else text
                frame.at[number, "size"] = max(float(frame.at[number, "size"]), size)
                frame.at[number, "q"] = np.nanmin([frame.at[number, "q"], q])
    frame = frame.sort_values(["size", "path"], ascending=[False, True], kind="stable").reset_index(drop=True)
    counts = sides[0].traces, sides[1].traces
    because = [f"{counts[0]:,} bad against {counts[1]:,} good traces, {len(tests):,} tests, q ≤ {Q_LIMIT}"]
    if min(counts) < FEWEST:
        because.append(f"too few traces to claim anything: {FEWEST} on each side are needed")
    return TraceDifference(frame, *counts, because=tuple(because))


_COLUMNS = [
    "path", "service", "name", "presence_bad", "presence_good", "calls_bad", "calls_good", "errors_bad", "errors_good",
    "self_p50_bad", "self_p50_good", "self_p95_bad", "self_p95_good",
]  # fmt: skip


@dataclass(frozen=True)
class _PathSide:
    """One path in one cohort: of how many traces, and per trace that has it calls, any error, mean self time."""

    total: float
    present: float
    calls: np.ndarray
    erring: np.ndarray
    own: np.ndarray
    error_ratio: float
    own_spans: np.ndarray


@dataclass(frozen=True)
class _Condensed:
    keys: dict[str, int]
    traces: int
    weight: np.ndarray
    span_path: np.ndarray
    span_order: np.ndarray
    bounds: np.ndarray
    tree: SpanTree
    own: np.ndarray

    def of(self, path: str) -> _PathSide:
        total = float(self.weight.sum())
        if path not in self.keys:
            none = np.array([])
            return _PathSide(total, 0.0, none, none, none, float("nan"), none)
        code = self.keys[path]
        rows = self.span_order[self.bounds[code] : self.bounds[code + 1]]
        traces, inverse, calls = np.unique(self.tree.trace[rows], return_inverse=True, return_counts=True)
        erring = np.bincount(inverse, weights=self.tree.error[rows]) > 0
        own = np.bincount(inverse, weights=self.own[rows]) / calls
        weight = self.tree.weight[rows]
        ratio = float((weight * self.tree.error[rows]).sum() / weight.sum()) if weight.sum() else float("nan")
        return _PathSide(
            total, float(self.weight[traces].sum()), calls.astype(float), erring, own, ratio, self.own[rows]
        )


def _condense(tree: SpanTree) -> _Condensed:
    """Every span's path as an integer, numbered level by level, and the spans sorted by it."""
    width = np.int64(len(tree.name.values) + 1)
    step = (tree.service.codes + 1) * width + tree.name.codes + 1
    code = np.zeros(len(tree), dtype=np.int64)
    texts: list[str] = []
    for depth, rows in enumerate(tree.rows_by_depth()):
        above = code[tree.parent[rows]] if depth else tree.orphan[rows].astype(np.int64)
        span = int(step.max()) + 1
        unique, first, inverse = np.unique(above * span + step[rows], return_index=True, return_inverse=True)
        code[rows] = inverse.reshape(-1) + len(texts)
        for over, row in zip((unique // span).tolist(), rows[first], strict=True):
            own = f"{tree.service.texts(np.array([row]))[0] or '?'} {tree.name.texts(np.array([row]))[0] or '?'}"
            before = texts[over] if depth else ("…" if over else "")
            texts.append(f"{before}{SEPARATOR}{own}" if before else own)
    order = np.argsort(code, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=len(texts)))]) if texts else np.zeros(1, int)
    count = np.maximum(np.bincount(tree.trace, minlength=tree.traces), 1)
    weight = np.bincount(tree.trace, weights=tree.weight, minlength=tree.traces) / count
    own = np.maximum(tree.duration_s - covered_by_children(tree) / 1e6, 0.0)
    return _Condensed({t: i for i, t in enumerate(texts)}, tree.traces, weight, code, order, bounds, tree, own)


def _row(path: str, a: _PathSide, b: _PathSide) -> list[Any]:
    service, _, name = path.rsplit(SEPARATOR, 1)[-1].partition(" ")
    values: list[Any] = [path, service, name]
    values += [side.present / side.total if side.total else np.nan for side in (a, b)]
    values += [side.calls.mean() if len(side.calls) else np.nan for side in (a, b)]
    values += [a.error_ratio, b.error_ratio]
    for share in (0.5, 0.95):
        values += [float(np.quantile(side.own_spans, share)) if len(side.own_spans) else np.nan for side in (a, b)]
    return values


def _claims(a: _PathSide, b: _PathSide) -> list[tuple[str, float, float]]:
    """Every test of one path: (what to say when it holds and passes the floors, p, size of the effect)."""
    from scipy.stats import mannwhitneyu

    if min(a.total, b.total) < FEWEST:
        return []
    claims = []
    share = [a.present / a.total, b.present / b.total]
    p = float(chi2_tail(g_statistic(a.present, a.total, b.present, b.total)))
    far = abs(share[0] - share[1]) >= PRESENCE_FLOOR
    claims.append((f"in {share[1]:.0%} → {share[0]:.0%} of traces" if far else "", p, abs(share[0] - share[1])))
    if min(len(a.calls), len(b.calls)) < FEWEST:
        return claims
    erring = [a.erring.mean(), b.erring.mean()]
    p = float(chi2_tail(g_statistic(a.erring.sum(), len(a.erring), b.erring.sum(), len(b.erring))))
    far = abs(erring[0] - erring[1]) >= PRESENCE_FLOOR
    claims.append((f"errors {erring[1]:.0%} → {erring[0]:.0%}" if far else "", p, abs(erring[0] - erring[1])))
    for x, y, text, unit, middle in (
        (a.calls, b.calls, "calls per trace", "", np.mean),
        (a.own, b.own, "self time", " s", np.median),
    ):
        p = float(mannwhitneyu(x, y).pvalue) if np.ptp(np.concatenate([x, y])) else 1.0
        after, before = float(middle(x)), float(middle(y))
        size = abs(np.log(max(after, 1e-9) / max(before, 1e-9)))
        far = size >= np.log1p(RELATIVE_FLOOR)
        suffix = " (p50)" if unit else ""
        claims.append((f"{text} {before:.4g}{unit} → {after:.4g}{unit}{suffix}" if far else "", p, float(size)))
    return claims
