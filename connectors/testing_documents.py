"""The documents that every log source is held to, and the filters that are tried on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from connectors.schema import conform
from connectors.window import Window

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
NOTHING = Window.of("2026-02-01T00:00Z", "2026-02-01T01:00Z")

FILTERS = (
    "http.response.status_code = 503",
    "http.response.status_code <> 200",
    "NOT http.response.status_code = 200",
    "http.response.status_code >= 500 AND route = '/pay'",
    "http.response.status_code IN (503, 404)",
    "http.response.status_code NOT IN (200)",
    "http.response.status_code BETWEEN 400 AND 499",
    "http.response.status_code NOT BETWEEN 200 AND 299",
    "http.response.status_code IS NULL",
    "http.response.status_code IS NOT NULL",
    "duration_s > 0.5",
    "duration_s <= 0.25",
    "NOT duration_s > 0.5",
    "route = '/pay' OR route = '/cart'",
    "route <> '/pay'",
    "NOT (route = '/pay' OR duration_s < 0.5)",
    "NOT (route = '/pay' AND duration_s < 0.5)",
    "route IN ('/pay', '/none')",
    "route IS NULL",
    "level >= 'WARN'",
    "level < 'WARN'",
    "NOT level >= 'WARN'",
    "level = 'error'",
    "level BETWEEN 'INFO' AND 'WARN'",
    "cache.hit = TRUE",
    "cache.hit <> TRUE",
    "has(message, 'pool timeout')",
    "has(message, 'TIMEOUT')",
    "has(message, 'timeout pool')",
    "NOT has(message, 'pool')",
    "user-agent.name = 'it''s \"quoted\" \\ 100%'",
    "time >= '2026-03-01T02:30:00Z'",
    "service = 'checkout' AND NOT (level = 'INFO' OR route IS NULL)",
)
"""Filters that use every part of the grammar on the contract's documents."""


def contract_documents(*, weighted: bool = False) -> pa.Table:
    """The documents of the contract: 700 LOGS rows around one hour, small enough to reason about.

    Twenty rows stand before the hour, one exactly at its start, one exactly at its end, twenty after. Text, numbers,
    truth values and levels are missing here and there; times tie in fives; ids are unique. With `weighted`, every
    fourth row stands for four.
    """
    numbers = range(700)
    seconds = [-100 + 5 * i for i in range(20)] + [0] + [(i // 5) * 27.0 for i in range(1, 659)] + [3600]
    seconds += [3610 + i for i in range(20)]
    routes = ["/home", "/home", "/cart", "/pay", "/home", None, "/cart", "/search", "/pay", "/home", "/rare"]
    texts = ["Pool timeout after 5 s", "pooling is fine", "served", None, "timeout: pool gone", "ok\nPOOL  timeout!"]
    agents = ["curl", 'it\'s "quoted" \\ 100%', None, "curl", "kube-probe"]
    status = [200, 200, 503, 200, None, 404, 200]
    columns = {
        "time": pa.array([START + timedelta(seconds=s) for s in seconds], pa.timestamp("us", "UTC")),
        "seq": pa.array(numbers, pa.int64()),
        "service": pa.array([("checkout", "cart", "checkout")[i % 3] for i in numbers]),
        "host": pa.array([f"host-{i * i % 90 % 37:02d}" for i in numbers]),
        "level": pa.array([("INFO", "ERROR", "INFO", None, "WARN", "DEBUG")[i % 6] for i in numbers], pa.string()),
        "message": pa.array([texts[i % 6] for i in numbers], pa.string()),
        "id": pa.array([f"doc-{i:04d}" for i in numbers]),
        "route": pa.array([routes[i % 11] for i in numbers], pa.string()),
        "weight": pa.array([4.0 if weighted and i % 4 == 0 else 1.0 for i in numbers]),
        "http.response.status_code": pa.array([status[i % 7] for i in numbers], pa.int64()),
        "duration_s": pa.array([None if i % 13 == 5 else round(0.001 * (i * 37 % 1000), 3) for i in numbers]),
        "cache.hit": pa.array([(True, False, None)[i % 3] for i in numbers]),
        "user-agent.name": pa.array([agents[i % 5] for i in numbers], pa.string()),
    }
    return conform(pa.table(columns), "LOGS")
