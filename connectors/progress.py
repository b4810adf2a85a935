"""How far is a long question, and is it still wanted? Whoever asks watches; whoever works says each step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from connectors.errors import ConnectorError

Watcher = Callable[[float], bool]
"""Is given the share done (0 to 1); answers whether to go on."""
LOOK_EVERY_S = 0.2


@dataclass(slots=True)
class _Watching:
    watcher: Watcher
    share: float = 0.0

    def go_on(self) -> bool:
        return self.watcher(self.share)


_watching: ContextVar[_Watching | None] = ContextVar("watching", default=None)


class Cancelled(ConnectorError):
    """The question was called off before its answer was whole; nothing of it is kept."""


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """While inside, long questions of this thread report to `watcher` and stop, as `Cancelled`, when it says no.

    >>> seen = []
    >>> with watched(lambda share: seen.append(share) is None):
    ...     reached(0.5)
    >>> seen
    [0.5]
    """
    token = _watching.set(_Watching(watcher))
    try:
        yield
    finally:
        _watching.reset(token)


def is_watched() -> bool:
    """Does somebody watch this thread's questions?"""
    return _watching.get() is not None


def reached(share: float) -> None:
    """Say how far the question is. Raises `Cancelled` when it is wanted no more; does nothing when nobody watches."""
    watching = _watching.get()
    if watching is None:
        return
    watching.share = min(max(share, 0.0), 1.0)
    if not watching.go_on():
        raise _called_off()


def may_be_called_off() -> bool:
    """May somebody call this thread's question off while it waits? The main thread is interrupted instead."""
    return is_watched() and threading.current_thread() is not threading.main_thread()


@contextmanager
def ended_by(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, `stop` is called from a thread beside when the question is wanted no more; then it is `Cancelled`.

    `stop` must end what this thread waits for; it is called again until it has. Only where `may_be_called_off`.
    """
    watching = _watching.get()
    assert watching is not None
    over, stopped = threading.Event(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            if not watching.go_on():
                stopped.set()
                stop()

    beside = threading.Thread(target=look, name="is it still wanted", daemon=True)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()
    if stopped.is_set():
        raise _called_off()


def _called_off() -> Cancelled:
    return Cancelled("The question was called off; ask it again when you want its answer.")
