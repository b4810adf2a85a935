"""The exported page in a real browser, with the network off: the walk through a real kernel, then the page."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kit.case import working_copy
from kit.export.export import export_unredacted
from kit.walk import run_through_kernel
from tests.incidents.walking import SAMPLES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [pytest.mark.browser, pytest.mark.kernel]


@pytest.fixture(scope="module", params=["pool_starved_by_slow_query", "quiet_day"])
def page(request, tmp_path_factory) -> Path:
    folder = working_copy(SAMPLES / request.param, tmp_path_factory.mktemp("page") / request.param)
    run_through_kernel("..", out=folder / "notebooks")
    return export_unredacted(folder).path


@pytest.fixture
def opened(page):
    if CHROMIUM is None:
        missing = "no Chromium: install Debian's chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(offline=True)
        tab = context.new_page()
        said, asked = [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda sent: asked.append(sent.url))
        tab.goto(page.as_uri())
        tab.wait_for_function("document.documentElement.dataset.charts !== undefined", timeout=60_000)
        yield tab, said, asked
        browser.close()


def test_every_chart_is_drawn_and_nothing_is_asked_of_a_network(opened):
    tab, said, asked = opened
    drawn = tab.evaluate("document.querySelectorAll('.plot.js-plotly-plot svg.main-svg').length > 0")
    wanted = tab.evaluate("document.querySelectorAll('.plot').length")
    assert drawn
    assert tab.evaluate("document.querySelectorAll('.js-plotly-plot').length") == wanted >= 8
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_every_link_inside_the_page_resolves(opened):
    tab, _, _ = opened
    dangling = tab.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert dangling == []


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
