"""The very lines of the how-to: a hypothesis of one's own in a cell, a playbook in one file, a waiver."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import kit

HOW_TO = (Path(__file__).parents[2] / "notebooks" / "README.md").read_text(encoding="utf-8")


def block(language: str, heading: str) -> str:
    """The first block of code in this language below the heading."""
    section = HOW_TO.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(walked, tmp_path):
    """A walked case to write on."""
    to = tmp_path / "case"
    shutil.copytree(walked("pool_starved_by_slow_query").folder, to)
    return to


def test_a_hypothesis_with_two_predictions_takes_at_most_eight_lines(folder):
    lines = block("python", "Your own hypothesis")
    assert len(lines.strip().splitlines()) <= 8
    names = {"kit": kit, "case": kit.open_case(folder), "case_path": folder}
    exec(compile(lines, "how-to", "exec"), names)
    verdict = kit.open_case(folder).verdicts.of("the-report-job-starved-the-pool")
    assert len(verdict.tested) == 2
    assert [t.result.state for t in verdict.tested] == ["held", "failed"]
    assert verdict.state == "refuted"


def test_a_playbook_in_one_file_puts_up_its_hypotheses(folder):
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "lock_held.toml").write_text(block("toml", "Your own playbook"))
    case = kit.open_case(folder)
    mine = {h.id: h for h in case.hypotheses if h.id.endswith("lock-held")}
    assert mine["orders-db-0042-lock-held"].statement.endswith("through a lock in postgres")
    verdicts = case.verdicts
    assert verdicts.of("orders-db-0042-lock-held").state != "confirmed"
    assert verdicts.of("orders-db-0042-pool-starved").state == "confirmed"


def test_a_waiver_is_written_and_a_seen_reversal_needs_none(folder):
    case = kit.open_case(folder)
    said = eval(block("python", "A reversal that cannot be had"), {"case": case})
    assert said.startswith("Waived for orders-db-0042-pool-starved")
    again = kit.open_case(folder)
    assert [w.by_role for w in again.choices.waivers] == ["on-call lead"]
    verdict = again.verdicts.of("orders-db-0042")
    assert (verdict.state, verdict.waived) == ("confirmed", "")


def said(*arguments: str) -> str:
    """What the command line prints; it must succeed."""
    from typer.testing import CliRunner

    from kit.cli import app

    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_rows_of_the_timeline_and_the_history_of_verdicts_by_command(folder, tmp_path):
    at = kit.open_case(folder).look.start.isoformat()
    row = ("note", str(folder), "called the provider", "--at", at)
    assert "1 added to timeline.jsonl" in said(*row)
    assert "0 added to timeline.jsonl" in said(*row)
    (tmp_path / "chat.json").write_text('[{"ts": "1772331300.0", "text": "long before"}]')
    assert "0 of 1 records of chat.json lie in the look; 0 added" in said(
        "note", str(folder), "--from", str(tmp_path / "chat.json")
    )
    facts = kit.open_case(folder, offline=True).timeline.to_frame()
    assert facts.loc[facts["by_hand"] & (facts["fact"] == "called the provider"), "lane"].tolist() == ["response"]
    told = said("history", str(folder))
    assert "orders-db-0042-pool-starved\n  2" in told
    assert " confirmed (undoing orders-db-0042 ends it)" in told
    assert "Tried, and gave nothing:" in told


def test_the_action_items_leave_as_issues(folder):
    import json

    from kit.issues import issues_json, read_actions

    actions = read_actions((folder / "postmortem.md").read_text())
    records = json.loads(issues_json(actions, incident="Checkout answers 503 and is slow"))
    assert "A migration check that refuses to drop an index a running query uses" in {r["summary"] for r in records}
    assert {r["assignee"] for r in records} == {None}
