"""The lint tells blame, hindsight, wishes and bare numbers from sentences that carry something."""

import re
import tomllib
from pathlib import Path

import pytest

from kit.lint import RULES, lint_postmortem

SENTENCES = tomllib.loads((Path(__file__).parent / "lint_sentences.toml").read_text())
HEADING = {"prose": "## Mechanism", "action": "## Action items", "timeline": "## Timeline", "impact": "## Impact"}
WHOLE = ("missing-section", "no-link")


def rules_on(text, place):
    bullet = "" if place == "prose" else "- "
    return {f.rule for f in lint_postmortem(f"{HEADING[place]}\n\n{bullet}{text}\n")} - set(WHOLE)


def test_planted_sentences_are_told_apart():
    wrong = [
        f"{rule}: {text}"
        for place, pairs in SENTENCES["bad"].items()
        for rule, text in pairs
        if rule not in rules_on(text, place)
    ]
    wrong += [
        f"{rules_on(text, place)}: {text}"
        for place, texts in SENTENCES["good"].items()
        for text in texts
        if rules_on(text, place)
    ]
    assert sum(map(len, SENTENCES["bad"].values())) == sum(map(len, SENTENCES["good"].values())) == 60
    assert len(wrong) <= 3, wrong


def test_every_finding_names_its_line_a_reason_and_a_better_wording():
    found = lint_postmortem("# x\n\n## Cause\n\nHuman error.\n\n## Action items\n\n- be more careful\n")
    assert {(f.rule, f.line) for f in found} >= {("blame", 5), ("vague-action", 9), ("action-incomplete", 9)}
    assert all(f.rule in RULES and f.message.endswith((".", "again.")) and len(f.better) > 20 for f in found)
    assert [f.line for f in found] == sorted(f.line for f in found)


@pytest.mark.parametrize("shown", ["```\nhuman error\n```", "> human error", "<!-- human error -->", "    human error"])
def test_code_quotations_and_comments_are_not_read(shown):
    assert "blame" not in {f.rule for f in lint_postmortem(f"## Cause\n\n{shown}\n")}


def test_an_action_table_is_read_by_its_columns():
    table = "\n".join([
        "## Action items", "",
        "| action | type | removes | breaks the link | owner | due |",
        "|---|---|---|---|---|---|",
        "| Index gate in CI | prevent | dropped indexes | query → full scan | data team | 2026-12-01 |",
        "| Pool alert | detect | pool exhaustion | **to be filled in** | **to be filled in** | **to be filled in** |",
    ])  # fmt: skip
    found = [f for f in lint_postmortem(table) if f.rule != "missing-section"]
    assert [(f.rule, f.line) for f in found] == [("action-incomplete", 6)]
    assert "no owner and date" in found[0].message


def test_a_zone_said_once_serves_every_time():
    assert "time-without-zone" not in {
        f.rule for f in lint_postmortem("## Timeline\n\nAll times in UTC.\n\n- 02:14 alert\n")
    }


def test_a_whole_postmortem_passes():
    text = Path(__file__).with_name("lint_whole.md").read_text()
    assert lint_postmortem(text) == []
    assert lint_postmortem(re.sub("UTC", "", text)) != []


def test_the_command_says_where_and_how_to_mend_it(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "pm.md"
    path.write_text("## Cause\n\nHuman error.\n")
    command = [sys.executable, "-m", "kit.cli", "lint", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pm.md:3  blame" in done.stdout
    assert "better: " in done.stdout
    missing = subprocess.run([*command[:-1], str(tmp_path / "no.md")], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "Traceback" not in missing.stderr


def actions(*lines, above="", cause="A retry storm: each failed call was sent again at once, and connections ran out."):
    text = "\n".join([f"## Root cause\n\n{cause}\n\n## Action items\n", above, *(f"- {line}" for line in lines)])
    return [(f.rule, f.message) for f in lint_postmortem(text) if f.rule in ("action-incomplete", "no-link")]


def test_what_a_heading_tracks_or_dates_holds_for_the_actions_under_it():
    line = "Split the pool so that reads survive; breaks the link writes → pool"
    assert actions(line, above="### Soon ([tracked](https://x.example/issues/7))\n") == []
    assert "no owner:" in actions(line, above="### Later (Q4 2026)\n")[0][1]
    assert "no owner and date" in actions(line, above="### Later\n")[0][1]


def test_a_team_that_will_do_it_is_its_owner():
    assert "no date:" in actions("DevEx will rotate all accounts so that none expires; link: account → login")[0][1]
    assert "no owner and date" in actions("We will rotate all accounts so that none expires; link: a → b")[0][1]


def test_an_action_that_stops_what_the_mechanism_tells_of_names_its_link():
    assert "no-link" not in {r for r, _ in actions("Add breakers to prevent failed connections from being sent again")}
    assert "no-link" in {r for r, _ in actions("Add a dashboard to prevent surprises in the billing run")}


@pytest.mark.parametrize(
    ("line", "stumbles"),
    [
        ("Users waited for 45 minutes.", True),
        ("From 06:48 UTC on users waited for 45 minutes.", False),
        ("A connection timeout reduction from 1 second to 300 ms met a busy database.", False),
        ("The job was done within 1 minute:\n\n![log](log.png)", False),
    ],
)
def test_a_time_stands_on_its_clock_a_picture_or_what_a_setting_says(line, stumbles):
    found = {f.rule for f in lint_postmortem(f"## Summary\n\n{line}\n")}
    assert ("number-without-evidence" in found) is stumbles
