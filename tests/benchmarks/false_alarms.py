"""How often does the kit see a change where there is none, and how often does it miss one that is there?

AR(1) noise with ρ from 0 to 0.9 (seeded), with and without a step of two standard deviations; and windows of a
fault-free recording (PetShop), each with the stretch before it as baseline.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.errors import TooShort
from kit.numerics import noise, segments
from kit.onset import find_onset
from kit.signals import rank_signals
from tests.benchmarks.null_table import ar1

LENGTHS = (30, 60, 92, 240, 480, 1440)
RHO = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
SEED = 11
WINDOW = 12
HISTORY = 120


def autoregressive(*, runs: int = 2000) -> list[str]:
    """Share of noise series with p ≤ .05, share withheld, and power for a 2σ step, where the points suffice."""
    rng = np.random.default_rng(SEED)
    lines = [
        "| n | ρ | n(1−ρ)/(1+ρ) | p ≤ .05 on noise | withheld | 2σ step found |",
        "|---|---|---|---|---|---|",
    ]
    for n in LENGTHS:
        for rho in RHO:
            worth = float(noise.effective_points(n, rho))
            if worth < 20:
                continue
            quiet = _looked(ar1(rng, runs, n, rho))
            stepped = ar1(rng, runs, n, rho)
            stepped[:, n // 2 :] += 2.0
            found = _looked(stepped)
            lines.append(
                f"| {n} | {rho} | {worth:.0f} | {np.mean(quiet <= 0.05):.3f} | {np.mean(np.isnan(quiet)):.3f} "
                f"| {np.mean(found <= 0.05):.3f} |"
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


def report(data: Path) -> list[str]:
    """Everything this module measures, as Markdown lines; says what it skips."""
    folder = data / "petshop"
    recorded = fault_free(folder) if folder.is_dir() else ["petshop: skipped, no such folder in the data."]
    return ["## False alarms", "", *autoregressive(), "", *recorded, ""]
