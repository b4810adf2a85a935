"""A third party's service: its telemetry is its own and no part of a recording."""

import asyncio
import random

from common.settings import config
from common.web import Refused, service
from fastapi import Request

app = service(quiet=True)


@app.post("/score")
async def score(request: Request):
    body = await request.json()
    mean = config.get("fraud.delay_s", 0.04)
    await asyncio.sleep(random.uniform(0.8, 1.2) * mean)
    if random.random() < config.get("fraud.error_rate", 0.0):
        raise Refused(500, "internal", "internal error")
    return {"score": round(random.random() * (0.9 if body["total"] < 50_000 else 1.0), 3)}
