"""What exactly was said at the cornered hop: templates new, gone or changed, statements that grew slow, examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.result import Result, cell_text

SLOWER = 3.0
"""A statement counts as slower from this factor of its healthy duration."""
SEVERE = ("WARN", "ERROR", "FATAL")
SAID_MOST = 8


@dataclass(frozen=True, slots=True)
class Spot(Result):
    """What was read there: `said` the templates that changed, `statements` the slow ones, worst first.

    `templates` and `table` hold the same as frames; `missing` names the pillars that say nothing at this hop.
    """

    said: tuple[str, ...]
    statements: tuple[str, ...]
    services: tuple[str, ...]
    missing: tuple[str, ...]
    templates: pd.DataFrame
    slow: pd.DataFrame
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        where = " and ".join(self.services) or "the services at hand"
        if self.statements:
            first = self.slow.iloc[0]
            return (
                f"Slow at {where}: `{_short(self.statements[0])}`, {_factor(first)}; "
                f"{len(self.said)} log templates are new or changed."
            )
        if self.said:
            return f"New or changed at {where}: `{_short(self.said[0])}`, and {len(self.said) - 1} more."
        return f"Nothing new was said at {where}."

    def to_frame(self) -> pd.DataFrame:
        """The changed templates, a row each: class, service, level, template, rates before and during, first seen."""
        columns = ["class", "service", "level", "template", "baseline_rate", "incident_rate", "first_seen", "id"]
        return self.templates[[c for c in columns if c in self.templates.columns]]


def read_spot(
    *,
    templates: pd.DataFrame,
    statements: pd.DataFrame | None = None,
    services: tuple[str, ...] = (),
    pillars: tuple[str, ...] = (),
) -> Spot:
    """What was said at these services since the onset that was not said before?

    `templates` is what `compare_templates` returns (its `service` narrows to `services`; empty: all). `statements` has
    a row per database statement: `statement`, `n_before`, `n_during`, `p50_before`, `p50_during` (seconds; a slow-query
    log holds only what passed its threshold, so a statement absent before reads NaN, not zero). `pillars` are those of
    metrics, spans and logs that have data here; what is missing is a gap. Misleads where a log is sampled: what is
    *new* may merely have been rare.
    """
    here = templates[templates["class"] != "unchanged"]
    if services and "service" in here.columns:
        here = here[here["service"].astype(str).isin(services)]
    here = _most_telling(here)
    slow = _slower(statements)
    missing = tuple(p for p in ("metrics", "spans", "logs") if p not in pillars)
    said = tuple(here["template"].head(SAID_MOST))
    because = [f"{row.statement}: {_factor(row)}" for row in slow.head(3).itertuples(index=False)]
    for _, row in here.head(5).iterrows():
        rates = f"{cell_text(row['baseline_rate'])} → {cell_text(row['incident_rate'])} lines/s"
        because.append(f"{row['class']}: {row['template']} ({rates})")
    because += [f"no {pillar} here: tomorrow's top priority" for pillar in missing]
    return Spot(said, tuple(slow["statement"]), services, missing, here.reset_index(drop=True), slow, tuple(because))


def _most_telling(templates: pd.DataFrame) -> pd.DataFrame:
    """New severe lines first, then other new ones, then changed, then gone; by volume within each."""
    order = {"new": 0, "changed": 1, "gone": 2}
    severe = templates.get("level", pd.Series("", index=templates.index)).astype(str).isin(SEVERE)
    rate = np.maximum(templates["incident_rate"].astype(float), templates["baseline_rate"].astype(float))
    keyed = templates.assign(_severe=~severe, _class=templates["class"].map(order), _rate=-rate)
    return keyed.sort_values(["_severe", "_class", "_rate"], kind="stable").drop(columns=["_severe", "_class", "_rate"])


def _slower(statements: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["statement", "n_before", "n_during", "p50_before", "p50_during"]
    if statements is None or statements.empty:
        return pd.DataFrame(columns=[*columns, "seconds"])
    table = statements[columns].copy()
    grown = (table["p50_during"] >= SLOWER * table["p50_before"]) | table["p50_before"].isna()
    more = table["n_during"] > 2 * table["n_before"].fillna(0.0)
    table = table[table["p50_during"].notna() & (grown | more)]
    table["seconds"] = table["n_during"] * table["p50_during"]
    return table.sort_values("seconds", ascending=False, kind="stable").reset_index(drop=True)


def _factor(row: Any) -> str:
    before = "not in the log before" if row.p50_before != row.p50_before else f"{row.p50_before * 1000:,.0f} ms before"
    return f"{row.p50_during * 1000:,.0f} ms at the median, {row.n_during:,.0f} times ({before})"


def _short(text: str, limit: int = 110) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
