"""Kill -9 at random moments of snapshot, run and export: is the old artefact whole, or a new one resumable?

    python -m tests.benchmarks.crashes [MOMENTS]

Each command's own work is begun on a copy of a small case, in a process that is killed after a random time within what
it takes. What is left is then looked at: every recorded answer, part of the findings and notebook whole, the earlier
bundle whole or a new one in its place. Every fifth time the same is begun again and must come to its end. The processes
are forked from one that has all libraries loaded, and the export's second walk is left out, so that most kills fall
into the moments in which something is written.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from connectors.answers import Answers
from connectors.durable import sweep
from kit.bundle.bag import check_bag
from kit.bundle.received import admitted
from kit.bundle.write import write_bundle
from kit.findings import Findings
from kit.rerun import clean
from kit.rerun.clean import Rerun
from kit.snapshot import take_snapshot
from kit.walk import copy_notebooks, run_in_process
from tests.incidents.small_case import make_case, walk


def snapshot(case: Path) -> None:
    """Record the evidence."""
    take_snapshot([str(case)], budget_s=600)


def run(case: Path) -> None:
    """Walk, and write the notebooks."""
    run_in_process(case)
    copy_notebooks(case / "notebooks", case_path="..")


def export(case: Path) -> None:
    """Write the bundle in the place of an earlier one."""
    clean.walk_again = lambda payload: Rerun(0, 0, 0, 0, (), (), (), "")
    for name in ("small.unredacted.zip", "small.unredacted"):
        write_bundle(case, out=case / "exports" / name)


def faults(case: Path) -> list[str]:
    """What is not whole after the kill?"""
    sweep(case / "exports")
    found = list(Answers(case).check())
    for part in Findings(case).parts():
        orjson.loads((case / "findings" / f"{part}.json").read_bytes())
    for path in (case / "notebooks").glob("*.ipynb"):
        orjson.loads(path.read_bytes())
    for bundle in (case / "exports").glob("small.*"):
        with admitted(bundle) as bag:
            found += check_bag(bag)
    if (case / "findings").exists() and (case / "exports").exists():
        names = {p.name for p in (case / "exports").iterdir()}
        found += [] if names == {"small.unredacted.zip", "small.unredacted"} else [f"exports holds {sorted(names)}"]
    return found


def begun(work: Callable[[Path], None], case: Path, *, kill_after_s: float | None) -> tuple[int | None, float]:
    """Do this work in a process of its own; its exit code (-9 when it was killed) and how long it took."""
    process = multiprocessing.get_context("fork").Process(target=_quiet, args=(work, case))
    began = time.monotonic()
    process.start()
    process.join(kill_after_s)
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return process.exitcode, time.monotonic() - began


def _quiet(work: Callable[[Path], None], case: Path) -> None:
    os.setsid()
    work(case)


def main(moments: int) -> None:
    """The trial, and a line for each kill."""
    drawn = random.Random(50)
    with tempfile.TemporaryDirectory() as folder:
        fresh = make_case(Path(folder) / "fresh")
        walked = walk(Path(shutil.copytree(fresh, Path(folder) / "walked")))
        before = {snapshot: fresh, run: fresh, export: walked}
        took = {}
        for work, start in before.items():
            case = Path(shutil.copytree(start, Path(folder) / work.__name__))
            code, took[work] = begun(work, case, kill_after_s=None)
            print(f"{work.__name__} takes {took[work]:.1f} s (exit {code})", flush=True)
            if work is export:
                shutil.copytree(case / "exports", walked / "exports")
        bad = 0
        for number in range(moments):
            work = list(before)[number % 3]
            moment = drawn.uniform(0.02, 0.98) * took[work]
            case = Path(shutil.copytree(before[work], Path(folder) / f"trial-{number}"))
            code, _ = begun(work, case, kill_after_s=moment)
            said = faults(case)
            if not said and number % 5 == 0:
                again, _ = begun(work, case, kill_after_s=None)
                said = faults(case) if again == 0 else [f"does not go on: exit {again}"]
            bad += bool(said)
            done = "was over" if code == 0 else "killed"
            print(f"{number + 1:2} {work.__name__:8} {done} after {moment:5.1f} s: {said or 'whole'}", flush=True)
            shutil.rmtree(case)
        print(f"{moments} kills, {bad} that left something that is neither whole nor resumable")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
