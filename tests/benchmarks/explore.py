"""How long does a first look into a large folder of logs take, and how fast is all of it counted?

    python -m tests.benchmarks.explore make --gb 12 DIR [--files 100] [--hours 24]
    python -m tests.benchmarks.explore look DIR [--pairs 3]
    python -m tests.benchmarks.explore look URL/INDEX

`make` writes lines of the lab's shapes: the logs of a sample incident over and over, their times spread evenly over the
hours, their request ids made different. `look` opens the folder and prints what each step of an exploration took by the
clock and in processor time, how many bytes it read, and whether it was sampled. The exact count of all lines over time
is told beside what DuckDB takes to scan the same files: all their lines (`read_csv`, nothing read of a line), and the
same answer (`read_json`, of the files that it can be asked for). In a folder of up to five million lines all are then
read, and kinds of line and differences asked exactly.
"""

from __future__ import annotations

import argparse
import gzip
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
                out.write(shifted(block, start + at + n * whole_ms / times, whole_ms / times, at * 100_000 + n))


def look(place: str, *, pairs: int) -> None:
    """Prints what each step of an exploration of this place took."""
    import kit

    view = step("first view", lambda: _first_view(kit, place))
    middle = view.window.start + (view.window.end - view.window.start) / 2
    brush = view.between(middle, middle + timedelta(minutes=10))
    before = kit.Window(middle - timedelta(minutes=10), middle)
    step("brush of 10 minutes: volume", brush.volume)
    step("brush: values", brush.facets)
    step("brush: lines", lambda: brush.lines(100))
    step("whole: values", view.facets)
    step("brush: kinds of line since before", lambda: brush.templates(before=before))
    step("brush: what is different", lambda: brush.different(from_=view.between(before.start, before.end)))
    step("whole: kinds of line", view.templates)
    errors = view.find("level=ERROR")
    step("whole: what is different about errors", errors.different)
    step("whole: lines of a rare word", lambda: view.find("autovacuum").lines(100))
    if "://" in place:
        return
    step("call off an exact count: until it stops", lambda: _called_off(view))
    files = [str(path) for path in sorted(Path(place).iterdir())]
    ratios = [_pair(view, files) for _ in range(pairs)]
    for at, name in enumerate(("clock", "processor time")):
        found = sorted(r[at] for r in ratios)
        print(
            f"DuckDB's scan of all lines / our exact count over time, {name}: {found[len(found) // 2]:.2f}", flush=True
        )
    _same_answer(files)
    if view.is_affordable:
        step("take in all lines", view.hold)
        step("exact: values", view.exactly().facets)
        step("exact: kinds of line", view.exactly().templates)
        step("exact: what is different about errors", errors.exactly().different)
        step("exact brush: kinds of line since before", lambda: brush.exactly().templates(before=before))


def step(name: str, does: Callable[[], Any]) -> Any:
    """Does it, and prints what it took."""
    wall, cpu, read = time.monotonic(), time.process_time(), _bytes_read()
    found = does()
    wall, cpu, read = time.monotonic() - wall, time.process_time() - cpu, _bytes_read() - read
    how = "sampled" if getattr(found, "sampled", False) else ""
    print(f"{name:45} {wall:7.2f} s {cpu:7.2f} s cpu {read / 1e6:9.1f} MB {how:8} {str(found)[:90]!r}", flush=True)
    return found


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def _first_view(kit: Any, place: str) -> Any:
    view = kit.explore(place)
    view.volume()
    view.lines(100)
    return view


def _called_off(view: Any) -> str:
    from connectors.progress import Cancelled, watched

    asked = time.monotonic()
    stopped: list[float] = []

    def watcher(_: float) -> bool:
        if time.monotonic() - asked > 0.5:
            stopped.append(stopped[0] if stopped else time.monotonic())
        return not stopped

    try:
        with watched(watcher):
            view.exactly().between(view.window.start, view.window.end - timedelta(milliseconds=1)).volume()
    except Cancelled:
        return f"{time.monotonic() - stopped[0]:.2f} s after it was called off"
    return "it was done before"


def _pair(view: Any, files: list[str]) -> tuple[float, float]:
    """DuckDB's seconds for all lines of these files over ours for the count over time: clock, processor."""
    import duckdb

    for source in view.sources:
        source.forget()
    ours = _took(lambda: view.exactly().volume())
    engine = duckdb.connect()
    engine.execute("SELECT 1").fetchall()
    sql = (
        f"SELECT count(*) FROM read_csv({files}, header = false, delim = '\\0', quote = '', escape = '', "
        "columns = {line: 'VARCHAR'}, auto_detect = false)"
    )
    theirs = _took(lambda: engine.sql(sql).fetchall())
    size = sum(Path(f).stat().st_size for f in files) / 1e6
    print(
        f"exact count over time {ours[0]:.2f} s ({ours[1]:.2f} s cpu, {size / ours[0]:,.0f} MB/s); DuckDB, all lines "
        f"{theirs[0]:.2f} s ({theirs[1]:.2f} s cpu, {size / theirs[0]:,.0f} MB/s)",
        flush=True,
    )
    return theirs[0] / ours[0], theirs[1] / ours[1]


def _same_answer(files: list[str]) -> None:
    """How fast DuckDB counts over time the lines of some of the files whose time it can be asked for."""
    import duckdb

    asked = [f for f in files if f.endswith(".jsonl")][:7]
    size = sum(Path(f).stat().st_size for f in asked) / 1e6
    engine = duckdb.connect()
    sql = (
        f"SELECT time_bucket(INTERVAL 15 MINUTE, time), count(*) FROM read_json({asked}, format = 'newline_delimited', "
        "columns = {time: 'TIMESTAMP'}) GROUP BY 1"
    )
    wall, cpu = _took(lambda: engine.sql(sql).fetchall())
    print(f"DuckDB's own count over time: {size / wall:,.0f} MB/s, {size / cpu:,.0f} MB per second of processor time")


def _took(does: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.monotonic(), time.process_time()
    does()
    return time.monotonic() - wall, time.process_time() - cpu


def main() -> None:
    """Does what the command line asks."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=["make", "look"])
    asked.add_argument("place")
    asked.add_argument("--gb", type=float, default=12.0)
    asked.add_argument("--files", type=int, default=100)
    asked.add_argument("--hours", type=float, default=24.0)
    asked.add_argument("--pairs", type=int, default=3)
    given = asked.parse_args()
    if given.what == "look":
        look(given.place, pairs=given.pairs)
    else:
        make(Path(given.place), gb=given.gb, files=given.files, hours=given.hours)


if __name__ == "__main__":
    main()
