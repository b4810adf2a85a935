"""What people pinned: a chart, a table or a log line with a sentence of theirs and the recorded answers it rests on.

Pins stand in `choices.toml`, on the page of the case, and link to their evidence. They conclude nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import BadInput
from kit.plain_text import visible
from kit.result import Result, cell_text

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("chart", "table", "line", "view")
LONGEST_SENTENCE, LONGEST_TEXT, MOST_SHOWN, MOST_EVIDENCE = 500, 1000, 8, 50
_EVIDENCE = re.compile(r"ev_[0-9a-f]{16}")
_TEXTS = ("sentence", "what", "kind", "code", "id")


@dataclass(frozen=True, slots=True)
class Pin:
    """One thing pinned: the person's `sentence`, `what` it is, what was seen (`shown`), and what it rests on.

    `kind` is chart, table, line or view (what a widget showed). `code` is the line of Python that shows it again.
    Raises `BadInput` for a pin without a sentence, or one that is no pin.
    """

    sentence: str
    what: str
    kind: str
    shown: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    code: str = ""

    def __post_init__(self) -> None:
        if not self.sentence.strip():
            raise BadInput("A pin needs a sentence: what does it show?")
        if len(self.sentence) > LONGEST_SENTENCE:
            raise BadInput(f"The sentence of a pin has at most {LONGEST_SENTENCE} characters: say it shorter.")
        if self.kind not in KINDS:
            raise BadInput(f"There is no {self.kind!r} to pin: there is {', '.join(KINDS)}.")
        if any(not _EVIDENCE.fullmatch(e) for e in self.evidence) or len(self.evidence) > MOST_EVIDENCE:
            raise BadInput(f"A pin rests on at most {MOST_EVIDENCE} recorded answers, named like ev_0123456789abcdef.")

    @property
    def id(self) -> str:
        """`pin_` and eight hex digits of what it says."""
        text = "\0".join([self.sentence, self.what, self.kind, *self.shown])
        return f"pin_{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def to_record(self) -> dict[str, Any]:
        """The pin as plain values, empty ones left out."""
        record: dict[str, Any] = {"id": self.id}
        for name in ("sentence", "what", "kind", "code"):
            if getattr(self, name):
                record[name] = getattr(self, name)
        for name in ("shown", "evidence"):
            if getattr(self, name):
                record[name] = list(getattr(self, name))
        return record

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Pin:
        """What `to_record` wrote, read back; its id is computed again. Raises `BadInput`."""
        unknown = sorted(set(record) - {*_TEXTS, "shown", "evidence"})
        if unknown:
            raise BadInput(f"a pin has no {', '.join(unknown)}")
        for name in _TEXTS:
            value = record.get(name, "")
            if not isinstance(value, str) or len(value) > LONGEST_TEXT:
                raise BadInput(f"{name} of a pin is a text of at most {LONGEST_TEXT} characters")
        lists = {name: record.get(name, []) for name in ("shown", "evidence")}
        for name, value in lists.items():
            if not isinstance(value, list) or not all(isinstance(v, str) and len(v) <= LONGEST_TEXT for v in value):
                raise BadInput(f"{name} of a pin is a list of texts of at most {LONGEST_TEXT} characters")
        return cls(
            record.get("sentence", ""), record.get("what", ""), record.get("kind", ""),
            tuple(lists["shown"][:MOST_SHOWN]), tuple(lists["evidence"]), record.get("code", ""),
        )  # fmt: skip


class Pins(Result):
    """All that is pinned in a case, in the order it was pinned; watchers are told when that changes.

    `keep` and `drop` write it down; without them the pins live as long as the kernel.
    """

    def __init__(
        self,
        pins: Sequence[Pin] = (),
        *,
        keep: Callable[[Pin], object] | None = None,
        drop: Callable[[Pin], object] | None = None,
    ) -> None:
        self.pins = tuple(pins)
        self.because = ()  # type: ignore[misc]
        self._keep, self._drop = keep, drop
        self._watchers: list[Callable[[], object]] = []

    @property
    def headline(self) -> str:
        """How much is pinned?"""
        n = len(self.pins)
        return f"{n} thing{'s are' if n > 1 else ' is'} pinned." if n else "Nothing is pinned yet."

    def to_frame(self) -> pd.DataFrame:
        """A row per pin: sentence, what, shown (the lines or numbers as they were seen), evidence."""
        import pandas as pd

        rows = [
            {"sentence": p.sentence, "what": p.what, "shown": " ⏎ ".join(p.shown), "evidence": ", ".join(p.evidence)}
            for p in self.pins
        ]
        return pd.DataFrame(rows, columns=["sentence", "what", "shown", "evidence"])

    def add(self, pin: Pin) -> None:
        """Pin it. Nothing happens when the same is pinned already."""
        if any(p.id == pin.id for p in self.pins):
            return
        if self._keep is not None:
            self._keep(pin)
        self._set((*self.pins, pin))

    def remove(self, name: str) -> None:
        """Take the pin of this id off again. Raises `BadInput` when there is none."""
        found = next((p for p in self.pins if p.id == name), None)
        if found is None:
            raise BadInput(f"There is no pin {name!r}: there are {', '.join(p.id for p in self.pins) or 'none'}.")
        if self._drop is not None:
            self._drop(found)
        self._set(tuple(p for p in self.pins if p.id != name))

    def watch(self, tell: Callable[[], object]) -> None:
        """Call this whenever something is pinned or taken off."""
        self._watchers.append(tell)

    def _set(self, pins: tuple[Pin, ...]) -> None:
        self.pins = pins
        for tell in tuple(self._watchers):
            tell()


def pin_of(thing: Any, sentence: str, *, row: int | None = None, evidence: Sequence[str] = ()) -> Pin:
    """The pin that says this of a chart, a result or a table; `row` pins one line of its table.

    Evidence is what the thing cites and what is given beside it. Raises `BadInput` for a row that is not there, or a
    thing that has neither a title nor a table.

    >>> import pandas as pd
    >>> lines = pd.DataFrame({"service": ["db"], "message": ["deadlock detected"]})
    >>> pin_of(lines, "Here it locks.", row=0).shown
    ('service: db · message: deadlock detected',)
    """
    import pandas as pd

    frame = thing if isinstance(thing, pd.DataFrame) else thing.to_frame() if hasattr(thing, "to_frame") else None
    if frame is None:
        raise BadInput(f"A {type(thing).__name__} cannot be pinned: pin a chart, a result or a table.")
    cited = tuple(dict.fromkeys([*evidence, *getattr(thing, "evidence", ())]))[:MOST_EVIDENCE]
    title = getattr(thing, "title", None) or getattr(thing, "headline", None) or f"{len(frame):,} rows"
    if row is not None:
        if not 0 <= row < len(frame):
            raise BadInput(f"There is no row {row} to pin: the table has {len(frame):,}, counted from 0.")
        return Pin(sentence, _cut(str(title)), "line", (_row_text(frame.iloc[row]),), cited)
    kind = "chart" if hasattr(thing, "figure") else "table"
    shown = () if kind == "chart" else tuple(_row_text(frame.iloc[n]) for n in range(min(3, len(frame))))
    return Pin(sentence, _cut(str(title)), kind, shown, cited, _cut(str(getattr(thing, "code", "") or "")))


def _row_text(row: Any) -> str:
    """One row in words: its filled cells, each by the name of its column."""
    cells = [f"{name}: {cell_text(value)}" for name, value in row.items()]
    return _cut(" · ".join(c for c in cells if not c.endswith(": —")))


def _cut(text: str) -> str:
    text = visible(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
