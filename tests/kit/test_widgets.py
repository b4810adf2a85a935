"""Widgets have a value, the code that does the same, and an answer to every wrong turn; hands are played by traits."""

import pandas as pd
import pytest

import kit
from connectors.window import Window
from kit.widgets import Brush, LogExplorer

WINDOW = Window.of("2026-03-01T02:00:00Z", "2026-03-01T02:01:00Z")
BARS = pd.DataFrame({"time": pd.date_range("2026-03-01T02:00:00Z", periods=6, freq="10s"), "n": [1, 2, 3, 2, 1, 0]})


def test_a_brush_gives_a_window_and_its_code():
    brush = Brush(BARS, window=WINDOW, step_s=10.0)
    assert brush.value is None
    assert brush.code == ""
    brush.chosen = [brush.span[0] + 10_000, brush.span[0] + 30_000]
    assert brush.value == Window.of("2026-03-01T02:00:10Z", "2026-03-01T02:00:30Z")
    assert eval(brush.code, {"kit": kit}) == brush.value  # our own text, made a line above
    brush.value = None
    assert brush.chosen == []


def test_a_choice_outside_new_bars_is_cleared():
    brush = Brush(BARS, window=WINDOW, step_s=10.0, value=WINDOW)
    brush.show(BARS, window=Window.of("2026-03-01T05:00:00Z", "2026-03-01T06:00:00Z"), step_s=60.0)
    assert brush.value is None


def test_marks_show_control_characters_as_text():
    brush = Brush(BARS, window=WINDOW, step_s=10.0, marks=[(WINDOW.start, "deploy \x1b[31m<b>v2</b>")])
    assert "\x1b" not in brush.marks[0][1]


@pytest.fixture
def explorer(tmp_path):
    lines = [f"2026-03-01T02:00:{s:02}Z INFO request took {s} ms" for s in range(0, 50, 5)]
    lines += [f"2026-03-01T02:00:{s}Z ERROR pool is full, {s} waiting <script>x</script>" for s in (31, 33, 35, 37)]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    return LogExplorer(kit.explore(tmp_path))


def test_the_first_view_is_the_lines_and_the_volume(explorer):
    assert "14 lines." in explorer._says.value
    assert sum(n for _, n, _ in explorer.brush.bars) == 14


def test_a_query_narrows_and_its_code_asks_the_same(explorer):
    explorer.query.value = "pool"
    assert "4 lines." in explorer._says.value
    look = eval(explorer.code, {"kit": kit})  # our own text, made a line above
    assert len(look.table) == 4


def test_a_query_that_cannot_be_read_is_said_and_the_view_stays(explorer):
    explorer.query.value = "pool"
    explorer.query.value = '"open'
    assert "cannot be read" in explorer._says.value
    assert explorer.value.line == "pool"


def test_a_brushed_window_says_what_is_new_in_it(explorer):
    explorer.tabs.selected_index = 2
    start = explorer.brush.span[0]
    explorer.brush.chosen = [start + 30_000, start + 40_000]
    assert "1 new" in explorer._says.value
    first = explorer._boxes[2].children[0].children[-1].value
    assert "new</b> 4 ×" in first
    assert "pool is full" in first


def test_values_are_added_to_the_query_by_a_button(explorer):
    explorer.tabs.selected_index = 1
    explorer._add("service", "app")
    assert explorer.query.value == 'service="app"'
    assert explorer.value.lines().table["service"].eq("app").all()


def test_nothing_to_compare_with_is_said(explorer):
    explorer.tabs.selected_index = 3
    assert "nothing is left to compare" in explorer._says.value


def test_all_again_forgets_query_and_window(explorer):
    explorer.query.value = "pool"
    explorer._all_again()
    assert explorer.value == explorer._whole
    assert "14 lines." in explorer._says.value


def test_lines_are_text_in_every_tab(explorer):
    for number in range(4):
        explorer.tabs.selected_index = number
        shown = str([getattr(c, "value", "") for c in explorer._boxes[number].children])
        assert "<script>" not in shown


def test_a_chosen_line_is_gone_on_from(explorer):
    explorer.query.value = "pool"
    explorer.lines._acted(None, {"act": "around", "row": 0}, None)
    assert "lines around 02:00:31" in explorer._says.value
    assert explorer.lines.rows[explorer.lines.chosen]["message"].startswith("ERROR pool is full, 31")
    explorer.query.value = ""
    explorer.lines._acted(None, {"act": "hide", "row": 0}, None)
    assert "hidden templates are left out" in explorer._says.value
    assert len(explorer.lines.rows) == 4
    explorer.lines._acted(None, {"act": "format the disk", "row": 0}, None)
    explorer.lines._acted(None, {"act": "around", "row": 99}, None)


def test_a_time_is_gone_to(explorer):
    explorer.go_to.value = "02:00:31"
    assert "lines around 02:00:31" in explorer._says.value
    explorer.go_to.value = "no-such-id"
    assert "No source has an id to follow" in explorer._says.value


def test_a_templates_variables_are_measured(explorer):
    explorer.tabs.selected_index = 2
    explorer._measure("INFO request took <*> ms")
    assert "Median 22.5" in explorer._says.value


def test_suggestions_follow_what_is_typed(explorer):
    explorer.query.typed = ["lev", 3]
    assert explorer.query.suggestions == ["level="]
    explorer.query.typed = ['"open', 5]
    assert explorer.query.suggestions == []


def test_a_look_is_saved_where_it_is_said(explorer, tmp_path):
    explorer._save_to = str(tmp_path / "kept")
    explorer._save()
    assert "saved as ev_" in explorer._doing.value
    assert (tmp_path / "kept" / "evidence.jsonl").exists()


def test_hostile_text_goes_to_the_browser_as_symbols(tmp_path):
    (tmp_path / "app.log").write_text("2026-03-01T02:00:00Z \x1b[31mred \u202e\x00" + "x" * 9_000 + "\n")
    shown = LogExplorer(kit.explore(tmp_path)).lines.rows[0]["message"]
    assert shown.startswith("␛[31mred ‹U+202E›␀")
    assert shown.endswith("more characters")
    assert len(shown) < 2_100
