"""A real JupyterLab for tests, on a free local port, stopped after use; and a tab of it in which a notebook was run."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.lab_command import QUIET, lab_environment
from tests.browser.chromium import FLAGS, needed

TOKEN = "looking"
PATIENCE_MS = 120_000
"""How long a test waits for what a page must show: no test depends on how fast the machine is."""


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab over this folder, for the length of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", *QUIET,
    ]  # fmt: skip
    environment = lab_environment()
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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
        yield url
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def run_notebook(url: str, name: str, *, until: str) -> Iterator[tuple[Any, list[str]]]:
    """A tab in which every cell of the notebook was run, and what the page said as errors; `until`: a selector."""
    path = needed()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1500, "height": 1300})
        said: list[str] = []
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto(f"{url}/lab/tree/{name}?token={TOKEN}&reset")
        tab.wait_for_selector(".jp-Notebook .jp-Cell")
        tab.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        said.clear()  # what JupyterLab itself says while it starts
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        tab.wait_for_selector(until)
        yield tab, said
        browser.close()
