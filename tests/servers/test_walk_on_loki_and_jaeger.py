"""The walk on an incident whose logs are in Loki and whose traces are in Jaeger finds what it finds in the files."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest

from connectors.catalog import read_catalog
from connectors.window import Window
from kit.case import open_case
from kit.walk import run_in_process
from tests.incidents.walking import SAMPLES, walk_copy
from tests.servers.test_loki import streams_of
from tests.servers.test_walk_on_servers import findings_of, moved
from tests.servers.tracing_nodes import jaeger, loki, push

pytestmark = pytest.mark.server
SLUG = "pool_starved_by_slow_query"
WHOLE = Window.of("1970-01-01T00:00Z", "2200-01-01T00:00Z")
AT_ONCE = 500


def export_requests(file: Path) -> list[bytes]:
    """The exports of an OTLP/JSON file, many of its lines in one request."""
    with gzip.open(file) as lines:
        exports = [orjson.loads(line)["resourceSpans"] for line in lines]
    return [
        orjson.dumps({"resourceSpans": [one for export in exports[at : at + AT_ONCE] for one in export]})
        for at in range(0, len(exports), AT_ONCE)
    ]


@pytest.fixture(scope="module")
def from_files(tmp_path_factory):
    case = walk_copy(SLUG, tmp_path_factory.mktemp("files") / SLUG)
    return case, findings_of(case)


def test_traces_in_jaeger_give_the_same_findings(from_files, tmp_path):
    local, expected = from_files
    (tmp_path / "node").mkdir()
    with jaeger(tmp_path / "node") as node:
        node.load(export_requests(SAMPLES / SLUG / "raw" / "traces.jsonl.gz"))
        folder = moved(tmp_path / SLUG, traces={"kind": "jaeger", "table": "spans", "url": node.url})
        run_in_process(folder)
    case = open_case(folder, offline=True)
    asked = [entry for entry in case.answers if entry.question == "traces"]
    assert asked
    assert all(entry.fetch.engine.startswith("Jaeger") for entry in asked)
    spans, kept = (c.spans_in_look[0] for c in (case, local))
    assert len(spans) == len(kept) > 1000
    assert findings_of(case) == expected


def test_logs_in_loki_give_the_same_findings(from_files, tmp_path):
    _, expected = from_files
    catalog = read_catalog(SAMPLES / SLUG)
    (tmp_path / "node").mkdir()
    with loki(tmp_path / "node") as url:
        sources = {}
        for name in catalog.of_table("logs"):
            table = catalog.open(name).rows(WHOLE).answer().table
            push(url, streams_of(table.drop_columns([c for c in table.column_names if table[c].null_count == len(table)
                                                     and c not in ("service", "host")]), name))  # fmt: skip
            sources[name] = {"kind": "loki", "table": "logs", "url": url, "selector": f'{{job="{name}"}}',
                             "service": catalog.sources[name].service}  # fmt: skip
        folder = moved(tmp_path / SLUG, **sources)
        run_in_process(folder)
    case = open_case(folder, offline=True)
    asked = [entry for entry in case.answers if entry.question == "count"]
    assert asked
    assert all(entry.fetch.engine.startswith("Loki") for entry in asked)
    assert findings_of(case) == expected
