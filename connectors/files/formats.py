"""Which formats are there, and which of them is this file?"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from connectors.errors import BadInput
from connectors.files.stream import Faults, head, raw_head

FORMATS = (
    "otlp_protobuf", "otlp_json", "jaeger_json", "nginx_json", "postgres_jsonlog", "changes_jsonl", "alert_feeds",
    "change_feeds", "pem", "log_answers", "json_lines", "openmetrics", "combined",
    "changes_csv", "text",
)  # fmt: skip
"""One module each in this package; asked in this order, the more particular before the more general."""
BINARY = frozenset({"otlp_protobuf"})
"""Formats that are no text: told by the raw bytes."""
ALIASES = {
    "otlp": "otlp_json",
    "tempo": "otlp_json",
    "tempo_json": "otlp_json",
    "loki_json": "log_answers",
    "elasticsearch_json": "log_answers",
    "coralogix": "log_answers",
    "jaeger": "jaeger_json",
    "zipkin": "jaeger_json",
    "zipkin_json": "jaeger_json",
    "apache": "combined",
    "common": "combined",
    "syslog": "text",
    "logfmt": "text",
    "prometheus_text": "openmetrics",
}


def reader(name: str) -> ModuleType:
    """The module that reads this format. Raises `BadInput` with near-misses when there is none of that name.

    >>> reader("nginx_json").TABLES
    ('LOGS',)
    """
    import difflib

    name = ALIASES.get(name, name)
    if name not in FORMATS:
        near = difflib.get_close_matches(name, [*FORMATS, *ALIASES], 2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(FORMATS)}."
        raise BadInput(f"There is no file format {name!r}: {hint}")
    return importlib.import_module(f"connectors.files.{name}")


def sniff(path: Path) -> str:
    """Which format has this file? Told by its content, decompressed; the name only helps.

    Raises `BadInput` when it is empty or of no format that is known, with what to do.
    """
    raw, start = raw_head(path, Faults(path.name)), head(path)
    if not start.strip():
        raise BadInput(f'{path.name} is empty: nothing tells its format; name it with format = "…".')
    for name in FORMATS:
        if reader(name).sniff(raw if name in BINARY else start, path.name):
            return name
    shown = start[:60].decode("utf-8", "replace").splitlines()[0] if start else ""
    raise BadInput(
        f'{path.name} has no format that is known (it begins with {shown!r}): name one with format = "…"; there are '
        f"{', '.join(FORMATS)}."
    )


def table_in(path: Path, name: str) -> str:
    """Which canonical table does this file of the format `name` hold? LOGS, METRICS, SPANS, CHANGES or ALERTS.

    Formats that can hold several say it in their first bytes.
    """
    module = reader(name)
    if len(module.TABLES) == 1:
        return module.TABLES[0]
    return module.table_of(raw_head(path, Faults(path.name)) if name in BINARY else head(path)) or module.TABLES[0]
