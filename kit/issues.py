"""The action items of a postmortem as an issue tracker takes them: CSV and JSON, from the text that people finished."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import orjson

from connectors.errors import BadInput
from kit.lint.actions import action_rows
from kit.lint.document import read_document
from kit.postmortem import TO_FILL, Action

COLUMNS = ("summary", "description", "type", "labels", "assignee", "due")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read_actions(markdown: str) -> tuple[Action, ...]:
    """Which actions stand in the table of this postmortem? What is still to be filled in is None.

    The table is the one under a heading about actions, with a column `action`; other columns (type, removes, breaks,
    owner, due) are read where they are there. Lists of actions are taken by their text alone.

    >>> table = "## Action items" + chr(10) + "| action | owner | due |" + chr(10) + "|---|---|---|"
    >>> [(a.text, a.owner, a.due) for a in read_actions(table + chr(10) + "| Gate in CI | data team | 2026-12-01 |")]
    [('Gate in CI', 'data team', '2026-12-01')]
    """
    found = []
    for line, cells in action_rows(read_document(markdown)):
        if cells is None:
            found.append(Action(line.text, "", "", ""))
            continue
        text = _cell(cells, "action") or next(iter(cells.values()), "")
        if text:
            found.append(
                Action(
                    text,
                    _cell(cells, "type") or "",
                    _cell(cells, "removes", "class") or "",
                    _cell(cells, "breaks", "link") or "",
                    _cell(cells, "owner", "assignee"),
                    _cell(cells, "due", "date"),
                )
            )
    return tuple(found)


def issues_csv(actions: Sequence[Action], *, incident: str) -> str:
    """The actions as CSV with a header, a row each; text that a spreadsheet would run as a formula is neutralised."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in _records(actions, incident):
        labels = " ".join(record["labels"])  # type: ignore[arg-type]
        writer.writerow({k: _plain(str(v or "")) for k, v in {**record, "labels": labels}.items()})
    return text.getvalue()


def issues_json(actions: Sequence[Action], *, incident: str) -> bytes:
    """The same as a JSON list; what is not filled in is null, `labels` is a list."""
    return orjson.dumps(_records(actions, incident), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def require_actions(actions: Sequence[Action]) -> None:
    """Raises `BadInput` where there is nothing to file."""
    if not actions:
        raise BadInput("The postmortem has no action items: write them into its table, a row each, and export again.")


def _records(actions: Sequence[Action], incident: str) -> list[dict[str, object]]:
    return [
        {
            "summary": a.text,
            "description": "\n".join(
                [
                    f"From the postmortem of {incident}.",
                    *_said("Removes", a.removes),
                    *_said("Breaks the link", a.breaks),
                ]
            ),
            "type": a.type or None,
            "labels": ["postmortem", *([a.type] if a.type else [])],
            "assignee": a.owner,
            "due": a.due,
        }
        for a in actions
    ]


def _said(name: str, text: str) -> list[str]:
    return [f"{name}: {text}."] if text else []


def _cell(cells: Mapping[str, str], *names: str) -> str | None:
    for column, text in cells.items():
        if any(name in column for name in names):
            bare = text.replace("\\|", "|").strip()
            return None if bare in ("", TO_FILL, TO_FILL.strip("*")) else bare
    return None


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
