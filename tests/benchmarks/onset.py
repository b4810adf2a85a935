"""How well are changes dated? NAB and TCPD, beside ruptures, with one set of defaults for every file.

NAB: each labelled instant is looked for by `find_onset` with the stretch before its window as baseline, and by ruptures
as the nearest break; the NAB standard score takes every start of `find_changepoints` as a detection. TCPD: cover and F1
of the starts against five annotators, as TCPDBench defines them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.errors import TooShort
from kit.onset import find_changepoints, find_onset

DATED = ("realKnownCause", "realAWSCloudwatch")
MARGIN = 5


@dataclass(frozen=True)
class Labelled:
    """One NAB file: its series, the windows (first and last position) and the labelled positions."""

    name: str
    series: pd.Series
    windows: list[tuple[int, int]]
    labels: list[int]


def read_nab(folder: Path) -> list[Labelled]:
    """The NAB files of a folder, times taken as UTC."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    labels = json.loads((folder / "labels" / "combined_labels.json").read_text())
    out = []
    for name in sorted(windows):
        frame = pd.read_csv(folder / "data" / name)
        index = pd.DatetimeIndex(pd.to_datetime(frame["timestamp"]), name="time").tz_localize("UTC")
        series = pd.Series(frame["value"].to_numpy(float), index=index)
        place = [[int(index.searchsorted(pd.Timestamp(t, tz="UTC"))) for t in w] for w in windows[name]]
        at = [int(index.searchsorted(pd.Timestamp(t, tz="UTC"))) for t in labels[name]]
        out.append(Labelled(name, series, [(a, b) for a, b in place], at))
    return out


def read_tcpd(folder: Path) -> dict[str, tuple[pd.Series, dict[str, list[int]]]]:
    """The TCPD series of a folder with their annotations by annotator."""
    annotations = json.loads((folder / "annotations.json").read_text())
    out = {}
    for path in sorted((folder / "datasets").glob("*/*.json")):
        raw = json.loads(path.read_text())["series"][0]["raw"]
        values = [np.nan if v is None else float(v) for v in raw]
        out[path.stem] = (pd.Series(values), annotations[path.stem])
    return out


def nab_raw(n: int, windows: list[tuple[int, int]], detections: list[int]) -> float:
    """NAB's standard profile: first hit of a window by its place in it, false positives 0.11, a missed window 1."""

    def sigmoid(place: float) -> float:
        return -1.0 if place > 3 else 2 / (1 + np.exp(5 * place)) - 1

    score, hit = 0.0, set()
    for at in sorted({d for d in detections if d >= int(0.15 * min(n, 5000))}):
        inside = next((i for i, (a, b) in enumerate(windows) if a <= at <= b), None)
        if inside is None:
            last = max((w for w in windows if w[1] < at), key=lambda w: w[1], default=None)
            score += 0.11 * (sigmoid((at - last[1]) / (last[1] - last[0])) if last else -1.0)
        elif inside not in hit:
            first, end = windows[inside]
            score += sigmoid(-(end - at + 1) / (end - first + 1)) / sigmoid(-1.0)
            hit.add(inside)
    return score - (len(windows) - len(hit))


def nab_score(raw: float, windows: int) -> float:
    """The raw sum on NAB's scale: 0 for no detection at all, 100 for every window at its start."""
    return 100 * (raw + windows) / (2 * windows)


def f1_and_cover(n: int, annotations: dict[str, list[int]], found: list[int]) -> tuple[float, float]:
    """TCPDBench's F1 (margin 5, recall averaged over annotators) and covering averaged over annotators."""
    predicted = {0, *found}
    truths = [{0, *marks} for marks in annotations.values()]

    def matched(truth: set[int]) -> int:
        left, count = set(predicted), 0
        for t in sorted(truth):
            near = min((x for x in left if abs(x - t) <= MARGIN), key=lambda x: abs(x - t), default=None)
            if near is not None:
                left.discard(near)
                count += 1
        return count

    def parts(cuts: set[int]) -> list[tuple[int, int]]:
        edges = [*sorted(cuts), n]
        return list(pairwise(edges))

    def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
        both = max(0, min(a[1], b[1]) - max(a[0], b[0]))
        return both / ((a[1] - a[0]) + (b[1] - b[0]) - both)

    precision = matched(set().union(*truths)) / len(predicted)
    recall = float(np.mean([matched(t) / len(t) for t in truths]))
    guess = parts(predicted)
    cover = [sum((a[1] - a[0]) * max(overlap(a, b) for b in guess) for a in parts(t)) / n for t in truths]
    return 2 * precision * recall / (precision + recall), float(np.mean(cover))


def ruptures_breaks(values: np.ndarray, method: str) -> list[int]:
    """Breaks of a ruptures method with a BIC-style penalty, its usual defaults; inner ones only."""
    import ruptures

    x = (values - np.mean(values)) / (np.std(values) or 1.0)
    penalty = 3 * np.log(len(x))
    if method == "kernel":
        breaks = ruptures.KernelCPD(kernel="linear", min_size=3).fit(x).predict(pen=penalty)
    elif method == "binseg":
        breaks = ruptures.Binseg(model="l2", jump=1, min_size=3).fit(x).predict(pen=penalty)
    else:
        breaks = ruptures.Window(model="l2", width=40, jump=1).fit(x).predict(pen=penalty)
    return [int(b) for b in breaks if b < len(x)]


