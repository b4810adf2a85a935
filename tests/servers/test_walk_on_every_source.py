"""The walk on an incident whose every pillar stands in another real server, all at once, finds what it finds in files.

Metrics are in Prometheus, logs in Elasticsearch, traces in Jaeger; changes come from a git repository and the JSON that
deploys wrote. Nothing else is left in the case.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.case import Case, open_case
from kit.check import SourceCheck, check_sources
from kit.cli_now import answer_now
from kit.findings import compare_with_truth, read_truth
from kit.new import new_case
from kit.walk import run_in_process
from tests.incidents.walking import SAMPLES, walk_copy
from tests.servers.load_incident import load_incident
from tests.servers.metrics_nodes import prometheus, regrouped, sample_lines
from tests.servers.nodes import elasticsearch
from tests.servers.test_walk_on_elasticsearch import differences
from tests.servers.test_walk_on_loki_and_jaeger import export_requests
from tests.servers.test_walk_on_servers import moved
from tests.servers.tracing_nodes import jaeger

pytestmark = pytest.mark.server
SLUG = "pool_starved_by_slow_query"
RAW = SAMPLES / SLUG / "raw"
ENGINES = {"logs": "Elasticsearch", "metrics": "Prometheus 2.", "spans": "Jaeger", "changes": ("files", "git")}


def with_servers(folder: Path, *, logs: str, indices: dict[str, str], metrics: str, traces: str) -> Path:
    """A copy of the sample that asks servers; of its raw files only the deploys are left, and its repository."""
    sources = {
        name: {"kind": "elasticsearch", "table": "logs", "url": logs, "index": index, "service": name}
        for name, index in indices.items()
    }
    copy = moved(
        folder,
        **sources,
        prometheus={"kind": "prometheus", "table": "metrics", "url": metrics, "interval": "5s"},
        traces={"kind": "jaeger", "table": "spans", "url": traces, "sampling_rate": 0.1},
        repo={"kind": "git", "table": "changes", "path": "raw/shop"},
    )
    deploys = (copy / "raw" / "changes.jsonl").read_bytes()
    shutil.rmtree(copy / "raw")
    (copy / "raw").mkdir()
    (copy / "raw" / "changes.jsonl").write_bytes(deploys)
    clone = ["git", "clone", "--quiet", str(RAW / "changes.git.bundle"), str(copy / "raw" / "shop")]
    subprocess.run(clone, check=True, capture_output=True)
    return copy


class Looked(NamedTuple):
    """A case made from nothing but three addresses, what was said, and what each of its sources answered."""

    case: Case
    said: list[str]
    checked: dict[str, SourceCheck]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Case, Looked]:
    place = tmp_path_factory.mktemp("everywhere")
    for name in ("metrics", "traces"):
        (place / name).mkdir()
    text = regrouped(sample_lines(RAW / "metrics.om.gz"))
    with jaeger(place / "traces") as node, prometheus(place / "metrics", text) as metrics, elasticsearch() as logs:
        node.load(export_requests(RAW / "traces.jsonl.gz"))
        indices = load_incident(SAMPLES / SLUG, logs, prefix="every")
        folder = with_servers(place / "case", logs=logs, indices=indices, metrics=metrics, traces=node.url)
        run_in_process(folder)
        said = new_case(place / "looked", [f"{logs}/every-*", metrics, node.url])
        checked = check_sources(open_case(place / "looked"))
    looked = Looked(open_case(place / "looked", offline=True), said, {row.table: row for row in checked})
    return open_case(folder, offline=True), walk_copy(SLUG, place / "files"), looked


@pytest.fixture(scope="module")
def walked(everything: tuple[Case, Case, Looked]) -> tuple[Case, Case]:
    """The case on servers and the case on files."""
    return everything[:2]


def test_the_findings_are_those_from_the_files(walked: tuple[Case, Case]) -> None:
    """Names, words, order and states are equal; numbers within a percentile's error, which Elasticsearch estimates."""
    everywhere, on_files = walked
    found = everywhere.findings.merge()
    assert found["partial"] == []
    assert differences(found, on_files.findings.merge()) == []


def test_the_truth_is_found(walked: tuple[Case, Case]) -> None:
    compared = compare_with_truth(walked[0].findings.merge(), read_truth(SAMPLES / SLUG))
    assert [row.key for row in compared if not row.right] == []


@pytest.mark.parametrize("pillar", list(ENGINES))
def test_each_pillar_was_asked_where_it_is(walked: tuple[Case, Case], pillar: str) -> None:
    case = walked[0]
    names = {name for name, spec in case.catalog.sources.items() if spec.table == pillar}
    engines = {entry.fetch.engine for entry in case.answers if entry.fetch.source in names}
    assert engines
    assert all(engine.startswith(ENGINES[pillar]) for engine in engines), engines


def test_the_answer_of_one_minute_is_the_same_line_by_line(walked: tuple[Case, Case]) -> None:
    told = []
    for case in walked:
        lines: list[str] = []
        now = answer_now(case, began=time.monotonic(), budget_s=1e6, snapshot=False, show=lines.append)
        assert tuple(lines) == now.lines
        told.append(lines[:4])  # the fifth and sixth tell of the sources
    assert differences(*told) == []
    assert "orders-db-0042" in told[0][3]


def test_three_addresses_make_a_case_with_its_golden_signals(everything: tuple[Case, Case, Looked]) -> None:
    case, said, _ = everything[2]
    assert {spec.kind for spec in case.catalog.sources.values()} == {"elasticsearch", "prometheus", "jaeger"}
    assert case.catalog.requests.service == "client"
    (metrics,) = (spec for spec in case.catalog.sources.values() if spec.table == "metrics")
    assert metrics.interval == "5s"
    proposed = {(s.service, s.kind, s.metric) for s in case.catalog.signals}
    assert ("checkout", "saturation", "checkout_db_pool_in_use") in proposed
    assert ("payments", "latency", "http_server_request_duration_seconds") in proposed
    assert any("signals proposed from" in line for line in said)
    assert ("checkout", "payments") in set(zip(case.path["caller"], case.path["callee"], strict=True))


def test_a_check_looks_at_few_traces_of_many(everything: tuple[Case, Case, Looked]) -> None:
    row = everything[2].checked["spans"]
    assert row.reached
    assert {"checkout", "payments"} <= set(row.services)
    asked = [e for e in everything[2].case.answers if e.fetch.source == row.source]
    assert [e.question for e in asked] == ["traces"]
    assert 0 < asked[0].fetch.rows < 500
