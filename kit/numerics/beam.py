"""Which values pass, and which combinations grow from them? The search that rows and sources share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kit.numerics.contrast import benjamini_hochberg, chi2_tail, g_statistic, risk_ratio, share_ratio
from kit.numerics.value_codes import Value
from kit.numerics.value_counts import Counter, Counts

FALSE_DISCOVERY = 0.01
SHARE_FLOOR = 0.05
RATIO_FLOOR = 1.5
ROWS_FLOOR = 5
SAME_ROWS = 0.95
BEAM = 20
DEPTH = 3


@dataclass(frozen=True)
class Finding:
    """A value or combination that passed, with its scores over all rows."""

    values: tuple[Value, ...]
    bad: float
    good: float
    bad_share: float
    good_share: float
    lift: float
    ratio: float
    low: float
    high: float
    p: float
    q: float
    explains: float
    bad_total: float
    good_total: float
    aliases: tuple[tuple[Value, ...], ...] = ()

    @property
    def where(self) -> str:
        """The portable filter that keeps its rows."""
        return conjunction(self.values)

    @property
    def key(self) -> frozenset[str]:
        """What makes two findings the same: the set of their values."""
        return frozenset(value.where for value in self.values)


def search(counter: Counter) -> list[Finding]:
    """Single values first, then combinations inside those that passed."""
    whole = counter.count(())
    n, m = whole.bad_total, whole.good_total
    if not n or not m or not len(whole.values):
        return []
    found, fewer = _passing(counter, whole.values, whole.bad, whole.good, n, m)
    chosen = {f.key: f for f in found}
    layer = _by_explains(found)[:BEAM]
    merged: dict[frozenset[str], Finding] = {}
    for depth in range(1, DEPTH + 1):
        grown: dict[frozenset[str], Finding] = {}
        dropped: set[frozenset[str]] = set()
        for parent in layer:
            if parent.key in dropped:
                continue
            inside = counter.count(parent.values)
            siblings = {f.key: f for f in layer if f.key not in dropped}
            parent, same = _merge_aliases(parent, siblings, inside)
            dropped |= same
            merged[parent.key] = parent
            if depth == DEPTH or not len(inside.values):
                continue
            for child in _children(counter, parent, inside, n, m):
                if child.key not in chosen:
                    grown.setdefault(child.key, child)
        for key in dropped:
            chosen.pop(key, None)
            merged.pop(key, None)
        chosen.update(grown)
        layer = _by_explains(grown.values())[:BEAM]
        if not layer:
            break
    chosen.update({key: f for key, f in merged.items() if key in chosen})
    told = {value.field for f in chosen.values() for values in (f.values, *f.aliases) for value in values}
    spared = [f for f in _by_explains(fewer) if f.values[0].field not in told]
    told_more, told_less = ([_recounted(counter, f, n, m) for f in fs] for fs in (chosen.values(), spared))
    return _ranked(told_more, counter) + told_less


def _recounted(counter: Counter, f: Finding, n: float, m: float) -> Finding:
    """The finding with its counts from all rows; p and q stay those that it was found with."""
    counts = counter.exact(f.values)
    if counts is None:
        return f
    whole = _score(counter, f.values[:1], np.array(counts[:1]), np.array(counts[1:]), n, m)[0]
    return replace(whole, values=f.values, aliases=f.aliases, p=f.p, q=f.q)


def _passing(
    counter: Counter, values: Sequence[Value], a: np.ndarray, b: np.ndarray, n: float, m: float
) -> tuple[list[Finding], list[Finding]]:
    """The values that are more, and those that are less frequent among the bad rows than chance and floors allow."""
    scored = _score(counter, values, a, b, n, m)
    more, fewer = [], []
    for f in scored:
        if not f.q <= FALSE_DISCOVERY:
            continue
        gap = f.bad_share - f.good_share
        if gap >= SHARE_FLOOR and f.low >= RATIO_FLOOR and f.bad * counter.bad_scale >= ROWS_FLOOR:
            more.append(f)
        elif -gap >= SHARE_FLOOR and f.high <= 1 / RATIO_FLOOR and (n - f.bad) * counter.bad_scale >= ROWS_FLOOR:
            fewer.append(f)
    return more, fewer


def _score(
    counter: Counter, values: Sequence[Value], a: np.ndarray, b: np.ndarray, n: float, m: float
) -> list[Finding]:
    """Every value's shares, lift, ratio with its interval, p and q, and the share of bad rows that it explains."""
    u, v = counter.bad_scale, counter.good_scale
    if not n or not m:
        return []
    p = chi2_tail(g_statistic(a * u, n * u, b * v, m * v))
    q = benjamini_hochberg(p)
    if counter.biased:
        ratio, low, high = share_ratio(a * u, n * u, b * v, m * v)
    else:
        ratio, low, high = risk_ratio(a, n, b, m, bad_scale=u, good_scale=v)
    bad_share, good_share = a / n, b / m
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = bad_share / good_share
        explains = bad_share * (1 - 1 / ratio)
        if counter.biased:  # bad rows are rare: the good rows' share is that of all rows
            explains = np.maximum((bad_share - good_share) / (1 - good_share), 0)
    return [
        Finding(
            (value,),
            *(float(x[i]) for x in (a, b, bad_share, good_share, lift, ratio, low, high, p, q, explains)),
            bad_total=n,
            good_total=m,
        )
        for i, value in enumerate(values)
    ]


