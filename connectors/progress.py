"""How far is a long question, and is it still wanted? Whoever asks watches; whoever works says each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from connectors.errors import ConnectorError

Watcher = Callable[[float], bool]
"""Is given the share done (0 to 1); answers whether to go on."""
_watching: ContextVar[Watcher | None] = ContextVar("watching", default=None)


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
    token = _watching.set(watcher)
    try:
        yield
    finally:
        _watching.reset(token)


def is_watched() -> bool:
    """Does somebody watch this thread's questions?"""
    return _watching.get() is not None


def reached(share: float) -> None:
    """Say how far the question is. Raises `Cancelled` when it is wanted no more; does nothing when nobody watches."""
    watcher = _watching.get()
    if watcher is not None and not watcher(min(max(share, 0.0), 1.0)):
        raise Cancelled("The question was called off; ask it again when you want its answer.")
