"""Takes receipts from the queue and sends them."""

import json
import os
import time

import redis
from common import log, trace
from common.database import Pool
from common.settings import config
from prometheus_client import Counter, Gauge, start_http_server

DONE = Counter("worker_receipts", "Receipts sent")
AGE = Gauge("worker_receipt_age_seconds", "Age of the receipt taken last")
DEPTH = Gauge("worker_queue_depth", "Receipts in the queue")


def main() -> None:
    queue = redis.Redis.from_url(os.environ["SHOP_QUEUE"])
    pool = Pool("main", 1)
    DEPTH.set_function(lambda: queue.llen("receipts"))
    start_http_server(int(os.environ["SHOP_PORT"]), addr="127.0.0.1")
    log.write("info", "worker started")
    while True:
        item = queue.brpop(["receipts"], timeout=1)
        if item:
            send(json.loads(item[1]), pool)


def send(receipt: dict, pool: Pool) -> None:
    age = time.time() - receipt["at"]
    AGE.set(age)
    started = time.monotonic()
    with trace.span("receipts process", trace.CONSUMER, parent=receipt["traceparent"], messaging__system="redis"):
        time.sleep(config.get("worker.pace_s", 0.05))
        sql = "INSERT INTO receipts (order_id) VALUES (%s) RETURNING id"
        pool.run("INSERT", "receipts", sql, (receipt["order"],))
        took = round(time.monotonic() - started, 4)
        log.write("info", "receipt sent", **{"duration_s": took, "messaging.age_s": round(age, 3)})
    DONE.inc()


if __name__ == "__main__":
    main()
