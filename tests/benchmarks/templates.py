"""How well does `mine_templates` group labelled logs, and how fast is it beside Drain3?

`python -m tests.benchmarks.templates [--data DIR] [--lines N]`. DIR holds `loghub-2k.tar.zst` or its unpacked folder
`loghub-2k` (research use only, not part of the project); without it the accuracy is skipped and says so. Scores as
loghub-2.0 defines them, on the corrected labels, one set of defaults for all systems:

- GA: share of lines whose group holds exactly the lines of the true group; FGA: F1 over groups
- PA: share of lines whose template is literally the true one; FTA: F1 over templates
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from connectors.window import Window
from kit.templates import compare_templates, mine_templates
from tests.benchmarks.pairs import HEAD, by_turns

SYSTEMS = ("BGL", "HPC", "Mac", "Proxifier", "Spark", "Thunderbird", "Zookeeper")
SCORES = ("GA", "FGA", "PA", "FTA")
PUBLISHED = (
    "published on loghub-2k, GA/FGA/PA/FTA, mean of all its systems: Drain .85/.74/.32/.28, AEL .81/.68/.28/.23, "
    "LogPPT .76/.86/.71/.64"
)


def labelled(data: Path, system: str) -> tuple[list[str], list[str]]:
    """The messages and the true template of each, for one system."""
    name = f"2k_dataset/{system}/{system}_2k.log_structured_corrected.csv"
    folder = data / "loghub-2k"
    text = (folder / name).read_text("utf-8") if folder.is_dir() else _unpacked(data / "loghub-2k.tar.zst", name)
    rows = list(csv.DictReader(io.StringIO(text)))
    return [row["Content"] for row in rows], [row["EventTemplate"] for row in rows]


def _unpacked(archive: Path, name: str) -> str:
    import zstandard

    with archive.open("rb") as raw:
        stream = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if member.name.endswith(name) and (file := tar.extractfile(member)):
                    return file.read().decode("utf-8")
    raise FileNotFoundError(f"{archive.name} holds no {name}.")


def scores(
    groups: Sequence[object], templates: Sequence[str], truth: Sequence[str]
) -> tuple[float, float, float, float]:
    """GA, FGA, PA, FTA of one system."""
    found, true = Counter(groups), Counter(truth)
    pairs = Counter(zip(groups, truth, strict=True))
    exact = [t for (g, t), n in pairs.items() if n == found[g] == true[t]]
    ga = sum(true[t] for t in exact) / len(truth)
    pa_ = sum(a == b for a, b in zip(templates, truth, strict=True)) / len(truth)
    told: dict[str, set[str]] = defaultdict(set)
    for template, label in zip(templates, truth, strict=True):
        told[template].add(label)
    right = sum(labels == {template} for template, labels in told.items())
    return ga, _f1(len(exact), len(found), len(true)), pa_, _f1(right, len(told), len(true))


def _f1(hits: int, found: int, true: int) -> float:
    return 2 * hits / (found + true)


def by_kit(messages: list[str]) -> tuple[list[int], list[str]]:
    """Group and template per line from the kit."""
    mined = mine_templates(messages)
    names = mined.table["template"].tolist()
    ids = mined.ids.tolist()
    return ids, [names[i] for i in ids]


def by_drain3(messages: Sequence[str]) -> tuple[list[int], list[str]]:
    """Group and template per line from Drain3 with its own defaults."""
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig

    miner = TemplateMiner(config=TemplateMinerConfig())
    ids = [miner.add_log_message(message)["cluster_id"] for message in messages]
    names = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    return ids, [names[i] for i in ids]


def accuracy(data: Path | None) -> Iterator[str]:
    """Scores per system and on average, the kit's and Drain3's."""
    if data is None or not any((data / name).exists() for name in ("loghub-2k", "loghub-2k.tar.zst")):
        yield "accuracy: skipped, no folder with loghub-2k was given (--data)"
        return
    for label, mine in (("kit", by_kit), ("drain3", by_drain3)):
        table = []
        for system in SYSTEMS:
            messages, truth = labelled(data, system)
            table.append(scores(*mine(messages), truth))
            told = "  ".join(f"{name} {value:.3f}" for name, value in zip(SCORES, table[-1], strict=True))
            yield f"{label}, {system}: {told}"
        low, high = _bootstrap(np.array(table))
        mean = np.mean(table, axis=0)
        parts = zip(SCORES, mean, low, high, strict=True)
        told = "  ".join(f"{name} {value:.3f} [{a:.2f}, {b:.2f}]" for name, value, a, b in parts)
        yield f"{label}, mean of {len(SYSTEMS)} systems [95 %, bootstrap over systems]: {told}"
    yield f"{PUBLISHED}"


def _bootstrap(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    means = [table[rng.integers(0, len(table), len(table))].mean(axis=0) for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


KINDS = (
    "GET /api/v1/users/{a}/orders HTTP/1.1 200 {a} bytes in {b} ms from 10.0.{b}.{b}",
    "user u{a} logged in from 10.1.{b}.7:{a} session={c:016x}",
    "pool timeout after {a} ms waiting for connection to db-{b}.internal:5432",
    "Received block blk_{c} of size {a} from /10.250.{b}.{b}",
    "cache miss for key 'session:{c:x}' shard {b}",
    "retry {b} of request {c:08x}-1a2b-4c3d-9e8f-{c:012x} failed: connection reset by peer",
    "2026-03-01T02:14:{b:02d}.123Z worker-{b} finished job {a} in {b}.{a} s",
    "order {a} confirmed, total=EUR {b}.99, items={b}",
    "slow query ({a} ms): SELECT * FROM orders WHERE id = {a}",
    "heartbeat ok",
    "payment {c:032x} declined code={b} gateway=acme",
    "flushed {a} records to /var/data/seg-{a}.log in {b}ms",
)


def simulated(lines: int) -> list[str]:
    """Service lines of twelve kinds with numbers, addresses and ids, nearly all of them distinct."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, len(KINDS), lines).tolist()
    a, b = rng.integers(1, 100_000, lines).tolist(), rng.integers(1, 255, lines).tolist()
    c = rng.integers(0, 2**62, lines).tolist()
    return [KINDS[k].format(a=x, b=y, c=z) for k, x, y, z in zip(kind, a, b, c, strict=True)]


