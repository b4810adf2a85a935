"""Do the choices behind `localize` hold on a set they were not made on? Each is made again without that set."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest import mock

import numpy as np

from kit.clues.clue import strongest
from kit.localize import Gathered, rank
from tests.benchmarks.rca_cases import Case

home = importlib.import_module("kit.localize")  # the module, not the verb of that name
Hits = Callable[[Mapping[str, float], Case], np.ndarray]
CHOICES: dict[str, dict[str, object]] = {
    "balancers and clients are seen through": {"SEEN_THROUGH": 1.0},
    "the symptom's own kind first": {"OTHER_SYMPTOM": 1.0},
    "spans before metrics for latency": {"TRACED": 1.0},
    "what the symptom does not reach counts half": {"UNREACHED": 1.0},
    "what callees show as well does not count": {"_explained": lambda *_: 0.0},
    "flow weighted by half more": {"WEIGHTS": {"flow": 1.0}},
    "traffic says little": {"WEIGHTS": {"traffic": 1.0}},
    "lines without a trace say half": {"WEIGHTS": {"lines": 1.0}},
}
"""Each rule of `kit.localize` with what stands in its place when it is not made."""
PILLARS: dict[str, dict[str, object]] = {
    kind: {"WEIGHTS": {kind: 0.0}} for kind in ("saturation", "errors", "latency", "self time", "calls", "flow")
}
"""What can be measured at all; no choice, but what each brings is told as well."""


@contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """The ranking as it would be had these choices not been made."""
    changed: dict[str, object] = {}
    weights = dict(home.WEIGHTS)
    for name in names:
        for attribute, value in (CHOICES | PILLARS)[name].items():
            if attribute == "WEIGHTS":
                weights |= value  # type: ignore[operator]
            else:
                changed[attribute] = value
    with mock.patch.multiple(home, WEIGHTS=weights, **changed):
        yield


def scores(found: Sequence[tuple[Gathered, Case]], hits: Hits, names: Sequence[str]) -> np.ndarray:
    """AC@1 … AC@5 of each case without these choices."""
    out = []
    with without(names):
        for clues, case in found:
            ranked = rank(clues.clues, clues.edges, symptom=case.symptom, kinds=clues.kinds, traced=clues.traced)
            out.append(hits(dict(zip(ranked["service"], ranked["score"], strict=True)), case))
    return np.array(out)


def chosen(sets: Sequence[Sequence[tuple[Gathered, Case]]], hits: Hits) -> tuple[list[str], np.ndarray]:
    """Which choices would these sets alone not have made? Taken back one by one while AC@1, then Avg@5, gains."""
    dropped: list[str] = []

    def value(names: Sequence[str]) -> tuple[float, float]:
        table = np.concatenate([scores(s, hits, names) for s in sets])
        return float(table[:, 0].mean()), float(table.mean())

    best = value(dropped)
    while True:
        tried = {n: value([*dropped, n]) for n in CHOICES if n not in dropped}
        name = max(tried, key=lambda n: tried[n])
        if tried[name] <= best:
            return dropped, np.array(best)
        dropped, best = [*dropped, name], tried[name]


def held_out(found: Mapping[str, Sequence[tuple[Gathered, Case]]], hits: Hits) -> list[str]:
    """The table: for each set left out, what the others alone would have chosen, and what that scores on it."""
    slim = {name: [(_strongest(g), c) for g, c in rows] for name, rows in found.items()}
    lines = [
        "Choices made again on the other sets alone (each taken back if AC@1, then Avg@5, is the better for it):",
        "",
        "| left out (n) | not chosen | the others' AC@1 | AC@1 on it | AC@3 | as shipped AC@1 | AC@3 |",
        "|---|---|---|---|---|---|---|",
    ]
    pooled, shipped = [], []
    for name, rows in slim.items():
        names, (others, _) = chosen([r for other, r in slim.items() if other != name], hits)
        own, all_made = scores(rows, hits, names), scores(rows, hits, [])
        pooled.append(own)
        shipped.append(all_made)
        lines.append(
            f"| {name} ({len(rows)}) | {', '.join(names) or 'none'} | {others:.3f} | {own[:, 0].mean():.3f} "
            f"| {own[:, 2].mean():.3f} | {all_made[:, 0].mean():.3f} | {all_made[:, 2].mean():.3f} |"
        )
    a, b = np.concatenate(pooled), np.concatenate(shipped)
    lines.append(
        f"| each on the set left out ({len(a)}) | | | {a[:, 0].mean():.3f} | {a[:, 2].mean():.3f} "
        f"| {b[:, 0].mean():.3f} | {b[:, 2].mean():.3f} |"
    )
    lines += ["", "What each brings (AC@1 without it):", "", f"| without | {' | '.join(slim)} | pooled |",
              "|---" * (len(slim) + 2) + "|"]  # fmt: skip
    for name in (*CHOICES, *PILLARS):
        each = [scores(rows, hits, [name])[:, 0] for rows in slim.values()]
        cells = " | ".join(f"{e.mean():.3f}" for e in each)
        lines.append(f"| {name} | {cells} | {np.concatenate(each).mean():.3f} |")
    return lines


def _strongest(found: Gathered) -> Gathered:
    """The same with only the clues that can count: the strongest of each kind, and all that may explain another."""
    kept = {id(c) for c in strongest(found.clues).values()}
    clues = tuple(c for c in found.clues if id(c) in kept or c.kind in home.PASSED_ON)
    return Gathered(clues, found.edges, found.kinds, found.traced)
