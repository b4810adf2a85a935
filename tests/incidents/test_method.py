"""The method on every recording: swapped windows confirm nothing, a class left out, paired nulls, reversals weighed."""

from __future__ import annotations

import re
import shutil

import pytest

from kit.board import judge
from kit.case import open_case, working_copy
from kit.findings import read_truth
from kit.walk import run_in_process
from tests.incidents.walking import SAMPLES, recorded

TRUTHS = {slug: read_truth(SAMPLES / slug) for slug in recorded()}
HARMED = [slug for slug, truth in TRUTHS.items() if truth["verdict"] == "incident"]
HEALTHY = [slug for slug, truth in TRUTHS.items() if truth["verdict"] == "healthy"]
LEFT_OUT = [
    "slow_dependency_cpu_decoy", "bad_deploy", "pool_starved_by_slow_query", "certificate_expiry", "flag_for_some",
    "midnight_job", "memory_leak",
]  # fmt: skip
"""A class each."""
STARVED, DECOY, CERTIFICATE = "pool_starved_by_slow_query", "slow_dependency_cpu_decoy", "certificate_expiry"


def told(board):
    return [v.hypothesis.id for v in board.verdicts if v.state in ("confirmed", "supported")]


@pytest.mark.parametrize("slug", HARMED)
def test_swapping_harm_and_health_supports_nothing(slug, walked):
    case = walked(slug)
    assert told(judge(case.hypotheses, case.facts, windows=case.facts.windows.swapped())) == []


@pytest.mark.parametrize("slug", HEALTHY)
def test_the_same_recording_without_its_fault_is_healthy_and_confirms_nothing(slug, walked):
    case = walked(slug)
    findings = case.findings.merge()
    assert (findings["verdict"], findings["episodes"]) == ("healthy", [])
    assert case.hypotheses == ()
    assert [h for h in findings["hypotheses"] if h["state"] in ("confirmed", "supported")] == []


@pytest.mark.parametrize("slug", LEFT_OUT)
def test_without_the_playbook_of_its_class_nothing_is_confirmed(slug, walked):
    from kit.playbooks import load_playbooks
    from kit.playbooks.seed import seed_hypotheses
    from kit.steps import describe_case

    case = walked(slug)
    others = {n: b for n, b in load_playbooks().items() if b.failure != case.diagnosis.name}
    hypotheses = seed_hypotheses(
        case.diagnosis.name, case.suspects_again, describe_case(case), facts=case.facts, playbooks=others
    )
    board = judge(hypotheses, case.facts)
    assert [v.hypothesis.id for v in board.verdicts if v.state == "confirmed"] == []


@pytest.mark.parametrize("slug", [STARVED, DECOY, CERTIFICATE, "bad_deploy"])
def test_each_action_did_what_was_recorded_of_it(slug, walked):
    found = {m["ref"]: m["effect"] for m in walked(slug).findings.merge()["mitigations"]}
    assert found == {m["ref"]: m["effect"] for m in TRUTHS[slug]["mitigations"]}


def test_both_follow_the_slow_dependency_and_no_association_is_a_verdict(walked):
    findings = walked(DECOY).findings.merge()
    together = findings["episodes"][0]["together"]
    assert any(t == "checkout's CPU and the latency at client both follow fraud-check latency" for t in together)
    assert any("scale checkout from 3 to 5" in t and "stayed as it was" in t for t in together)
    assert not [t for t in together if re.search(r"\bcause", t)]
    cpu = next(h for h in findings["hypotheses"] if h["statement"].startswith("CPU is the cause"))
    assert (cpu["state"], bool(cpu["refuted_by"])) == ("refuted", True)


def test_a_headless_walk_repeats_a_persons_waiver_and_makes_none(walked, tmp_path):
    assert not [h for h in walked(STARVED).findings.merge()["hypotheses"] if h["waived"]]
    folder = working_copy(SAMPLES / STARVED, tmp_path / "case")
    changes = folder / "raw" / "changes.jsonl"
    changes.write_text("".join(x for x in changes.read_text().splitlines(True) if "orders-db-0042-rollback" not in x))
    (folder / "choices.toml").write_text(
        '[[waiver]]\nhypothesis = "orders-db-0042-pool-starved"\nreason = "undone by hand"\nby_role = "on-call lead"\n'
        '[[waiver]]\nhypothesis = "gremlins"\nreason = "who knows"\nby_role = "on-call lead"\n'
    )
    run_in_process(folder)
    case = open_case(folder, offline=True)
    findings = case.findings.merge()
    lapsed = "the reversal waived for gremlins waives nothing: no such hypothesis is put up"
    assert lapsed in findings["gaps"]
    mine = next(h for h in findings["hypotheses"] if h["id"] == "orders-db-0042-pool-starved")
    if mine["state"] == "confirmed" and mine["waived"]:
        assert mine["waived"] == "undone by hand (on-call lead)"
        assert "waived by hand" in (folder / "postmortem.md").read_text()
        assert "waived by hand" in str(case.verdicts)
    else:
        # the database's own log shows the index come back: a reversal that is seen needs no waiver
        assert mine["waived"] is None


def test_the_history_of_verdicts_is_kept_over_runs(walked, tmp_path):
    case = open_case(shutil.copytree(walked(STARVED).folder, tmp_path / "case"), offline=True)
    entries = case.verdict_history
    assert {e.hypothesis for e in entries} == {h["id"] for h in case.findings.merge()["hypotheses"]}
    again = open_case(case.folder, offline=True)
    again.record(again.verdicts, rests_on=again.evidence() or again.tested_evidence)
    assert open_case(case.folder, offline=True).verdict_history == entries


def test_rules_are_tried_on_a_recording_with_what_they_would_have_spared(walked):
    spared = {t.rule.name: t for t in walked("bad_deploy").guardrails.trials}
    rollback = spared["auto rollback at > 2 % errors within 5 min of a deploy, config or flag change"]
    assert (rollback.right, rollback.false_firings) == (True, 0)
    assert 0 < rollback.spared < rollback.hurt
    wrong = walked(STARVED).guardrails.trials[0]
    assert (wrong.right, wrong.spared, wrong.would_undo) == (False, 0, ("payments-v2.7.4",))


def test_what_is_needed_to_reproduce_it_is_told_without_ids(walked):
    found = walked(STARVED).reproduction
    kinds = {kind for kind, _ in found.what}
    assert kinds == {"version", "setting", "load", "exemplar request", "query plan"}
    plan = next(text for kind, text in found.what if kind == "query plan")
    assert "Seq Scan on orders" in plan
    assert "(customer_id = ?)" in plan
    assert 'ref = "orders-db-0042"' in found.scenario
    assert 'role = "cure"' in found.scenario
    assert len(found.must_see) == 4
