"""Every widget of the walk in a real JupyterLab with a real kernel, driven by mouse and by keyboard.

The case is the small one, with text meant to break out of HTML, a terminal and the reading direction wherever people
or programs write: services, summaries, lines, span names. What hands chose is looked for in `choices.toml`, and a run
without hands repeats it.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from kit.case import open_case
from kit.findings import Findings
from kit.plain_text import visible
from kit.walk import run_in_process
from tests.browser.jupyterlab import jupyterlab, run_notebook
from tests.incidents.small_case import make_case

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

CANARY = "<img src=x onerror=window.canary=1><script>window.canary=1</script>\x1b[31m\u202eesrever"
SPANS = """
import pandas as pd

def traces(n, seconds, start):
    began = pd.date_range(start, periods=n, freq="1s")
    root = pd.DataFrame({"start": began, "duration_s": [seconds + i / 100 for i in range(n)], "service": "edge"})
    root = root.assign(trace_id=[f"{seconds}-{i}" for i in range(n)], span_id="a", parent_id=None, name="GET /pay")
    call = root.assign(start=began + pd.Timedelta("10ms"), duration_s=root["duration_s"] - 0.02, span_id="b",
        parent_id="a", service="payments", name=CANARY, status=["error"] * n)
    return pd.concat([root.assign(status="ok"), call], ignore_index=True)
"""
CELLS = {
    "open": "import kit\n\ncase = kit.open_case('case')\nCANARY = {canary!r}",
    "picker": "kit.widgets.WindowPicker(case.entry_series, title=CANARY, changes=case.changes_in_look, "
    "incident=case.harm_interval, zone=case.zone, focus=case.focus, pins=case.pins, "
    "evidence=case.evidence('requests'))",
    "sources": "kit.widgets.SourcePicker(case.coverage, ask=case.ask_now, focus=case.focus, pins=case.pins)",
    "board": "kit.widgets.GoldenBoard(case.board, case.wide, incident=case.incident_interval, "
    "changes=case.changes_in_look, focus=case.focus, pins=case.pins)",
    "changes": "kit.widgets.ChangeTimeline(case.suspects, window=case.look, incident=case.harm_interval, "
    "focus=case.focus, pins=case.pins, evidence=case.evidence('changes'))",
    "path": "kit.widgets.PathProbe(case.probes, case.cut, focus=case.focus, pins=case.pins)",
    "hypotheses": "kit.widgets.HypothesisBoard(case.verdicts, focus=case.focus, pins=case.pins)",
    "spans": SPANS,
    "traces": "kit.widgets.TraceWaterfall(traces(12, 1.5, '2026-03-01T02:12Z'), traces(12, 0.05, '2026-03-01T02:01Z'), "
    "focus=case.focus, pins=case.pins)",
    "load": "kit.widgets.LoadForm(case.loader, into=globals(), focus=case.focus)",
    "lines": "lines = case.sources('logs')[0].rows(case.incident, limit=40).to_frame()[['time', 'service', 'message']]",
    "tray": "kit.widgets.EvidenceTray(case.pins, things={{'lines': lines, 'suspects': case.suspects}}, keep=case.pin)",
}


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Path:
    """The small case with hostile words in its changes, walked once without hands."""
    folder = make_case(tmp_path_factory.mktemp("widgets") / "case")
    changes = folder / "raw" / "changes.jsonl"
    rows = [json.loads(line) for line in changes.read_text().splitlines()]
    rows[0]["summary"] += f" {CANARY}"
    changes.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (folder / "path.toml").open("a") as file:
        file.write(f'\n[[edge]]\ncaller = "payments"\ncallee = {json.dumps("bank " + CANARY[:60])}\nkind = "service"\n')
    run_in_process(folder)
    return folder


@pytest.fixture(scope="module")
def lab(case):
    cells = [
        {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": [],
         "source": source.format(canary=CANARY) if name in ("open", "tray") else source}
        for name, source in CELLS.items()
    ]  # fmt: skip
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (case.parent / "widgets.ipynb").write_text(json.dumps(notebook))
    with (
        jupyterlab(case.parent) as url,
        run_notebook(url, "widgets.ipynb", until=".ik-evidence-tray button") as (tab, said),
    ):
        tab.wait_for_selector(".ik-evidence-tray .ik-pins")
        yield tab, said


def chosen(case: Path) -> dict:
    path = case / "choices.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def wait_for_choice(case: Path, name: str, *, not_: object = None) -> object:
    """What `[focus]` says of this, once it says something else than `not_`."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        value = chosen(case).get("focus", {}).get(name)
        if value != not_:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{name} stayed {not_!r}: {chosen(case)}")


