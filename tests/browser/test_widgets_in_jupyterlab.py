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
from kit.export.export import export_unredacted
from kit.findings import Findings
from kit.walk import run_in_process
from tests.browser.jupyterlab import jupyterlab, run_notebook
from tests.incidents.small_case import make_case, walk

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

MARKUP = "<img src=x onerror=window.canary=1><script>window.canary=1</script>"
CANARY = f"{MARKUP}\x1b[31m\u202eesrever"
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
LONG = """
import dataclasses, time
from connectors.progress import reached

def load(spec):
    \"\"\"A frame named `long` takes two minutes, unless it is called off.\"\"\"
    for n in range(2400 if spec.name == "long" else 0):
        reached(n / 2400)
        time.sleep(0.05)
    return case.loader.load(spec)

loader = dataclasses.replace(case.loader, load=load)
"""
HOSTILE = """
import ipywidgets
import numpy as np
from kit.board import Board
from kit.coverage import Coverage, SourceSeen
from kit.hypothesis import Hypothesis
from kit.verdict import Verdict

times = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s", name="time")
wide = pd.DataFrame({CANARY + "/requests.duration.p99": [0.01] * 40 + [0.9] * 20}, index=times)
read = kit.read_signals(wide, baseline=kit.Window.of(times[0], times[40]), incident=kit.Window.of(times[40], times[59]))
verdict = Verdict(Hypothesis(CANARY), "guess", missing=(CANARY,))
seen = SourceSeen(CANARY, "logs", times[0], times[9], 5.0, (CANARY,))
shown = [
    kit.widgets.GoldenBoard(read, wide, incident=(times[40], times[59])),
    kit.widgets.HypothesisBoard(Board((verdict,), None)),
    kit.widgets.SourcePicker(Coverage((seen,), case.look, (), (), (CANARY,), (), (), ())),
]
for widget in shown:
    widget.kind = f"hostile-{widget.kind}"
ipywidgets.VBox(shown)
"""
HOSTILE_WIDGETS = ("picker", "changes", "path", "traces", "pins",
                   "hostile-board", "hostile-hypotheses", "hostile-sources")  # fmt: skip
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
    "hostile": HOSTILE,
    "long": LONG,
    "load": "kit.widgets.LoadForm(loader, into=globals(), focus=case.focus)",
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
    expect(tab.locator(f".ik-{widget} .ik-said")).to_contain_text(text)


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


def test_cohorts_are_chosen_by_mouse_and_by_key_and_what_differs_leads_to_its_service(lab, case):
    tab, _ = lab
    tab.locator(".ik-traces [data-pick='cohorts:slow against before']").click()
    assert wait_for_choice(case, "cohorts") == "slow against before"
    expect(tab.locator(".ik-traces")).to_contain_text("12 traces that took longer than")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Enter")
    assert wait_for_choice(case, "cohorts", not_="slow against before") == "all against before"
    tab.locator(".ik-traces [data-pick='during:0']").click()
    assert wait_for_choice(case, "service", not_="payments") == "edge"
    tab.locator(".ik-traces [data-pick='differs:0']").click()
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
    expect(tab.locator(".ik-pins")).to_contain_text("The call leaves ill.")
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
    expect(tab.locator(".ik-pins")).to_contain_text("This is what it said.")
    pinned = [p for p in chosen(case)["pin"] if p["sentence"] == "This is what it said."]
    assert pinned[0]["kind"] == "line"
    assert pinned[0]["evidence"][0] in (case / "evidence.jsonl").read_text()
    tray.get_by_role("button", name="Take off: The call leaves ill.").click()
    expect(tab.locator(".ik-pins")).not_to_contain_text("The call leaves ill.")
    assert [p["sentence"] for p in chosen(case)["pin"]] == ["This is what it said."]
    sentence.fill(MARKUP)
    sentence.press("Enter")
    expect(tab.locator(".ik-pins")).to_contain_text(MARKUP)


