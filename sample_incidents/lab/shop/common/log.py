"""Structured log lines: one JSON object a line, with the ids of the trace they belong to."""

import json
import os
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

from common import identity, trace
from common.settings import clock_s, config

_file = Path(os.environ["SHOP_LOG"]).open("a", buffering=1)  # noqa: SIM115
_lock = threading.Lock()


def write(level: str, message: str, **fields) -> None:
    """Writes one line; fields whose value is None are left out."""
    now = datetime.fromtimestamp(clock_s(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": now, "level": level, "message": message, "service": identity.SERVICE}
    line |= {"instance": identity.INSTANCE, "zone": identity.ZONE, "version": identity.VERSION}
    here = trace.current.get()
    if here is not None:
        line |= {"trace_id": here.trace_id, "span_id": here.span_id}
    line |= {k: v for k, v in fields.items() if v is not None}
    text = json.dumps(line, separators=(",", ":"))
    shipper = config.get(f"shipper.{identity.INSTANCE}", {})
    times = 0 if random.random() < shipper.get("drop", 0) else 2 if random.random() < shipper.get("double", 0) else 1
    with _lock:
        _file.write((text + "\n") * times)
