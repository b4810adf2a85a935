"""The recorded answers of one case folder: tables under their ids, and the index that says what was asked and when.

What is frozen is the answer, not the backend: each answer's table stands in `snapshots/<evidence id>.parquet`, and
`evidence.jsonl` is the index by (source, question, canonical arguments). That a source could not be asked stands there
as well, so that a replay has the same gaps.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from connectors import errors
from connectors.base import Answer, Fetch
from connectors.durable import append_line, write_aside
from connectors.errors import BadInput, ConnectorError, NotRecorded
from connectors.window import iso

_ID = re.compile(r"ev_[0-9a-f]{16}")
"""An id names a file: nothing else may stand there, whoever wrote the index."""
LARGEST_TABLE = 4 << 30
"""Bytes that a recorded table may have in memory: more is not an answer but a trap."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `evidence.jsonl`: which answer, how it was got, where its table stands and what it hashes to.

    `asked` is when it was recorded, in UTC; None in an index written before that was kept.
    """

    evidence: str
    source: str
    question: str
    arguments: str
    fetch: Fetch
    sha256: str
    bytes: int
    asked: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What the index is looked up by."""
        return self.source, self.question, self.arguments


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other kind of line: a question that could not be answered, and the one sentence that said why."""

    source: str
    question: str
    arguments: str
    kind: str
    says: str
    asked: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What the index is looked up by."""
        return self.source, self.question, self.arguments

    def error(self) -> ConnectorError:
        """The error as it was raised."""
        kind: Any = getattr(errors, self.kind, None)
        fits = isinstance(kind, type) and issubclass(kind, ConnectorError)
        return kind(self.says) if fits else ConnectorError(self.says)


class Answers:
    """The recorded answers of one case folder, and the refusals. Several threads may record at a time.

    Raises `BadInput` when the index has a line that is not an entry; a last line torn by a crash is left out, and the
    question is simply asked again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshots = folder / "snapshots"
        self.index = folder / "evidence.jsonl"
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._by_id: dict[str, Entry] = {}
        self._refused: dict[tuple[str, str, str], Refusal] = {}
        self._recording = threading.Lock()
        for line in self._read():
            self._remember(line)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def entry(self, evidence: str) -> Entry:
        """Which record has this id? Raises `NotRecorded` for an id that is not in the index."""
        try:
            return self._by_id[evidence]
        except KeyError:
            raise NotRecorded(
                f"No recorded answer has the id {evidence}: it is not in {self.index.name}; run the walk again."
            ) from None

    def has(self, evidence: str) -> bool:
        """Is an answer with this id recorded?"""
        return evidence in self._by_id

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The questions that could not be answered, and were not answered later either."""
        return tuple(self._refused.values())

    def refusal(self, source: str, question: str, arguments: str) -> Refusal | None:
        """That exactly this question could not be answered; None when it was, or was never asked."""
        return self._refused.get((source, question, arguments))

    def refuse(self, source: str, question: str, arguments: str, error: ConnectorError) -> None:
        """Record that a question could not be answered, once while the reason stays the same."""
        refusal = Refusal(source, question, arguments, type(error).__name__, str(error), _now())
        with self._recording:
            known = self._refused.get(refusal.key)
            if refusal.key not in self._entries and (known is None or known.says != refusal.says):
                append_line(self.index, _line(refusal))
                self._remember(refusal)

    def find(self, source: str, question: str, arguments: str) -> Answer | None:
        """The recorded answer to exactly this question, or None when it was never recorded or its table is gone."""
        entry = self._entries.get((source, question, arguments))
        if entry is None or not self._path(entry.evidence).exists():
            return None
        return self.read(entry.evidence)

    def read(self, evidence: str) -> Answer:
        """The recorded answer with this id."""
        entry = self.entry(evidence)
        try:
            table = _one_file(self._path(evidence))
        except (OSError, pa.ArrowException) as error:
            raise BadInput(
                f"The recorded answer {evidence} cannot be read ({str(error).splitlines()[0]}): restore "
                f"snapshots/{evidence}.parquet or run the walk again with refresh."
            ) from None
        return Answer(table=table.replace_schema_metadata(None), fetch=entry.fetch, arguments=entry.arguments)

    def keep(self, answer: Answer, *, asked: datetime | None = None, anew: bool = False) -> Answer:
        """Record an answer: its table first, then its line in the index, each whole or not at all.

        `asked` is when the source was asked, for a copy of an earlier record; None: now. `anew`: also where a table
        of its id is there, which was found to be another.
        """
        evidence, path = answer.evidence, self._path(answer.evidence)
        if anew or evidence not in self._by_id or not path.exists():
            table = answer.table.replace_schema_metadata(None)
            write_aside(path, lambda file: pq.write_table(table, file, compression="zstd"))
        content = path.read_bytes()
        entry = Entry(
            asked=asked or _now(),
            evidence=evidence,
            source=answer.fetch.source,
            question=answer.fetch.question,
            arguments=answer.arguments,
            fetch=answer.fetch,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
        )
        with self._recording:
            known = self._entries.get(entry.key)
            if known is None or known.evidence != evidence:
                append_line(self.index, _line(entry))
                self._remember(entry)
        return answer

    def check(self) -> list[str]:
        """Which recorded answers are not what the index says? One sentence each; empty when all are whole."""
        faults = []
        for entry in self:
            path = self._path(entry.evidence)
            if not path.exists():
                faults.append(f"snapshots/{entry.evidence}.parquet is missing ({entry.source}, {entry.question}).")
                continue
            if hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
                faults.append(f"snapshots/{entry.evidence}.parquet was changed ({entry.source}, {entry.question}).")
                continue
            if self.read(entry.evidence).evidence != entry.evidence:
                faults.append(f"snapshots/{entry.evidence}.parquet does not hold the answer its id names.")
        return faults

    def _path(self, evidence: str) -> Path:
        return self.snapshots / f"{evidence}.parquet"

    def _remember(self, line: Entry | Refusal) -> None:
        if isinstance(line, Refusal):
            self._refused[line.key] = line
            return
        self._entries[line.key] = line
        self._by_id[line.evidence] = line
        self._refused.pop(line.key, None)

    def _read(self) -> Iterator[Entry | Refusal]:
        if not self.index.exists():
            return
        lines = self.index.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _entry(orjson.loads(line))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                if number == len(lines):
                    continue
                raise BadInput(
                    f"{self.index.name} line {number} is not a recorded answer: remove the line, or restore the file."
                ) from None


