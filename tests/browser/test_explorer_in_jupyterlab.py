"""The log explorer in a real JupyterLab with a real kernel, driven by mouse and by keyboard."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.cli_explore import place_notebook
from tests.browser.chromium import FLAGS, needed

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

CANARY = "<img src=x onerror=window.canary=1><script>window.canary=1</script>"
TOKEN = "explorer"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    lines = [f"2026-03-01T02:{m:02}:{s:02}Z INFO request took {s} ms" for m in range(10) for s in range(0, 60, 5)]
    lines += [f"2026-03-01T02:05:{s:02}Z ERROR pool is full, {s} waiting {CANARY}" for s in range(1, 60, 5)]
    lines += [
        "2026-03-01T02:06:01Z WARN \x1b[31mred\x1b[0m \u202eesrever \x00 end",
        "2026-03-01T02:06:02Z WARN " + "x" * 1_000_000,
    ]
    (folder / "app.log").write_text("\n".join(sorted(lines)) + "\n")
    return place_notebook(tmp_path_factory.mktemp("lab"), str(folder))


@pytest.fixture(scope="module")
def address(notebook) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=notebook.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=60)) as client:
            for _ in range(240):
                try:
                    if client.get(f"{url}/api/status", params={"token": TOKEN}, timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    if server.poll() is not None:
                        pytest.fail("JupyterLab did not start.")
        yield f"{url}/lab/tree/{notebook.name}?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def lab(address):
    path = needed()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1500, "height": 1300})
        said: list[str] = []
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.set_default_timeout(120_000)
        tab.goto(address)
        tab.wait_for_selector(".jp-Notebook .jp-Cell")
        tab.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        tab.wait_for_selector(".ik-brush svg rect.ik-bar")
        yield tab, said
        browser.close()


def status(tab) -> str:
    return tab.locator(".ik-log-explorer [role=status]").first.inner_text()


def wait_status(tab, text: str) -> None:
    tab.wait_for_function(
        "text => document.querySelector('.ik-log-explorer [role=status]').innerText.includes(text)", arg=text
    )


def test_a_query_is_typed_and_the_lines_are_text(lab):
    tab, said = lab
    query = tab.locator(".ik-log-explorer input[type=text]").first
    query.fill("pool")
    query.press("Enter")
    wait_status(tab, "12 lines.")
    assert "pool is full" in tab.locator(".ik-log-explorer .ik-table").first.inner_text()
    assert tab.evaluate("window.canary") is None
    assert said == []


def test_a_window_is_brushed_by_mouse(lab):
    tab, _ = lab
    chart = tab.locator(".ik-log-explorer .ik-brush svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.58, box["y"] + 50, steps=5)
    tab.mouse.up()
    tab.wait_for_selector(".ik-log-explorer .ik-chosen")
    assert "02:05" in tab.locator(".ik-log-explorer .ik-brush-said").inner_text()
    assert tab.evaluate("window.canary") is None


def test_the_window_is_moved_and_cleared_by_keys(lab):
    tab, _ = lab
    chart = tab.locator(".ik-log-explorer .ik-brush svg")
    chart.focus()
    before = tab.locator(".ik-log-explorer .ik-brush-said").inner_text()
    chart.press("ArrowRight")
    tab.wait_for_function(
        "was => document.querySelector('.ik-log-explorer .ik-brush-said').innerText !== was", arg=before
    )
    chart.press("Escape")
    tab.wait_for_selector(".ik-log-explorer .ik-chosen", state="detached")
    wait_status(tab, "12 lines.")


def test_a_refused_query_is_said_and_code_is_shown(lab):
    tab, said = lab
    query = tab.locator(".ik-log-explorer input[type=text]").first
    query.fill('"open')
    query.press("Enter")
    wait_status(tab, "cannot be read")
    tab.get_by_role("button", name="Show code").click()
    tab.wait_for_selector(".ik-log-explorer pre")
    assert "kit.explore(" in tab.locator(".ik-log-explorer pre").first.inner_text()
    assert said == []


def test_hostile_lines_show_as_text_in_every_tab(lab):
    tab, said = lab
    query = tab.locator(".ik-log-explorer input[type=text]").first
    query.fill("")
    query.press("Enter")
    wait_status(tab, "lines")
    for name in ("Values", "Kinds of line", "What is different", "Lines"):
        tab.locator(".ik-log-explorer").get_by_role("tab", name=name).click()
        tab.wait_for_function(
            "() => !document.querySelector('.ik-log-explorer [role=status]').innerText.startsWith('asking')"
        )
        assert tab.evaluate("window.canary") is None
    assert said == []
