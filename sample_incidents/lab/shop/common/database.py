"""Connections to PostgreSQL, from pools of a fixed size; a request that gets none within the limit fails."""

import os
import time

import psycopg
from prometheus_client import Counter, Gauge, Histogram
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from common import identity, log, trace

_name = identity.SERVICE.replace("-", "_")
IN_USE = Gauge(f"{_name}_db_pool_in_use", "Connections in use", ["pool"])
SIZE = Gauge(f"{_name}_db_pool_size", "Size of the pool", ["pool"])
WAITING = Gauge(f"{_name}_db_pool_waiting", "Requests that wait for a connection", ["pool"])
SECONDS = Histogram(
    f"{_name}_db_operation_duration_seconds", "Time of a statement, without the wait for a connection", ["pool"],
    buckets=(0.025, 0.1, 0.5, 1.0, 2.5, 5.0),
)  # fmt: skip
TIMEOUTS = Counter(f"{_name}_db_pool_timeouts", "Requests that got no connection in time", ["pool"])


class NoConnection(Exception):
    """No connection of the pool became free in time."""

    error_type = "pool_timeout"


class Pool:
    """A named pool; `run` is one statement in a transaction of its own."""

    def __init__(self, name: str, size: int, wait_s: float = 1.0):
        self.name, self.size, self.wait_s = name, size, wait_s
        self.pool = ConnectionPool(
            os.environ["SHOP_DATABASE"], min_size=size, max_size=size, timeout=wait_s, open=True,
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": identity.INSTANCE},
        )  # fmt: skip
        SIZE.labels(name).set(size)
        IN_USE.labels(name).set_function(self.in_use)
        WAITING.labels(name).set_function(lambda: self.pool.get_stats().get("requests_waiting", 0))
        TIMEOUTS.labels(name)

    def in_use(self) -> int:
        stats = self.pool.get_stats()
        return min(self.size, stats.get("pool_size", 0) - stats.get("pool_available", 0))

    def run(self, operation: str, collection: str, sql: str, parameters: tuple = ()) -> list[dict]:
        asked = time.monotonic()
        try:
            connection = self.pool.getconn()
        except PoolTimeout:
            TIMEOUTS.labels(self.name).inc()
            waiting = self.pool.get_stats().get("requests_waiting", 0)
            message = (
                f"no free connection in pool {self.name} after {self.wait_s:.2f} s "
                f"({self.in_use()} of {self.size} in use, {waiting} waiting)"
            )
            log.write("error", message, **{"error.type": "pool_timeout"})
            raise NoConnection(message) from None
        begun = time.monotonic()
        waited = begun - asked
        try:
            with trace.span(
                f"{operation} {collection}", trace.CLIENT, db__system="postgresql", db__operation__name=operation,
                db__collection__name=collection, db__query__text=sql, peer__service="postgres",
                db__client__connection__pool__name=self.name, db__client__connection__wait_s=round(waited, 4),
            ):  # fmt: skip
                cursor = connection.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            log.write("error", f"{operation} {collection}: {error}".strip(), **{"error.type": type(error).__name__})
            raise
        finally:
            SECONDS.labels(self.name).observe(time.monotonic() - begun)
            self.pool.putconn(connection)