def _children(counter: Counter, parent: Finding, inside: Counts, n: float, m: float) -> list[Finding]:
    """The parent's combinations with one more value that passes inside it and raises the lower bound of the ratio."""
    passed, _ = _passing(counter, inside.values, inside.bad, inside.good, inside.bad_total, inside.good_total)
    grown = []
    for child in passed:
        values = tuple(sorted((*parent.values, child.values[0]), key=lambda v: v.where))
        whole = _score(counter, values[:1], np.array([child.bad]), np.array([child.good]), n, m)[0]
        if whole.low > parent.low and whole.explains >= SHARE_FLOOR:
            grown.append(replace(whole, values=values, q=child.q))
    return grown


def _merge_aliases(
    parent: Finding, others: dict[frozenset[str], Finding], inside: Counts
) -> tuple[Finding, set[frozenset[str]]]:
    """The parent with the names of the findings that have the same bad rows (Jaccard ≥ .95)."""
    both = {value.where: bad for value, bad in zip(inside.values, inside.bad.tolist(), strict=True)}
    same, names = set(), list(parent.aliases)
    for key, other in others.items():
        rest = key - parent.key
        if key == parent.key or len(rest) != 1 or len(key) != len(parent.key):
            continue
        shared = both.get(next(iter(rest)), 0.0)
        if shared >= SAME_ROWS * (parent.bad + other.bad - shared):
            same.add(key)
            names.append(other.values)
    return replace(parent, aliases=tuple(names)), same


def _by_explains(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (-f.explains, -f.low, f.where))


def stands_for(whole: Finding, part: Finding, counter: Counter) -> bool:
    """Does a combination say all that this part of it says?

    It does when the part's other rows, those outside the combination, no longer pass: were the combination mended, the
    part would not be noticed.
    """
    if not part.key < whole.key:
        return False
    n, m = part.bad_total - whole.bad, part.good_total - whole.good
    bad, good = np.array([part.bad - whole.bad]), np.array([part.good - whole.good])
    return not _passing(counter, part.values[:1], bad, good, n, m)[0]


def _ranked(findings: list[Finding], counter: Counter) -> list[Finding]:
    """By what they explain; a combination that stands for its parts comes before them."""
    rank = {f.key: f.explains for f in findings}
    for whole in sorted(findings, key=lambda f: len(f.key)):
        parts = [f for f in findings if stands_for(whole, f, counter)]
        rank[whole.key] = max([whole.explains, *(rank[part.key] for part in parts)])
    return sorted(findings, key=lambda f: (-rank[f.key], -len(f.key), -f.low, f.where))


def conjunction(values: Sequence[Value]) -> str:
    """The portable filter that keeps the rows with all these values."""
    return " AND ".join(value.where for value in values)