def _one_file(path: Path) -> pa.Table:
    """The table of exactly this file; no folder, no other file that its footer names, nothing out of proportion."""
    with pq.ParquetFile(path) as file:
        footer = file.metadata
        size = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        if size > LARGEST_TABLE:
            raise BadInput(f"{path.name} would fill {size / 2**30:,.0f} GiB: it is no recorded answer; remove it.")
        return file.read()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _line(line: Entry | Refusal) -> str:
    record: dict[str, Any] = {"arguments": line.arguments, "asked": iso(line.asked) if line.asked else None}
    if isinstance(line, Refusal):
        record |= {"source": line.source, "question": line.question, "refused": [line.kind, line.says]}
    else:
        record |= {
            "evidence": line.evidence,
            "sha256": line.sha256,
            "bytes": line.bytes,
            "fetch": line.fetch.to_dict(),
        }
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()


def _entry(record: dict[str, Any]) -> Entry | Refusal:
    at = datetime.fromisoformat(record["asked"]) if record.get("asked") else None
    if "refused" in record:
        kind, says = record["refused"]
        return Refusal(
            str(record["source"]), str(record["question"]), str(record["arguments"]), str(kind), str(says), at
        )
    if not _ID.fullmatch(record["evidence"]):
        raise ValueError("not an evidence id")
    fetch = Fetch.from_dict(record["fetch"])
    return Entry(
        evidence=record["evidence"],
        source=fetch.source,
        question=fetch.question,
        arguments=record["arguments"],
        fetch=fetch,
        sha256=record["sha256"],
        bytes=record["bytes"],
        asked=at,
    )


def evidence_hash(folder: Path) -> str:
    """The sha256 of `evidence.jsonl`, which a page prints and a review names; of nothing when there is none."""
    index = folder / "evidence.jsonl"
    content = b""
    with contextlib.suppress(FileNotFoundError):
        content = index.read_bytes()
    return hashlib.sha256(content).hexdigest()
