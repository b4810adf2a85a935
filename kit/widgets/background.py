"""Questions asked while a person goes on looking: one at a time, with progress, called off or overtaken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from connectors.errors import ConnectorError
from connectors.progress import Cancelled, watched
from kit.errors import KitError

TELL_EVERY_S = 0.2


class Background:
    """One thread that answers questions in turn. `tell(doing, share)` hears how far it is; share None: it is over."""

    def __init__(self, tell: Callable[[str, float | None], None]) -> None:
        self._tell = tell
        self._waiting: list[tuple[Hashable, int, str, Callable[[], Any], Callable[[Any], None]]] = []
        self._newest: dict[Hashable, int] = {}
        self._asked = 0
        self._called_off = 0
        self._said = 0.0
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()

    def ask(
        self, doing: str, question: Callable[[], Any], show: Callable[[Any], None], *, instead: Hashable = None
    ) -> None:
        """Answer this question after those before it, and show it; it overtakes an older one of its kind."""
        kind = doing if instead is None else instead
        with self._lock:
            self._asked += 1
            self._newest[kind] = self._asked
            self._waiting = [w for w in self._waiting if w[0] != kind]
            self._waiting.append((kind, self._asked, doing, question, show))
            start = self._idle.is_set()
            self._idle.clear()
        if start:
            threading.Thread(target=self._work, name="explorer", daemon=True).start()

    def call_off(self) -> None:
        """Stop what is asked and forget what waits."""
        with self._lock:
            self._called_off = self._asked
            self._waiting.clear()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is asked any more; False when something still is after so long."""
        return self._idle.wait(timeout_s)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._idle.set()
                    return
                kind, number, doing, question, show = self._waiting.pop(0)
            self._answer(kind, number, doing, question, show)

    def _answer(
        self, kind: Hashable, number: int, doing: str, question: Callable[[], Any], show: Callable[[Any], None]
    ) -> None:
        def go_on(share: float) -> bool:
            now = time.monotonic()
            if now - self._said > TELL_EVERY_S:
                self._said = now
                self._tell(doing, share)
            return number > self._called_off and self._newest[kind] == number

        self._tell(doing, 0.0)
        try:
            with watched(go_on):
                answer = question()
            if number > self._called_off and self._newest[kind] == number:
                show(answer)
            self._tell("", None)
        except Cancelled:
            over = number <= self._called_off
            self._tell("called off; what is shown stays" if over else "", None)
        except (ConnectorError, KitError, OSError) as refused:
            self._tell(str(refused), None)
