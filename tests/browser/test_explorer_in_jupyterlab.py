"""The log explorer in a real JupyterLab with a real kernel, driven by mouse and by keyboard, over hostile lines."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from kit.cli_explore import place_notebook
from tests.browser.jupyterlab import TOKEN, jupyterlab, run_notebook

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

CANARY = "<img src=x onerror=window.canary=1><script>window.canary=1</script>"
SLOW = """
import time
from connectors.folder import glance, logs
from connectors.progress import reached

def slowly(self, window):
    for i in range(3000):
        reached(i / 3000)
        time.sleep(0.1)

if slow:
    logs.ALL_AT_ONCE = glance.QUICK_LINES = 50
    logs.FolderLogs.take_in = slowly
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    """The explorer over a folder with what hostile programs write, by way of the command's own notebook."""
    folder = tmp_path_factory.mktemp("logs")
    lines = [f"2026-03-01T02:{m:02}:{s:02}Z INFO request took {s} ms" for m in range(10) for s in range(0, 60, 5)]
    lines += [f"2026-03-01T02:05:{s:02}Z ERROR pool is full, {s} waiting {CANARY}" for s in range(1, 60, 5)]
    lines += [
        "2026-03-01T02:06:01Z WARN \x1b[31mred\x1b[0m \u202eesrever \x00 end",
        "2026-03-01T02:06:02Z WARN " + "x" * 1_000_000,
    ]
    (folder / "app.log").write_text("\n".join(sorted(lines)) + "\n")
    wide = {"time": "2026-03-01T02:07:00Z", "message": "wide", **{f"{CANARY}{i}": CANARY for i in range(10_000)}}
    pays = [
        {"time": f"2026-03-01T02:07:{s:02}Z", "message": f"paid {s}", "zone": CANARY, "trace_id": f"t{s % 3}"}
        for s in range(1, 40)
    ]
    (folder / "pay.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [wide, *pays]))
    path = place_notebook(tmp_path_factory.mktemp("lab"), str(folder))
    _with_slow_cell(path)
    return path


def _with_slow_cell(path: Path) -> None:
    """The same notebook again, over a source that takes minutes to read all its lines, for what is called off."""
    made = nbformat.read(path, as_version=4)
    at = next(i for i, cell in enumerate(made.cells) if "kit.explore(" in cell.source)
    made.cells.insert(at, nbformat.v4.new_code_cell("slow = True\n" + SLOW))
    nbformat.write(made, path.parent / "slow.ipynb")


@pytest.fixture(scope="module")
def address(notebook):
    with jupyterlab(notebook.parent) as url:
        yield url


@pytest.fixture(scope="module")
def lab(address, notebook):
    with run_notebook(address, notebook.name, until=".ik-brush svg rect.ik-bar") as opened:
        yield opened


def wait_status(tab, text: str) -> None:
    tab.wait_for_function(
        "text => document.querySelector('.ik-log-explorer [role=status]').innerText.includes(text)", arg=text
    )


def ask(tab, text: str) -> None:
    query = tab.locator(".ik-query input")
    query.fill(text)
    query.press("Enter")


def test_a_query_is_completed_and_asked_by_keys(lab):
    tab, said = lab
    query = tab.locator(".ik-query input")
    query.fill("lev")
    tab.wait_for_selector(".ik-query [role=option]")
    query.press("Tab")
    assert query.input_value() == "level="
    tab.wait_for_function("() => document.querySelector('.ik-query ul').innerText.includes('level=ERROR')")
    query.press("ArrowDown")
    while "ERROR" not in tab.locator(".ik-query [aria-selected=true]").inner_text():
        query.press("ArrowDown")
    query.press("Enter")
    assert query.input_value() == "level=ERROR"
    query.press("Enter")
    wait_status(tab, "12 lines.")
    expect(tab.locator(".ik-lines-rows")).to_contain_text("pool is full")
    assert said == []


def test_a_window_is_brushed_by_mouse_moved_and_cleared_by_keys(lab):
    tab, _ = lab
    ask(tab, "pool")
    wait_status(tab, "12 lines.")
    chart = tab.locator(".ik-log-explorer .ik-brush svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.58, box["y"] + 50, steps=5)
    tab.mouse.up()
    tab.wait_for_selector(".ik-log-explorer .ik-chosen")
    said_of_brush = tab.locator(".ik-log-explorer .ik-brush-said")
    expect(said_of_brush).to_contain_text("02:05")
    before = said_of_brush.inner_text()
    chart.press("ArrowRight")
    tab.wait_for_function(
        "was => document.querySelector('.ik-log-explorer .ik-brush-said').innerText !== was", arg=before
    )
    chart.press("Escape")
    tab.wait_for_selector(".ik-log-explorer .ik-chosen", state="detached")
    wait_status(tab, "12 lines.")


def test_a_line_is_gone_on_from_by_keys_and_by_mouse(lab):
    tab, said = lab
    ask(tab, "paid")
    wait_status(tab, "39 lines.")
    rows = tab.locator(".ik-lines-rows")
    rows.focus()
    rows.press("ArrowDown")
    tab.wait_for_selector(".ik-lines-more dl")
    cells = tab.locator(".jp-Notebook .jp-Cell")
    there = cells.count()
    rows.press("x")  # cuts the cell where the notebook hears it
    rows.press("a")  # puts a cell above
    expect(cells).to_have_count(there)
    tab.get_by_role("button", name="Follow its request").click()
    wait_status(tab, "13 lines carry t1")
    tab.locator(".ik-line").nth(2).click()
    rows.press("Enter")
    wait_status(tab, "lines around 02:07:07")
    assert said == []


def test_a_refused_query_is_said_and_code_is_shown(lab):
    tab, said = lab
    ask(tab, '"open')
    wait_status(tab, "cannot be read")
    tab.get_by_role("button", name="Show code").click()
    tab.wait_for_selector(".ik-log-explorer pre")
    expect(tab.locator(".ik-log-explorer pre").first).to_contain_text("kit.explore(")
    assert said == []


def test_hostile_lines_show_as_text_in_every_tab_and_no_pop_up_stands_over_them(lab):
    tab, said = lab
    ask(tab, "")
    wait_status(tab, "The first 100 of")
    for name in ("Values", "Kinds of line", "What is different", "Lines"):
        tab.locator(".ik-log-explorer").get_by_role("tab", name=name).click()
        tab.wait_for_function(
            "() => !document.querySelector('.ik-log-explorer [role=status]').innerText.startsWith('asking')"
        )
    ask(tab, "wide")
    wait_status(tab, "1 line.")
    tab.locator(".ik-line").first.click()
    tab.wait_for_selector(".ik-lines-more dl")
    expect(tab.locator(".ik-lines-more")).to_contain_text("more fields")
    ask(tab, "esrever")
    tab.locator(".ik-line-message").filter(has_text="esrever").wait_for()
    shown = tab.locator(".ik-line-message").first.inner_text()
    assert "␛[31mred" in shown
    assert "‹U+202E›" in shown
    assert tab.evaluate("window.canary") is None
    assert tab.locator(".ik-log-explorer img, .jp-OutputArea script").count() == 0
    assert tab.locator(".jp-Dialog, .jp-toastContainer .Toastify__toast").count() == 0
    assert said == []


def test_hostile_lines_are_text_on_an_exported_page_of_what_was_found(lab, notebook):
    """Each tab's static twin, as the page of a case shows it, in a page of its own."""
    import kit
    from kit.export.markdown import cleaned
    from kit.widgets import LogExplorer

    tab, _ = lab
    place = next(c.source for c in nbformat.read(notebook, as_version=4).cells if "case_path" in c.source)
    explorer = LogExplorer(kit.explore(place.split("'")[1]))
    explorer.query.value = "esrever"
    pages = [explorer._repr_mimebundle_()["text/html"]]
    explorer.query.value = ""
    for number in range(1, 4):
        explorer.tabs.selected_index = number
        pages.append(explorer._repr_mimebundle_()["text/html"])
    page = tab.context.browser.new_page()
    page.set_content(f"<main>{''.join(pages)}</main><aside>{cleaned(''.join(pages))}</aside>")
    for part in ("main", "aside"):
        expect(page.locator(part)).to_contain_text("onerror")  # as text
        expect(page.locator(part)).to_contain_text("␛[31mred")
    assert page.locator("img, script").count() == 0
    assert page.evaluate("window.canary") is None
    page.close()


def test_what_is_counted_in_the_background_is_called_off(lab, address):
    tab, said = lab
    tab.goto(f"{address}/lab/tree/slow.ipynb?token={TOKEN}&reset")
    tab.wait_for_selector(".jp-Notebook .jp-Cell")
    tab.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    said.clear()  # what JupyterLab itself says while it starts
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    tab.locator(".ik-log-explorer").get_by_text("reading all lines").wait_for()
    tab.get_by_role("button", name="Cancel").click()
    tab.get_by_text("called off").wait_for()
    tab.get_by_role("button", name="Cancel").wait_for(state="hidden")
    assert said == []
