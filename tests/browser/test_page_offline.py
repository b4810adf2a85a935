"""Exports in a real browser with the network off: the walk through a real kernel, redacted, then the page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import orjson
import pytest

from kit.export.export import export_case, export_unredacted
from kit.walk import run_through_kernel
from kit.working_copy import working_copy
from tests.browser.chromium import FLAGS, needed
from tests.incidents.walking import SAMPLES

LARGEST_PAGE = 8_000_000

pytestmark = [pytest.mark.browser, pytest.mark.kernel]


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Path:
    folder = working_copy(SAMPLES / "pool_starved_by_slow_query", tmp_path_factory.mktemp("page") / "case")
    run_through_kernel("..", out=folder / "notebooks")
    return folder


@pytest.fixture(scope="module")
def exported(walked):
    """The page for a vendor: redacted, walked again on the redacted answers."""
    return export_case(walked, key=b"a key for tests, as long as need")


@pytest.fixture(scope="module")
def browser():
    program = needed()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def opened(exported, browser):
    context = browser.new_context(offline=True)
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda sent: asked.append(sent.url))
    tab.goto(exported.path.as_uri())
    tab.wait_for_function("() => document.documentElement.dataset.charts !== undefined", timeout=120_000)
    yield tab, said, asked
    context.close()


def test_the_redacted_page_says_what_was_done_and_that_no_finding_changed(exported):
    text = exported.path.read_text()
    assert exported.path.name == "pool_starved_by_slow_query.html"
    assert "NOT REDACTED" not in text
    assert re.search(r"Redacted \(vendor\): \d+ distinct values replaced by pseudonyms; no finding changed by it", text)
    assert len(exported.path.read_bytes()) < LARGEST_PAGE


def test_every_chart_is_drawn_and_nothing_is_asked_of_a_network(opened):
    tab, said, asked = opened
    wanted = tab.evaluate("document.querySelectorAll('.plot').length")
    assert tab.evaluate("document.querySelectorAll('.js-plotly-plot svg.main-svg').length") >= wanted
    assert tab.evaluate("document.querySelectorAll('.js-plotly-plot').length") == wanted >= 8
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_text_is_there_before_any_chart_is_drawn(exported, browser):
    context = browser.new_context(java_script_enabled=False, offline=True)
    tab = context.new_page()
    tab.goto(exported.path.as_uri())
    assert "Harm began" in tab.locator(".first").inner_text()
    assert tab.locator("nav.toc a").count() >= 8
    context.close()


def test_every_link_inside_the_page_resolves_and_records_link_back(opened):
    tab, _, _ = opened
    dangling = tab.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert dangling == []
    assert tab.locator("table.evidence .back a").count() > 10


def test_the_answer_is_seen_first(opened):
    tab, _, _ = opened
    tab.set_viewport_size({"width": 1280, "height": 800})
    box = tab.locator(".first section.wide").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800


def test_nothing_is_cut_off_on_a_narrow_screen(opened):
    tab, _, _ = opened
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.wait_for_timeout(300)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_meets_nothing_serious(exported, browser, scheme):
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(offline=True, bypass_csp=True, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(exported.path.as_uri())
    tab.wait_for_function("() => document.documentElement.dataset.charts !== undefined", timeout=120_000)
    found = Axe().run(tab).response["violations"]
    context.close()
    assert [(v["impact"], v["id"]) for v in found if v["impact"] in ("serious", "critical")] == []


def test_the_keyboard_reaches_the_walk_first_and_every_part_that_scrolls(opened):
    tab, _, _ = opened
    tab.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the walk"
    assert tab.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)")


def test_other_formats_stand_on_their_own(walked, browser):
    pdf = export_unredacted(walked, to="pdf").path
    assert pdf.read_bytes().startswith(b"%PDF")
    markdown = export_unredacted(walked, to="md").path
    text = markdown.read_text()
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", text)
    assert len(pictures) >= 8
    assert all((markdown.parent / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    notebook = orjson.loads(export_unredacted(walked, to="ipynb").path.read_bytes())
    charts = [
        output["data"]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert len(charts) == len(pictures)
    assert all(data["image/png"] and "text/html" not in data for data in charts)
    import nbformat

    nbformat.validate(nbformat.from_dict(notebook))
    shutil.rmtree(walked / "exports")
