"""A long cell of a notebook says that it is at work and cleans up after itself; without a person nothing is told."""

import os
import re

import pytest
from jupyter_client.manager import KernelManager

from kit.cell_progress import HEADLESS, tell_long_cells

pytestmark = pytest.mark.kernel
START = "from kit.cell_progress import CellClock, tell_long_cells\nfrom kit.progress import begun\ntell_long_cells()"
LONG = """
import time
begun("3 answers read, the last of <db>")
while not CellClock.of(get_ipython()).shown:
    time.sleep(0.05)
"done"
"""


@pytest.fixture(params=["watched", "headless"])
def kernel(request):
    manager = KernelManager(kernel_name="python3")
    env = {k: v for k, v in os.environ.items() if k != HEADLESS}
    manager.start_kernel(env=env | ({HEADLESS: "yes"} if request.param == "headless" else {}))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    yield request.param, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code):
    """What a cell displays, in order: kind of message, markup or else its text."""
    said = []

    def hear(message):
        data = message["content"].get("data", {})
        if message["msg_type"] not in ("status", "execute_input"):
            said.append((message["msg_type"], data.get("text/html", data.get("text/plain", ""))))

    client.execute_interactive(code, timeout=120, output_hook=hear)
    return said


def test_a_long_cell_says_so_and_its_bar_goes(kernel):
    kind, client = kernel
    run(client, START)
    if kind == "headless":
        assert run(client, "CellClock.of(get_ipython())is None") == [("execute_result", "True")]
        return
    said = run(client, LONG)
    kinds = [kind for kind, _ in said]
    assert kinds[0] == "display_data"
    assert re.search(r"<progress.*at work for \d+ s: 3 answers read, the last of &lt;db&gt;", said[0][1])
    assert ("execute_result", "'done'") in said
    assert [markup for kind, markup in said if kind == "update_display_data"][-1] == ""


def test_outside_of_a_kernel_nothing_happens():
    assert tell_long_cells() is None
