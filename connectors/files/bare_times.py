"""Which of the bare numbers that an access log's lines end with is how long the request took?

Very many configurations of nginx append `$request_time` and `$upstream_response_time` without a name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa

LOOKED_AT = 1_000
"""So many of a file's first lines are looked at."""
_SECONDS = re.compile(r"\d{1,5}\.\d{1,6}")
_ATTEMPTS = re.compile(r"-|\d{1,5}\.\d{3}(?:(?:, | : )(?:-|\d{1,5}\.\d{3}))*")


def bare_times(rows: pa.Table, *, spoken_for: Collection[str] = ()) -> dict[str, str]:
    """Which of the columns `extra.1`, `extra.2` … is `request_time`, and which `upstream_response_time`?

    A request's time is a number with decimals on every line, an upstream's one with three, a list of them, or `-`
    where nothing was asked; of two that could be the request's it is the longer. A single column is only ever the
    request's. Empty where no column is like that, or a time is there by
    its name. `spoken_for`: columns that somebody has named, which are not guessed
    at. It can mislead where another number with decimals (a compression ratio) stands on every line: it is said
    wherever it is used.

    >>> rows = pa.table({"extra.1": ["0.204", "0.003"], "extra.2": ["0.100, 0.100", "-"], "extra.3": ["77", "3"]})
    >>> bare_times(rows)
    {'extra.1': 'request_time', 'extra.2': 'upstream_response_time'}
    >>> bare_times(rows.select(["extra.3"])), bare_times(rows.select(["extra.2"]))
    ({}, {})
    """
    shown = {
        name: rows.column(name).slice(0, LOOKED_AT).cast(pa.string()).to_pylist()
        for name in rows.column_names
        if name.startswith("extra.") and name not in spoken_for
    }
    whole = {name: sum(map(float, texts)) for name, texts in shown.items() if texts and _all(_SECONDS, texts)}
    if not whole or "request_time" in rows.column_names:
        return {}
    request = max(whole, key=lambda name: whole[name])  # of equals the first
    upstream = (
        []
        if "upstream_response_time" in rows.column_names
        else [name for name, texts in shown.items() if name != request and _all(_ATTEMPTS, texts)]
    )
    return {request: "request_time"} | ({upstream[0]: "upstream_response_time"} if len(upstream) == 1 else {})


def _all(form: re.Pattern[str], texts: Iterable[str | None]) -> bool:
    return all(text is not None and form.fullmatch(text) for text in texts)


def said(found: Mapping[str, str], label: str) -> list[str]:
    """What a person is told of such a guess, and how to say otherwise.

    >>> said({"extra.1": "request_time"}, "access.log")[0][:72]
    'access.log: the number without a name that its lines end with (extra.1) '
    """
    meant = {"request_time": "how long a request took", "upstream_response_time": "what the upstream took of it"}
    return [
        f"{label}: the number without a name that its lines end with ({column}) is taken for {meant[name]}, in seconds;"
        f' if it is something else, name it with fields = {{ other = "{column}" }} in sources.toml'
        for column, name in found.items()
    ]
