"""A case small enough to be walked in seconds: twenty minutes of one entry log, one flag that makes /pay fail.

Requests come twice a second, on /pay and /cart in turn. From 02:12:00 to 02:16:00 every /pay answers 503 after 1.5 s;
otherwise all answer 200 after 0.05 s. The flag was switched at 02:12:00 and back at 02:16:00. Every hundredth line has
a field whose name is meant to break out of SQL, and a message meant to break out of HTML.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import orjson

from kit.walk import run_in_process, shipped_notebooks

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
INCIDENT = """\
id = "small"
title = "Payments fail"
tz = "UTC"
services = ["edge"]

[look]
start = 2026-03-01T02:00:00Z
end = 2026-03-01T02:20:00Z
"""
SOURCES = """\
[sources.edge]
kind = "files"
table = "logs"
format = "json_lines"
path = "raw/edge.jsonl"
service = "edge"

[sources.changes]
kind = "files"
table = "changes"
format = "changes_jsonl"
path = "raw/changes.jsonl"
"""
SIGNALS = """\
[requests]
source = "edge"
service = "edge"
"""
PATH = """\
[[edge]]
caller = "edge"
callee = "payments"
kind = "service"
"""


HOSTILE_FIELD = """x"'); COPY (SELECT 1) TO 'canary.csv'; -- <b>"""
HOSTILE_VALUE = (
    "<script>document.title='canary'</script><img src=x onerror=alert(1)> =cmd|' /C calc'!A0 {{7*7}} ${HOME}"
)


def make_case(folder: Path) -> Path:
    """The case, not walked yet."""
    (folder / "raw").mkdir(parents=True)
    for name, text in (("incident", INCIDENT), ("sources", SOURCES), ("signals", SIGNALS), ("path", PATH)):
        (folder / f"{name}.toml").write_text(text)
    (folder / "raw" / "edge.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in requests()))
    (folder / "raw" / "changes.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in changes()))
    return folder


def requests() -> list[dict[str, Any]]:
    """2,400 requests."""
    rows = []
    for i in range(2400):
        at = START + timedelta(seconds=i / 2)
        route = "/pay" if i % 2 else "/cart"
        ill = route == "/pay" and timedelta(minutes=12) <= at - START < timedelta(minutes=16)
        hostile = {HOSTILE_FIELD: HOSTILE_VALUE} if i % 100 == 0 else {}
        rows.append(
            {
                **hostile,
                "time": at.isoformat(),
                "service": "edge",
                "level": "ERROR" if ill else "INFO",
                "message": f"{'no answer from' if ill else 'answered'} payments for customer {i % 50}"
                + (f" {HOSTILE_VALUE}" if hostile else ""),
                "route": route,
                "http.response.status_code": 503 if ill else 200,
                "duration_s": 1.5 if ill else 0.05,
                "client": f"c{i % 7}",
            }
        )
    return rows


def changes() -> list[dict[str, Any]]:
    """A flag switched on and back."""
    on, off = START + timedelta(minutes=12), START + timedelta(minutes=16)
    common = {"kind": "flag", "service": "edge", "ref": "pay-v2"}
    return [
        {"id": "c1", "time": on.isoformat(), "summary": "pay-v2 on", "before": "off", "after": "on", **common},
        {"id": "c2", "time": off.isoformat(), "summary": "pay-v2 off", "before": "on", "after": "off", **common},
    ]


def walk(folder: Path) -> Path:
    """Walk the case in this process, and leave the executed notebooks as a kernel would."""
    shown: dict[tuple[str, int], Any] = {}
    run_in_process(folder, show=lambda notebook, cell, data: shown.__setitem__((notebook, cell), dict(data)))
    (folder / "notebooks").mkdir(exist_ok=True)
    for path in sorted(shipped_notebooks().glob("0*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        for number, cell in enumerate(cells):
            data = shown.get((path.stem, number))
            if data:
                cell.outputs = [nbformat.v4.new_output("execute_result", data=data)]
        (folder / "notebooks" / path.name).write_text(nbformat.writes(notebook))
    return folder
