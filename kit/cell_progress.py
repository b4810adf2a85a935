"""A long cell of a notebook says that it is at work: for how long, and which source answered last."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextvars import copy_context
from typing import Any

from kit.plain_text import escaped
from kit.progress import PATIENCE_S, TELL_EVERY_S, tell_stages

HEADLESS = "INCIDENT_KIT_HEADLESS"
"""Set in the environment of a kernel that nobody watches: nothing is told there."""


def tell_long_cells() -> None:
    """From now on every cell that takes more than two seconds shows a bar that is gone when the cell is done.

    Does nothing outside of a notebook's kernel, in a kernel without a person, and when it is so already.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel") or os.environ.get(HEADLESS) or CellClock.of(shell) is not None:
        return
    clock = CellClock(shell)
    shell.events.register("pre_run_cell", clock.began)
    shell.events.register("post_run_cell", clock.ended)
    clock.began(None)


class CellClock:
    """Watches the cells of one shell. `shown` is whether the cell that runs now has its bar."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._doing = ""
        self._over = threading.Event()
        self._teller: threading.Thread | None = None
        self._cell = 0
        self.shown = False
        shell._incident_kit_clock = self

    @classmethod
    def of(cls, shell: Any) -> CellClock | None:
        """The clock of this shell; None: it has none."""
        return getattr(shell, "_incident_kit_clock", None)

    def began(self, _info: Any) -> None:
        """A cell begins: after two seconds say so, once a second."""
        self.ended(None)
        self._cell += 1
        self._doing, self._over, self.shown = "", threading.Event(), False
        tell_stages(self._heard)
        # in this cell's context, so that the bar stands under this cell
        self._teller = threading.Thread(target=copy_context().run, args=(self._tell, self._over), daemon=True)
        self._teller.start()

    def ended(self, _result: Any) -> None:
        """The cell is done: its bar goes."""
        self._over.set()
        if self._teller is not None:
            self._teller.join()
            self._teller = None
        if self.shown:
            self.shown = False
            self._show("", "", update=True)

    def _heard(self, doing: str) -> None:
        self._doing = doing

    def _tell(self, over: threading.Event) -> None:
        began, wait = time.monotonic(), PATIENCE_S
        while not over.wait(wait):
            wait = TELL_EVERY_S
            said = f"at work for {time.monotonic() - began:.0f} s" + (f": {self._doing}" if self._doing else "")
            bar = f'<div role="status"><progress aria-label="at work"></progress> {escaped(said)}</div>'
            self._show(bar, said, update=self.shown)
            self.shown = True

    def _show(self, markup: str, text: str, *, update: bool) -> None:
        data = {"text/html": markup, "text/plain": text}
        transient = {"display_id": f"ik-at-work-{id(self)}-{self._cell}"}
        self._shell.display_pub.publish(data=data, metadata={}, transient=transient, update=update)
