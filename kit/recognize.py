"""What stands at this address? A backend is known by its answer to one cheap question, not by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import orjson

from connectors.credentials import credential_for, origin_of
from connectors.errors import BadInput
from connectors.http import Http, Reply
from connectors.registry import kinds
from connectors.services import service_label

SECONDS = 8.0


def recognize(address: str, *, authority: Path | None = None) -> dict[str, dict[str, Any]]:
    """Which sources does this http address offer? Entries for `sources.toml`, by a name made from host and kind.

    An Elasticsearch or OpenSearch address may name indices as the last part of its path (`…:9200/logs-*`); without
    them all are meant. `authority` is the file of a certificate to trust there. Raises `SourceUnavailable` when nothing
    answers, `AccessDenied` when it does and refuses, `BadInput` when what answers is none of the kinds that are read.
    """
    origin_of(address)
    parts = urlsplit(address)
    above, _, last = parts.path.rstrip("/").rpartition("/")
    base = urlunsplit((parts.scheme, parts.netloc, above if last else "", "", ""))
    host = re.sub(r"[^a-z0-9]+", "-", (parts.hostname or "source").lower()).strip("-")
    known = kinds()
    if kind := _search_server(_reply(base, "", authority)):
        _must_be_read(kind, known, address)
        return {f"{host}-logs": {"kind": kind, "table": "logs", "url": base, "index": unquote(last) or "*"}}
    url = address.rstrip("/")
    built = _json(_reply(url, "api/v1/status/buildinfo", authority))
    if isinstance(built, Mapping) and built.get("status") == "success":
        return {f"{host}-{t}": {"kind": "prometheus", "table": t, "url": url} for t in ("alerts", "metrics")}
    labels = _json(_reply(url, "loki/api/v1/labels?since=720h", authority))
    if isinstance(labels, Mapping) and labels.get("status") == "success":
        _must_be_read("loki", known, address)
        return {f"{host}-logs": {"kind": "loki", "table": "logs", "url": url, **_selector(labels.get("data") or ())}}
    services = _json(_reply(url, "api/services", authority))
    if isinstance(services, Mapping) and isinstance(services.get("data"), list):
        _must_be_read("jaeger", known, address)
        return {f"{host}-spans": {"kind": "jaeger", "table": "spans", "url": url}}
    raise BadInput(
        f"What answers at {base} is no backend that is read ({', '.join(sorted(known))}): check the address, or "
        "describe the source in a case's sources.toml."
    )


def _selector(labels: Sequence[str]) -> dict[str, str]:
    """The streams of a Loki that does not name its services: those that have a label that names them otherwise."""
    chosen = service_label(dict.fromkeys(labels, True))
    if chosen in (None, "service_name"):
        return {}
    return {"selector": f'{{{chosen}=~".+"}}'}


def _must_be_read(kind: str, known: Mapping[str, str], address: str) -> None:
    if kind not in known:
        raise BadInput(f"{address} is {kind}, for which this installation has no connector: install one.")


def _search_server(welcome: Reply) -> str | None:
    """elasticsearch or opensearch, told from the answer of its root; None where neither answers.

    A credential that may read indices need not be allowed to ask for the version: the refusal tells as well.
    """
    said = _json(welcome)
    said = said if isinstance(said, Mapping) else {}
    version = said.get("version")
    if isinstance(version, Mapping) and "cluster_name" in said:
        return "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
    if welcome.headers.get("x-elastic-product") == "Elasticsearch":
        return "elasticsearch"
    if welcome.status == 403 and "[cluster:monitor/main]" in str(said.get("error")):
        return "elasticsearch" if "unauthorized for" in str(said.get("error")) else "opensearch"
    return None


def _json(reply: Reply) -> Any:
    try:
        return orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        return None


def _reply(base: str, path: str, authority: Path | None) -> Reply:
    """The reply from this path; one without credentials that are known raises, as does silence."""
    http = Http(
        base, credential=credential_for(origin_of(base)), authority=str(authority) if authority else None,
        timeout_s=SECONDS, deadline_s=SECONDS,
    )  # fmt: skip
    try:
        reply = http.send("GET", path, final=lambda reply: True)
        if reply.status in (0, 401) or (reply.status == 403 and not _search_server(reply)):
            raise http.refusal(reply)
        return reply
    finally:
        http.close()
