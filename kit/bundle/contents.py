"""What of a case goes into a bundle, and what is taken out of one: files of known names, nothing else.

Recorded answers always; raw rows only where a finding or a chart cites them, unless all are wanted; raw files never.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import tomli_w

from connectors.answers import Answers, Entry
from connectors.durable import write_whole
from kit.findings import Findings
from kit.incident import Incident, read_incident
from kit.plots.chart import CHART_MIME
from kit.walk import WALK

INPUTS = (
    "incident.toml", "sources.toml", "signals.toml", "path.toml", "hypotheses.toml", "choices.toml", "timeline.jsonl",
    "verdicts.jsonl", "evidence.jsonl",
)  # fmt: skip
"""What a walk reads, beside the recorded tables."""
CONCLUSIONS = ("postmortem.md", "findings.json")
ROW_QUESTIONS = frozenset({"rows", "sample", "traces"})
_SNAPSHOT = re.compile(r"snapshots/ev_[0-9a-f]{16}\.parquet")
_PART = re.compile(r"findings/\d\d\.json")
_PLAYBOOK = re.compile(r"playbooks/[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.toml")
_NOTEBOOK = re.compile(rf"notebooks/(?:{'|'.join([*WALK, 'explore_logs'])})\.ipynb")


@dataclass(frozen=True, slots=True)
class Staged:
    """What was put into a bundle: which answers, which rows among them, and what was left out."""

    answers: tuple[Entry, ...]
    rows: tuple[Entry, ...]
    withheld: tuple[str, ...]


def is_input(name: str) -> bool:
    """May a bundle's file of this name become part of a case that is walked again?"""
    return name in INPUTS or any(p.fullmatch(name) for p in (_SNAPSHOT, _PLAYBOOK))


def is_known(name: str) -> bool:
    """Is this a file that a bundle of this kit holds in its payload?"""
    known = name in CONCLUSIONS or name in ("index.html", "provenance.jsonl")
    return known or is_input(name) or any(p.fullmatch(name) for p in (_PART, _NOTEBOOK))


def take(payload: Path, to: Path, *, wanted: Callable[[str], bool]) -> list[str]:
    """Copy the files whose names are wanted out of a bundle's payload; gives the names of those left behind."""
    left = []
    for path in sorted(p for p in payload.rglob("*") if p.is_file() and not p.is_symlink()):
        name = path.relative_to(payload).as_posix()
        if not wanted(name):
            left.append(name)
            continue
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to / name)
    return left


def stage(case: Path, payload: Path, *, with_rows: bool) -> Staged:
    """Copy what of this case goes into a bundle; an open end of the look is written as the end that was asked for."""
    answers = Answers(case)
    cited = cited_answers(case)
    kept = [e for e in answers if with_rows or e.question not in ROW_QUESTIONS or e.evidence in cited]
    payload.mkdir(parents=True, exist_ok=True)
    for name in (*INPUTS, *CONCLUSIONS):
        if (case / name).is_file() and name != "evidence.jsonl":
            shutil.copyfile(case / name, payload / name)
    _stage_answers(answers, kept, payload)
    parts = (("findings", "*.json"), ("notebooks", "*.ipynb"), ("playbooks", "*.toml"))
    for path in (p for folder, pattern in parts for p in sorted((case / folder).glob(pattern))):
        name = path.relative_to(case).as_posix()
        if is_known(name):
            (payload / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, payload / name)
    _freeze_look(payload, read_incident(case), kept)
    rows = tuple(e for e in kept if e.question in ROW_QUESTIONS)
    return Staged(tuple(kept), rows, tuple(_withheld(case, [e for e in answers if e not in kept])))


def cited_answers(case: Path) -> frozenset[str]:
    """Which recorded answers does a finding rest on, or a chart cite?"""
    cited = {i for ids in Findings(case).rests_on().values() for i in ids}
    for _, chart in charts(case):
        cited.update(str(i) for i in chart.get("evidence", []))
    return frozenset(cited)


def charts(case: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each chart of the executed notebooks: the notebook's name, and title, description, table and evidence."""
    for name in WALK:
        path = case / "notebooks" / f"{name}.ipynb"
        if not path.is_file():
            continue
        for cell in orjson.loads(path.read_bytes()).get("cells", []):
            for output in cell.get("outputs", []):
                chart = output.get("data", {}).get(CHART_MIME)
                if isinstance(chart, dict):
                    yield name, chart


def rows_told(rows: Iterable[Entry]) -> str:
    """How many rows of which sources a bundle holds, in a line of `bag-info.txt`."""
    counted = Counter[str]()
    for entry in rows:
        counted[entry.source] += entry.fetch.rows
    return "; ".join(f"{n:,} of {source}" for source, n in sorted(counted.items())) or "none"


def _stage_answers(answers: Answers, kept: list[Entry], payload: Path) -> None:
    (payload / "snapshots").mkdir(exist_ok=True)
    for entry in kept:
        name = f"{entry.evidence}.parquet"
        shutil.copyfile(answers.snapshots / name, payload / "snapshots" / name)
    if len(kept) == len(answers):
        shutil.copyfile(answers.index, payload / "evidence.jsonl")
        return
    ids = {entry.evidence for entry in kept}
    lines = [line for line in answers.index.read_bytes().splitlines() if line.strip()]
    left = [line for line in lines if (r := orjson.loads(line)).get("evidence") in ids or "refused" in r]
    write_whole(payload / "evidence.jsonl", b"".join(line + b"\n" for line in left))


def _freeze_look(payload: Path, incident: Incident, kept: list[Entry]) -> None:
    if not incident.open:
        return
    ends = [_end(e) for e in kept if e.fetch.window is not None and e.fetch.window.start == incident.look.start]
    if ends:
        import tomllib

        written = tomllib.loads((payload / "incident.toml").read_text(encoding="utf-8"))
        written["look"]["end"] = max(ends)
        write_whole(payload / "incident.toml", tomli_w.dumps(written))


def _end(entry: Entry) -> datetime:
    assert entry.fetch.window is not None
    return entry.fetch.window.end


def _withheld(case: Path, left: list[Entry]) -> Iterator[str]:
    if left:
        yield f"{len(left)} recorded answers of single rows that no finding cites ({rows_told(left)})"
    if (case / "raw").is_dir():
        yield "the raw files"
