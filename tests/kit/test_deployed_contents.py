"""What the first suspects brought, from the repository; what it does not know is said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from kit.case import Case
from kit.changes import rank_changes
from kit.deployed_contents import contents_of_suspects

INCIDENT = 'id = "s"\ntitle = "s"\n[look]\nstart = 2026-03-01T02:00:00Z\nend = 2026-03-01T02:20:00Z\n'
SOURCES = """[sources.deploys]
kind = "files"
table = "changes"
format = "changes_jsonl"
path = "raw/changes.jsonl"
"""
REPOSITORY = '[sources.shop]\nkind = "git"\ntable = "changes"\npath = "raw/shop"\n'
DEPLOY = {"id": "d1", "time": "2026-03-01T02:13:00Z", "kind": "deploy", "service": "web", "summary": "deploy web 2",
          "ref": "web-v2", "before": "web-v1", "after": "web-v2"}  # fmt: skip
SETTING = {"id": "c1", "time": "2026-03-01T02:12:00Z", "kind": "config", "service": "web", "summary": "faster",
           "ref": "web.pace", "before": "0.05", "after": "0.04"}  # fmt: skip


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def case(tmp_path, request):
    repository = tmp_path / "raw" / "shop"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main")
    for version, pool in (("web-v1", 8), ("web-v2", 2)):
        (repository / "values.yaml").write_text(f"pool: {pool}\n")
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", version)
        git(repository, "tag", version)
    (tmp_path / "raw/changes.jsonl").write_text("".join(json.dumps(c) + "\n" for c in (DEPLOY, SETTING)))
    (tmp_path / "incident.toml").write_text(INCIDENT)
    (tmp_path / "sources.toml").write_text(SOURCES + getattr(request, "param", REPOSITORY))
    made = Case(tmp_path)
    made.__dict__["changes"] = made.reported_changes
    made.__dict__["suspects"] = rank_changes(made.reported_changes, pd.Timestamp("2026-03-01T02:13:30Z"))
    return made


def test_the_files_that_differ_between_the_two_versions(case):
    found = contents_of_suspects(case)
    (row,) = found.to_frame().to_dict("records")
    assert (row["change"], row["file"], row["kind"]) == ("web-v2", "values.yaml", "config")
    assert row["text"].endswith("-pool: 8\n+pool: 2")
    assert found.headline == "What came with the first suspects: web-v2 1 file."
    assert found.because == (
        "web-v2: values.yaml (config), 1 lines in, 1 out", "no repository has the versions of web.pace",
    )  # fmt: skip
    assert case.gaps == {}


@pytest.mark.parametrize("case", [""], indirect=True)
def test_without_a_repository_it_is_not_known(case):
    assert contents_of_suspects(case).headline == (
        "What the first suspects hold is not known: the case has no repository."
    )


def test_it_is_recorded_and_replayed(case):
    found = contents_of_suspects(case).to_frame()
    again = Case(case.folder, offline=True)
    again.__dict__["suspects"], again.__dict__["changes"] = case.suspects, case.changes
    pd.testing.assert_frame_equal(contents_of_suspects(again).to_frame(), found)
