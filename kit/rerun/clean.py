"""Start the walk again in a clean process: no environment of the user's, no home, no network, its own empty folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import orjson

from kit.bundle.contents import is_input, is_known, take
from kit.bundle.received import Received, mark_received
from kit.errors import CheckFailed
from kit.rerun.differences import Difference

SECONDS = 1800
_START = (
    "import sys; own = sys.argv[1]; own in sys.path or sys.path.insert(0, own); from pathlib import Path; "
    "from kit.rerun.child import main; main(Path(sys.argv[2]))"
)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What the walk over the recorded answers gave: which tables are not whole, what differs, what is to be known."""

    answers: int
    numbers: int
    charts: int
    outputs: int
    faults: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    fences: str


def walk_again(payload: Path) -> Rerun:
    """Walk over the recorded answers of this payload, and compare with what was exported; the payload is not changed.

    Raises `CheckFailed` when the process could not be started or broke off, with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        work = Path(private).resolve()
        left = take(payload, work / "exported", wanted=is_known)
        take(payload, work / "case", wanted=is_input)
        for folder in ("home", "tmp", "case"):
            (work / folder).mkdir(exist_ok=True)
        mark_received(work / "case", Received("verified", "", ""))
        done = _run(work)
        report = work / "report.json"
        if done.returncode or not report.is_file():
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise CheckFailed(f"The walk could not be run again: {words[-1][:400] if words else 'no reason given'}")
        found = orjson.loads(report.read_bytes())
        shutil.rmtree(work / "case", ignore_errors=True)
    unknown = [f"{name} is of no kind that a case has; it was not looked at." for name in left]
    return Rerun(
        answers=found["answers"],
        numbers=found["numbers"],
        charts=found["charts"],
        outputs=found["outputs"],
        faults=tuple(found["faults"]),
        differences=tuple(Difference(**d) for d in found["differences"]),
        notes=(*found["notes"], *unknown),
        fences=found["fences"],
    )


def _run(work: Path) -> subprocess.CompletedProcess[bytes]:
    own = Path(__file__).resolve().parents[2]
    environment = {
        "PATH": "", "HOME": str(work / "home"), "TMPDIR": str(work / "tmp"), "TZ": "UTC", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    try:
        return subprocess.run(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, str(own), str(work)], env=environment,
            cwd=work / "tmp", stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"The walk took more than {SECONDS // 60} minutes and was ended: nothing is known.") from None
