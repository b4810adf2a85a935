"""What a person looks at right now: one window, one service, one thing of each kind, shared by all that shows them.

What is chosen in one place moves the others, and is kept so that a later run begins there. It decides nothing: the
findings' own windows are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from connectors.errors import BadInput
from connectors.window import Window, iso

LONGEST = 400
"""Characters of a name that is chosen; a longer one is no name."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A window (UTC), and names: a service, signal, boundary (`caller → callee`), change, hypothesis, trace, source.

    `cohorts` names the two sets of traces that are compared, like `slow against before`.

    None where nothing is chosen. Raises `BadInput` for what is no such thing.
    """

    window: Window | None = None
    service: str | None = None
    signal: str | None = None
    boundary: str | None = None
    change: str | None = None
    hypothesis: str | None = None
    trace: str | None = None
    source: str | None = None
    cohorts: str | None = None

    def __post_init__(self) -> None:
        if self.window is not None and (not isinstance(self.window, Window) or not self.window.seconds > 0):
            raise BadInput("The window that is looked at must be longer than nothing.")
        for name in NAMES:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and 0 < len(value) <= LONGEST):
                raise BadInput(f"A {name} is looked at by its name: a text of 1 to {LONGEST} characters.")

    def to_record(self) -> dict[str, Any]:
        """What is chosen as plain values: `start`, `end` and the names.

        >>> Chosen(service="checkout").to_record()
        {'service': 'checkout'}
        """
        times = {} if self.window is None else {"start": iso(self.window.start), "end": iso(self.window.end)}
        return times | {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Chosen:
        """What `to_record` wrote, read back. Raises `BadInput`."""
        unknown = sorted(set(record) - {"start", "end", *NAMES})
        if unknown:
            raise BadInput(f"[focus] has no {', '.join(unknown)}: it says start, end, {', '.join(NAMES)}.")
        if ("start" in record) != ("end" in record):
            raise BadInput("[focus] has one end of a window: give start and end, or neither.")
        window = Window.of(record["start"], record["end"]) if "start" in record else None
        return cls(window, *(record.get(name) for name in NAMES))


NAMES = tuple(f.name for f in fields(Chosen) if f.name != "window")
NOTHING = Chosen()


class Focus:
    """The one thing that widgets share: what is looked at. `keep` writes it down; watchers are told which part moved.

    >>> focus = Focus()
    >>> moved = []
    >>> focus.watch(moved.append)
    >>> focus.choose("service", "checkout")
    >>> focus.chosen.service, moved
    ('checkout', ['service'])
    """

    def __init__(self, chosen: Chosen | None = None, *, keep: Callable[[Chosen], object] | None = None) -> None:
        self.chosen = chosen or NOTHING
        self._keep = keep
        self._watchers: list[Callable[[str], object]] = []

    def choose(self, name: str, value: Any) -> None:
        """Look at this window or thing from now on; None: at none. Nothing happens when it is so already."""
        if name not in ("window", *NAMES):
            raise BadInput(f"There is no {name!r} to look at: there is window, {', '.join(NAMES)}.")
        if getattr(self.chosen, name) == value:
            return
        chosen = replace(self.chosen, **{name: value})
        if self._keep is not None:
            self._keep(chosen)
        self.chosen = chosen
        for tell in tuple(self._watchers):
            tell(name)

    def watch(self, tell: Callable[[str], object]) -> None:
        """Call this with the name of the part whenever one moves."""
        self._watchers.append(tell)

    def forget(self, tell: Callable[[str], object]) -> None:
        """Call it no more."""
        if tell in self._watchers:
            self._watchers.remove(tell)
