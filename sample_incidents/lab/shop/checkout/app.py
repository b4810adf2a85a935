"""The shop's front service."""

import json
import os
import time
from pathlib import Path

import redis
from common import trace
from common.call import Peer
from common.database import Pool
from common.settings import config, flag_on
from common.web import Refused, service
from fastapi import Request

from checkout import pricing

app = service()
reads = Pool("reads", config.get("pool.reads", 2), config.get("pool.wait_s", 1.0))
main = Pool("main", config.get("pool.main", 5), config.get("pool.wait_s", 1.0))
payments = Peer("payments", os.environ["SHOP_PAYMENTS"].split(","))
queue = redis.Redis.from_url(os.environ["SHOP_QUEUE"], socket_timeout=1.0)
journal = Path(os.environ["SHOP_JOURNAL"])


def known(request: Request) -> tuple[str, str]:
    """The user's region and plan; who is not let in is refused."""
    audience = request.headers.get("authorization", "").removeprefix("Bearer ").partition(".")[0]
    if audience not in config.get("auth.audiences", []):
        raise Refused(401, "audience_refused", f"token audience {audience or 'none'} is not accepted")
    return request.headers.get("x-region", "eu"), request.headers.get("x-plan", "free")


@app.get("/catalog/{page}")
def catalog(page: int):
    sql = "SELECT id, name, price FROM products WHERE page = %s ORDER BY id"
    return {"products": main.run("SELECT", "products", sql, (page,))}


@app.get("/orders")
def orders_of(customer: int, request: Request):
    known(request)
    sql = "SELECT id, total, state, created_at FROM orders WHERE customer_id = %s ORDER BY created_at DESC LIMIT 20"
    return {"orders": reads.run("SELECT", "orders", sql, (customer,))}


@app.get("/orders/{order_id}")
def order(order_id: int, request: Request):
    known(request)
    found = main.run("SELECT", "orders", "SELECT id, total, state, note FROM orders WHERE id = %s", (order_id,))
    if not found:
        raise Refused(404, "no_such_order", f"order {order_id} does not exist")
    return found[0]


@app.post("/cart")
async def cart(request: Request):
    body = await request.json()
    known(request)
    return await _in_thread(_add_to_cart, body)


@app.post("/pay")
async def pay(request: Request):
    body = await request.json()
    region, plan = known(request)
    return await _in_thread(_pay, body, region, plan, request.headers.get("x-request-id", ""))


async def _in_thread(work, *arguments):
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(work, *arguments)


def _add_to_cart(body: dict) -> dict:
    sql = "INSERT INTO carts (customer_id, product_id, amount) VALUES (%s, %s, %s) RETURNING id"
    return main.run("INSERT", "carts", sql, (body["customer"], body["product"], body["amount"]))[0]


def _pay(body: dict, region: str, plan: str, request_id: str) -> dict:
    price = pricing.quote_rounded if flag_on("rounded_prices", region=region, plan=plan) else pricing.quote
    total = price(body["amount"], region=region, plan=plan)
    headers = {"x-region": region, "x-plan": plan, "x-request-id": request_id}
    paid = payments.post("/charge", {"customer": body["customer"], "total": total}, headers)
    sql = "INSERT INTO orders (customer_id, total, state, note) VALUES (%s, %s, 'paid', %s) RETURNING id"
    made = main.run("INSERT", "orders", sql, (body["customer"], total, f"charge {paid['charge']}"))[0]
    with (journal / f"{os.environ['SHOP_INSTANCE']}.journal").open("a") as file:
        file.write(json.dumps({"order": made["id"], "total": total, "body": body, "pad": "." * 200}) + "\n")
    with trace.span("receipts publish", trace.PRODUCER, messaging__system="redis", peer__service="receipts") as span:
        receipt = {"order": made["id"], "at": time.time(), "traceparent": span.traceparent}
        queue.lpush("receipts", json.dumps(receipt))
    return {"order": made["id"], "charge": paid["charge"]}
