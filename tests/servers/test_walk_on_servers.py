"""The walk of a recording whose data stands in real servers comes to the same findings as from its files."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import tomli_w

from kit.case import open_case, working_copy
from kit.walk import run_in_process
from tests.incidents.walking import SAMPLES, walk_copy
from tests.servers.metrics_nodes import prometheus, regrouped, sample_lines

pytestmark = pytest.mark.server

SLUG = "pool_starved_by_slow_query"
RAW = SAMPLES / SLUG / "raw"


def moved(folder, **sources):
    """A copy of the recording in which these sources, by name, are others: the keys of their blocks."""
    copy = working_copy(SAMPLES / SLUG, folder)
    file = copy / "sources.toml"
    written = tomllib.loads(file.read_text())
    assert set(sources) <= set(written["sources"]), "a source that the recording does not have"
    written["sources"] |= sources
    file.write_text(tomli_w.dumps(written))
    return copy


def findings_of(case):
    """All findings, without the ids of the answers they rest on: those tell where an answer came from."""
    return json.loads(re.sub(r"ev_[0-9a-f]{16}", "ev", json.dumps(case.findings.merge(), sort_keys=True)))


@pytest.fixture(scope="module")
def from_files(tmp_path_factory):
    return findings_of(walk_copy(SLUG, tmp_path_factory.mktemp("files") / SLUG))


def test_metrics_in_prometheus_give_the_same_findings(from_files, tmp_path):
    text = regrouped(sample_lines(RAW / "metrics.om.gz"))
    (tmp_path / "store").mkdir()
    with prometheus(tmp_path / "store", text) as url:
        metrics = {"kind": "prometheus", "table": "metrics", "url": url, "interval": "5s"}
        copy = moved(tmp_path / SLUG, prometheus=metrics)
        run_in_process(copy)
    case = open_case(copy, offline=True)
    answered = [entry for entry in case.answers if entry.question == "metrics"]
    assert answered
    assert all(entry.fetch.engine.startswith("Prometheus 2.") for entry in answered)
    assert findings_of(case) == from_files
    assert from_files["episodes"][0]["failure"]["name"] == "pool_starved"