def wait_said(tab, widget: str, text: str) -> None:
    tab.wait_for_function(
        "([widget, text]) => document.querySelector(`.ik-${widget} .ik-said`).innerText.includes(text)",
        arg=[widget, text],
    )


def test_a_window_is_brushed_by_mouse_and_the_load_form_follows(lab, case):
    tab, _ = lab
    chart = tab.locator(".ik-picker svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    expect(tab.locator(".ik-picker .ik-read")).to_contain_text("failed")
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=5)
    tab.mouse.up()
    start = wait_for_choice(case, "start")
    assert str(start).startswith("2026-03-01T02:1")
    tab.wait_for_selector(".ik-picker svg rect.chosen")
    values = "() => [...document.querySelectorAll('.ik-load-form input[type=text]')].map(i => i.value)"
    tab.wait_for_function(f"start => ({values})().includes(start)", arg=start)


def test_the_window_is_moved_widened_and_cleared_by_keys(lab, case):
    tab, _ = lab
    chart = tab.locator(".ik-picker svg")
    chart.focus()
    before = chosen(case)["focus"]
    chart.press("ArrowRight")
    moved = wait_for_choice(case, "start", not_=before["start"])
    assert moved > before["start"]
    tab.wait_for_timeout(1_000)  # the kernel's answer to the first key is drawn
    end = chosen(case)["focus"]["end"]
    chart.press("Shift+ArrowRight")
    assert wait_for_choice(case, "end", not_=end) > end
    chart.press("Escape")
    assert wait_for_choice(case, "start", not_=moved) is None
    chart.press("ArrowRight")
    wait_for_choice(case, "start")


def test_a_service_clicked_on_the_board_is_in_focus(lab, case):
    tab, _ = lab
    tab.locator(".ik-board [data-pick='0:2']").click()
    assert wait_for_choice(case, "service") == "edge"
    wait_said(tab, "board", "edge:")
    expect(tab.locator(".ik-board .ik-detail")).to_have_text(re.compile("^edge"))


def test_arrow_keys_go_over_the_board_and_enter_chooses(lab, case):
    tab, _ = lab
    cell = tab.locator(".ik-board [data-pick='0:2']")
    signal = chosen(case)["focus"].get("signal")
    cell.focus()
    cell.press("ArrowLeft")
    assert tab.evaluate("document.activeElement.getAttribute('data-pick')") == "0:1"
    tab.keyboard.press("Enter")
    assert wait_for_choice(case, "signal", not_=signal) != signal


def test_a_change_is_chosen_on_the_timeline_by_mouse_and_by_key(lab, case):
    tab, _ = lab
    tab.locator(".ik-changes svg [data-pick='1']").click()
    assert wait_for_choice(case, "change") == "c2"
    first = tab.locator(".ik-changes svg [data-pick='1']")
    first.focus()
    first.press("ArrowLeft")
    tab.keyboard.press("Enter")
    assert wait_for_choice(case, "change", not_="c2") == "c1"
    expect(tab.locator(".ik-changes .ik-detail")).to_contain_text("pay-v2 on")


def test_a_boundary_is_probed_and_the_next_probe_is_one_press(lab, case):
    tab, _ = lab
    tab.locator(".ik-path .ik-cell").nth(2).click()
    last = wait_for_choice(case, "boundary")
    assert str(last).startswith("payments → bank <img")
    button = tab.locator(".ik-path [data-pick='probe next']")
    wanted = button.inner_text().removeprefix("Probe next: ")
    button.focus()
    button.press("Enter")
    probed = wait_for_choice(case, "boundary", not_=last)
    assert str(probed).endswith(f" → {wanted}")
    tab.keyboard.press("Escape")
    assert wait_for_choice(case, "boundary", not_=probed) is None
    tab.locator(".ik-path [data-pick='edge → payments']").click()
    wait_for_choice(case, "boundary")


def test_a_hypothesis_is_chosen_and_shows_its_predictions(lab, case):
    tab, _ = lab
    tab.locator(".ik-hypotheses [data-pick='0']").click()
    assert wait_for_choice(case, "hypothesis")
    tab.locator(".ik-hypotheses .ik-detail li").first.wait_for()


def test_a_trace_is_chosen_and_a_span_by_keys(lab, case):
    tab, _ = lab
    tab.locator(".ik-traces [data-pick='typical']").click()
    assert str(wait_for_choice(case, "trace")).startswith("1.5-")
    expect(tab.locator(".ik-traces .ik-bar i.path").nth(1)).to_be_attached()
    tab.locator(".ik-traces [data-pick='during:1']").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".ik-traces .ik-detail")
    assert wait_for_choice(case, "service", not_="edge") == "payments"


