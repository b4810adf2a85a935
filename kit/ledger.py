"""Hypotheses as text that merges in git, the history of their verdicts, and a diary of what was tried and gave nothing.

States are written as history, with the digest of what was predicted then; reading them back never sets a state.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import tomli_w

from connectors.errors import BadInput
from connectors.window import iso, utc
from kit.board import Board
from kit.checks.registry import NO_DATA
from kit.hypothesis import Hypothesis, hypothesis_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a verdict's history: when it became so, what it predicted then (digest), and why."""

    hypothesis: str
    time: datetime
    state: str
    digest: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What `hypotheses.toml` holds: the hypotheses put up, and the history of their verdicts, oldest first."""

    hypotheses: tuple[Hypothesis, ...] = ()
    history: tuple[Entry, ...] = ()


def read_ledger(text: str, *, where: str = "hypotheses.toml") -> Ledger:
    """Which hypotheses and which history are written here? Raises `BadInput` naming the place and the fault."""
    try:
        record = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where} is not TOML: {error}.") from None
    unknown = sorted(set(record) - {"hypothesis", "history"})
    if unknown:
        raise BadInput(f"{where} has unknown sections: {', '.join(unknown)}; it holds [[hypothesis]] and [[history]].")
    hypotheses = []
    for i, item in enumerate(record.get("hypothesis", ()), 1):
        try:
            hypotheses.append(hypothesis_of(item))
        except BadInput as error:
            raise BadInput(f"{where}, hypothesis {i}: {error}") from None
    return Ledger(tuple(hypotheses), tuple(_entry(e, where) for e in record.get("history", ())))


def write_ledger(ledger: Ledger) -> str:
    """The ledger as TOML, a key a line, so that two people's additions merge.

    >>> text = write_ledger(Ledger((Hypothesis("the deploy broke it", change="4.7"),)))
    >>> read_ledger(text).hypotheses[0].change
    '4.7'
    """
    record: dict[str, object] = {"hypothesis": [h.to_dict() for h in ledger.hypotheses]}
    if ledger.history:
        record["history"] = [
            {"hypothesis": e.hypothesis, "time": utc(e.time), "state": e.state, "digest": e.digest, "why": e.why}
            for e in ledger.history
        ]
    return tomli_w.dumps(record, multiline_strings=False)


def extend_history(history: Sequence[Entry], board: Board, *, now: datetime) -> tuple[Entry, ...]:
    """Which lines does this board add? One for each hypothesis whose state or predictions changed."""
    last: Mapping[str, Entry] = {e.hypothesis: e for e in history}
    added = []
    for v in board.verdicts:
        h, before = v.hypothesis, last.get(v.hypothesis.id)
        if before is None or (before.state, before.digest) != (v.state, h.digest):
            why = (*v.refuted_by, *v.missing, *v.discriminating)
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
    return tuple(
        f"{iso(e.time)} {e.state}{f' ({e.why})' if e.why else ''}" for e in history if e.hypothesis == hypothesis
    )


def _entry(record: Mapping[str, object], where: str) -> Entry:
    missing = [k for k in ("hypothesis", "time", "state", "digest") if k not in record]
    if missing:
        raise BadInput(f"{where}: a history entry lacks {', '.join(missing)}.")
    return Entry(
        str(record["hypothesis"]),
        utc(record["time"]),
        str(record["state"]),
        str(record["digest"]),
        str(record.get("why", "")),
    )
