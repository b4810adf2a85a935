"""Rows of the timeline by hand and from exports: text, without names, only once, only of the look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.errors import BadInput
from connectors.window import Window
from kit.noted import add_rows, read_export

LOOK = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
AT = 1772331300.0  # 2026-03-01T02:15:00Z


def export(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(content))
    return path


def message(seconds: float, text: str, **more: object) -> dict[str, object]:
    return {"type": "message", "user": "U02ABC", "ts": f"{AT + seconds:.6f}", "text": text, **more}


def test_messages_of_the_look_become_rows_without_names(tmp_path: Path) -> None:
    rows, said = read_export(
        export(
            tmp_path,
            [
                message(0, "<@U9XYZ> seeing errors on <https://x.example/pay|/pay>"),
                message(60, "rolling back with <@U02ABC>"),
                message(90, "joined", subtype="channel_join"),
                message(120, "all clear &amp; healthy again"),
                message(90_000, "tomorrow"),
            ],
        ),
        window=LOOK,
    )
    assert [(r["time"], r["lane"], r["fact"]) for r in rows] == [
        ("2026-03-01T02:15:00Z", "detection", "somebody seeing errors on /pay"),
        ("2026-03-01T02:16:00Z", "response", "rolling back with somebody"),
        ("2026-03-01T02:17:00Z", "recovery", "all clear & healthy again"),
    ]
    assert said == "3 of 5 records of export.json lie in the look"
    assert "U02ABC" not in json.dumps(rows)


def test_where_people_pinned_messages_those_alone_are_taken(tmp_path: Path) -> None:
    rows, said = read_export(
        export(tmp_path, {"messages": [message(0, "hm"), message(5, "v2 deployed", pinned_to=["C1"])]}), window=LOOK
    )
    assert [(r["lane"], r["fact"]) for r in rows] == [("change", "v2 deployed")]
    assert said.endswith("and are pinned")


def test_a_pagers_log_gives_the_marks(tmp_path: Path) -> None:
    def entry(kind: str, at: str) -> dict[str, object]:
        return {
            "type": f"{kind}_log_entry",
            "created_at": at,
            "agent": {"summary": "Jo Doe"},
            "incident": {"summary": "[#7] 5xx high"},
        }

    rows, _ = read_export(
        export(
            tmp_path,
            {
                "log_entries": [
                    entry("acknowledge", "2026-03-01T02:18:00Z"),
                    entry("trigger", "2026-03-01T02:16:30Z"),
                    entry("notify", "2026-03-01T02:16:31Z"),
                    entry("resolve", "2026-03-01T02:40:00Z"),
                ]
            },
        ),
        window=LOOK,
    )
    assert [(r["lane"], r["fact"], r["mark"]) for r in rows] == [
        ("detection", "the pager went off: [#7] 5xx high", "detected"),
        ("response", "somebody took the page: [#7] 5xx high", "engaged"),
        ("recovery", "the page was closed: [#7] 5xx high", "resolved"),
    ]
    assert "Doe" not in json.dumps(rows)


@pytest.mark.parametrize("content", [[], {}, {"messages": 3}, [1, "x"], [{"a": 1}], "text", None])
def test_anything_else_is_one_sentence(tmp_path: Path, content: object) -> None:
    with pytest.raises(BadInput, match=r"export\.json is neither"):
        read_export(export(tmp_path, content), window=LOOK)


def test_hostile_records_are_left_out(tmp_path: Path) -> None:
    odd = [message(0, "ok"), {"ts": "nan", "text": "x"}, {"ts": "1e99", "text": "x"}, {"ts": [], "text": "x"},
           {"ts": "1", "text": {"a": 1}}, message(1, "y" * 5000)]  # fmt: skip
    rows, _ = read_export(export(tmp_path, odd), window=LOOK)
    assert [len(str(r["fact"])) for r in rows] == [2, 200]


def test_a_row_is_added_once_and_checked_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    row = {"time": "2026-03-01T03:20+01:00", "lane": "response", "fact": "called the provider"}
    assert add_rows(path, [row, row], there=[]) == 1
    there = [json.loads(line) for line in path.read_text().splitlines()]
    assert there[0]["time"] == "2026-03-01T02:20:00Z"
    assert add_rows(path, [row], there=there) == 0
    with pytest.raises(BadInput, match="no lane"):
        add_rows(path, [{**row, "fact": "new"}, {**row, "lane": "blame"}], there=there)
    assert len(path.read_text().splitlines()) == 1
