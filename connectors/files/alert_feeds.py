"""Alerts as their tools report them in JSON: Alertmanager and Grafana (API and webhook), PagerDuty incidents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.changes_jsonl import moment
from connectors.files.json_rows import documents
from connectors.files.options import Options, Reading
from connectors.files.stream import Faults
from connectors.files.times import Clock

NAME = "alert_feeds"
TABLES = ("ALERTS",)

_SERVICE_LABELS = ("service", "service_name", "app", "application", "job", "workload", "deployment")


def sniff(head: bytes, name: str) -> bool:
    """Is it a list of alerts or incidents?

    >>> sniff(b'[{"labels":{"alertname":"High"},"startsAt":"2026-11-24T04:21:00Z"}]', "alerts.json")
    True
    """
    return (b'"startsAt"' in head and b'"labels"' in head) or (b'"incident_number"' in head and b'"urgency"' in head)


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which ALERTS does this document hold? An end that lies in the year 1 (Alertmanager's "none") is no end.

    `state` and `severity` are the tool's own words. Raises `BadInput` when nothing in it is an alert.
    """
    faults = Faults(label or path.name)
    clock = Clock(options.tz, options.year, faults.path)
    found: dict[str, dict[str, Any]] = {}
    unknown = 0
    for document in documents(path, faults):
        for item in _items(document):
            row = _alertmanager(item) if "startsAt" in item else _pagerduty(item) if "created_at" in item else None
            if row is None or (at := moment(row["time"], clock)) is None:
                unknown += 1
                continue
            until = moment(row["until"], clock)
            row["time"], row["until"] = at, until if until is not None and until > at else None
            row["service"] = options.service or row["service"]
            found[row["id"]] = row
    if unknown and not found:
        raise BadInput(f"{faults.path} holds no alert that is known: export Alertmanager's or PagerDuty's JSON.")
    if unknown:
        faults.missing.append(f"{unknown:,} records of {faults.path} are no alerts that are known and were left out")
    columns = {}
    for field in schema.ALERTS:
        type_ = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns[field.name] = pa.array([row.get(field.name) for row in found.values()], type_)
    table = schema.conform(pa.table(columns), "ALERTS").sort_by("time")
    return Reading(table, faults.sentences(), tuple(faults.notes))


def _items(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, list):
        for one in document:
            yield from _items(one)
    elif isinstance(document, dict):
        inner = next(
            (document[k] for k in ("alerts", "incidents", "data") if isinstance(document.get(k), list | dict)), None
        )
        if inner is not None and "startsAt" not in document:
            yield from _items(inner)
        else:
            yield document


def _alertmanager(item: Mapping[str, Any]) -> dict[str, Any]:
    labels = item.get("labels") or {}
    status = item.get("status")
    state = status.get("state") if isinstance(status, dict) else status
    name = str(labels.get("alertname") or "alert")
    return {
        "id": f"{item.get('fingerprint') or name}:{item['startsAt']}", "time": item["startsAt"], "name": name,
        "until": item.get("endsAt") if state not in ("firing", "active") else None, "severity": labels.get("severity"),
        "service": next((str(labels[n]) for n in _SERVICE_LABELS if labels.get(n)), None), "state": state,
        "url": item.get("generatorURL"),
    }  # fmt: skip


def _pagerduty(item: Mapping[str, Any]) -> dict[str, Any] | None:
    if "incident_number" not in item and "urgency" not in item:
        return None
    resolved = item.get("status") == "resolved"
    return {
        "id": str(item.get("id")), "time": item["created_at"], "name": str(item.get("title") or item.get("summary")),
        "until": item.get("resolved_at") or (item.get("last_status_change_at") if resolved else None),
        "severity": item.get("urgency"), "service": (item.get("service") or {}).get("summary"),
        "state": item.get("status"), "url": item.get("html_url"),
    }  # fmt: skip