def test_the_cost_is_seen_before_a_frame_is_loaded_and_it_can_be_cancelled(lab, case):
    tab, _ = lab
    form = tab.locator(".ik-load-form")
    assert form.get_by_role("button", name="Load", exact=True).is_disabled()
    name = form.locator("input[type=text]").last
    name.fill("ill")
    name.press("Tab")
    expect(form.locator("pre")).to_have_text(re.compile(r"^ill = case\.frame\("))
    form.get_by_role("button", name="Cost").press("Space")
    expect(tab.locator(".ik-load-form [role=status]")).to_contain_text("rows fit")
    assert "frame" not in chosen(case)
    form.get_by_role("button", name="Load", exact=True).click()
    expect(tab.locator(".ik-load-form")).to_contain_text("ill is loaded")
    assert chosen(case)["frame"][0]["name"] == "ill"


def call_off(form, press):
    """Load a frame that takes minutes, see the bar move, press *Cancel*."""
    form.get_by_role("button", name="Load", exact=True).press("Space")
    cancel, bar = form.get_by_role("button", name="Cancel"), form.locator(".widget-hprogress")
    expect(cancel).to_be_enabled()
    expect(bar).to_be_visible()
    expect(form.get_by_text(re.compile(r"^[1-9]\d* s$"))).to_be_visible()
    press(cancel)
    expect(form.locator("[role=status]")).to_contain_text("Cancelled: nothing was loaded.")
    expect(cancel).to_be_disabled()
    expect(bar).to_be_hidden()


def test_a_long_load_is_called_off_by_mouse_and_by_key(lab, case):
    tab, _ = lab
    form = tab.locator(".ik-load-form")
    name = form.locator("input[type=text]").last
    name.fill("long")
    name.press("Tab")
    expect(form.locator("pre")).to_contain_text("long = case.frame(")
    form.get_by_role("button", name="Cost").click()
    expect(form.locator("[role=status]")).to_contain_text("rows fit")
    call_off(form, lambda cancel: cancel.click())
    call_off(form, lambda cancel: cancel.press("Space"))
    assert [f["name"] for f in chosen(case)["frame"]] == ["ill"]


def test_hostile_words_are_text_in_every_widget_and_nothing_was_said_as_an_error(lab):
    tab, said = lab
    assert tab.evaluate("window.canary") is None
    for widget in HOSTILE_WIDGETS:
        found = tab.locator(f".ik-{widget}").first
        expect(found).to_contain_text("onerror")
        expect(found.locator("img, script, iframe")).to_have_count(0)
    text = tab.locator(".jp-Notebook").text_content()
    assert "\u202e" not in text.replace(CANARY, "")
    assert "\x1b" not in text
    assert said == []


def markup_of(notebook: Path) -> str:
    """Everything that an executed notebook shows as HTML."""
    cells = [c for c in json.loads(notebook.read_text())["cells"] if c["cell_type"] == "code"]
    outputs = [o.get("data", {}) for c in cells for o in c["outputs"]]
    return "".join("".join(data.get("text/html", "")) for data in outputs)


def test_a_run_without_hands_repeats_what_was_chosen(lab, case):
    before = (case / "choices.toml").read_bytes()
    findings = Findings(case).merge()
    walk(case)
    shown = {p.stem: markup_of(p) for p in (case / "notebooks").glob("0*.ipynb")}
    assert (case / "choices.toml").read_bytes() == before
    assert Findings(case).merge() == findings
    assert "ill = case.frame(" in shown["03_golden_signals"].replace("&#x27;", "'")
    assert "This is what it said." in shown["07_postmortem"]
    again = open_case(case)
    assert again.focus.chosen.boundary == "edge → payments"
    assert again.focus.chosen.window is not None
    assert "<img" not in shown["07_postmortem"]  # only as escaped text


def test_on_the_exported_page_hostile_words_of_widgets_are_text(lab, case):
    tab, _ = lab
    page = tab.context.browser.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(export_unredacted(case).path.as_uri())
    page.wait_for_function("() => document.documentElement.dataset.charts !== undefined")
    for text in (MARKUP, "pay-v2 on"):
        assert text in page.locator("body").inner_text()
    assert page.evaluate("window.canary") is None
    expect(page.locator("img[src=x], script[src]")).to_have_count(0)
    assert said == []
    page.close()
