"""How often does the kit see a change where there is none, and how often does it miss one that is there?

AR(1) noise with ρ from 0 to 0.9 (seeded), with and without a step of two standard deviations; and windows of a
fault-free recording (PetShop), each with the stretch before it as baseline.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.case import open_case
from kit.errors import TooShort
from kit.numerics import noise, segments
from kit.onset import find_onset
from kit.signals import rank_signals
from kit.symptom import find_symptom, find_symptom_in_bins
from tests.benchmarks.null_table import ar1

LENGTHS = (30, 60, 92, 240, 480, 1440)
RHO = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
DATED = ((60, 0.0), (60, 0.3), (60, 0.5), (92, 0.5), (240, 0.5), (240, 0.8), (480, 0.9), (60, 0.8), (240, 0.9))
SEED = 11
WINDOW = 12
HISTORY = 120
ENTRY = "PetSite"


def autoregressive(*, runs: int = 2000) -> list[str]:
    """Share of noise series with p ≤ .05, shares withheld, and power for a 2σ step; for few independent points too."""
    rng = np.random.default_rng(SEED)
    lines = [
        "| n | ρ | n(1−ρ)/(1+ρ) | noise: p ≤ .05 | p withheld | so told | 2σ step: p ≤ .05 | p withheld | so told "
        "| found in all |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    below = []
    for n in LENGTHS:
        for rho in RHO:
            worth = float(noise.effective_points(n, rho))
            quiet = ar1(rng, runs, n, rho)
            stepped = ar1(rng, runs, n, rho)
            stepped[:, n // 2 :] += 2.0
            seen, found = _looked(quiet), _looked(stepped)
            shares = " | ".join(f"{x:.3f}" for x in (*seen, *found, found[0] + found[2]))
            (lines if worth >= 19.9 else below).append(f"| {n} | {rho} | {worth:.0f} | {shares} |")
    return [*lines, "", "With fewer than 20 independent points' worth:", "", *lines[:2], *below]


def dated(*, runs: int = 2000) -> list[str]:
    """The same asked of `find_onset`: two thirds of the noise as baseline, an onset that reaches beyond it."""
    rng = np.random.default_rng(SEED)
    lines = [
        "| n | ρ | n(1−ρ)/(1+ρ) | noise: p ≤ .05 | told without p | 2σ step: p ≤ .05 | told without p | found in all "
        "| median error, bins |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for n, rho in (
        (60, 0.0),
        (60, 0.3),
        (60, 0.5),
        (92, 0.5),
        (240, 0.5),
        (240, 0.8),
        (480, 0.9),
        (60, 0.8),
        (240, 0.9),
    ):
        quiet, stepped = ar1(rng, runs, n, rho), ar1(rng, runs, n, rho)
        at = 3 * n // 4
        stepped[:, at:] += 2.0
        index = pd.date_range("2026-03-01", periods=n, freq="15s", tz="UTC")
        baseline = Window(index[0], index[2 * n // 3])
        chance = np.array([_p(pd.Series(x, index=index), baseline) for x in quiet], float)
        onsets = [find_onset(pd.Series(x, index=index), baseline=baseline) for x in stepped]
        beyond = [o for o in onsets if o is not None and o.latest > baseline.end]
        sure, told = [o for o in beyond if o.p <= 0.05], [o for o in beyond if np.isnan(o.p)]
        errors = [abs(int(index.searchsorted(o.time)) - at) for o in [*sure, *told]]
        lines.append(
            f"| {n} | {rho} | {noise.effective_points(n, rho):.0f} | {np.mean(chance <= 0.05):.3f} "
            f"| {np.mean(np.isnan(chance)):.3f} | {len(sure) / runs:.3f} | {len(told) / runs:.3f} "
            f"| {(len(sure) + len(told)) / runs:.3f} | {np.median(errors):.0f} |"
        )
    return lines


def _looked(x: np.ndarray) -> tuple[float, float, float]:
    """Which share of rows has a change with p ≤ .05, which is too short for the plain step's p, which is told so?"""
    sure = withheld = told = 0
    for from_ in range(0, len(x), 128):
        rows = x[from_ : from_ + 128]
        looks = segments.look(rows)
        short = np.isnan(looks.p["step"]) & ~(looks.least_p <= segments.ALPHA)
        sure += int((looks.least_p <= segments.ALPHA).sum())
        withheld += int(short.sum())
        told += sum(bool(segments.changes_of(rows[i], looks, int(i))) for i in np.flatnonzero(short))
    return sure / len(x), withheld / len(x), told / len(x)


def fault_free(folder: Path) -> list[str]:
    """PetShop without a fault: hour-long windows after ten hours; onsets with p ≤ .05, signals with q ≤ .01."""
    lines = ["| recording | signals × windows | onset with p ≤ .05 | onset withheld | signals with q ≤ .01 |",
             "|---|---|---|---|---|"]  # fmt: skip
    for path in sorted(folder.glob("dataset/*/noissue/metrics.csv")):
        wide = read_petshop(path)
        onsets, ranked = [], []
        for start in range(HISTORY, len(wide) - WINDOW + 1, 2 * WINDOW):
            piece = wide.iloc[start - HISTORY : start + WINDOW]
            baseline = Window(piece.index[0], piece.index[HISTORY])
            incident = Window(piece.index[HISTORY], piece.index[-1] + pd.Timedelta(minutes=5))
            onsets += [_p(piece[c], baseline) for c in piece]
            table = rank_signals(piece, baseline=baseline, incident=incident)
            ranked += table.loc[table["change"].isin(["moved", "spread"]), "q"].le(0.01).tolist()
            ranked += [False] * int((~table["change"].isin(["moved", "spread"])).sum())
        p = np.array([o for o in onsets if o is not None], float)
        lines.append(
            f"| {path.parts[-3]} | {len(p)} | {np.mean(p <= 0.05):.3f} | {np.mean(np.isnan(p)):.3f} "
            f"| {np.mean(ranked):.3f} |"
        )
    return lines


