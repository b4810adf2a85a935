"""Calls to another service over HTTP: a client span, a time limit, retries as configured."""

import itertools
import time

import httpx

from common import log, trace
from common.settings import config
from common.web import CALLS, FAILED_CALLS, Refused

_turn = itertools.count()


class Peer:
    """Another service, under one or several addresses that take turns."""

    def __init__(self, name: str, addresses: list[str], verify=True, keep_alive: int = 20):
        self.name, self.addresses = name, addresses
        limits = httpx.Limits(max_keepalive_connections=keep_alive)
        self.client = httpx.Client(verify=verify, limits=limits)

    def post(self, path: str, body: dict, headers: dict) -> dict:
        policy = config.get(f"call.{self.name}", {})
        attempts, limit = 1 + policy.get("retries", 1), policy.get("timeout_s", 1.5)
        for attempt in range(1, attempts + 1):
            try:
                return self._once(path, body, headers, limit, attempt)
            except Refused as error:
                if attempt == attempts or error.status < 500:
                    raise
                time.sleep(policy.get("backoff_s", 0.1) * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _once(self, path: str, body: dict, headers: dict, limit: float, attempt: int) -> dict:
        address = self.addresses[next(_turn) % len(self.addresses)]
        started = time.monotonic()
        kind = None
        with trace.span(
            f"POST {path}", trace.CLIENT, peer__service=self.name, server__address=address, http__request__method="POST"
        ) as span:
            if attempt > 1:
                span.attributes["http.request.resend_count"] = attempt - 1
            sent = headers | {"traceparent": span.traceparent}
            try:
                answer = self.client.post(address + path, json=body, headers=sent, timeout=limit)
                span.attributes["http.response.status_code"] = answer.status_code
                if answer.status_code < 400:
                    return answer.json()
                kind, message = str(answer.status_code), answer.text[:200]
            except httpx.TimeoutException:
                kind, message = "timeout", f"no answer within {limit:.2f} s"
            except httpx.TransportError as error:
                kind, message = type(error).__name__, str(error)
            finally:
                CALLS.labels(self.name).observe(time.monotonic() - started)
                span.failed = kind
            FAILED_CALLS.labels(self.name).inc()
            text = f"call to {self.name} failed (attempt {attempt}): {message}"
            log.write("warn", text, **{"error.type": kind, "peer.service": self.name, "attempt": attempt})
        status = int(kind) if kind.isdigit() and int(kind) < 500 else 504 if kind == "timeout" else 502
        raise Refused(status, f"{self.name.replace('-', '_')}_{kind}", text)
