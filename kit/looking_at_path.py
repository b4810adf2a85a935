"""Who calls whom, as far as a new case's traces show it: a proposal for `path.toml`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from connectors.window import Window
from kit.traces import edges_of

if TYPE_CHECKING:
    from kit.case import Case

LAST = timedelta(minutes=10)
TRACES = 200
DATABASES = frozenset(
    {"postgresql", "postgres", "mysql", "mariadb", "mongodb", "redis", "memcached", "cassandra", "oracle", "mssql",
     "clickhouse", "elasticsearch", "opensearch", "dynamodb", "sqlite"}
)  # fmt: skip
QUEUES = frozenset({"kafka", "rabbitmq", "aws_sqs", "sqs", "activemq", "nats", "pulsar"})


def look_at_path(case: Case) -> tuple[list[dict[str, str]], list[str]]:
    """Which calls do up to 200 traces of the look's last ten minutes show? Rows of `path.toml`, and a sentence.

    The service of the users' requests stands before the services that nobody calls, where it writes no spans itself.
    Empty without traces. It can mislead where some services are not traced: their calls are missing, and what they call
    seems to be called by nobody.
    """
    parts = []
    last = Window(max(case.look.start, case.look.end - LAST), case.look.end)
    for source in case.sources("spans"):
        answer = case.ask("spans", lambda s=source: s.traces(last, n=TRACES, order="time"))
        if answer is not None and answer.table.num_rows:
            parts.append(answer.to_frame())
    if not parts:
        return [], []
    spans = pd.concat(parts, ignore_index=True)
    called = edges_of(spans).dropna(subset=["caller", "callee"])
    pairs = list(dict.fromkeys(zip(called["caller"].astype(str), called["callee"].astype(str), strict=True)))
    entry = case.catalog.requests.service if case.catalog.requests is not None else None
    known = {name for pair in pairs for name in pair}
    if entry is not None and entry not in known:
        tops = sorted(known - {callee for _, callee in pairs}) or sorted(set(spans["service"].dropna().astype(str)))
        pairs = [*((entry, top) for top in tops), *pairs]
    rows = [{"caller": a, "callee": b, **_kind(b)} for a, b in pairs]
    said = f"path.toml: {len(rows)} calls told from {spans['trace_id'].nunique()} traces; look them over."
    return rows, [said] if rows else []


def _kind(callee: str) -> dict[str, str]:
    """A database or queue by its name; a service else.

    >>> _kind("postgresql"), _kind("payments")
    ({'kind': 'database', 'mode': 'sync'}, {'kind': 'service', 'mode': 'sync'})
    """
    if callee.lower() in QUEUES:
        return {"kind": "queue", "mode": "async"}
    return {"kind": "database" if callee.lower() in DATABASES else "service", "mode": "sync"}
