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
from kit.common_onset import find_common_onset
from kit.errors import TooShort
from kit.localize import Gathered, gather, localize
from tests.benchmarks.localize_choices import held_out
from tests.benchmarks.rca_cases import BEFORE_MIN, SETS, Case, cases, unpack

Scores = Mapping[str, float]
DRAWS = 2_000
FEWEST_BEFORE = 22
BASELINE_SHARE = 0.75
HEAD = ["| set, method | n | AC@1 [95 %] | AC@3 | AC@5 | Avg@5 |", "|---|---|---|---|---|---|"]


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
    """The case with the windows that the kit's own date of the symptom gives; None: fewer than 22 samples before it.

    The look is the 30 samples before the fault and the fault, as everywhere here; its first three quarters are stated
    as baseline, whatever they hold (mostly the fault before). Dated is the symptom: its own signal where it is one,
    else latency, errors and traffic of its service, together. Where the kit finds no date, the last quarter of the look
    stands for the incident. A fault-free minute of traces and lines from another day is moved before the date.
    """
    case = one_after_the_other(case)
    look = _look(case)
    if look is None:
        return None
    cut = look.index[0] + (pd.Timestamp(case.incident.end) - look.index[0]) * BASELINE_SHARE
    try:
        onset = find_common_onset(look, baseline=Window.of(look.index[0], cut))
    except TooShort:
        onset = None
    at = cut if onset is None else pd.Timestamp(onset.time)
    return dataclasses.replace(
        case,
        incident=Window.of(at, case.incident.end),
        baseline=Window.of(case.baseline.start, at),
        spans=_before(case.spans, "start", case, at),
        logs=_before(case.logs, "time", case, at),
    )


def _look(case: Case) -> pd.DataFrame | None:
    """The symptom's signals over the look, a column each."""
    rows = case.metrics[case.metrics["time"] < pd.Timestamp(case.incident.end)]
    service = (case.symptom or _entry(case)).partition("/")[0]
    own = rows[rows["signal"] == case.symptom]
    if own.empty:
        own = rows[[workload(s) == service for s in rows["service"]]]
        own = own[own["kind"].isin(["latency", "errors", "traffic"])]
    wide = own.pivot_table(index="time", columns="signal", values="value")
    before = int((wide.index < pd.Timestamp(case.incident.start)).sum())
    return wide.iloc[max(0, before - BEFORE_MIN) :] if before >= FEWEST_BEFORE else None


def one_after_the_other(case: Case) -> Case:
    """PetShop's fault-free recording, made months after the faults, moved to end where the fault's bins begin."""
    if case.baseline.end <= case.incident.start:
        return case
    metrics = case.metrics.copy()
    quiet = metrics["time"] >= pd.Timestamp(case.incident.end)
    step = metrics["time"].drop_duplicates().sort_values().diff().median()
    metrics.loc[quiet, "time"] -= metrics["time"].max() + step - metrics.loc[~quiet, "time"].min()
    metrics = metrics.sort_values("time", kind="stable").reset_index(drop=True)
    return dataclasses.replace(case, metrics=metrics, baseline=Window.of(metrics["time"].min(), case.incident.start))


def _before(rows: pd.DataFrame | None, time: str, case: Case, at: pd.Timestamp) -> pd.DataFrame | None:
    """The rows with the fault-free minute, which ends two minutes before the fault, ending before the new date too."""
    if rows is None:
        return None
    quiet = rows[time] <= pd.Timestamp(case.incident.start) - pd.Timedelta(minutes=2)
    late = rows.loc[quiet, time].max() - at if quiet.any() else pd.Timedelta(0)
    rows = rows.copy()
    rows.loc[quiet, time] -= max(late + pd.Timedelta("1us"), pd.Timedelta(0))
    return rows


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
    dated: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    gathered: dict[str, list[tuple[Gathered, Case]]] = {}
    lines += HEAD
    for name in names:
        found = list(cases(data, name))
        gathered[name] = [(pillars(c), c) for c in found]
        chance[name] = np.array([np.minimum(np.arange(1, 6) / len(c.services), 1.0) for c in found])
        for method, rank_by in methods.items():
            tables[method][name] = np.array([hits(rank_by(c), c) for c in found])
            lines.append(line(f"{name}, {method}", tables[method][name], rng))
        lines.append(line(f"{name}, chance", chance[name], rng))
        for case, true in zip(found, tables["kit"][name], strict=True):
            if (moved := own_onset(case)) is not None:
                trues, owns = dated.setdefault(name, ([], []))
                trues.append(true)
                owns.append(hits(ours(moved), case))
    lines += [line(f"pooled, {m}", np.concatenate(list(t.values())), rng) for m, t in tables.items()]
    lines.append(line("pooled, chance", np.concatenate(list(chance.values())), rng))
    lines += ["", "Dated by the kit itself, where 22 samples lie before the fault:", "", *HEAD]
    if dated:
        trues, owns = ([row for both in dated.values() for row in both[side]] for side in (0, 1))
        dated["pooled"] = trues, owns
    for name, sides in dated.items():
        for what, rows in zip(("true onset", "the kit's own"), sides, strict=True):
            lines.append(line(f"{name}, {what}", np.array(rows), rng))
    if len(names) > 1:
        lines += ["", *held_out(gathered, hits)]
    return lines


def pillars(case: Case) -> Gathered:
    """The clues and calls that `ours` ranks by."""
    return gather(metrics=case.metrics, spans=case.spans, logs=case.logs, path=case.path,
                  baseline=case.baseline, incident=case.incident)  # fmt: skip


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
