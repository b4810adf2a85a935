"""Are failing requests told from the others by a place, a version or a client?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from kit.signs.sign import Sign


def split_signs(
    differences: pd.DataFrame | None,
    places: Sequence[Any] | None = None,
    *,
    compared: Collection[str] | None = None,
) -> list[Sign]:
    """Are most hurt requests of one place, one version, one client? `places` from `find_places`, at each hop's own.

    `compared`: the fields by which they were compared; None: by all. What the requests do not carry is unknown.
    """
    names = {
        "location_splits": ("zone", "host", "instance", "region", "upstream.address", "node", "pod"),
        "version_splits": ("version", "service.version"),
        "one_client": ("client", "user_agent.original", "client.version", "tenant"),
    }
    if differences is None:
        return [Sign(n, None, "failing and good requests were not compared") for n in names]
    found = []
    for name, fields in names.items():
        if compared is not None and not set(fields) & set(compared):
            found.append(Sign(name, None, f"the requests carry no {fields[0]}"))
            continue
        rows = [
            r
            for r in differences.itertuples()
            if r.sign in ("+", "more", 1) and r.depth == 1 and any(f in r.fields for f in fields) and r.explains >= 0.5
        ]
        found.append(
            Sign(
                name,
                bool(rows),
                f"{rows[0].predicate}: {rows[0].bad_share:.0%} of failing, {rows[0].good_share:.0%} of good"
                if rows
                else f"failing requests do not differ by {fields[0]}",
            )
        )
    if places:
        return [Sign("location_splits", True, places[-1].text), *found[1:]]
    return found
