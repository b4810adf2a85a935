"""Does a poorer folder lack its pillar everywhere, and say so in its truth?"""

from __future__ import annotations

import tomllib

import pytest

from sample_incidents.lab.cut import manifest
from sample_incidents.lab.poorer import poorer


@pytest.fixture
def folder(tmp_path):
    whole = tmp_path / "case"
    (whole / "raw").mkdir(parents=True)
    for name in ("traces.jsonl.gz", "metrics.om.gz", "changes.jsonl", "changes.git.bundle"):
        (whole / "raw" / name).write_text(name)
    files = {
        "traces": "traces.jsonl.gz",
        "prometheus": "metrics.om.gz",
        "changes": "changes.jsonl",
        "repo": "changes.git.bundle",
    }
    sources = "".join(f'[sources.{name}]\npath = "raw/{file}"\n' for name, file in files.items())
    (whole / "sources.toml").write_text(sources)
    (whole / "incident.toml").write_text('id = "case"\n')
    (whole / "signals.toml").write_text('[requests]\nsource = "client"\n[[signal]]\nname = "x"\n')
    (whole / "truth.toml").write_text('verdict = "incident"\n[[episodes]]\nsuspects = [{ ref = "a", rank = 1 }]\n')
    manifest(whole)
    return whole


def toml(path):
    return tomllib.loads(path.read_text())


def test_without_changes_there_is_neither_feed_nor_repository_and_no_suspect(folder):
    poor = poorer(folder, "changes", {"suspects": [], "must_say": ["b"]})
    assert poor.name == "case_without_changes"
    assert sorted(p.name for p in (poor / "raw").iterdir()) == ["metrics.om.gz", "traces.jsonl.gz"]
    assert toml(poor / "sources.toml")["sources"].keys() == {"traces", "prometheus"}
    assert toml(poor / "incident.toml")["id"] == "case_without_changes"
    assert toml(poor / "truth.toml") == {"verdict": "incident", "episodes": [{"suspects": []}], "must_say": ["b"]}
    assert "changes.jsonl" not in (poor / "MANIFEST.sha256").read_text()


def test_without_metrics_no_signal_is_asked_for(folder):
    assert toml(poorer(folder, "metrics", {}) / "signals.toml") == {"requests": {"source": "client"}}


def test_the_whole_folder_stays_as_it_is(folder):
    before = (folder / "MANIFEST.sha256").read_text()
    poorer(folder, "traces", {})
    manifest(folder)
    assert (folder / "MANIFEST.sha256").read_text() == before
