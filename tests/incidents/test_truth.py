"""Every recorded incident is walked, and what is found is compared with what was injected."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta

import pytest

from connectors.window import iso
from kit.case import open_case, working_copy
from kit.findings import compare_with_truth, read_truth
from kit.walk import run_in_process
from tests.incidents.walking import SAMPLES, recorded

STARVED = "pool_starved_by_slow_query"


def told(rows):
    return "\n".join(f"{r.key}: expected {r.expected}, found {r.found}" for r in rows if not r.right)


NOT_YET: dict[str, str] = {}
"""What the walk still gets wrong, and why; an entry that comes out right fails, so that it is taken out."""


def slugs():
    return [
        pytest.param(s, marks=pytest.mark.xfail(strict=True, reason=NOT_YET[s])) if s in NOT_YET else s
        for s in recorded()
    ]


@pytest.mark.parametrize("slug", slugs())
def test_the_walk_finds_what_was_injected(slug, walked):
    case = walked(slug)
    truth = read_truth(SAMPLES / slug)
    assert truth is not None
    rows = compare_with_truth(case.findings.merge(), truth)
    assert rows
    assert not told(rows), told(rows)


def stable(findings):
    """The findings without what the width of the look may change: numbers of the impact beyond the onset's own."""
    episode = findings["episodes"][0]
    return {
        "verdict": findings["verdict"],
        "onset": (episode["onset"]["earliest"], episode["onset"]["latest"]),
        "failure": episode["failure"]["name"],
        "suspect": episode["suspects"][0]["ref"],
        "cut": episode["cut"]["between"],
        "hypotheses": {h["id"]: h["state"] for h in findings["hypotheses"]},
    }


def test_the_walk_does_not_know_the_truth_and_does_not_need_the_look_to_be_placed(walked, tmp_path):
    folder = working_copy(SAMPLES / STARVED, tmp_path / "shifted")
    assert not (folder / "truth.toml").exists()
    look = open_case(folder).look
    moved = random.Random(7).choice([-1, 1]) * timedelta(seconds=random.Random(7).uniform(30, 180))
    incident = folder / "incident.toml"
    lines = []
    for line in incident.read_text().splitlines():
        key = line.split("=")[0].strip()
        lines.append(f"{key} = {iso(getattr(look, key) + moved)}" if key in ("start", "end") else line)
    incident.write_text("\n".join(lines) + "\n")
    assert open_case(folder).look.start == look.start + moved
    run_in_process(folder)
    shifted = open_case(folder, offline=True).findings.merge()
    assert stable(shifted) == stable(walked(STARVED).findings.merge())


def test_the_same_walk_from_recorded_answers_alone(walked, tmp_path):
    case = walked(STARVED)
    before = case.findings.merge()
    folder = tmp_path / "offline"
    shutil.copytree(case.folder, folder)
    shutil.rmtree(folder / "raw")
    shutil.rmtree(folder / "findings")
    (folder / "findings.json").unlink()
    run_in_process(folder)
    assert open_case(folder, offline=True).findings.merge() == before


@pytest.mark.parametrize("pillar", ["metrics", "spans", "logs", "changes"])
def test_without_one_pillar_the_walk_still_runs_and_says_what_is_missing(pillar, tmp_path):
    folder = working_copy(SAMPLES / STARVED, tmp_path / pillar)
    for spec in open_case(folder).catalog.sources.values():
        if spec.table == pillar:
            for path in folder.glob(spec.path):
                path.unlink()
    run_in_process(folder)
    findings = open_case(folder, offline=True).findings.merge()
    assert any(pillar in str(gap) for gap in findings["gaps"]), findings["gaps"]
    best = [h for h in findings["hypotheses"] if h["state"] == "confirmed"]
    # lines of the services and of the database tell every link and the reversal, so only they cannot be missed
    assert not best or pillar != "logs"


def test_the_cut_is_the_same_without_spans(walked, tmp_path):
    folder = working_copy(SAMPLES / STARVED, tmp_path / "case")
    (folder / "raw" / "traces.jsonl.gz").unlink()
    run_in_process(folder)
    without = open_case(folder, offline=True).findings.merge()["episodes"][0]["cut"]
    assert without["between"] == walked(STARVED).findings.merge()["episodes"][0]["cut"]["between"]


def harmed():
    """The recordings in which somebody was hurt, the poorer copies left out."""
    return [s for s in recorded() if (read_truth(SAMPLES / s) or {})["verdict"] == "incident" and "_without_" not in s]


@pytest.mark.parametrize("slug", harmed())
def test_with_the_rule_and_playbook_of_the_true_class_left_out_nothing_is_claimed(slug, walked):
    from kit.board import judge
    from kit.playbooks import load_playbooks
    from kit.playbooks.seed import seed_hypotheses
    from kit.playbooks.situation import describe_situation
    from kit.steps import diagnose

    case = walked(slug)
    true = (read_truth(SAMPLES / slug) or {})["episodes"][0]["failure"]["names"]
    diagnosis = diagnose(case, without=true)
    assert diagnosis.name == "unclassified"
    assert case.cut.between in case.findings.merge()["episodes"][0]["cut"]["between"]
    others = {name: book for name, book in load_playbooks().items() if book.failure not in true}
    situation = describe_situation(case.facts, entry=case.entry, between=case.cut.between, path=case.path)
    left = seed_hypotheses(diagnosis, case.suspects_again, situation, facts=case.facts, playbooks=others)
    assert left
    assert [v.hypothesis.id for v in judge(left, case.facts).verdicts if v.state == "confirmed"] == []
