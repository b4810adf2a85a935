"""Four questions passed on as they are: for a source whose answers are another's, told in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.base import Answer, Selection
from connectors.window import Window


class Forwarded:
    """count, measure, compare and sample of a log source, each handed to `_forward` by name and arguments."""

    def _forward(self, question: str, window: Window | None, **arguments: Any) -> Answer:
        """The answer to this question; `window` is None where the arguments hold windows of their own."""
        raise NotImplementedError

    def count(
        self,
        window: Window,
        *,
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """See `LogSource.count`."""
        return self._forward("count", window, every=every, by=by, where=where, top=top)

    def measure(
        self,
        window: Window,
        field: str,
        *,
        stats: Sequence[str] = ("n", "mean", "p50", "p99"),
        every: str | None = None,
        by: Sequence[str] = (),
        where: str | None = None,
        top: int = 50,
    ) -> Answer:
        """See `LogSource.measure`."""
        return self._forward(
            "measure", window, field=field, stats=stats, every=every, by=by, where=where, top=top
        )  # fmt: skip

    def compare(self, fields: Sequence[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        """See `LogSource.compare`."""
        return self._forward("compare", None, fields=fields, bad=bad, good=good, top=top)

    def sample(
        self, window: Window, n: int, *, where: str | None = None, seed: int = 0, fields: Sequence[str] | None = None
    ) -> Answer:
        """See `LogSource.sample`."""
        return self._forward("sample", window, n=n, where=where, seed=seed, fields=fields)


def put(source: Any, question: str, window: Window | None, arguments: dict[str, Any]) -> Any:
    """What does this source answer to a question by name?"""
    ask = getattr(source, question)
    return ask(**arguments) if window is None else ask(window, **arguments)
