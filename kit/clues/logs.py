"""What do the lines of a service say against it? Which line follows which, what is new, where errors are first said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.window import Window
from kit.clues.clue import Clue, sureness, workload
from kit.templates import mine_templates

FEWEST = 3
"""Times a line must be seen on each side before what follows it is compared."""
COLUMNS = ("time", "seq", "service", "workload", "level", "message", "trace_id", "span_id")


def log_clues(logs: Any, *, baseline: Window, incident: Window) -> list[Clue]:
    """Which services write otherwise than before?

    *flow*, where lines carry a trace: of the times that a line was written, the share in which a certain line came
    next within the same span (or trace and service). Unlike counts, this does not move with the mix of requests.
    *lines*, where they do not: kinds of line that are new, gone or changed in rate.
    *errors*: lines at ERROR and worse, as a share of the service's lines.
    """
    frame = _rows(logs, baseline, incident)
    if frame.empty:
        return []
    mined = mine_templates(frame["message"])
    frame["template"] = np.asarray(mined.ids)
    text = dict(zip(mined.table["id"], mined.table["template"], strict=True))
    traced = frame["trace_id"].notna() if "trace_id" in frame else pd.Series(False, index=frame.index)
    clues = _flow(frame[traced], text) if traced.any() else []
    clues += _rates(frame[~traced], text) if (~traced).any() else []
    return clues + _errors(frame)


def _rows(logs: Any, baseline: Window, incident: Window) -> pd.DataFrame:
    if hasattr(logs, "rows") and not isinstance(logs, pa.Table | pd.DataFrame):
        parts = [logs.rows(w, fields=list(COLUMNS)).answer().table.to_pandas() for w in (baseline, incident)]
        frame = pd.concat(parts, ignore_index=True)
    elif isinstance(logs, pa.Table):
        frame = logs.select([c for c in COLUMNS if c in logs.column_names]).to_pandas()
    else:
        frame = logs[[c for c in COLUMNS if c in logs.columns]].copy()
    time = frame["time"]
    during = (time >= pd.Timestamp(incident.start)) & (time < pd.Timestamp(incident.end))
    before = (time >= pd.Timestamp(baseline.start)) & (time < pd.Timestamp(baseline.end)) & ~during
    frame["during"] = during
    names = {s: workload(str(s)) for s in frame["service"].dropna().unique()}
    frame["service"] = frame["service"].map(names)
    kept = (before | during) & frame["service"].notna() & frame["message"].notna()
    return frame[kept].reset_index(drop=True)


def _flow(frame: pd.DataFrame, text: dict[int, str]) -> list[Clue]:
    by = [c for c in ("service", "trace_id", "span_id") if c in frame]
    ordered = frame.sort_values([*by, "time", *(["seq"] if "seq" in frame else [])], kind="stable")
    same = np.ones(len(ordered), dtype=bool)
    for column in by:
        values = ordered[column].astype(str)
        same &= (values == values.shift(-1)).to_numpy()
    following = np.where(same, ordered["template"].shift(-1, fill_value=-1), -1)
    pairs = pd.DataFrame(
        {
            "service": ordered["service"].to_numpy(),
            "line": ordered["template"].to_numpy(),
            "next": following,
            "during": ordered["during"].to_numpy(),
        }
    )
    counts = pairs.groupby(["service", "line", "next", "during"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=[False, True], fill_value=0).reset_index()
    counts.columns = ["service", "line", "next", "a", "b"]
    totals = counts.groupby(["service", "line"])[["a", "b"]].transform("sum")
    n, m = totals["a"].to_numpy(float), totals["b"].to_numpy(float)
    known = (n >= FEWEST) & (m >= FEWEST)
    one, two = counts["a"] / np.maximum(n, 1), counts["b"] / np.maximum(m, 1)
    pooled = (counts["a"] + counts["b"]) / np.maximum(n + m, 1)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-4) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)))
    strength = 2 * (two - one).abs() * sureness((two - one) / spread, none=1.5, full=5.0)
    out = []
    for row in np.flatnonzero(known & (strength > 0.1)):
        line, after = text.get(counts["line"][row], ""), text.get(counts["next"][row], "nothing more")
        why = f"after “{_short(line)}” comes “{_short(after)}” {one[row]:.0%} → {two[row]:.0%} of the time"
        change = float(two[row] - one[row])
        out.append(Clue(counts["service"][row], "flow", float(strength[row]), why, _short(line), change))
    return out


def _rates(frame: pd.DataFrame, text: dict[int, str]) -> list[Clue]:
    """Each kind of line's share of its service's lines, where lines cannot be put in order."""
    counts = frame.groupby(["service", "template", "during"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=[False, True], fill_value=0).reset_index()
    counts.columns = ["service", "template", "a", "b"]
    totals = counts.groupby("service")[["a", "b"]].transform("sum")
    out = []
    for row, (n, m) in enumerate(totals.to_numpy(float)):
        a, b = float(counts["a"][row]), float(counts["b"][row])
        if min(n, m) < 10 or a + b < FEWEST:
            continue
        one, two = a / n, b / m
        pooled = (a + b) / (n + m)
        z = (two - one) / np.sqrt(max(pooled * (1 - pooled), 1e-6) * (1 / n + 1 / m))
        factor = abs(float(np.log((b + 1) / (m + 2) / ((a + 1) / (n + 2)))))
        strength = min(factor, 3.0) / 2 * float(sureness(z, none=3.0, full=6.0))
        if strength > 0.1:
            why = f"“{_short(text.get(counts['template'][row], ''))}” {a:.0f} → {b:.0f} lines"
            out.append(Clue(counts["service"][row], "lines", strength, why, "", two - one))
    return out


def _errors(frame: pd.DataFrame) -> list[Clue]:
    if "level" not in frame or not frame["level"].notna().any():
        return []
    bad = frame["level"].astype(str).isin(["ERROR", "FATAL"]).to_numpy()
    out = []
    for service, rows in frame.groupby("service", sort=True).indices.items():
        during, erring = frame["during"].to_numpy()[rows], bad[rows]
        n, m = int((~during).sum()), int(during.sum())
        if min(n, m) < FEWEST:
            continue
        one, two = float(erring[~during].mean()), float(erring[during].mean())
        pooled = (one * n + two * m) / (n + m)
        z = (two - one) / np.sqrt(max(pooled * (1 - pooled), 1e-6) * (1 / n + 1 / m))
        strength = float(np.log1p(max(two - one, 0.0) / 0.02)) / 2 * float(sureness(z))
        if strength > 0:
            why = f"{one:.1%} → {two:.1%} of its lines are errors"
            out.append(Clue(str(service), "errors", strength, why, "log errors", two - one))
    return out


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
