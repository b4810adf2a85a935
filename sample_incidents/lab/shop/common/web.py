"""What every web service of the shop does with a request: a span, a log line, metrics, and errors as JSON."""

import time
import traceback

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram, generate_latest

from common import log, trace
from common.database import NoConnection

BUCKETS = (0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SECONDS = Histogram("http_server_request_duration_seconds", "Time to answer", ["route"], buckets=BUCKETS)
REQUESTS = Counter("http_server_requests", "Requests answered", ["route", "status"])
ERRORS = Counter("http_server_errors", "Requests answered with 5xx", ["route"])
CALLS = Histogram("http_client_request_duration_seconds", "Time of calls to others", ["peer"], buckets=BUCKETS)
FAILED_CALLS = Counter("http_client_request_failures", "Calls to others that failed", ["peer"])


class Refused(Exception):
    """A request that is answered with an error on purpose."""

    def __init__(self, status: int, error_type: str, message: str):
        super().__init__(message)
        self.status, self.error_type = status, error_type


def service(quiet: bool = False) -> FastAPI:
    """A FastAPI application with /healthz and /metrics, observed. `quiet`: no log line for requests that went well."""
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    async def healthz():
        return {"ok": True}

    @app.get("/metrics")
    async def metrics():
        return PlainTextResponse(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(NoConnection)
    async def no_connection(request: Request, error: NoConnection):
        request.state.error_type = error.error_type
        return JSONResponse({"error": error.error_type}, status_code=503)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused):
        request.state.error_type, request.state.reason = error.error_type, str(error)
        return JSONResponse({"error": error.error_type, "detail": str(error)}, status_code=error.status)

    app.add_middleware(Observed, quiet=quiet)
    return app


class Observed:
    """ASGI middleware: the server span, the request's log line and its metrics."""

    def __init__(self, app, quiet: bool):
        self.app, self.quiet = app, quiet

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] == "/metrics":
            return await self.app(scope, receive, send)
        headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
        status, started = 500, time.monotonic()
        state = scope.setdefault("state", {})

        async def keep_status(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with trace.span(scope["path"], trace.SERVER, parent=headers.get("traceparent")) as span:
            error = None
            try:
                await self.app(scope, receive, keep_status)
            except Exception as raised:
                error = raised
                where = traceback.format_exc(limit=-3)
                name = type(raised).__name__
                log.write("error", f"{name}: {raised}", **{"error.type": name, "exception.stacktrace": where})
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            took = time.monotonic() - started
            kind = type(error).__name__ if error else state.get("error_type")
            span.name = f"{scope['method']} {route}"
            span.attributes |= {"http.request.method": scope["method"], "http.route": route, "url.path": scope["path"]}
            span.attributes["http.response.status_code"] = status
            for header, name in (("x-region", "region"), ("x-plan", "tenant"), ("x-client", "client")):
                if header in headers:
                    span.attributes[name] = headers[header]
            if status >= 500:
                span.failed = kind or str(status)
            if route != "/healthz":
                SECONDS.labels(route).observe(took)
                REQUESTS.labels(route, str(status)).inc()
                ERRORS.labels(route).inc(status >= 500)
            if status >= 400 or not (self.quiet or route == "/healthz"):
                self.line(scope, headers, route, status, took, kind, state.get("reason"))

    @staticmethod
    def line(scope, headers, route, status, took, kind, reason) -> None:
        level = "error" if status >= 500 else "warn" if status >= 400 else "info"
        message = f"{scope['method']} {route} {status}" + (f": {reason}" if reason else "")
        log.write(
            level, message,
            **{
                "http.request.method": scope["method"], "route": route, "url.path": scope["path"],
                "http.response.status_code": status, "duration_s": round(took, 4), "error.type": kind,
                "region": headers.get("x-region"), "tenant": headers.get("x-plan"), "client": headers.get("x-client"),
                "http.request.id": headers.get("x-request-id"), "user_agent.original": headers.get("user-agent"),
            },
        )  # fmt: skip
