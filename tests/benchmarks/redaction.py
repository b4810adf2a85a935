"""How many values of real logs does redaction touch that it need not have touched?

`python -m tests.benchmarks.redaction [--data DIR]`. DIR holds the archives `loghub-2k`, `formats` and
`nezha-trainticket` (not part of the project) or their unpacked folders; without it nothing is measured, and it says so.

A value is a distinct word of a file's lines. Addresses (IP, MAC, e-mail, home folders) are what the profile *vendor* is
there to take out. Everything else that was touched, by its name, by its look or since it was learnt elsewhere, is
counted as innocent, whatever it was: session ids and the signatures in URLs among them. So the share is an upper bound.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from kit.redaction.profile import Profile
from kit.redaction.pseudonyms import Pseudonyms
from kit.redaction.redactor import Redactor

ARCHIVES = {
    "loghub-2k": "2k_dataset/*/*_2k.log",
    "formats": "[anl]*/*log*",
    "nezha-trainticket": "rca_data/2023-01-29/log/09_0*_log.csv",
}
ADDRESSES = ("IP address", "MAC address", "e-mail", "home folder")
_WORD = re.compile(r"[^\s,;\"'()\[\]{}<>=|]+")


def touched(lines: list[str]) -> tuple[int, dict[str, set[str]]]:
    """How many distinct values have these lines, and which were touched, by detector?"""
    redactor = Redactor(Profile("vendor"), Pseudonyms(b"k" * 32))
    redactor.learn_text(lines)
    taken: dict[str, set[str]] = defaultdict(set)
    for line in dict.fromkeys(lines):
        for hit in redactor.find(line):
            taken[hit.found_by.split(",")[0].split(" in ")[0]].add(line[hit.start : hit.end])
    return len({word for line in lines for word in _WORD.findall(line)}), taken


def files(data: Path, unpacked: Path) -> Iterator[Path]:
    """The log files of the archives that are there."""
    for name, pattern in ARCHIVES.items():
        folder, archive = data / name, data / f"{name}.tar.zst"
        if not folder.is_dir() and archive.is_file():
            subprocess.run(["tar", "--zstd", "-xf", str(archive), "-C", str(unpacked)], check=True)
            folder = unpacked / name
        yield from sorted(folder.glob(pattern))


def report(data: Path | None) -> Iterator[str]:
    """A line for each file and one for all of them."""
    if data is None:
        yield "skipped, no folder with logs was given (--data)"
        return
    values = addresses = innocent = 0
    with tempfile.TemporaryDirectory() as unpacked:
        for path in files(data, Path(unpacked)):
            count, taken = touched(path.read_text("utf-8", errors="replace").splitlines())
            rightly = sum(len(v) for k, v in taken.items() if k in ADDRESSES)
            rest = {k: len(v) for k, v in taken.items() if k not in ADDRESSES}
            values, addresses, innocent = values + count, addresses + rightly, innocent + sum(rest.values())
            yield f"{path.name}: {count:,} values, {rightly:,} addresses, touched beside them {rest or 'none'}"
    if values:
        yield (
            f"all: {values:,} values, {addresses:,} addresses, {innocent:,} others touched "
            f"({innocent / values:.2%}; at most 2 %)"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    for line in report(parser.parse_args().data):
        print(line, flush=True)
