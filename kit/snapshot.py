"""The evidence only, now: what vanishes first is recorded first; nothing is analysed, nothing is waited for too long.

Every answer is recorded as it comes, so that a second call goes on where the first one stopped, was cut off or was
killed.
"""

from __future__ import annotations

import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from connectors.base import Answer, SignalSpec
from connectors.durable import sweep, write_whole
from connectors.errors import ConnectorError
from connectors.window import iso
from kit.errors import BadCase, KitError

if TYPE_CHECKING:
    from connectors.load import Recorded
    from kit.case import Case

VOLATILE_FIRST = ("alerts", "metrics", "spans", "logs", "changes")
"""Firing alerts are gone when they resolve, samples and traces are thinned out within hours; a repository stays."""
LOOK_BACK = timedelta(hours=1)
METRICS_AT_ONCE, METRICS_KEPT = 25, 400
LINES = 5_000
TRACES = 100
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the snapshot: answered with so many rows, refused with a reason, or not asked in time.

    `rows` None where what was asked is several answers at once, or nothing came.
    """

    source: str
    what: str
    rows: int | None = None
    took_s: float = 0.0
    refused: str = ""

    def __str__(self) -> str:
        told = self.refused or "not asked within the budget"
        if self.took_s:
            told = f"{'done' if self.rows is None else f'{self.rows:,} rows'} in {self.took_s * 1000:,.0f} ms"
        return f"{self.source}, {self.what}: {told}"


@dataclass(frozen=True)
class Snapshot:
    """What was recorded, into which case, and what was not."""

    folder: Path
    answered: tuple[Asked, ...]
    refused: tuple[Asked, ...]
    left: tuple[Asked, ...]
    seconds: float

    @property
    def complete(self) -> bool:
        """Was every question answered?"""
        return not self.refused and not self.left

    def __str__(self) -> str:
        rows = sum(a.rows or 0 for a in self.answered)
        lines = [
            f"{self.folder}: {len(self.answered)} answers with {rows:,} rows are recorded, in {self.seconds:.0f} s."
        ]
        lines += [f"  could not be asked — {a}" for a in self.refused]
        if self.left:
            many = f"{len(self.left)} questions are" if len(self.left) > 1 else "1 question is"
            lines.append(f"{many} left: incident-kit snapshot {self.folder} goes on with what is left.")
        lines.append(f"Next: incident-kit run {self.folder}")
        return "\n".join(lines)


def take_snapshot(
    places: Sequence[str], *, budget_s: float = 60.0, out: Path | None = None, say: Say = lambda line: None
) -> Snapshot:
    """Record what a case's sources say now, or those at these addresses, in `budget_s` seconds.

    One place that is a case is asked as it says. Otherwise each is a folder, a file or an http address; a case is made
    of them in `out` (default `cases/snapshot-<time>`), looking at the span of the files or at the last hour; where that
    takes long, half of the budget is kept for asking. What is recorded already is not asked again. Raises `BadCase`
    when no place holds anything that is read.
    """
    began = time.monotonic()
    from kit.case import Case

    folder, files = _case_of(places, out=out, say=say)
    for part in (folder, folder / "snapshots"):
        sweep(part)
    case = Case(folder)
    ends = max(began + budget_s, time.monotonic() + budget_s / 2)
    answered, refused, left = _ask_all(case, ends=ends, say=say, walk=not files)
    if files:
        _add_files(folder, files, say)
        more = _ask_all(Case(folder), ends=ends, say=say, walk=not left)
        answered, refused, left = (*answered, *more[0]), (*refused, *more[1]), (*left, *more[2])
        answered = tuple({(a.source, a.what): a for a in answered}.values())
    return Snapshot(folder, answered, refused, left, time.monotonic() - began)


# --- which case ------------------------------------------------------------------------------------------------------


def _case_of(places: Sequence[str], *, out: Path | None, say: Say) -> tuple[Path, list[Path]]:
    """The case to ask, and the files to add to it afterwards: backends that answer now come before files that stay."""
    if len(places) == 1 and (Path(places[0]) / "incident.toml").is_file():
        from kit.case import open_case

        return open_case(places[0]).folder, []
    folder = out or Path("cases") / f"snapshot-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    if (folder / "incident.toml").is_file():
        say(f"{folder} is a case already: its own sources are asked, and none is added.")
        return folder, []
    addresses = [p for p in places if re.match(r"https?://", p)]
    files = [Path(p) for p in places if p not in addresses]
    sources = _recognized(addresses, say)
    if sources:
        _write_case(folder, sources)
        return folder, files
    if not files:
        raise BadCase("None of the addresses could be asked: " + "; ".join(addresses))
    from kit.new import new_case

    for line in new_case(folder, files):
        say(line)
    return folder, []


def _recognized(addresses: Sequence[str], say: Say) -> dict[str, dict[str, Any]]:
    from kit.recognize import recognize

    found: dict[str, dict[str, Any]] = {}
    for address in addresses:
        try:
            offered = recognize(address)
        except ConnectorError as error:
            say(f"could not be asked: {error}")
            continue
        for name, entry in offered.items():
            key, n = name, 2
            while key in found:
                key, n = f"{name}-{n}", n + 1
            found[key] = entry
            say(f"{address}: {entry['kind']}, {entry['table']}")
    return found


def _write_case(folder: Path, sources: dict[str, dict[str, Any]]) -> None:
    """The configuration of a case at these addresses, looking at the last hour."""
    from kit.walk import copy_notebooks

    now = datetime.now(UTC).replace(microsecond=0)
    identity = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.name).strip("-.") or "snapshot"
    about = {"id": identity, "title": f"Snapshot of {iso(now)}", "tz": "UTC", "services": []}
    write_whole(folder / "sources.toml", tomli_w.dumps({"sources": sources}))
    copy_notebooks(folder / "notebooks", case_path="..")
    write_whole(folder / "incident.toml", tomli_w.dumps({**about, "look": {"start": now - LOOK_BACK, "end": now}}))


def _add_files(folder: Path, files: Sequence[Path], say: Say) -> None:
    """The files of these places become sources of the case as well; its look stays what it is."""
    import tempfile
    import tomllib

    from kit.new import new_case

    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        made = Path(private) / "files"
        try:
            said = new_case(made, files)
        except (KitError, ConnectorError) as error:
            say(f"could not be read: {error}")
            return
        for line in said[:-1]:
            say(line)
        shutil.copytree(made / "raw", folder / "raw", dirs_exist_ok=True)
        known = tomllib.loads((folder / "sources.toml").read_text())["sources"]
        added = tomllib.loads((made / "sources.toml").read_text())["sources"]
        write_whole(folder / "sources.toml", tomli_w.dumps({"sources": {**added, **known}}))
        if (made / "signals.toml").exists() and not (folder / "signals.toml").exists():
            shutil.copyfile(made / "signals.toml", folder / "signals.toml")


# --- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Question:
    source: str
    what: str
    ask: Callable[[], Answer | None]
    then: Callable[[Answer], list[_Question]] = field(default=lambda answer: [])


def questions(case: Case) -> Iterator[_Question]:
    """What a snapshot asks of this case, in order: what vanishes first comes first, cheap before dear."""
    for table in VOLATILE_FIRST:
        for source in case.sources(table):
            yield from _QUESTIONS[table](case, source)


def _alerts(case: Case, source: Recorded) -> Iterator[_Question]:
    yield _Question(source.name, "alerts", lambda: source.alerts(case.look))


def _metrics(case: Case, source: Recorded) -> Iterator[_Question]:
    signals = tuple(case.catalog.signals)
    if signals:
        yield _Question(
            source.name, "golden signals", lambda: source.metrics(case.grid, signals=signals, every=case.every)
        )
    all_of_them = (lambda answer: []) if signals else (lambda answer: list(_each_metric(case, source, answer)))
    yield _Question(source.name, "catalogue of metrics", lambda: source.catalogue(case.look), all_of_them)


def _each_metric(case: Case, source: Recorded, catalogue: Answer) -> Iterator[_Question]:
    """Without golden signals named: each metric per job and instance, as many as are kept."""
    rows = catalogue.table.to_pylist()
    specs = [_spec(row) for row in rows if not str(row["metric"]).startswith(("go_", "python_", "process_", "scrape_"))]
    for at in range(0, min(len(specs), METRICS_KEPT), METRICS_AT_ONCE):
        part = tuple(specs[at : at + METRICS_AT_ONCE])
        what = f"metrics {at + 1} to {at + len(part)}"
        yield _Question(source.name, what, lambda part=part: source.metrics(case.grid, signals=part, every=case.every))


def _spec(row: dict[str, Any]) -> SignalSpec:
    import orjson

    labels = orjson.loads(row["labels"] or "{}")
    kind = row["type"] if row["type"] in ("gauge", "counter", "histogram") else "gauge"
    by = tuple(name for name in ("service", "job", "instance") if name in labels)
    return SignalSpec("snapshot", "other", str(row["metric"]), str(row["metric"]), kind, by=by)


def _spans(case: Case, source: Recorded) -> Iterator[_Question]:
    from kit.questions import TRACES_READ

    yield _Question(source.name, "calls", lambda: source.edges(case.look))
    for order in ("failing", "slowest", "typical"):
        yield _Question(
            source.name, f"{order} traces", lambda order=order: source.traces(case.look, n=TRACES, order=order)
        )
    yield _Question(source.name, "traces", lambda: source.traces(case.look, n=TRACES_READ, order="time"))


def _logs(case: Case, source: Recorded) -> Iterator[_Question]:
    yield _Question(source.name, "lines per step", lambda: source.count(case.grid, every=case.every, by=("service",)))
    yield _Question(
        source.name, "fields", lambda: source.fields(case.look), lambda answer: list(_by_fields(case, source, answer))
    )
    yield _Question(source.name, "sample of lines", lambda: source.sample(case.look, LINES))


def _by_fields(case: Case, source: Recorded, fields: Answer) -> Iterator[_Question]:
    """What can be counted in these lines: levels, outcomes, how long they took."""
    names = set(fields.table.column("name").to_pylist())
    for name in ("level", "http.response.status_code", "error.type"):
        if name in names:
            yield _Question(
                source.name,
                f"lines per {name}",
                lambda name=name: source.count(case.grid, every=case.every, by=("service", name)),
            )
    if "duration_s" in names:
        yield _Question(
            source.name,
            "durations",
            lambda: source.measure(
                case.grid, "duration_s", stats=("n", "p50", "p99"), every=case.every, by=("service",)
            ),
        )


def _changes(case: Case, source: Recorded) -> Iterator[_Question]:
    from kit.case import HISTORY_DAYS

    window = case.look.widen(before_s=HISTORY_DAYS * 86400)
    yield _Question(source.name, "changes", lambda: source.changes(window))


_QUESTIONS: dict[str, Callable[[Case, Recorded], Iterator[_Question]]] = {
    "alerts": _alerts, "metrics": _metrics, "spans": _spans, "logs": _logs, "changes": _changes,
}  # fmt: skip


def _the_walks_own(case: Case) -> Iterator[_Question]:
    """What the walk will ask, as far as it needs no answer of a person: so that it can be run when nothing is left."""
    for name in ("wide", "entry_series", "coverage", "suspects", "difference", "diagnosis", "cut", "spot", "impact"):
        yield _Question("the walk", name.replace("_", " "), lambda name=name: _computed(case, name))


def _computed(case: Case, name: str) -> None:
    getattr(case, name)


# --- asking ----------------------------------------------------------------------------------------------------------


def _ask_all(
    case: Case, *, ends: float, say: Say, walk: bool
) -> tuple[tuple[Asked, ...], tuple[Asked, ...], tuple[Asked, ...]]:
    """Ask in order, as many at a time as the case's budget allows, and start nothing after the end."""
    waiting: queue.PriorityQueue[tuple[int, int, _Question]] = queue.PriorityQueue()
    for place, one in enumerate(questions(case)):
        waiting.put((place, 0, one))
    answered: list[Asked] = []
    refused: list[Asked] = []
    running: dict[int, Asked] = {}
    state = threading.Condition()
    serial = iter(range(1, 1 << 30))

    def work() -> None:
        while time.monotonic() < ends:
            with state:
                try:
                    place, _, one = waiting.get_nowait()
                except queue.Empty:
                    if not running:
                        return
                    state.wait(0.1)
                    continue
                number = next(serial)
                running[number] = Asked(one.source, one.what)
            done, more = _asked(one)
            with state:
                for follow in more:
                    waiting.put((place, next(serial), follow))
                del running[number]
                (refused if done.refused else answered).append(done)
                say(f"  {done}")
                state.notify_all()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(case.catalog.budget.in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    with state:
        left = [*running.values(), *(Asked(q.source, q.what) for _, _, q in sorted(waiting.queue, key=lambda w: w[:2]))]
        result = tuple(answered), tuple(refused), tuple(left)
    if left or not walk:
        return result
    return _walks_part(case, result, ends=ends, say=say)


def _walks_part(
    case: Case, before: tuple[tuple[Asked, ...], tuple[Asked, ...], tuple[Asked, ...]], *, ends: float, say: Say
) -> tuple[tuple[Asked, ...], tuple[Asked, ...], tuple[Asked, ...]]:
    """The walk's own questions, one after the other: each needs what the one before was told."""
    answered, refused, _ = (list(part) for part in before)
    for one in _the_walks_own(case):
        if time.monotonic() >= ends:
            return tuple(answered), tuple(refused), (*before[2], Asked(one.source, one.what))
        done, _ = _asked(one)
        (refused if done.refused else answered).append(done)
        say(f"  {done}")
    return tuple(answered), tuple(refused), before[2]


def _asked(one: _Question) -> tuple[Asked, list[_Question]]:
    began = time.monotonic()
    try:
        answer = one.ask()
        more = one.then(answer) if answer is not None else []
    except (ConnectorError, KitError) as error:
        return Asked(one.source, one.what, refused=str(error)), []
    except Exception as error:
        return Asked(one.source, one.what, refused=f"{type(error).__name__}: {str(error)[:200]}"), []
    rows = answer.table.num_rows if isinstance(answer, Answer) else None
    return Asked(one.source, one.what, rows, time.monotonic() - began), more