def dated(files: list[Labelled]) -> list[str]:
    """Absolute error in samples of every labelled instant on the files with known faults, ours and ruptures'."""
    errors: dict[str, list[float]] = {"find_onset": [], "find_changepoints": [], "kernel": [], "binseg": []}
    for file in files:
        if not file.name.startswith(DATED):
            continue
        index = file.series.index
        starts = index.searchsorted(pd.DatetimeIndex(find_changepoints(file.series)["start"]))
        for first, last in file.windows:
            label = next((t for t in file.labels if first <= t <= last), None)
            if label is None:
                continue
            begin = max(0, first - 2 * (last - first))
            piece = file.series.iloc[begin : last + 1]
            piece = piece[~piece.index.duplicated()]
            try:
                onset = find_onset(piece, baseline=Window(index[begin], index[first]))
            except TooShort:
                onset = None
            at = np.inf if onset is None else float(abs(int(index.searchsorted(onset.time)) - label))
            errors["find_onset"].append(at)
            errors["find_changepoints"].append(_nearest(starts, first, last, label))
            for method in ("kernel", "binseg"):
                breaks = np.array(ruptures_breaks(piece.to_numpy(), method), int) + begin
                errors[method].append(_nearest(breaks, first, last, label))
    lines = [
        "| method | windows | none found | median error, samples | within ±1 | within ±2 |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in errors.items():
        e = np.array(found)
        median = float(np.median(e))
        lines.append(
            f"| {name} | {len(e)} | {int(np.isinf(e).sum())} | {'–' if np.isinf(median) else f'{median:.0f}'} "
            f"| {np.mean(e <= 1):.2f} | {np.mean(e <= 2):.2f} |"
        )
    return lines


def _nearest(breaks: np.ndarray, first: int, last: int, label: int) -> float:
    inside = [b for b in breaks if first <= b <= last]
    return float(min(abs(b - label) for b in inside)) if inside else np.inf


def nab(folder: Path) -> list[str]:
    """The NAB tables: dating of the known faults, and the standard score beside the published ones."""
    files = read_nab(folder)
    scores: dict[str, float] = {}
    windows = sum(len(f.windows) for f in files)
    ours = 0.0
    other = {"ruptures kernel": 0.0, "ruptures binseg (kernel above 6,000 points)": 0.0, "ruptures window": 0.0}
    for file in files:
        starts = file.series.index.searchsorted(pd.DatetimeIndex(find_changepoints(file.series)["start"]))
        ours += nab_raw(len(file.series), file.windows, [int(s) for s in starts])
        for name in other:
            method = name.split()[1]
            if method == "binseg" and len(file.series) > 6000:
                method = "kernel"
            breaks = ruptures_breaks(file.series.to_numpy(), method)
            other[name] += nab_raw(len(file.series), file.windows, breaks)
    scores["find_changepoints, every row"] = nab_score(ours, windows)
    scores |= {name: nab_score(raw, windows) for name, raw in other.items()}
    published = json.loads((folder / "published_subset_scores.json").read_text())
    scores |= {f"{name} (published)": float(published[name]) for name in ("ARTime", "numenta", "windowedGaussian")}
    table = [f"| {name} | {score:.1f} |" for name, score in scores.items()]
    return [*dated(files), "", f"NAB standard score, {len(files)} files, {windows} windows:", "",
            "| method | score |", "|---|---|", *table]  # fmt: skip


def tcpd(folder: Path) -> list[str]:
    """The TCPD table: cover and F1, ours, ruptures', and doing nothing."""
    data = read_tcpd(folder)
    rows: dict[str, list[tuple[float, float]]] = {}
    for series, marks in data.values():
        known = series.dropna()
        guesses = {"find_changepoints": [int(s) for s in find_changepoints(series)["start"]], "nothing": []}
        for method in ("kernel", "binseg", "window"):
            guesses[f"ruptures {method}"] = [int(known.index[b]) for b in ruptures_breaks(known.to_numpy(), method)]
        for name, found in guesses.items():
            rows.setdefault(name, []).append(f1_and_cover(len(series), marks, found))
    lines = [f"TCPD, {len(data)} series:", "", "| method | cover | F1 |", "|---|---|---|"]
    return lines + [
        f"| {name} | {np.mean([r[1] for r in found]):.3f} | {np.mean([r[0] for r in found]):.3f} |"
        for name, found in rows.items()
    ]


def report(data: Path) -> list[str]:
    """Everything this module measures, as Markdown lines; says what it skips."""
    lines = ["## Onset", ""]
    for name, measure in (("nab", nab), ("tcpd", tcpd)):
        folder = data / name
        lines += [*(measure(folder) if folder.is_dir() else [f"{name}: skipped, no such folder in the data."]), ""]
    return lines
