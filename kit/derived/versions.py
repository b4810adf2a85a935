"""When did a version appear on a service's telemetry, and how far had it been rolled out?"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from kit.derived.rows import Row, derived_row

FEWEST = 5
"""A version seen on fewer records than this is not told."""


def appeared(counts: pd.DataFrame, *, service: str, at: datetime | None = None) -> list[Row]:
    """Which versions of this service appeared after another one, from when until the old one was gone?

    `counts`: `time` (bin, UTC), `version`, `n` records with that version. `fraction`: its share of the records in the
    bin of `at` (the onset), or in the last bin; NaN where nothing was recorded there. A version there from the first
    bin on is no change; traffic that shifts between two versions looks like a rollout.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=4, freq="1min")
    >>> counts = pd.DataFrame({"time": [*at, *at[2:]], "version": ["1"] * 4 + ["2"] * 2, "n": [9, 9, 6, 3, 3, 6]})
    >>> [(r["summary"], r["fraction"]) for r in appeared(counts, service="shop", at=at[2].to_pydatetime())]
    [('shop 2 appeared (1 before)', 0.3333333333333333)]
    """
    known = counts[~counts["version"].isin(["<missing>", "<other>"]) & (counts["n"] > 0)]
    if known.empty:
        return []
    by = known.pivot_table(index="time", columns="version", values="n", aggfunc="sum").fillna(0.0).sort_index()
    first = {v: by.index[by[v] > 0][0] for v in by}
    order = sorted(by, key=lambda v: (first[v], str(v)))
    rows = []
    for version in order:
        if first[version] == by.index[0] or by[version].sum() < FEWEST:
            continue
        before = by.loc[: first[version]].iloc[:-1]
        old = str(before.sum().idxmax()) if before.to_numpy().sum() > 0 else None
        rest = by.drop(columns=version)
        others = rest.index[(rest.sum(axis=1) > 0) & (rest.index >= first[version])]
        until = others[-1].to_pydatetime() if len(others) and others[-1] < by.index[-1] else None
        here = by[by.index <= pd.Timestamp(at)].iloc[-1] if at is not None and by.index[0] <= at else by.iloc[-1]
        share = float(here[version] / here.sum()) if here.sum() > 0 else float("nan")
        rows.append(
            derived_row(
                "deploy", first[version].to_pydatetime(), f"{service} {version} appeared ({old} before)",
                service=service, until=until, before=old, after=str(version), fraction=share, name=str(version),
            )
        )  # fmt: skip
    return rows
