"""The log explorer moves with what is chosen in other widgets, and moves them."""

from __future__ import annotations

import json

import pytest

import kit
from connectors.window import Window
from kit.focus import Chosen, Focus
from kit.widgets import LogExplorer

PART = Window.of("2026-03-01T02:00:30Z", "2026-03-01T02:00:40Z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("logs")
    for name in ("checkout", "payments"):
        rows = [
            {"time": f"2026-03-01T02:00:{s:02}Z", "level": "ERROR" if s == 33 else "INFO", "service": name,
             "message": f"{name} {s}", "trace_id": f"t{s}"}
            for s in range(0, 60, 3)
        ]  # fmt: skip
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


@pytest.fixture
def focus():
    return Focus()


@pytest.fixture
def explorer(folder, focus):
    return LogExplorer(kit.explore(folder), focus=focus)


def test_a_window_chosen_elsewhere_narrows_and_one_brushed_here_is_told(explorer, focus):
    focus.choose("window", PART)
    assert explorer.brush.value == PART
    assert len(explorer.value.lines().table) == 8  # seconds 30 33 36 39 of two services
    start = explorer.brush.span[0]
    explorer.brush.chosen = [start + 9_000, start + 15_000]
    assert focus.chosen.window == Window.of("2026-03-01T02:00:09Z", "2026-03-01T02:00:15Z")
    focus.choose("window", None)
    assert explorer.value.window == explorer._whole.window


def test_a_service_chosen_elsewhere_stands_in_the_query_and_one_asked_for_here_is_told(explorer, focus):
    explorer.query.value = "-33"
    focus.choose("service", "payments")
    assert explorer.query.value == '-33 service="payments"'
    focus.choose("service", "checkout")
    assert explorer.query.value == '-33 service="checkout"'
    assert len(explorer.to_frame()) == 19
    explorer.query.value = "33"
    assert focus.chosen.service is None
    explorer._add("service", "payments")
    assert focus.chosen.service == "payments"
    assert explorer.query.value == '33 service="payments"'


def test_a_trace_chosen_elsewhere_is_followed_through_all_services_and_one_followed_here_is_told(explorer, focus):
    focus.choose("trace", "t12")
    assert "2 lines carry t12" in explorer._says.value
    explorer.query.value = "15"
    explorer.lines._acted(None, {"act": "follow", "row": 0}, None)
    assert focus.chosen.trace == "t15"
    assert "2 lines carry t15" in explorer._says.value


def test_it_begins_where_the_others_look(folder):
    focus = Focus(Chosen(window=PART, service="checkout"))
    explorer = LogExplorer(kit.explore(folder), focus=focus)
    assert explorer.query.value == 'service="checkout"'
    assert explorer.brush.value == PART
    assert explorer.to_frame()["message"].tolist() == [f"checkout {s}" for s in (30, 33, 36, 39)]
    assert focus.chosen == Chosen(window=PART, service="checkout")


def test_a_window_where_there_are_no_lines_does_not_move_it(explorer, focus):
    focus.choose("window", Window.of("2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z"))
    assert explorer.value.window == explorer._whole.window


def test_errors_stand_in_front_of_the_bars(explorer):
    assert sum(bad for _, _, bad in explorer.brush.bars) == 2
    assert explorer.brush.label == "Lines over time, errors in front"


def test_a_table_has_no_column_that_no_line_fills(explorer):
    assert explorer.to_frame().columns.tolist() == [
        "time", "service", "level", "message", "log.file.path", "trace_id", "id", "seq", "weight",
    ]  # fmt: skip


def test_how_many_lines_there_are_in_all_is_said(folder):
    look = kit.explore(folder).lines(10)
    assert look.headline == "The first 10 of 40 lines."
    assert kit.explore(folder).find("33").lines().headline == "2 lines."
