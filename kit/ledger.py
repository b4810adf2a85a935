"""Hypotheses as text that merges in git, the history of their verdicts, and a diary of what was tried and gave nothing.

A state in the history is what came out then, with the digest of what was predicted then; reading it never sets a state.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
import tomli_w

from connectors.durable import append_line
from connectors.errors import BadInput
from connectors.window import iso, utc
from kit.board import Board
from kit.checks.registry import NO_DATA
from kit.hypothesis import Hypothesis, hypothesis_of

HISTORY = "verdicts.jsonl"
"""Where a case keeps the history: a line for each change of a verdict, oldest first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a verdict's history: when it became so, what it predicted then (digest), and why."""

    hypothesis: str
    time: datetime
    state: str
    digest: str
    why: str = ""

    def __str__(self) -> str:
        return f"{iso(self.time)} {self.state}{f' ({self.why})' if self.why else ''}"


def read_hypotheses(text: str, *, where: str = "hypotheses.toml") -> tuple[Hypothesis, ...]:
    """Which hypotheses are written here? Raises `BadInput` naming the place and the fault.

    >>> read_hypotheses(write_hypotheses([Hypothesis("the deploy broke it", change="4.7")]))[0].change
    '4.7'
    """
    try:
        record = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{where} is not TOML: {error}.") from None
    unknown = sorted(set(record) - {"hypothesis"})
    if unknown:
        raise BadInput(f"{where} has unknown sections: {', '.join(unknown)}; it holds [[hypothesis]].")
    sections = record.get("hypothesis", [])
    if not isinstance(sections, list) or not all(isinstance(s, Mapping) for s in sections):
        raise BadInput(f"{where}: write each hypothesis as a section [[hypothesis]] of its own.")
    hypotheses = []
    for i, item in enumerate(sections, 1):
        try:
            hypotheses.append(hypothesis_of(item))
        except (BadInput, TypeError, AttributeError) as error:
            why = str(error) if isinstance(error, BadInput) else "something in it is of the wrong kind"
            raise BadInput(f"{where}, hypothesis {i}: {why}") from None
    return tuple(hypotheses)


def write_hypotheses(hypotheses: Sequence[Hypothesis]) -> str:
    """The hypotheses as TOML, a key a line, so that two people's additions merge."""
    return tomli_w.dumps({"hypothesis": [h.to_dict() for h in hypotheses]}, multiline_strings=False)


def add_hypothesis(path: Path, hypothesis: Hypothesis) -> None:
    """Put this hypothesis into the file: appended, or in place of the one that has its id. Comments stay if appended.

    Raises `BadInput` when the file that is there is faulty; then nothing is written.
    """
    from connectors.durable import locked, write_whole

    with locked(path):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        there = read_hypotheses(before, where=path.name)
        if any(h.id == hypothesis.id for h in there):
            write_whole(path, write_hypotheses([hypothesis if h.id == hypothesis.id else h for h in there]))
            return
        added = write_hypotheses([hypothesis])
        write_whole(path, f"{before.rstrip()}\n\n{added}" if before.strip() else added)


def read_history(path: Path) -> tuple[Entry, ...]:
    """The history kept in this file, oldest first; empty when there is none. A line that is no entry is an error."""
    if not path.exists():
        return ()
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            entries.append(_entry(orjson.loads(line)))
        except (orjson.JSONDecodeError, BadInput, TypeError) as error:
            raise BadInput(f"{path.name} line {number} is no entry of a history ({error}): remove the line.") from None
    return tuple(sorted(entries, key=lambda e: e.time))


def keep_history(path: Path, board: Board, *, now: datetime) -> tuple[Entry, ...]:
    """Append a line for each verdict that changed since the last run; gives the lines that were added."""
    before = read_history(path)
    added = extend_history(before, board, now=now)[len(before) :]
    for e in added:
        record = {"hypothesis": e.hypothesis, "time": iso(e.time), "state": e.state, "digest": e.digest, "why": e.why}
        append_line(path, orjson.dumps(record).decode())
    return added


def extend_history(history: Sequence[Entry], board: Board, *, now: datetime) -> tuple[Entry, ...]:
    """Which lines does this board add? One for each hypothesis whose state or predictions changed."""
    last: Mapping[str, Entry] = {e.hypothesis: e for e in history}
    added = []
    for v in board.verdicts:
        h, before = v.hypothesis, last.get(v.hypothesis.id)
        if before is None or (before.state, before.digest) != (v.state, h.digest):
            waived = (f"its reversal waived by hand: {v.waived}",) if v.waived else ()
            why = (*waived, *v.refuted_by, *v.missing, *v.discriminating)
            added.append(Entry(h.id, utc(now), v.state, h.digest, why[0] if why else ""))
    return (*history, *added)


def diary(board: Board) -> tuple[str, ...]:
    """What was tried and gave nothing: a line per prediction that had no data or came out the same on its control."""
    lines = []
    for v in board.verdicts:
        for t in v.tested:
            if not t.counts:
                reason = t.result.sentence if t.result.state == NO_DATA else t.why_not
                lines.append(f"{v.hypothesis.id}: {t.prediction.text} — {reason}")
    return tuple(dict.fromkeys(lines))


def told_history(history: Sequence[Entry], hypothesis: str) -> tuple[str, ...]:
    """How did the verdict on this hypothesis come about, a sentence per change?"""
    return tuple(str(e) for e in history if e.hypothesis == hypothesis)


def changed_since(history: Sequence[Entry]) -> tuple[str, ...]:
    """Which verdicts have changed since they were first computed? A line each: `id: supported → confirmed (why)`.

    >>> at = utc("2026-03-01T03:00Z")
    >>> changed_since([Entry("h", at, "open", "d"), Entry("h", at, "supported", "d", "no reversal")])
    ('h: open → supported (no reversal)',)
    """
    states: dict[str, list[Entry]] = {}
    for e in history:
        states.setdefault(e.hypothesis, []).append(e)
    return tuple(
        f"{name}: {' → '.join(e.state for e in entries)}{f' ({entries[-1].why})' if entries[-1].why else ''}"
        for name, entries in states.items()
        if len(entries) > 1
    )


def _entry(record: Mapping[str, object]) -> Entry:
    missing = [k for k in ("hypothesis", "time", "state", "digest") if k not in record]
    if missing:
        raise BadInput(f"it lacks {', '.join(missing)}")
    return Entry(
        str(record["hypothesis"]),
        utc(str(record["time"])),
        str(record["state"]),
        str(record["digest"]),
        str(record.get("why", "")),
    )