def speed(*, lines: int, pairs: int = 7) -> Iterator[str]:
    """The kit on the column of a canonical table and on a list, beside Drain3, by turns; beside the list on a tenth."""
    messages = simulated(lines)
    column, few = pa.array(messages), messages[: lines // 10]
    mine_templates(column[:1000])
    yield from HEAD
    for label, given, theirs in (("column", column, messages), ("list", messages, few)):
        timed = by_turns(
            lambda given=given: mine_templates(given),
            lambda theirs=theirs: by_drain3(theirs),
            pairs=pairs,
            share=(1.0, len(theirs) / lines),
        )
        scaled = "" if len(theirs) == lines else f" (on {len(theirs):,}, extrapolated)"
        yield timed.row(f"{lines:,} lines from a {label}, beside Drain3{scaled}", "10")


def quiet(*, runs: int, burst: float) -> tuple[int, int, int]:
    """Templates, of all in `runs` fault-free pairs of windows, that are called new, gone or changed; and runs with one.

    Forty kinds of line at rates from one in 100 s to two a second, 40 minutes before and 10 after; `burst` lines at a
    time on average.
    """
    baseline = Window.of("2026-03-01T02:00Z", "2026-03-01T02:40Z")
    incident = Window.of("2026-03-01T02:40Z", "2026-03-01T02:50Z")
    called = told = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        at, kind = [], []
        for number, rate in enumerate(np.geomspace(0.01, 2, 40)):
            starts = rng.uniform(0, 3000, rng.poisson(3000 * rate / burst))
            times = np.repeat(starts, rng.geometric(1 / burst, len(starts)))
            at.append(times)
            kind += [f"kind {'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]}"] * len(times)
        time_us = (np.concatenate(at) * 1e6).astype(np.int64) + round(baseline.start.timestamp() * 1e6)
        logs = pa.table({"time": pa.array(time_us, pa.timestamp("us", "UTC")), "message": kind})
        claims = int((compare_templates(logs, baseline=baseline, incident=incident)["class"] != "unchanged").sum())
        called += claims
        told += claims > 0
    return called, 40 * runs, told


def report(data: Path | None, *, lines: int = 1_000_000) -> list[str]:
    """This part of `tests.benchmarks.diagnosis`, as Markdown lines."""
    told = [*accuracy(data)]
    for label, burst in (("independent lines", 1.0), ("bursts of five lines", 5.0)):
        called, of, hit = quiet(runs=100, burst=burst)
        told.append(
            f"fault-free windows, {label}: {called} of {of} templates called new, gone or changed, in {hit} of 100"
        )
    return ["## Templates", "", *(f"- {line}" for line in told), "", *speed(lines=lines), ""]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--lines", type=int, default=1_000_000)
    arguments = parser.parse_args()
    print("\n".join(report(arguments.data, lines=arguments.lines)), flush=True)
