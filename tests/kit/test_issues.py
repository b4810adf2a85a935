"""Action items leave the postmortem as people finished them, and run nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import pytest

from connectors.errors import BadInput
from kit.issues import issues_csv, issues_json, read_actions, require_actions

POSTMORTEM = """# x

## Action items

| action | type | removes | breaks the link | owner | due |
|---|---|---|---|---|---|
| Refuse a migration that drops a used index | prevent | a starved pool | 0042 → statement | data team | 2026-12-01 |
| =HYPERLINK("x") a\\|b | detect | not seeing it | **to be filled in** | **to be filled in** | **to be filled in** |
"""


def test_the_table_is_read_as_people_filled_it_in() -> None:
    first, second = read_actions(POSTMORTEM)
    assert (first.text, first.type, first.removes, first.breaks, first.owner, first.due) == (
        "Refuse a migration that drops a used index", "prevent", "a starved pool", "0042 → statement", "data team",
        "2026-12-01",
    )  # fmt: skip
    assert (second.text, second.breaks, second.owner, second.due) == ('=HYPERLINK("x") a|b', "", None, None)


def test_csv_has_a_row_an_action_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(issues_csv(read_actions(POSTMORTEM), incident="Checkout"))))
    assert [r["assignee"] for r in rows] == ["data team", ""]
    assert rows[0]["description"] == (
        "From the postmortem of Checkout.\nRemoves: a starved pool.\nBreaks the link: 0042 → statement."
    )
    assert rows[1]["summary"].startswith("'=")
    assert rows[0]["labels"] == "postmortem prevent"


def test_json_says_null_for_what_is_not_filled_in() -> None:
    records = json.loads(issues_json(read_actions(POSTMORTEM), incident="Checkout"))
    assert [(r["assignee"], r["due"], r["labels"]) for r in records] == [
        ("data team", "2026-12-01", ["postmortem", "prevent"]), (None, None, ["postmortem", "detect"]),
    ]  # fmt: skip


def test_without_actions_there_is_nothing_to_file() -> None:
    with pytest.raises(BadInput, match="no action items"):
        require_actions(read_actions("# x\n\n## Impact\n\nnone\n"))
