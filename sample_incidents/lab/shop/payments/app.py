"""Charges cards, after the third party `fraud-check` has agreed."""

import os
import ssl
import threading
from contextlib import contextmanager

from common.call import Peer
from common.database import Pool
from common.settings import config
from common.web import Refused, service
from fastapi import Request
from starlette.concurrency import run_in_threadpool

app = service()
main = Pool("main", config.get("pool.payments", 4))
trusted = ssl.create_default_context(cafile=os.environ["SHOP_TRUSTED"])
fraud_check = Peer("fraud-check", [os.environ["SHOP_FRAUD_CHECK"]], verify=trusted, keep_alive=0)
slots = threading.Semaphore(config.get("payments.slots", 8))


@contextmanager
def slot():
    """One of the slots that the card terminal's licence allows at a time."""
    if not slots.acquire(timeout=config.get("payments.slot_wait_s", 5.0)):
        raise Refused(503, "no_slot", "no free slot for a charge")
    try:
        yield
    finally:
        slots.release()


@app.post("/charge")
async def charge(request: Request):
    body = await request.json()
    names = ("x-region", "x-plan", "x-request-id")
    return await run_in_threadpool(_charge, body, {n: request.headers.get(n, "") for n in names})


def _charge(body: dict, headers: dict) -> dict:
    with slot():
        verdict = fraud_check.post("/score", {"customer": body["customer"], "total": body["total"]}, headers)
        if verdict["score"] > 0.995:
            raise Refused(402, "fraud_suspected", "the charge was declined")
        sql = "INSERT INTO payments (customer_id, total, score) VALUES (%s, %s, %s) RETURNING id"
        made = main.run("INSERT", "payments", sql, (body["customer"], body["total"], verdict["score"]))[0]
        return {"charge": made["id"]}