def test_all_sources_are_asked_and_one_is_chosen(lab, case):
    tab, _ = lab
    tab.locator(".ik-sources [data-pick='ask all']").click()
    wait_said(tab, "sources", "2 of 2 answer")
    row = tab.locator(".ik-sources [data-pick='0']")
    row.focus()
    row.press("Enter")
    assert wait_for_choice(case, "source") == "edge"


def test_code_is_shown_and_what_is_seen_is_pinned_by_keys(lab, case):
    tab, _ = lab
    path = tab.locator(".ik-path")
    path.get_by_role("button", name="Show code").press("Enter")
    expect(path.locator("pre")).to_contain_text("case.probes.to_frame()")
    path.get_by_role("button", name="Pin this …").press("Enter")
    tab.keyboard.type("The call leaves ill.")
    tab.keyboard.press("Enter")
    wait_said(tab, "path", "Pinned: The call leaves ill.")
    tab.wait_for_function("() => document.querySelector('.ik-pins').innerText.includes('The call leaves ill.')")
    assert chosen(case)["pin"][0]["sentence"] == "The call leaves ill."


def test_an_empty_sentence_is_refused_in_words(lab):
    tab, _ = lab
    board = tab.locator(".ik-board")
    board.get_by_role("button", name="Pin this …").click()
    board.get_by_role("button", name="Pin", exact=True).click()
    wait_said(tab, "board", "needs a sentence")
    tab.keyboard.press("Escape")


def test_a_log_line_is_pinned_with_its_recorded_answer_and_taken_off(lab, case):
    tab, _ = lab
    tray = tab.locator(".ik-evidence-tray")
    tray.locator("select").nth(1).select_option(index=1)
    sentence = tray.locator("input[type=text]").first
    sentence.fill("This is what it said.")
    sentence.press("Enter")
    tab.wait_for_function("() => document.querySelector('.ik-pins').innerText.includes('This is what it said.')")
    pinned = [p for p in chosen(case)["pin"] if p["sentence"] == "This is what it said."]
    assert pinned[0]["kind"] == "line"
    assert pinned[0]["evidence"][0] in (case / "evidence.jsonl").read_text()
    tray.get_by_role("button", name="Take off: The call leaves ill.").click()
    tab.wait_for_function("() => !document.querySelector('.ik-pins').innerText.includes('The call leaves ill.')")
    assert [p["sentence"] for p in chosen(case)["pin"]] == ["This is what it said."]


def test_the_cost_is_seen_before_a_frame_is_loaded_and_it_can_be_cancelled(lab, case):
    tab, _ = lab
    form = tab.locator(".ik-load-form")
    assert form.get_by_role("button", name="Load", exact=True).is_disabled()
    name = form.locator("input[type=text]").last
    name.fill("ill")
    name.press("Tab")
    tab.wait_for_function("() => document.querySelector('.ik-load-form pre').innerText.startsWith('ill = case.frame(')")
    form.get_by_role("button", name="Cost").press("Space")
    tab.wait_for_function("() => document.querySelector('.ik-load-form [role=status]').innerText.includes('rows fit')")
    assert "frame" not in chosen(case)
    form.get_by_role("button", name="Load", exact=True).click()
    tab.wait_for_function("() => document.querySelector('.ik-load-form').innerText.includes('ill is loaded')")
    assert chosen(case)["frame"][0]["name"] == "ill"


def test_hostile_words_are_text_in_every_widget_and_nothing_was_said_as_an_error(lab):
    tab, said = lab
    assert tab.evaluate("window.canary") is None
    for widget in ("picker", "changes", "path", "traces"):
        assert "onerror" in tab.locator(f".ik-{widget}").first.inner_html()
        assert tab.locator(f".ik-{widget} img, .ik-{widget} script").count() == 0
    text = tab.locator(".jp-Notebook").inner_text()
    assert "\u202e" not in text.replace(CANARY, "")
    assert "\x1b" not in text
    assert said == []


def test_a_run_without_hands_repeats_what_was_chosen(lab, case):
    shown: dict[str, str] = {}
    before = (case / "choices.toml").read_bytes()
    findings = Findings(case).merge()
    run_in_process(case, show=lambda notebook, _, data: shown.__setitem__(
        notebook, shown.get(notebook, "") + str(data.get("text/html", ""))))  # fmt: skip
    assert (case / "choices.toml").read_bytes() == before
    assert Findings(case).merge() == findings
    assert "ill = case.frame(" in shown["03_golden_signals"].replace("&#x27;", "'")
    assert "This is what it said." in shown["07_postmortem"]
    again = open_case(case)
    assert again.focus.chosen.boundary == "edge → payments"
    assert again.focus.chosen.window is not None
    assert visible(CANARY) not in shown["07_postmortem"]  # only as escaped text
