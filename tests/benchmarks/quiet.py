"""How often does each analysis claim something where nothing happened? Simulated systems without a fault, seeded.

`python -m tests.benchmarks.quiet [--runs N]`. Signals are AR(1) noise about plausible levels, requests arrive at
random and fail at a constant rate, changes come at random; the incident's window is a stretch like any other.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.changes import rank_changes
from kit.classify import classify
from kit.golden_signals import read_signals
from kit.impact import measure_impact
from kit.path import bisect
from kit.probes import probe_path
from kit.signals import rank_signals
from tests.benchmarks.null_table import ar1

BEGIN = pd.Timestamp("2026-03-01T00:00Z")
RHO = (0.0, 0.5, 0.8)
SCATTER = (1.0, 4.0)
BINS, ILL, STEP_S = 240, 20, 15.0
SEED = 17


def system(rng: np.random.Generator, rho: float, scatter: float) -> pd.DataFrame:
    """An hour of two services in bins of 15 s: traffic, errors, latency and shares in use, all of them quiet.

    At `scatter` 1 traffic varies by 6 %, errors by 0.1 points, medians by 5, tails by 15 and shares by 5 points.
    """
    columns = {}
    for service in ("web", "db"):
        noise = dict(
            zip(("count", "errors", "p50", "p99", "cpu", "pool"), scatter * ar1(rng, 6, BINS, rho), strict=True)
        )
        count = np.maximum(1000 + 60 * noise["count"], 1)
        columns |= {
            f"{service}/requests.count": count,
            f"{service}/requests.errors.ratio": np.clip(0.004 + 0.001 * noise["errors"], 0, 1),
            f"{service}/requests.duration.p50": 0.05 * np.exp(0.05 * noise["p50"]),
            f"{service}/requests.duration.p99": 0.4 * np.exp(0.15 * noise["p99"]),
            f"{service}/cpu.usage.ratio": np.clip(0.4 + 0.05 * noise["cpu"], 0, 1),
            f"{service}/db.pool.usage.ratio": np.clip(0.3 + 0.05 * noise["pool"], 0, 1),
        }
    index = pd.date_range(BEGIN, periods=BINS, freq=f"{STEP_S:g}s", name="time")
    return pd.DataFrame(columns, index=index)


def windows(bins: int = BINS, ill: int = ILL) -> tuple[Window, Window]:
    """All but the last `ill` bins as baseline, the rest as incident."""
    turn = BEGIN + pd.Timedelta(seconds=(bins - ill) * STEP_S)
    return Window(BEGIN, turn), Window(turn, BEGIN + pd.Timedelta(seconds=bins * STEP_S))


PATH = pd.DataFrame({"caller": ["web"], "callee": ["db"], "kind": ["database"], "mode": ["sync"]})


def boards(*, runs: int) -> list[str]:
    """Signals told as moved, boards with any, classes other than healthy, bad probes and cuts, per ρ."""
    lines = [
        "| scatter | ρ | signals read as moved | boards with one | class other than healthy | probes bad "
        "| paths with a break |",
        "|---|---|---|---|---|---|---|",
    ]
    baseline, incident = windows()
    for scatter, rho in product(SCATTER, RHO):
        rng = np.random.default_rng(SEED)
        moved, of, with_one, sick, bad, probed, cuts = 0, 0, 0, 0, 0, 0, 0
        for _ in range(runs):
            wide = system(rng, rho, scatter)
            board = read_signals(wide, baseline=baseline, incident=incident)
            arrows = [r.arrow in ("up", "down") for r in board.readings]
            moved, of, with_one = moved + sum(arrows), of + len(arrows), with_one + any(arrows)
            sick += classify(board, path=PATH, entry="web").name != "healthy"
            probes = probe_path(PATH, metrics=wide, baseline=baseline, incident=incident)
            bad += sum(p.health.name == "BAD" for p in probes.probes)
            probed += sum(p.health.name != "UNKNOWN" for p in probes.probes)
            cuts += bisect(probes).between is not None
        lines.append(
            f"| {scatter:g} | {rho} | {moved / of:.4f} | {with_one / runs:.3f} | {sick / runs:.3f} "
            f"| {bad / probed:.4f} | {cuts / runs:.3f} |"
        )
    return lines


def ranked(*, runs: int) -> list[str]:
    """Signals that `rank_signals` gives p ≤ .05, and those it gives none, by length of the baseline."""
    lines = ["| baseline + incident, bins | ρ | n(1−ρ)/(1+ρ) | p ≤ .05 | withheld |", "|---|---|---|---|---|"]
    for before, during in ((40, 20), (60, 20), (120, 20), (240, 20), (480, 20)):
        for rho in (0.0, 0.5, 0.8, 0.9):
            rng = np.random.default_rng(SEED)
            index = pd.date_range(BEGIN, periods=before + during, freq=f"{STEP_S:g}s", name="time")
            values = ar1(rng, runs, before + during, rho).T
            baseline, incident = windows(before + during, during)
            wide = pd.DataFrame(values, index=index, columns=[f"s/{i}.gauge" for i in range(runs)])
            p = np.concatenate([
                rank_signals(wide.iloc[:, i : i + 50], baseline=baseline, incident=incident)["p"].to_numpy(float)
                for i in range(0, runs, 50)
            ])  # fmt: skip
            worth = before * (1 - rho) / (1 + rho)
            lines.append(
                f"| {before} + {during} | {rho} | {worth:.0f} | {np.mean(p <= 0.05):.3f} | {np.mean(np.isnan(p)):.3f} |"
            )
    return lines


def changes(*, runs: int) -> list[str]:
    """Onsets that have nothing to do with the changes: how often does one stand out by its time, or rank first?"""
    lines = ["| changes an hour | p ≤ .05 for one | a suspect by its time | enough to act |", "|---|---|---|---|"]
    day = pd.Timedelta(days=1)
    for per_hour in (0.25, 1.0, 4.0):
        rng = np.random.default_rng(SEED)
        low = by_time = act = 0
        for _ in range(runs):
            n = rng.poisson(per_hour * 24)
            times = pd.to_datetime(BEGIN + day * np.sort(rng.random(n)), utc=True)
            log = pd.DataFrame({
                "id": [f"c{i}" for i in range(n)], "time": times, "kind": "deploy", "service": "web",
                "summary": "a version",
            })  # fmt: skip
            onset = BEGIN + pd.Timedelta(hours=16 + 4 * rng.random())
            found = rank_changes(
                log[log["time"] <= onset], onset, path=PATH, symptom="web", history=Window(BEGIN, onset)
            )
            low += any(s.p_coincidence <= 0.05 for s in found.ranked)
            by_time += any(s.by_time for s in found.ranked)
            act += found.enough_to_act
        lines.append(f"| {per_hour:g} | {low / runs:.3f} | {by_time / runs:.3f} | {act / runs:.3f} |")
    return lines


def impacts(*, runs: int) -> list[str]:
    """Windows no worse than the baseline: how often does the 95 % interval of what was hurt lie above zero?"""
    lines = ["| requests/s | of all failed | failed above zero | slow above zero | lost above zero |",
             "|---|---|---|---|---|"]  # fmt: skip
    baseline, incident = windows()
    seconds = incident.end.timestamp() - baseline.start.timestamp()
    for per_second, share in ((2, 0.01), (20, 0.01), (20, 0.0005)):
        rng = np.random.default_rng(SEED)
        above = np.zeros(3)
        for _ in range(runs):
            n = rng.poisson(per_second * seconds)
            began = np.sort(rng.random(n)) * seconds
            took = 0.1 * np.exp(0.5 * rng.standard_normal(n))
            rows = pd.DataFrame({
                "time": pd.to_datetime(BEGIN + pd.to_timedelta(began + took, unit="s"), utc=True),
                "duration_s": took, "failed": rng.random(n) < share, "route": rng.choice(["/a", "/b", "/c"], n),
            })  # fmt: skip
            found = measure_impact(rows, baseline=baseline, incident=incident)
            above += [f is not None and f.low > 0 for f in (found.failed, found.slow, found.lost)]
        lines.append(f"| {per_second} | {share:.2%} | " + " | ".join(f"{a / runs:.3f}" for a in above) + " |")
    return lines


def report(*, runs: int) -> list[str]:
    """Every table of this module, as Markdown lines."""
    return [
        *boards(runs=runs), "", *ranked(runs=5 * runs), "", *changes(runs=5 * runs), "", *impacts(runs=runs), "",
    ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    print("\n".join(report(runs=parser.parse_args().runs)), flush=True)
