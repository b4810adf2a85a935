"""The users: an open stream of requests through the edge, each logged as its sender saw it.

Runs as a process of its own; reads its plan from a control file and follows it when it changes.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

ROUTES = {
    "catalog": "/catalog/{page}", "orders": "/orders", "order": "/orders/{order_id}", "cart": "/cart", "pay": "/pay",
}  # fmt: skip


class Users:
    """Sends requests at the planned rate and keeps the log."""

    def __init__(self, address: str, authority: str, plan: Path, log: Path, traces: Path, sampling: float, seed: int):
        self.address, self.plan_path, self.sampling = address, plan, sampling
        self.log, self.traces = log.open("a", buffering=1), traces.open("a", buffering=1)
        self.random = random.Random(seed)
        self.client = httpx.AsyncClient(
            verify=authority, limits=httpx.Limits(max_connections=200, max_keepalive_connections=40)
        )
        self.count = 0
        self.plan: dict = {}
        self.stamp = 0

    async def run(self) -> None:
        under_way: set[asyncio.Task] = set()
        due = time.monotonic()
        while True:
            self._look_at_plan()
            due = max(due + self.random.expovariate(self.plan["rate"]), time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one())
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    def _look_at_plan(self) -> None:
        stamp = self.plan_path.stat().st_mtime_ns
        if stamp != self.stamp:
            self.plan, self.stamp = json.loads(self.plan_path.read_text()), stamp

    def _pick(self, name: str) -> str:
        shares = self.plan[name]
        return self.random.choices(list(shares), list(shares.values()))[0]

    def _request(self, route: str, who: dict) -> tuple[str, str, dict | None]:
        customer = self.random.randint(1, 200_000)
        if route == "catalog":
            return "GET", f"/catalog/{1 + int(self.random.random() ** 2 * 60)}", None
        if route == "orders":
            return "GET", f"/orders?customer={customer}", None
        if route == "order":
            return "GET", f"/orders/{self.random.randint(1, 2_000_000)}", None
        if route == "cart":
            return "POST", "/cart", {"customer": customer, "product": self.random.randint(1, 1200), "amount": 1}
        body = {"customer": customer, "amount": self.random.randint(500, 20_000)}
        if who["client"] not in self.plan.get("clients_without_currency", ["ios-5.2"]):
            body["currency"] = {"eu": "EUR", "us": "USD", "ap": "JPY"}[who["region"]]
        return "POST", "/pay", body

    async def _one(self) -> None:
        self.count += 1
        route = self._pick("routes")
        who = {name: self._pick(name) for name in ("region", "tenant", "client")}
        if self.random.random() >= self.plan.get("kept_of_region", {}).get(who["region"], 1.0):
            return  # these users do not come through this edge at present
        method, path, body = self._request(route, who)
        # a time-ordered id: milliseconds, then the count
        trace_id = f"{int(time.time() * 1000):012x}7000{self.count:016x}"
        span_id, sampled = f"{self.count:016x}", self.random.random() < self.sampling
        audience = "shop-web" if who["client"].startswith("web") else "shop-app"
        headers = {
            "traceparent": f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}", "x-request-id": trace_id,
            "x-region": who["region"], "x-plan": who["tenant"], "x-client": who["client"],
            "user-agent": f"shop-{who['client']}",
            "authorization": f"Bearer {audience}.token",
        }  # fmt: skip
        started, begun = time.time_ns(), time.monotonic()
        status, kind, attempts = 0, None, 0
        while attempts <= self.plan["retries"]:
            attempts += 1
            status, kind = await self._send(method, path, body, headers)
            if 0 < status < 500:
                break
            if attempts <= self.plan["retries"]:
                await asyncio.sleep(self.plan["backoff_s"])
        self._write(method, path, ROUTES[route], status, kind, attempts, time.monotonic() - begun, trace_id, who)
        if sampled:
            self._trace(method, ROUTES[route], status, kind, trace_id, span_id, started, who)

    async def _send(self, method: str, path: str, body: dict | None, headers: dict) -> tuple[int, str | None]:
        try:
            answer = await self.client.request(
                method, self.address + path, json=body, headers=headers, timeout=self.plan["timeout_s"]
            )
            return answer.status_code, str(answer.status_code) if answer.status_code >= 400 else None
        except httpx.TimeoutException:
            return 0, "timeout"
        except httpx.ConnectError:
            return 0, "connection_refused"
        except httpx.TransportError:
            return 0, "reset"

    def _write(self, method, path, route, status, kind, attempts, took, trace_id, who) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        level = "error" if status >= 500 or not status else "warn" if status >= 400 else "info"
        line = {"time": now, "level": level, "message": f"{method} {route} {status}", "http.request.id": trace_id}
        line |= {
            "trace_id": trace_id,
            "http.request.method": method,
            "url.path": path.partition("?")[0],
            "route": route,
        }
        line |= {"http.response.status_code": status, "duration_s": round(took, 4), "attempts": attempts} | who
        if kind:
            line["error.type"] = kind
        self.log.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _trace(self, method, route, status, kind, trace_id, span_id, started, who) -> None:
        values = {"http.request.method": method, "http.route": route, "peer.service": "edge"} | who
        attributes = [{"key": k, "value": {"stringValue": v}} for k, v in values.items()]
        attributes.append({"key": "http.response.status_code", "value": {"intValue": str(status)}})
        failed = status == 0 or status >= 500
        if failed:
            attributes.append({"key": "error.type", "value": {"stringValue": kind or str(status)}})
        span = {"traceId": trace_id, "spanId": span_id, "parentSpanId": "", "name": f"{method} {route}", "kind": 3}
        span |= {"startTimeUnixNano": str(started), "endTimeUnixNano": str(time.time_ns()), "attributes": attributes}
        span["status"] = {"code": 2} if failed else {}
        resource = [{"key": "service.name", "value": {"stringValue": "client"}}]
        resource.append({"key": "sampling.rate", "value": {"doubleValue": self.sampling}})
        scope = {"scope": {"name": "shop.client", "version": "1.0"}, "spans": [span]}
        line = {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]}
        self.traces.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    address, authority, plan, log, traces, sampling, seed = sys.argv[1:]
    users = Users(address, authority, Path(plan), Path(log), Path(traces), float(sampling), int(seed))
    asyncio.run(users.run())
