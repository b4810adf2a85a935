"""Is every recorded folder whole, unchanged, small, and silent about the fault's start?"""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "sample_incidents"
FOLDERS = sorted(p.parent for p in SAMPLES.glob("*/incident.toml"))
VERDICTS = {"incident", "healthy", "cannot_tell"}
EPISODE = {"onset", "recovered", "failure", "suspects", "cut", "scope"}
TRUTH = {"verdict", "episodes", "hypotheses", "mitigations", "gaps", "must_say", "must_not_say", "impact"}
each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)


def toml(path: Path) -> dict:
    return tomllib.loads(path.read_text())


def test_there_are_recordings():
    assert FOLDERS


@each
def test_the_manifest_fits_and_names_every_file(folder):
    lines = (folder / "MANIFEST.sha256").read_text().splitlines()
    stated = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines}
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "MANIFEST.sha256"]
    found = {p.relative_to(folder).as_posix(): p for p in files}
    assert stated.keys() == found.keys()
    for name, path in found.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == stated[name], name


@each
def test_the_folder_is_small(folder):
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) <= 2_500_000


@each
def test_the_truth_has_the_known_keys(folder):
    truth = toml(folder / "truth.toml")
    assert truth["verdict"] in VERDICTS
    assert truth.keys() <= TRUTH
    for episode in truth["episodes"]:
        assert episode.keys() <= EPISODE
        assert episode["onset"]["earliest"] <= episode["onset"]["latest"]
        if not episode["recovered"].get("censored"):
            assert episode["onset"]["latest"] < episode["recovered"]["latest"]
    assert (truth["verdict"] == "healthy") == (not truth["episodes"])


@each
def test_incident_toml_never_holds_when_the_fault_began(folder):
    incident, truth = toml(folder / "incident.toml"), toml(folder / "truth.toml")
    times = [mark["time"] for mark in incident.get("mark", [])] + [incident.get("noticed")]
    for episode in truth["episodes"]:
        assert incident["look"]["start"] < episode["onset"]["earliest"] < incident["look"]["end"]
        for when in filter(None, times):
            assert when > episode["onset"]["latest"]
    assert incident.keys() <= {"id", "title", "tz", "services", "noticed", "look", "objective", "mark"}
    assert incident["look"].keys() == {"start", "end"}


@each
def test_the_healthy_stretch_is_six_times_the_harm(folder):
    look = toml(folder / "incident.toml")["look"]
    for episode in toml(folder / "truth.toml")["episodes"]:
        onset, back = episode["onset"]["earliest"], episode["recovered"].get("earliest")
        if back:
            assert (onset - look["start"]).total_seconds() >= 5.9 * (back - onset).total_seconds()


@each
def test_every_named_file_is_there(folder):
    for name, source in toml(folder / "sources.toml")["sources"].items():
        assert list(folder.glob(source["path"])), name


@each
def test_logs_lie_within_the_span_that_is_looked_at(folder):
    look = toml(folder / "incident.toml")["look"]
    path = folder / "raw" / "client.jsonl.gz"
    if not path.exists():
        pytest.skip("this folder withholds the client's log")
    with gzip.open(path, "rt") as file:
        times = [datetime.fromisoformat(json.loads(line)["time"]).astimezone(UTC) for line in file]
    assert times
    assert look["start"] <= min(times)
    assert max(times) < look["end"]


def changes(folder: Path) -> list[dict]:
    path = folder / "raw" / "changes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@each
def test_suspects_are_in_the_deploy_feed_or_are_stated_by_the_truth_itself(folder):
    truth = toml(folder / "truth.toml")
    known = {change["ref"] for change in changes(folder)} | set(truth.get("must_say", []))
    known |= {h["statement"] for h in truth.get("hypotheses", []) if "statement" in h and h.get("role") == "trigger"}
    for episode in truth["episodes"]:
        assert {s["ref"] for s in episode["suspects"]} <= known


@each
def test_the_deploy_feed_names_no_person(folder):
    for change in changes(folder):
        assert change.keys() == {
            "id", "time", "until", "kind", "service", "summary", "ref", "before", "after", "fraction", "takes_effect",
            "reverts", "url",
        }  # fmt: skip
