"""Is an investigation what it says? Hashes, signature, and this installation's own walk over the recorded answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.answers import Answers, evidence_hash
from kit.bundle.bag import bag_hash, check_bag, file_hash, read_info
from kit.errors import BadCase
from kit.findings import Findings
from kit.progress import begun
from kit.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from kit.rerun.differences import Difference


@dataclass(frozen=True, slots=True)
class HashReport:
    """How many files were checked, what is said about them, and which are not what they were."""

    checked: int
    lines: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Verification(Result):
    """What a bundle is worth: its faults, the table of what differs, and what was not checked."""

    name: str
    faults: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    bag: str = ""
    evidence: str = ""
    answers: int = 0
    numbers: int = 0
    charts: int = 0
    outputs: int = 0
    made_with: str = ""
    checked_with: str = ""
    fences: str = ""
    signature: str = "not signed: intact, not authentic"

    @property
    def good(self) -> bool:
        """Do all hashes hold, and is every number the same?"""
        return not self.faults and not self.differences

    @property
    def headline(self) -> str:
        """Good or not, in one sentence."""
        if self.faults:
            return f"{self.name} is not what it was: {len(self.faults)} faults."
        if self.differences:
            return f"{self.name} is whole, but {len(self.differences)} things are not the same when it is walked again."
        return (
            f"{self.name} verifies: {self.answers} recorded answers are whole, and {self.numbers} numbers of its "
            f"findings, {self.outputs} outputs of its notebooks ({self.charts} charts) and its page are the same when "
            "it is walked again."
        )

    @property
    def because(self) -> tuple[str, ...]:
        """Faults, then hashes, signature, versions, notes."""
        told = [*self.faults]
        if self.bag:
            told.append(f"bag hash {self.bag}")
        if self.evidence:
            told.append(f"evidence hash {self.evidence}")
        told.append(f"signature: {self.signature}")
        if self.made_with:
            told.append(f"made with {self.made_with}")
        told.append(f"checked with {self.checked_with}")
        if self.differences and self.made_with != self.checked_with:
            told.append("made with other versions than it was checked with: what differs may be their doing")
        if self.fences:
            told.append(f"walked again behind {self.fences}; none of the bundle's code was run")
        return (*told, *self.notes)

    def to_frame(self) -> pd.DataFrame:
        """What differs: where, exported, found."""
        import pandas as pd

        return pd.DataFrame([d.to_dict() for d in self.differences], columns=["where", "exported", "found"])


def verify_bundle(bundle: Path, *, signers: Path | None = None) -> Verification:
    """Is this bundle whole, and does the walk over its recorded answers give what it says?

    The bag's hashes are checked first; a bag in which they do not hold is not walked. Then this installation's own
    notebooks run over the recorded answers in a clean process (`kit.rerun`), and every finding, number, chart and
    sentence of the page is compared. Code of the bundle is never run. Raises `CheckFailed` for an archive that cannot
    be opened safely, `BadCase` for one that is no bundle.
    """
    from kit.bundle.received import admitted
    from kit.bundle.signature import read_signature
    from kit.bundle.write import versions
    from kit.rerun.clean import walk_again

    with admitted(bundle) as bag:
        common: dict[str, Any] = {"name": bundle.name, "checked_with": versions()}
        begun("checking the hash of every file")
        faults = check_bag(bag)
        signed = read_signature(bag, signers=signers)
        if signed is not None:
            common["signature"] = signed.says
            faults += [] if signed.good else [f"{signed.says[0].upper()}{signed.says[1:]}."]
        if faults:
            return Verification(**common, faults=tuple(faults), differences=(), notes=("It was not walked again.",))
        info = read_info(bag)
        common |= {"bag": bag_hash(bag), "evidence": evidence_hash(bag / "data")}
        common["made_with"] = info.get("Bag-Software-Agent", "an unnamed version")
        begun("walking over the recorded answers, in a process without network or secrets")
        again = walk_again(bag / "data")
        notes = [f"{label}: {info[label]}" for label in ("Rows", "Withheld", "Redaction-Profile") if label in info]
        return Verification(
            **common, faults=again.faults, differences=again.differences, notes=(*again.notes, *notes),
            answers=again.answers, numbers=again.numbers, charts=again.charts, outputs=again.outputs,
            fences=again.fences,
        )  # fmt: skip


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
        elif file_hash(path) != digest:
            faults.append(f"{name} was changed.")
    return count, faults
