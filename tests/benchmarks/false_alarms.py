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
SEED = 11
WINDOW = 12
HISTORY = 120
ENTRY = "PetSite"


def autoregressive(*, runs: int = 2000) -> list[str]:
    """Share of noise series with p ≤ .05, share withheld, and power for a 2σ step; for few independent points too."""
    rng = np.random.default_rng(SEED)
    lines = [
        "| n | ρ | n(1−ρ)/(1+ρ) | p ≤ .05 on noise | withheld | 2σ step found | withheld |",
        "|---|---|---|---|---|---|---|",
    ]
    below = []
    for n in LENGTHS:
        for rho in RHO:
            worth = float(noise.effective_points(n, rho))
            quiet = _looked(ar1(rng, runs, n, rho))
            stepped = ar1(rng, runs, n, rho)
            stepped[:, n // 2 :] += 2.0
            found = _looked(stepped)
            (lines if worth >= 19.9 else below).append(
                f"| {n} | {rho} | {worth:.0f} | {np.mean(quiet <= 0.05):.3f} | {np.mean(np.isnan(quiet)):.3f} "
                f"| {np.mean(found <= 0.05):.3f} | {np.mean(np.isnan(found)):.3f} |"
            )
    return [*lines, "", "With fewer than 20 independent points' worth:", "", *lines[:2], *below]


def dated(*, runs: int = 300) -> list[str]:
    """The same asked of `find_onset`: two thirds of the noise as baseline, an onset with p ≤ .05 reaching beyond it."""
    rng = np.random.default_rng(SEED)
    lines = ["| n | ρ | onset with p ≤ .05 on noise | withheld | 2σ step found | median error, bins |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for n, rho in ((60, 0.0), (60, 0.5), (240, 0.5), (240, 0.8), (480, 0.9)):
        quiet, stepped = ar1(rng, runs, n, rho), ar1(rng, runs, n, rho)
        at = 3 * n // 4
        stepped[:, at:] += 2.0
        index = pd.date_range("2026-03-01", periods=n, freq="15s", tz="UTC")
        baseline = Window(index[0], index[2 * n // 3])
        chance = np.array([_p(pd.Series(x, index=index), baseline) for x in quiet], float)
        onsets = [find_onset(pd.Series(x, index=index), baseline=baseline) for x in stepped]
        errors = [abs(int(index.searchsorted(o.time)) - at) for o in onsets if o is not None and o.p <= 0.05]
        lines.append(
            f"| {n} | {rho} | {np.mean(chance <= 0.05):.3f} | {np.mean(np.isnan(chance)):.3f} "
            f"| {len(errors) / runs:.3f} | {np.median(errors):.0f} |"
        )
    return lines


def _looked(x: np.ndarray) -> np.ndarray:
    """Each row's p; NaN where the plain step, most of the risk, is withheld and nothing else speaks."""
    parts = []
    for from_ in range(0, len(x), 128):
        looks = segments.look(x[from_ : from_ + 128])
        p = looks.least_p
        parts.append(np.where(np.isnan(looks.p["step"]) & (p > segments.ALPHA), np.nan, p))
    return np.concatenate(parts)


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
