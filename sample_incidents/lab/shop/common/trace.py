"""A tiny tracer: W3C traceparent in and out, head sampling decided by the caller, OTLP/JSON lines to a file.

Each line is one ExportTraceServiceRequest, as the OpenTelemetry collector's file exporter writes them.
"""

import atexit
import itertools
import json
import os
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from common import identity
from common.settings import clock_s

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5


@dataclass
class Span:
    """One operation under way; only sampled ones are written."""

    trace_id: str
    span_id: str
    parent_id: str
    sampled: bool
    name: str
    kind: int
    attributes: dict = field(default_factory=dict)
    failed: str | None = None

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


current: ContextVar[Span | None] = ContextVar("current", default=None)
_prefix = os.urandom(4).hex()
_count = itertools.count(1)
_waiting: list[dict] = []
_lock = threading.Lock()
_path = Path(os.environ["SHOP_TRACES"])


def new_span_id() -> str:
    return f"{_prefix}{next(_count) & 0xFFFFFFFF:08x}"


@contextmanager
def span(name: str, kind: int = INTERNAL, *, parent: str | None = None, **attributes):
    """The operation within the block; `parent` is a traceparent header, otherwise the span around this one."""
    around = current.get()
    if parent:
        _, trace_id, parent_id, sampled = parent.split("-")
        this = Span(trace_id, new_span_id(), parent_id, sampled == "01", name, kind)
    elif around is not None:
        this = Span(around.trace_id, new_span_id(), around.span_id, around.sampled, name, kind)
    else:
        this = Span(os.urandom(16).hex(), new_span_id(), "", False, name, kind)
    this.attributes |= {k.replace("__", "."): v for k, v in attributes.items() if v is not None}
    token = current.set(this)
    start = int(clock_s() * 1e9)
    try:
        yield this
    except Exception as error:
        this.failed = this.failed or type(error).__name__
        raise
    finally:
        current.reset(token)
        if this.sampled:
            _keep(this, start, int(clock_s() * 1e9))


def _keep(this: Span, start: int, end: int) -> None:
    record = {"traceId": this.trace_id, "spanId": this.span_id, "parentSpanId": this.parent_id, "name": this.name}
    record |= {"kind": this.kind, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
    attributes = this.attributes | ({"error.type": this.failed} if this.failed else {})
    record["attributes"] = [{"key": k, "value": _value(v)} for k, v in attributes.items()]
    record["status"] = {"code": 2, "message": this.failed} if this.failed else {}
    with _lock:
        _waiting.append(record)


def _value(value) -> dict:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def _resource() -> dict:
    words = {
        "service.name": identity.SERVICE, "service.instance.id": identity.INSTANCE, "service.version": identity.VERSION,
        "cloud.availability_zone": identity.ZONE, "host.name": identity.INSTANCE,
        "sampling.rate": float(os.environ.get("SHOP_SAMPLING", "1")),
    }  # fmt: skip
    return {"attributes": [{"key": k, "value": _value(v)} for k, v in words.items()]}


def flush() -> None:
    with _lock:
        spans, _waiting[:] = list(_waiting), []
    if spans:
        scope = {"scope": {"name": "shop.common.trace", "version": "1.0"}, "spans": spans}
        line = {"resourceSpans": [{"resource": _resource(), "scopeSpans": [scope]}]}
        with _path.open("a") as file:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _flush_for_ever() -> None:
    while True:
        time.sleep(2)
        flush()


threading.Thread(target=_flush_for_ever, daemon=True).start()
atexit.register(flush)
