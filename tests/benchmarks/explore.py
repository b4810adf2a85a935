"""How long does a first look into a large folder of logs take, and how fast is all of it counted?

    python -m tests.benchmarks.explore make --gb 12 DIR [--files 100] [--hours 24]
    python -m tests.benchmarks.explore look DIR

`make` writes lines of the lab's shapes: the logs of a sample incident over and over, their times spread evenly over the
hours, their request ids made different. `look` opens the folder in a process of its own and prints, as JSON lines, what
each step of an exploration took by the clock and in processor time, and how many bytes it read; beside the exact count
of all lines it prints what DuckDB takes to scan the same files.
"""

from __future__ import annotations

import argparse
import gzip
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parents[2] / "sample_incidents" / "pool_starved_by_slow_query" / "raw"
SHAPES = (
    "checkout/checkout-1.jsonl.gz", "edge/access.log.gz", "nginx/access.log.gz", "payments/payments-1.jsonl.gz",
    "checkout/checkout-2.jsonl.gz", "client.jsonl.gz", "worker/worker-1.jsonl.gz", "postgres/postgresql.json.gz",
    "checkout/checkout-3.jsonl.gz", "payments/payments-2.jsonl.gz",
)  # fmt: skip
START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
_ISO = re.compile(rb"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d{3})?")
_EPOCH = re.compile(rb'(?<="msec":)\d{10}\.\d{3}')
_KEY = re.compile(rb'(?<=")[0-9a-f]{32}(?=")')
_ID_AT, _ID_DIGITS = 12, 8


@dataclass(frozen=True, slots=True)
class Block:
    """A sample's lines as bytes, and where their times and request ids stand in them."""

    data: np.ndarray
    iso: np.ndarray
    millis: np.ndarray
    epoch: np.ndarray
    ids: np.ndarray
    at: np.ndarray
    """Milliseconds from the first line, a row per place of `iso`, then of `epoch`."""
    length_ms: int


def block_of(path: Path) -> Block:
    """The lines of one log of the sample, in order of time."""
    text = gzip.decompress(path.read_bytes())
    lines = [line for line in text.split(b"\n") if line]
    moments = [_millis(line) for line in lines]
    first = min(moments)
    length = max(moments) - first + 1
    iso, millis, epoch, ids = [], [], [], []
    at_iso: list[int] = []
    at_epoch: list[int] = []
    offset = 0
    for line, moment in sorted(zip(lines, moments, strict=True), key=lambda pair: pair[1]):
        for match in _ISO.finditer(line):
            iso.append(offset + match.start())
            millis.append(match[2] is not None)
            at_iso.append(moment - first)
        for match in _EPOCH.finditer(line):
            epoch.append(offset + match.start())
            at_epoch.append(moment - first)
        ids += [offset + match.start() + _ID_AT for match in _KEY.finditer(line)]
        offset += len(line) + 1
    ordered = sorted(zip(lines, moments, strict=True), key=lambda pair: pair[1])
    data = np.frombuffer(b"".join(line + b"\n" for line, _ in ordered), np.uint8)
    places = (np.array(found, np.int64) for found in (iso, epoch, ids))
    iso_at, epoch_at, ids_at = places
    return Block(data, iso_at, np.array(millis, bool), epoch_at, ids_at, np.array(at_iso + at_epoch, np.int64), length)


def _millis(line: bytes) -> int:
    if match := _EPOCH.search(line):
        return round(float(match[0]) * 1000)
    match = _ISO.search(line)
    assert match is not None, line
    text = match[0].decode().replace(" ", "T")
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def shifted(block: Block, start_ms: float, length_ms: float, number: int) -> bytes:
    """The block's lines spread over [start, start + length), with request ids of their own."""
    data = block.data.copy()
    moments = (start_ms + block.at * (length_ms / block.length_ms)).astype(np.int64)
    text = moments[: len(block.iso)].astype("datetime64[ms]").astype("S23").view(np.uint8).reshape(-1, 23)
    for digit in (*range(10), *range(11, 19)):
        data[block.iso + digit] = text[:, digit]
    fine = block.iso[block.millis]
    for digit in range(20, 23):
        data[fine + digit] = text[block.millis, digit]
    left = moments[len(block.iso) :]
    for place in range(13):
        data[block.epoch + (12 - place if place > 2 else 13 - place)] = left // 10**place % 10 + 48
    for digit, character in enumerate(f"{number:0{_ID_DIGITS}x}".encode()):
        data[block.ids + digit] = character
    return data.tobytes()


def make(folder: Path, *, gb: float, files: int, hours: float) -> None:
    """Writes so many files of equal size, each over all of the hours."""
    blocks = [block_of(SAMPLE / shape) for shape in SHAPES]
    each, whole_ms = gb * 1e9 / files, hours * 3.6e6
    start = START.timestamp() * 1000
    for at in range(files):
        shape = SHAPES[at % len(SHAPES)]
        block = blocks[at % len(SHAPES)]
        times = max(1, round(each / len(block.data)))
        path = folder / f"{Path(shape).name.partition('.')[0]}-{at:03d}{''.join(Path(shape).suffixes[:-1])}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            for n in range(times):
                out.write(shifted(block, start + n * whole_ms / times, whole_ms / times, at * 100_000 + n))


def main() -> None:
    """Does what the command line asks."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["make", "look"])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--gb", type=float, default=12.0)
    asked.add_argument("--files", type=int, default=100)
    asked.add_argument("--hours", type=float, default=24.0)
    given = asked.parse_args()
    if given.what == "make":
        make(given.folder, gb=given.gb, files=given.files, hours=given.hours)


if __name__ == "__main__":
    main()
