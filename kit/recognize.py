"""What stands at this address? A backend is known by its answer to one cheap question, not by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.credentials import credential_for, origin_of
from connectors.errors import AccessDenied, BadInput, ConnectorError, SourceUnavailable
from connectors.http import Http
from connectors.registry import kinds

SECONDS = 8.0


def recognize(address: str) -> dict[str, dict[str, Any]]:
    """Which sources does this http address offer? Entries for `sources.toml`, by a name made from host and kind.

    An Elasticsearch or OpenSearch address may name indices in its path (`…:9200/logs-*`); without them all are meant.
    Raises `SourceUnavailable` when nothing answers, `AccessDenied` when it does and refuses, `BadInput` when what
    answers is none of the kinds that are read.
    """
    origin_of(address)
    parts = urlsplit(address)
    base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    host = re.sub(r"[^a-z0-9]+", "-", (parts.hostname or "source").lower()).strip("-")
    known = kinds()
    welcome = _answer(base, "")
    version = welcome.get("version") if isinstance(welcome, Mapping) else None
    if isinstance(version, Mapping) and "cluster_name" in welcome:
        kind = "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
        _must_be_read(kind, known, address)
        return {f"{host}-logs": {"kind": kind, "table": "logs", "url": base, "index": parts.path.strip("/") or "*"}}
    url = address.rstrip("/")
    built = _answer(url, "api/v1/status/buildinfo")
    if isinstance(built, Mapping) and built.get("status") == "success":
        return {f"{host}-{t}": {"kind": "prometheus", "table": t, "url": url} for t in ("alerts", "metrics")}
    services = _answer(url, "api/services")
    if isinstance(services, Mapping) and isinstance(services.get("data"), list):
        _must_be_read("jaeger", known, address)
        return {f"{host}-spans": {"kind": "jaeger", "table": "spans", "url": url}}
    raise BadInput(
        f"What answers at {base} is no backend that is read ({', '.join(sorted(known))}): check the address, or "
        "describe the source in a case's sources.toml."
    )


def _must_be_read(kind: str, known: Mapping[str, str], address: str) -> None:
    if kind not in known:
        raise BadInput(f"{address} is {kind}, for which this installation has no connector: install one.")


def _answer(base: str, path: str) -> Any:
    """The JSON at this path; None where the server has no such path or says something else."""
    http = Http(base, credential=credential_for(origin_of(base)), timeout_s=SECONDS, deadline_s=SECONDS)
    try:
        return http.ask("GET", path)
    except (SourceUnavailable, AccessDenied):
        raise
    except ConnectorError:
        return None
