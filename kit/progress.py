"""A progress bar on the terminal, wherever more than two seconds pass; quiet lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.walk import Progress, Step


@contextmanager
def walk_progress(title: str) -> Iterator[Progress]:
    """Show which notebook is being run and how many of its cells are done, on stderr."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda step: bar.update(task, description=step.notebook, completed=step.done, total=step.total)


_telling: ContextVar[Callable[[str], object] | None] = ContextVar("telling", default=None)


@contextmanager
def stages_told(say: Callable[[str], object]) -> Iterator[None]:
    """Inside, whatever is begun is told to `say` in a few words, as it begins.

    >>> heard = []
    >>> with stages_told(heard.append):
    ...     begun("writing the page")
    >>> heard
    ['writing the page']
    """
    token = _telling.set(say)
    try:
        yield
    finally:
        _telling.reset(token)


def tell_stages(say: Callable[[str], object]) -> None:
    """From here on in this context, whatever is begun is told to `say`."""
    _telling.set(say)


def begun(what: str) -> None:
    """Say what is being done from now on; does nothing where nobody listens."""
    say = _telling.get()
    if say is not None:
        say(what)


PATIENCE_S, TELL_EVERY_S = 2.0, 1.0


@contextmanager
def long_question(title: str) -> Iterator[None]:
    """Inside, a question that takes more than two seconds says on stderr how far it is, in one line that is renewed.

    Does nothing where somebody watches it already, as a widget does.
    """
    from connectors.progress import is_watched, watched

    if is_watched():
        yield
        return
    began, said = time.monotonic(), [0.0]

    def tell(share: float) -> bool:
        now = time.monotonic()
        if now - began > PATIENCE_S and now - said[0] > TELL_EVERY_S:
            said[0] = now
            print(f"\r{title}: {share:.0%}", end="", file=sys.stderr, flush=True)  # noqa: T201
        return True

    try:
        with watched(tell):
            yield
    finally:
        if said[0]:
            print(f"\r{title}: done in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201


def _lines() -> Progress:
    said: set[str] = set()

    def say(step: Step) -> None:
        if step.notebook not in said:
            said.add(step.notebook)
            print(f"  {step.notebook}", file=sys.stderr, flush=True)  # noqa: T201

    return say
