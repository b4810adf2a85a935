"""findings.json: written in parts, merged, compared with a truth, stale when what it read has changed."""

from __future__ import annotations

import pytest

from kit.errors import BadCase, NoEvidence, StaleFindings
from kit.findings import Findings, compare_with_truth, read_truth

ONSET = {"earliest": "2026-03-01T02:14:00Z", "time": "2026-03-01T02:14:05Z", "latest": "2026-03-01T02:14:10Z"}


def walked(folder):
    findings = Findings(folder)
    findings.write("00", "Symptom", {"verdict": "incident", "episodes": [{"onset": ONSET}]}, rests_on=["ev_1"])
    findings.write(
        "02", "Suspects", {"episodes": [{"suspects": [{"ref": "0042", "rank": 1}]}]}, rests_on=["ev_2"], reads=["00"]
    )
    return findings


def test_parts_of_several_notebooks_meet_in_one_episode(tmp_path):
    merged = walked(tmp_path).merge()
    assert merged["verdict"] == "incident"
    assert merged["episodes"] == [{"onset": ONSET, "suspects": [{"ref": "0042", "rank": 1}]}]
    assert merged["hypotheses"] == []


def test_a_result_that_rests_on_nothing_is_refused(tmp_path):
    with pytest.raises(NoEvidence, match="Impact of notebook 07 rests on nothing"):
        Findings(tmp_path).write("07", "Impact", {"impact": {}}, rests_on=[])


def test_a_key_that_is_not_fixed_is_refused(tmp_path):
    with pytest.raises(BadCase, match="root_cause"):
        Findings(tmp_path).write("06", "Board", {"root_cause": "no"}, rests_on=["ev_1"])


def test_recording_again_replaces_the_same_noun_and_keeps_the_others(tmp_path):
    findings = walked(tmp_path)
    findings.write("00", "Coverage", {"gaps": ["no traces"]}, rests_on=["ev_3"])
    findings.write("00", "Symptom", {"verdict": "healthy"}, rests_on=["ev_4"])
    merged = findings.merge()
    assert merged["verdict"] == "healthy"
    assert merged["gaps"] == ["no traces"]


def test_what_was_computed_from_a_changed_part_is_stale(tmp_path):
    findings = walked(tmp_path)
    findings.require_fresh()
    later = {**ONSET, "latest": "2026-03-01T02:14:20Z"}
    findings.write("00", "Symptom", {"verdict": "incident", "episodes": [{"onset": later}]}, rests_on=["ev_1"])
    assert findings.stale() == ["02"]
    with pytest.raises(StaleFindings, match="notebook 02"):
        findings.require_fresh()


def test_each_key_names_what_it_rests_on(tmp_path):
    assert walked(tmp_path).rests_on() == {
        "00/verdict": ["ev_1"], "00/episodes": ["ev_1"], "02/episodes": ["ev_2"],
    }  # fmt: skip


def test_a_half_written_part_is_named(tmp_path):
    findings = walked(tmp_path)
    (tmp_path / "findings" / "02.json").write_text('{"part": "02", "resu')
    with pytest.raises(BadCase, match=r"findings/02.json is not whole: run notebook 02 again"):
        findings.merge()


TRUTH = {
    "verdict": "incident",
    "episodes": [
        {
            "onset": {"earliest": "2026-03-01T02:14:02Z", "latest": "2026-03-01T02:14:04Z"},
            "failure": {"names": ["pool_starved"], "action": "read the query plan"},
            "suspects": [{"ref": "0042", "rank": 1}],
            "cut": {"between": ["checkout → postgres"]},
        }
    ],
    "hypotheses": [{"ref": "0042", "state": "confirmed"}, {"ref": "v7", "state": "refuted"}],
    "must_say": ["Seq Scan"],
    "must_not_say": ["human error"],
}


def found(**changes):
    episode = {
        "onset": ONSET,
        "failure": {"name": "pool_starved", "action": "Read the query plan of the slow statement"},
        "suspects": [{"ref": "0042", "rank": 1}, {"ref": "v7", "rank": 2}],
        "cut": {"between": ["checkout → postgres"]},
    }
    hypotheses = [{"ref": "0042", "state": "confirmed"}, {"ref": "v7", "state": "refuted", "refuted_by": "stays_flat"}]
    return {"verdict": "incident", "episodes": [episode | changes], "hypotheses": hypotheses}


def wrong(findings, page="a Seq Scan was seen"):
    return [row.key for row in compare_with_truth(findings, TRUTH, page=page) if not row.right]


def test_findings_that_say_what_was_injected_are_right():
    assert wrong(found()) == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"onset": {**ONSET, "earliest": "2026-03-01T02:14:08Z"}}, "episodes[0].onset"),
        ({"onset": {**ONSET, "latest": "2026-03-01T02:15:10Z"}}, "episodes[0].onset"),
        ({"onset": None}, "episodes[0].onset"),
        ({"failure": {"name": "overload", "action": "read the query plan"}}, "episodes[0].failure"),
        ({"suspects": []}, "episodes[0].suspects"),
        ({"suspects": [{"ref": "v7", "rank": 1}]}, "episodes[0].suspects"),
        ({"cut": {"between": ["nginx → checkout"]}}, "episodes[0].cut.between"),
    ],
)
def test_each_key_can_be_wrong_alone(changes, key):
    assert wrong(found(**changes)) == [key]


def test_being_above_the_highest_verdict_is_as_wrong_as_being_below():
    findings = found()
    findings["hypotheses"][0]["state"] = "supported"
    assert wrong(findings) == ["hypotheses[0042]"]


def test_refuted_counts_only_with_the_check_that_refuted_it():
    findings = found()
    del findings["hypotheses"][1]["refuted_by"]
    assert wrong(findings) == ["hypotheses[v7]"]


def test_what_must_and_must_not_be_said():
    assert wrong(found(), page="it was human error") == ["must_say", "must_not_say"]


def test_a_healthy_truth_wants_no_suspect():
    truth = {"verdict": "healthy"}
    findings = {"verdict": "healthy", "episodes": [{"suspects": [{"ref": "v7"}]}]}
    assert [r.key for r in compare_with_truth(findings, truth) if not r.right] == ["suspects"]
    findings["episodes"] = []
    assert all(r.right for r in compare_with_truth(findings, truth))


def test_actions_are_compared_and_none_but_those_of_the_truth_may_have_helped():
    truth = {"mitigations": [{"ref": "back", "effect": "helped"}, {"ref": "scale", "effect": "none"}]}
    right = [{"ref": "back", "effect": "helped"}, {"ref": "scale", "effect": "none"}, {"ref": "x", "effect": "none"}]
    assert all(r.right for r in compare_with_truth({"mitigations": right}, truth))
    other = [{"ref": "scale", "effect": "helped"}, {"ref": "x", "effect": "helped"}]
    assert [r.key for r in compare_with_truth({"mitigations": other}, truth) if not r.right] == [
        "mitigations[back]", "mitigations[scale]", "mitigations.others",
    ]  # fmt: skip
    assert compare_with_truth({"mitigations": other}, {}) == []


def test_a_folder_without_truth_has_none(tmp_path):
    assert read_truth(tmp_path) is None
