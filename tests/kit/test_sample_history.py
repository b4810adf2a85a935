"""A copy of a sample has the gallery's earlier changes for the base rate; what two logs tell counts once."""

from __future__ import annotations

import json

import pytest

from kit.case import Case
from kit.working_copy import working_copy

INCIDENT = 'id = "s"\ntitle = "s"\n[look]\nstart = 2026-03-01T02:00:00Z\nend = 2026-03-01T02:10:00Z\n'
CHANGES = """[sources.changes]
kind = "files"
table = "changes"
format = "changes_jsonl"
path = "raw/changes.jsonl"
[budget]
rows = 1000
"""
LINES = '[sources.web]\nkind = "files"\ntable = "logs"\npath = "raw/web.jsonl"\n'


def change(name, time):
    return {
        "id": name,
        "time": f"2026-03-01T{time}Z",
        "kind": "deploy",
        "service": "web",
        "ref": f"web-{time}",
        "summary": "web",
    }


@pytest.fixture
def gallery(tmp_path):
    """A sample with one deploy in its look, beside a history that has it, too, one before it and one after it."""
    for name, text in (("incident.toml", INCIDENT), ("sources.toml", CHANGES)):
        (tmp_path / "gallery/s/raw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "gallery/s" / name).write_text(text)
    (tmp_path / "gallery/s/raw/changes.jsonl").write_text(json.dumps(change("own", "02:05:00")))
    (tmp_path / "gallery/history").mkdir()
    log = [change("run-1", "01:00:00"), change("run-2", "02:05:00"), change("run-3", "03:00:00")]
    (tmp_path / "gallery/history/changes.jsonl").write_text("".join(json.dumps(c) + "\n" for c in log))
    return tmp_path / "gallery"


def test_the_earlier_change_is_known_for_the_base_rate_alone_and_no_later_one_is(gallery, tmp_path):
    case = Case(working_copy(gallery / "s", tmp_path / "case"))
    assert case.reported_changes["id"].tolist() == ["own"]
    assert case.earlier_changes["id"].tolist() == ["run-1"]
    assert f"{case.history.start:%H:%M}" == "01:00"
    assert case.catalog.budget.rows == 1000


def test_a_sample_whose_change_log_was_left_out_stays_without(gallery, tmp_path):
    (gallery / "s/sources.toml").write_text(LINES)
    copy = working_copy(gallery / "s", tmp_path / "case")
    assert (copy / "sources.toml").read_text() == LINES


def test_a_history_that_begins_later_says_nothing(gallery, tmp_path):
    (gallery / "history/changes.jsonl").write_text(json.dumps(change("run-2", "02:05:00")) + "\n")
    copy = working_copy(gallery / "s", tmp_path / "case")
    assert (copy / "sources.toml").read_text() == CHANGES
    assert not (copy / "raw/history").exists()
