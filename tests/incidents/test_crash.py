"""Killed at any moment: what stood there stays whole, and what was begun goes on. A few moments of each; the longer
trial stands in the benchmarks.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.answers import Answers
from connectors.durable import sweep
from kit.bundle.archive import unpack

ROOT = Path(__file__).parents[2]
RECORD = """
import sys, itertools
from pathlib import Path
import pyarrow as pa
from connectors.base import Answer, Fetch
from connectors.answers import Answers
answers = Answers(Path(sys.argv[1]))
first = len(answers)
for n in itertools.count(first):
    table = pa.table({"n": list(range(2000))})
    answers.keep(Answer(table, Fetch("s", "count", "q", None, 2000), f'{{"n":{n}}}'))
    if n == first:
        print("begun", flush=True)
"""
PACK = """
import sys, itertools
from pathlib import Path
from kit.bundle.archive import pack
from kit.bundle.write import _put
target = Path(sys.argv[1])
for n in itertools.count():
    bag = target / "bag"
    bag.mkdir(exist_ok=True)
    (bag / "bagit.txt").write_text("BagIt")
    for name in "ab":
        (bag / name).write_bytes(str(n % 10).encode() * 300_000)
    _put(bag, target / "out.zip")
    _put(bag, target / "out")
    if n == 0:
        print("begun", flush=True)
"""


def killed(code, folder, *, after_s):
    """Run the code on the folder and kill it so long after it said that it began."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


@pytest.fixture
def moments():
    drawn = random.Random(7)
    return [drawn.uniform(0, 0.5) for _ in range(4)]


def test_recorded_answers_are_whole_and_the_recording_goes_on(tmp_path, moments):
    known = 0
    for moment in moments:
        killed(RECORD, tmp_path, after_s=moment)
        answers = Answers(tmp_path)
        assert answers.check() == []
        assert len(answers) >= known
        known = len(answers)
    assert known > 0


def test_a_torn_index_is_mended_by_the_next_answer(tmp_path):
    killed(RECORD, tmp_path, after_s=0.2)
    index = tmp_path / "evidence.jsonl"
    whole = index.read_bytes()
    index.write_bytes(whole[:-40])
    before = len(Answers(tmp_path))
    killed(RECORD, tmp_path, after_s=0.2)
    answers = Answers(tmp_path)
    assert answers.check() == []
    assert len(answers) > before


def test_an_archive_and_a_folder_are_the_old_or_the_new_one_never_a_mixture(tmp_path, moments):
    for moment in moments:
        killed(PACK, tmp_path, after_s=moment)
        sweep(tmp_path)
        to = tmp_path / f"opened-{moment}"
        to.mkdir()
        for bag in (unpack(tmp_path / "out.zip", to), tmp_path / "out"):
            contents = [(bag / name).read_bytes() for name in "ab"]
            assert {len(c) for c in contents} == {300_000}
            assert len({c[:1] for c in contents}) == 1
        assert not list(tmp_path.glob(".*.part"))
