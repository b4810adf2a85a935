"""A progress bar on the terminal, wherever more than two seconds pass; quiet lines where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def _lines() -> Progress:
    said: set[str] = set()

    def say(step: Step) -> None:
        if step.notebook not in said:
            said.add(step.notebook)
            print(f"  {step.notebook}", file=sys.stderr, flush=True)  # noqa: T201

    return say
