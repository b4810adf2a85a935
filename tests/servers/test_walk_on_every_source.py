"""The walk on an incident whose every pillar stands in another real server, all at once, finds what it finds in files.

Metrics are in Prometheus, logs in Elasticsearch, traces in Jaeger; changes come from a git repository and the JSON that
deploys wrote. Nothing else is left in the case.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kit.case import Case, open_case
from kit.findings import compare_with_truth, read_truth
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


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Case]:
    place = tmp_path_factory.mktemp("everywhere")
    for name in ("metrics", "traces"):
        (place / name).mkdir()
    text = regrouped(sample_lines(RAW / "metrics.om.gz"))
    with jaeger(place / "traces") as node, prometheus(place / "metrics", text) as metrics, elasticsearch() as logs:
        node.load(export_requests(RAW / "traces.jsonl.gz"))
        indices = load_incident(SAMPLES / SLUG, logs, prefix="every")
        folder = with_servers(place / "case", logs=logs, indices=indices, metrics=metrics, traces=node.url)
        run_in_process(folder)
    return open_case(folder, offline=True), walk_copy(SLUG, place / "files")


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
