"""300 secrets written into a case's raw files and notebooks, walked, exported in every form: none can be read again."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import quote

import orjson
import pytest

from kit.export.export import BundleWishes, export_case
from kit.verify import verify_bundle
from tests.incidents.small_case import SIGNALS, SOURCES, START, changes, make_case, requests, walk
from tests.kit.planted_places import add_corners, everything, left_in, split
from tests.kit.planted_secrets import planted

KEY = b"a key for tests, as long as need"
MORE_SOURCES = """
[sources.customers]
kind = "files"
table = "logs"
format = "json_lines"
path = "raw/customers.jsonl"
service = "edge"

[sources.traces]
kind = "files"
table = "spans"
format = "otlp_json"
path = "raw/traces.jsonl"

[sources.prometheus]
kind = "files"
table = "metrics"
format = "openmetrics"
path = "raw/metrics.om"
interval = "60s"
"""
MORE_SIGNALS = """
[[signal]]
service = "edge"
kind = "saturation"
name = "slots.used"
metric = "slots_used"
metric_type = "gauge"
unit = "1"
where = { service = "edge" }
"""


def plant_raw(folder, by):
    """Every secret somewhere in what the sources hold: lines (plain, torn, encoded), spans, labels, changes, words."""
    raw = folder / "raw"
    (folder / "sources.toml").write_text(SOURCES + MORE_SOURCES)
    (folder / "signals.toml").write_text(SIGNALS + MORE_SIGNALS)
    (folder / "redaction.toml").write_text('[[pattern]]\nname = "employee"\nregex = "EMP-[0-9]{6}"\n')
    messages = [
        *(s.text for s in by[0]),
        *(split(s.text, s.value) for s in by[1]),
        *(f"GET /back?to={quote(s.text, safe='')} 302" for s in by[2]),
        *(f"payload {base64.b64encode(s.text.encode()).decode()}" for s in by[3]),
    ]
    rows = requests()
    failing = [r for r in rows if r["level"] == "ERROR"]
    for row, message in zip(failing, messages, strict=False):
        row["message"] = message
    for row, secret in zip(failing, by[7], strict=False):
        row[secret.text] = "seen"
    (raw / "edge.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    everybody = [s for group in by for s in group]
    people = [s.value for s in everybody if s.kind == "person's name"]
    numbers = [s.value for s in everybody if s.kind == "customer number"]
    customers = [
        {"time": (START + timedelta(minutes=i)).isoformat(), "message": "seen", "user.name": p, "customer_id": n}
        for i, (p, n) in enumerate(zip(people, numbers, strict=True))
    ]
    (raw / "customers.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in customers))
    (raw / "traces.jsonl").write_bytes(b"".join(orjson.dumps(span(i, s.text)) + b"\n" for i, s in enumerate(by[4])))
    (raw / "metrics.om").write_text(openmetrics([s.text for s in by[5]]))
    told = [
        {"id": f"s{i}", "time": (START + timedelta(minutes=11, seconds=i)).isoformat(), "kind": "config",
         "service": "edge", "summary": s.text}
        for i, s in enumerate(by[6])
    ]  # fmt: skip
    (raw / "changes.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in [*changes(), *told]))
    rows = [orjson.dumps({"time": "2026-03-01T02:13:00Z", "lane": "response", "fact": s.text}) for s in by[8]]
    (folder / "timeline.jsonl").write_bytes(b"\n".join(rows))
    (folder / "postmortem.md").write_text("# Draft\n\n" + "\n\n".join(s.text for s in by[9]))


def span(number, text):
    """One failing request's span in OTLP/JSON whose statement holds the text."""
    start = START + timedelta(minutes=12, seconds=number)
    nanos = int(start.timestamp()) * 10**9
    attributes = {"db.query.text": f"SELECT * FROM notes WHERE text = '{text}'", "http.request.method": "POST"}
    return {
        "resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "edge"}}]},
            "scopeSpans": [{"spans": [{
                "traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}", "name": "POST /pay", "kind": 2,
                "startTimeUnixNano": str(nanos), "endTimeUnixNano": str(nanos + 1_500_000_000),
                "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
                "status": {"code": 2, "message": text},
            }]}],
        }]
    }  # fmt: skip


def openmetrics(texts):
    """One gauge with a series for each text, once a minute."""
    lines = ["# TYPE slots_used gauge"]
    for text in texts:
        label = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        lines += [
            f'slots_used{{service="edge",note="{label}"}} 3 {(START + timedelta(minutes=m)).timestamp():.3f}'
            for m in range(20)
        ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """The walked case with all 300 in it, and the secrets."""
    secrets = planted()
    by = [[s for i, s in enumerate(secrets) if i % 12 == place] for place in range(12)]
    folder = make_case(tmp_path_factory.mktemp("planted") / "case")
    plant_raw(folder, by)
    walk(folder)
    add_corners(folder / "notebooks" / "05_read_the_spot.ipynb", by[10], by[11])
    return folder, secrets


def test_all_of_them_are_in_the_case_before(case):
    folder, secrets = case
    left = {s.value for s in left_in("\n".join(everything(folder)), secrets)}
    assert left == {s.value for s in secrets}


def test_none_is_left_in_a_document_with_pictures(case, tmp_path):
    folder, secrets = case
    export_case(folder, to="md", out=tmp_path / "out" / "case.md", key=KEY)
    assert {s.kind: s.value for s in left_in("\n".join(everything(tmp_path)), secrets)} == {}


def test_none_is_left_in_a_bundle_with_its_page_notebooks_and_rows_and_it_verifies(case, tmp_path):
    folder, secrets = case
    made = export_case(folder, to="bundle", out=tmp_path / "bag", key=KEY, bundle=BundleWishes(with_rows=True))
    assert {s.kind: s.value for s in left_in("\n".join(everything(made.path)), secrets)} == {}
    assert verify_bundle(made.path).good
