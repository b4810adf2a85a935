"""Is everything still what its hash says? Recorded answers against their index, raw files against their manifest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from connectors.load import Answers, evidence_hash
from kit.errors import BadCase
from kit.findings import Findings


@dataclass(frozen=True, slots=True)
class HashReport:
    """How many files were checked, what is said about them, and which are not what they were."""

    checked: int
    lines: tuple[str, ...]
    faults: tuple[str, ...]


def verify_hashes(folder: Path) -> HashReport:
    """Which files of this case or sample are not what they were?

    Checks `MANIFEST.sha256` where there is one, every recorded answer against `evidence.jsonl`, and that every finding
    rests on an answer that is there. Nothing in the folder is run. Raises `BadCase` when there is nothing to check.
    """
    if not folder.is_dir():
        raise BadCase(f"There is no folder {folder}: give the path of a case or of a recorded sample.")
    faults: list[str] = []
    checked = 0
    manifest = folder / "MANIFEST.sha256"
    if manifest.exists():
        count, found = _manifest(folder, manifest)
        checked += count
        faults += found
    answers = Answers(folder)
    checked += len(answers)
    faults += answers.check()
    known = {entry.evidence for entry in answers}
    for key, ids in Findings(folder).rests_on().items():
        faults += [f"The finding {key} rests on {i}, which is not recorded." for i in ids if i not in known]
    if not checked:
        raise BadCase(
            f"{folder} has nothing to verify: no MANIFEST.sha256 and no recorded answers; run the walk first."
        )
    lines = (f"evidence hash {evidence_hash(folder)}",) if len(answers) else ()
    return HashReport(checked, (*lines, *faults), tuple(faults))


def _manifest(folder: Path, manifest: Path) -> tuple[int, list[str]]:
    faults, count = [], 0
    root = folder.resolve()
    for line in manifest.read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = (folder / name).resolve()
        if not name or not path.is_relative_to(root):
            faults.append(f"MANIFEST.sha256 names {name!r}, which is not inside the folder.")
            continue
        count += 1
        if not path.exists():
            faults.append(f"{name} is missing.")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            faults.append(f"{name} was changed.")
    return count, faults