def _p(series: pd.Series, baseline: Window) -> float | None:
    """p of an onset after the baseline; 1 for none or one inside it, None where too short to ask."""
    try:
        onset = find_onset(series, baseline=baseline)
    except TooShort:
        return None
    return 1.0 if onset is None or onset.latest <= baseline.end else onset.p


def read_petshop(path: Path) -> pd.DataFrame:
    """A PetShop recording as a wide frame: five-minute bins in UTC, a column a signal that varies at all."""
    frame = pd.read_csv(path, header=[0, 1, 2], index_col=0)
    frame.index = pd.to_datetime(frame.index, unit="s", utc=True)
    frame.columns = [f"{service}/{metric}.{stat}" for service, metric, stat in frame.columns]
    frame = frame.sort_index().astype(float)
    return frame.loc[:, frame.nunique() > 1]


def symptoms_petshop(folder: Path) -> list[str]:
    """Windows of the fault-free recordings in which the kit's own rule for symptoms finds one at the entry service."""
    lines = ["| recording | bins a window | windows | a symptom | of them with failed requests beyond the floor |",
             "|---|---|---|---|---|"]  # fmt: skip
    for path in sorted(folder.glob("dataset/*/noissue/metrics.csv")):
        frame = pd.read_csv(path, header=[0, 1, 2], index_col=0)[ENTRY]
        frame.index = pd.to_datetime(frame.index, unit="s", utc=True)
        count = frame["requests", "Sum"].fillna(0.0)
        failed = count * (1 - frame["availability", "Average"].fillna(100.0) / 100)
        bins = pd.DataFrame({"count": count, "failed": failed, "p99": frame["latency", "p99"]})
        for width in (WINDOW, 2 * WINDOW):
            found = []
            for start in range(0, len(bins) - width + 1, width // 2):
                piece = bins.iloc[start : start + width]
                whole = Window(piece.index[0], piece.index[-1] + pd.Timedelta(minutes=5))
                found.append(find_symptom_in_bins(piece, window=whole))
            ill = [s for s in found if s.verdict == "incident"]
            errors = sum(any(r.ill and r.signal == "errors_ratio" for r in s.readings) for s in ill)
            lines.append(
                f"| {path.parts[-3]} | {width} | {len(found)} | {len(ill)} ({len(ill) / len(found):.3f}) | {errors} |"
            )
    return lines


def symptoms_lab() -> list[str]:
    """Five-minute windows of the recorded shop in which nothing was injected, and how many raise a symptom."""
    lines = ["| recorded incidents | healthy windows of 5 min | a symptom | cannot tell |", "|---|---|---|---|"]
    verdicts: list[str] = []
    incidents = 0
    for folder in sorted(Path("sample_incidents").iterdir()):
        if not (folder / "truth.toml").exists() or "_without_" in folder.name:  # the same recording again
            continue
        incidents += 1
        case = open_case(folder)
        for window in _healthy(tomllib.loads((folder / "truth.toml").read_text()), case.look):
            rows = case.request_rows
            near = rows[(rows["time"] >= window.start) & (rows["time"] < window.end)]
            verdicts.append(find_symptom(near, window=window).verdict)
    ill, unclear = verdicts.count("incident"), verdicts.count("cannot_tell")
    lines.append(f"| {incidents} | {len(verdicts)} | {ill} ({ill / max(len(verdicts), 1):.3f}) | {unclear} |")
    return lines


def _healthy(truth: dict[str, Any], look: Window) -> Iterator[Window]:
    """Five-minute windows, every 150 s, that touch no episode, the minute before it nor the two minutes after."""
    episodes = truth.get("episodes", [])
    if any("onset" not in e for e in episodes):
        return
    ill = [
        (
            pd.Timestamp(e["onset"]["earliest"]) - pd.Timedelta(minutes=1),
            pd.Timestamp(e["recovered"]["latest"] if e.get("recovered") else look.end) + pd.Timedelta(minutes=2),
        )
        for e in episodes
    ]
    for start in pd.date_range(look.start, look.end, freq="150s"):
        end = start + pd.Timedelta(minutes=5)
        if end <= pd.Timestamp(look.end) and all(end <= low or start >= high for low, high in ill):
            yield Window(start, end)


def report(data: Path) -> list[str]:
    """Everything this module measures, as Markdown lines; says what it skips."""
    folder = data / "petshop"
    recorded = ["petshop: skipped, no such folder in the data."]
    if folder.is_dir():
        recorded = [*symptoms_petshop(folder), "", *fault_free(folder)]
    return ["## False alarms", "", *autoregressive(), "", *dated(), "", *symptoms_lab(), "", *recorded, ""]
