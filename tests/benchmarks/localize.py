"""How often does `localize` name the service at fault, on real faults whose culprit is known?

`python -m tests.benchmarks.localize --data DIR` with the archives of `rca_cases` in DIR (or unpacked below it). Every
score stands beside chance and beside BARO and N-Sigma, re-implemented as published (median and IQR, mean and standard
deviation of the baseline, the largest |z| of the incident, per service). Nothing is tuned per set: one set of defaults.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.clues.clue import workload
from kit.errors import TooShort
from kit.localize import localize
from kit.onset import find_onset
from tests.benchmarks.rca_cases import SETS, Case, cases, unpack

Scores = Mapping[str, float]
DRAWS = 2_000
FEWEST_BEFORE = 22


def hits(scores: Scores, case: Case) -> np.ndarray:
    """AC@1 … AC@5 of one case; services that tie share their places by expectation, unnamed ones tie last."""
    values = np.array([scores.get(s, -np.inf) for s in case.services])
    own = scores.get(case.truth, -np.inf)
    better, level = int((values > own).sum()), max(int((values == own).sum()), 1)
    return np.clip((np.arange(1, 6) - better) / level, 0.0, 1.0)


def ours(case: Case) -> Scores:
    """The kit's ranking."""
    ranked = localize(
        symptom=case.symptom,
        metrics=case.metrics,
        spans=case.spans,
        logs=case.logs,
        path=case.path,
        baseline=case.baseline,
        incident=case.incident,
    )
    return dict(zip(ranked["service"], ranked["score"], strict=True))


def baro(case: Case) -> Scores:
    """Largest distance from the baseline's median, in its interquartile range."""
    return _largest(case, lambda b: (b.median(), b.quantile(0.75) - b.quantile(0.25)))


def n_sigma(case: Case) -> Scores:
    """Largest distance from the baseline's mean, in its standard deviation."""
    return _largest(case, lambda b: (b.mean(), b.std()))


def _largest(case: Case, level: Callable[[pd.DataFrame], tuple[pd.Series, pd.Series]]) -> Scores:
    wide = case.metrics.pivot_table(index="time", columns="signal", values="value")
    during = _inside(wide.index, case.incident)
    before = wide[_inside(wide.index, case.baseline) & ~during]
    middle, spread = level(before)
    z = ((wide[during] - middle).abs() / spread.where(spread > 0)).max()
    out: dict[str, float] = {}
    for signal, value in z.dropna().items():
        service = workload(str(signal).partition("/")[0])
        out[service] = max(out.get(service, 0.0), float(value))
    return out


def own_onset(case: Case) -> Case | None:
    """The case with the onset that the kit finds itself, at the service where the harm shows; None: it finds none.

    Searched in the latency, errors and traffic of the symptom's service over baseline and incident; of several, the
    surest. None as well where fewer than 22 samples lie before the true onset.
    """
    entry = (case.symptom or _entry(case)).partition("/")[0]
    rows = case.metrics[[workload(s) == entry for s in case.metrics["service"]]]
    rows = rows[rows["kind"].isin(["latency", "errors", "traffic"])]
    found = []
    for _, part in rows.groupby("signal", observed=True):
        series = part.set_index("time")["value"].sort_index()
        near = series[series.index < pd.Timestamp(case.incident.end)]
        if (near.index < pd.Timestamp(case.incident.start)).sum() < FEWEST_BEFORE:
            continue
        healthy = Window.of(case.baseline.start, near.index[-6])
        try:
            onset = find_onset(near, baseline=healthy)
        except TooShort:
            continue
        if onset is not None:
            p = 1.0 if np.isnan(onset.p) else onset.p
            found.append((p, pd.Timestamp(onset.time)))
    if not found:
        return None
    surest = min(found)[1]
    if surest >= pd.Timestamp(case.incident.end):
        return None
    return dataclasses.replace(
        case, incident=Window.of(surest, case.incident.end), baseline=Window.of(case.baseline.start, surest)
    )


def _entry(case: Case) -> str:
    if case.path is None:
        return "ts-gateway-service" if "ts-gateway-service" in case.services else case.services[0]
    return sorted(set(case.path["caller"]) - set(case.path["callee"]))[0]


def _inside(index: pd.Index, window: Window) -> np.ndarray:
    return np.asarray((index >= pd.Timestamp(window.start)) & (index < pd.Timestamp(window.end)))


def line(name: str, table: np.ndarray, rng: np.random.Generator) -> str:
    """One row of the report: AC@1, its bootstrap 95 % interval, AC@3, AC@5, Avg@5."""
    draws = table[rng.integers(0, len(table), (DRAWS, len(table))), 0].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    means = table.mean(axis=0)
    return (
        f"| {name} | {len(table)} | {means[0]:.3f} [{low:.2f}, {high:.2f}] | {means[2]:.3f} | {means[4]:.3f} "
        f"| {table.mean():.3f} |"
    )


def report(data: Path) -> list[str]:
    """Every score of every set there is, pooled over all of them last, and each set with the others beside it."""
    names = [name for name in SETS if (data / name).is_dir()]
    lines = ["## Localize", "", *(f"{name} is not there: skipped." for name in SETS if name not in names)]
    if not names:
        return lines
    rng = np.random.default_rng(0)
    methods: dict[str, Callable[[Case], Scores]] = {"kit": ours, "BARO": baro, "N-Sigma": n_sigma}
    tables: dict[str, dict[str, np.ndarray]] = {m: {} for m in methods}
    chance: dict[str, np.ndarray] = {}
    dated: list[tuple[np.ndarray, np.ndarray]] = []
    lines += ["| set, method | n | AC@1 [95 %] | AC@3 | AC@5 | Avg@5 |", "|---|---|---|---|---|---|"]
    for name in names:
        found = list(cases(data, name))
        chance[name] = np.array([np.minimum(np.arange(1, 6) / len(c.services), 1.0) for c in found])
        for method, rank in methods.items():
            tables[method][name] = np.array([hits(rank(c), c) for c in found])
            lines.append(line(f"{name}, {method}", tables[method][name], rng))
        lines.append(line(f"{name}, chance", chance[name], rng))
        for case, true in zip(found, tables["kit"][name], strict=True):
            if (moved := own_onset(case)) is not None:
                dated.append((true, hits(ours(moved), case)))
    lines += [line(f"pooled, {m}", np.concatenate(list(t.values())), rng) for m, t in tables.items()]
    lines.append(line("pooled, chance", np.concatenate(list(chance.values())), rng))
    if dated:
        true, own = (np.array(side) for side in zip(*dated, strict=True))
        lines += [line("dated by the kit: with the true onset", true, rng), line("the same: with its own", own, rng)]
    for name in names if len(names) > 1 else ():
        others = np.concatenate([t for other, t in tables["kit"].items() if other != name])
        own_score = tables["kit"][name][:, 0].mean()
        lines.append(f"\nLeft out {name}: AC@1 {own_score:.3f}, the other sets {others[:, 0].mean():.3f}.")
    return lines


def main() -> None:
    """Reads the arguments, unpacks into a temporary folder where needed, prints the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the archives, or with them unpacked")
    data = parser.parse_args().data
    if any((data / name).is_dir() for name in SETS):
        print("\n".join(report(data)))
        return
    with tempfile.TemporaryDirectory() as folder:
        unpack(data, Path(folder))
        print("\n".join(report(Path(folder))))


if __name__ == "__main__":
    main()
