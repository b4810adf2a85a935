"""A small incident made by hand, for the tests of checks, hypotheses and playbooks.

02:00–02:15 healthy, migration 0042 at 02:15:00, requests fail from 02:15:10 on, rolled back at 02:18:00, well again
from 02:18:10 to 02:22. A harmless deploy of `web` at 02:13:00; a nightly job from 02:05 to 02:06.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kit.checks.frame_facts import FrameFacts
from kit.checks.windows import Windows

START = pd.Timestamp("2026-03-01T02:00Z")
STEP_S = 5
BINS = 264
PATH = [
    {
        "caller": "nginx",
        "callee": "checkout",
        "kind": "service",
        "leaves": ["nginx/upstream.duration.p99"],
        "arrives": [],
    },
    {"caller": "nginx", "callee": "web", "kind": "service", "leaves": [], "arrives": []},
    {
        "caller": "checkout",
        "callee": "postgres",
        "kind": "database",
        "leaves": ["checkout/db.client.operation.duration.p99"],
        "arrives": [],
    },
]
STATEMENT = "SELECT * FROM orders WHERE customer_id = ?"


def at(clock: str) -> pd.Timestamp:
    """The instant of a wall clock time on the day of the incident."""
    return pd.Timestamp(f"2026-03-01T{clock}Z")


def windows() -> Windows:
    return Windows.of(
        baseline=(at("02:00:00"), at("02:15:00")),
        incident=(at("02:15:10"), at("02:18:10")),
        whole=(at("02:00:00"), at("02:22:00")),
        onset=_Moment(at("02:15:00"), at("02:15:15")),
        recovered=_Moment(at("02:18:05"), at("02:18:20")),
    )


def changes(extra: list[Mapping[str, object]] | None = None) -> pd.DataFrame:
    rows = [
        change("c1", "02:05:00", "job", "postgres", "nightly report", until="02:06:00"),
        change("c2", "02:13:00", "deploy", "web", "web 2.1", before="2.0", after="2.1"),
        change("c3", "02:15:00", "schema", "postgres", "migration 0042"),
        change("c4", "02:18:00", "schema", "postgres", "migration 0042 down", reverts="migration 0042"),
        *(extra or []),
    ]
    return pd.DataFrame(rows).sort_values("time").reset_index(drop=True)


def change(
    id_: str,
    clock: str,
    kind: str,
    service: str | None,
    ref: str,
    *,
    until: str | None = None,
    reverts: str | None = None,
    before: str | None = None,
    after: str | None = None,
    takes_effect: str = "now",
) -> dict[str, object]:
    return {
        "id": id_, "time": at(clock), "until": at(until) if until else pd.NaT, "kind": kind, "service": service,
        "summary": ref, "ref": ref, "before": before, "after": after, "takes_effect": takes_effect, "reverts": reverts,
    }  # fmt: skip


def wide(*, seed: int = 7, ill: bool = True) -> pd.DataFrame:
    """Signals of nginx, checkout and postgres; CPU follows a little and stays far from its limit, traffic is flat."""
    rng = np.random.default_rng(seed)
    index = pd.date_range(START, periods=BINS, freq=f"{STEP_S}s")
    harm = ((index >= at("02:15:10")) & (index < at("02:18:10"))).astype(float) * ill

    def noise(size: float) -> np.ndarray:
        return rng.normal(0, size, BINS)

    return pd.DataFrame(
        {
            "nginx/requests.count": 200 + noise(10),
            "nginx/requests.errors_ratio": np.clip(0.002 + 0.4 * harm + noise(0.0005), 0, 1),
            "nginx/requests.duration.p99": 0.2 + 4.8 * harm + noise(0.01),
            "checkout/http.server.errors.ratio": np.clip(0.002 + 0.4 * harm + noise(0.0005), 0, 1),
            "checkout/db.client.operation.duration.p99": 0.02 + 1.5 * harm + noise(0.002),
            "checkout@c1/db.client.connection.usage_ratio.gauge": np.clip(0.3 + harm + noise(0.03), 0, 1),
            "checkout@c2/db.client.connection.usage_ratio.gauge": np.clip(0.3 + harm + noise(0.03), 0, 1),
            "checkout/cpu.usage_ratio.gauge": 0.30 + 0.05 * harm + noise(0.01),
            "web/http.server.errors.ratio": np.clip(0.002 + noise(0.0005), 0, 1),
        },
        index=index,
    )


def logs(*, ill: bool = True) -> dict[str, pd.DataFrame]:
    """postgres' slow-query log (sparse) and checkout's log, which says one INFO line a second."""
    slow = pd.date_range(at("02:15:05"), at("02:18:05"), freq="1s") if ill else pd.DatetimeIndex([], tz="UTC")
    few = pd.DatetimeIndex([at("02:05:10"), at("02:05:40")])
    times = few.append(slow)
    postgres = pd.DataFrame(
        {
            "time": times,
            "message": [f"duration: {1500 if t in slow else 300} ms" for t in times],
            "duration_s": [1.5 if t in slow else 0.3 for t in times],
            "db.query.summary": [STATEMENT if t in slow else "SELECT count(*) FROM orders" for t in times],
            "postgresql.plan": ["Seq Scan on orders" if t in slow else "Index Scan" for t in times],
            "weight": 1.0,
        }
    )
    talk = pd.date_range(START, periods=BINS * STEP_S, freq="1s")
    waits = pd.date_range(at("02:15:20"), at("02:18:05"), freq="1s") if ill else pd.DatetimeIndex([], tz="UTC")
    checkout = pd.DataFrame(
        {
            "time": talk.append(waits),
            "message": ["order placed"] * len(talk) + ["pool timeout after 5000 ms"] * len(waits),
            "weight": 1.0,
        }
    )
    return {"postgres": postgres, "checkout": checkout}


def facts(
    *, extra: list[Mapping[str, object]] | None = None, without: tuple[str, ...] = (), ill: bool = True, seed: int = 7
) -> FrameFacts:
    """The facts of the incident; `without` leaves out "wide", "changes" or the log of a service."""
    return FrameFacts(
        windows=windows(),
        wide=wide(ill=ill, seed=seed) if "wide" not in without else pd.DataFrame(),
        logs={k: v for k, v in logs(ill=ill).items() if k not in without},
        changes_frame=None if "changes" in without else changes(extra),
        evidence={
            "wide": ("ev_wide",),
            "changes": ("ev_changes",),
            "logs:postgres": ("ev_postgres",),
            "logs:checkout": ("ev_checkout",),
        },
        every_s=STEP_S,
    )


def suspects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ref": ["migration 0042", "web 2.1", "nightly report"],
            "rank": [1, 2, 3],
            "relation": ["within_uncertainty", "before", "before"],
        }
    )


class _Moment:
    def __init__(self, earliest: pd.Timestamp, latest: pd.Timestamp) -> None:
        self.earliest, self.latest = earliest, latest
