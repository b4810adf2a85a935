"""One case folder out of a run: the span's lines of every log, its metrics, spans and changes, and the truth."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import tomli_w

from sample_incidents.lab import metrics, truth
from sample_incidents.lab.layout import Places
from sample_incidents.lab.releases import Releases
from sample_incidents.lab.scenario import Scenario
from sample_incidents.lab.truth import ERRORS_LIMIT, LATENCY_LIMIT_S, Effect

TEMPLATES = Path(__file__).parent / "templates"
LIMIT_MB = 2.5


def cut(
    scenario: Scenario,
    places: Places,
    out: Path,
    start: datetime,
    end: datetime,
    effects: list[Effect],
    tags: list[str],
) -> str:
    """Writes the folder `out`/slug and returns one line about what it shows."""
    folder = out / scenario.slug
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    logs = places.logs
    _lines(logs / "client.jsonl", raw / "client.jsonl.gz", _json_time, start, end)
    _lines(logs / "edge" / "access.log", raw / "edge" / "access.log.gz", _nginx_time, start, end)
    _lines(logs / "nginx" / "access.log", raw / "nginx" / "access.log.gz", _nginx_time, start, end)
    for service in ("checkout", "payments", "worker"):
        for path in sorted((logs / service).glob("*.jsonl")):
            _lines(path, raw / service / f"{path.name}.gz", _json_time, start, end)
    _lines(logs / "postgres" / "postgresql.json", raw / "postgres" / "postgresql.json.gz", _postgres_time, start, end)
    _traces(logs / "traces", raw / "traces.jsonl.gz", start, end)
    _changes(logs / "changes.jsonl", raw / "changes.jsonl", start, end, scenario.changes_in)
    Releases(places).bundle((raw / "changes.git.bundle").absolute(), tags)
    metrics.export(raw / "metrics.om.gz", start, end)
    with gzip.open(raw / "client.jsonl.gz", "rt") as file:
        seen = truth.read_client(file)
    told = truth.write(scenario.truth, effects, seen, scenario.fails_from, end)
    _write(folder / "incident.toml", incident(scenario, start, end))
    for name in ("sources", "signals", "path"):
        text = (TEMPLATES / f"{name}.toml").read_text().replace("@fails_from@", str(scenario.fails_from))
        text = text.replace("@requests@", scenario.requests)
        if name == "sources" and scenario.changes_in:
            text = text.replace("[sources.changes]\n", f'[sources.changes]\ntz = "{scenario.changes_in}"\n')
        (folder / f"{name}.toml").write_text(text)
    for name in scenario.withhold:
        (raw / f"{name}.jsonl.gz").unlink()
        sources = tomllib.loads((folder / "sources.toml").read_text())
        del sources["sources"][name]
        _write(folder / "sources.toml", sources)
    _write(folder / "truth.toml", told)
    manifest(folder)
    return _told(scenario, folder, seen, told)


def incident(scenario: Scenario, start: datetime, end: datetime) -> dict:
    """What a pager would say, and what people noted; never when the fault began."""
    at = lambda offset: datetime.fromtimestamp(start.timestamp() + offset, UTC).replace(microsecond=0)
    words: dict = {"id": scenario.slug, "title": scenario.title, "tz": "Europe/Berlin"}
    words["services"] = list(scenario.services)
    if scenario.noticed is not None:
        words["noticed"] = at(scenario.noticed)
    words["look"] = {"start": start, "end": end}
    words["objective"] = list(scenario.objective)
    if scenario.marks:
        words["mark"] = [{"kind": kind, "time": at(offset)} for offset, kind in scenario.marks]
    return words


def manifest(folder: Path) -> None:
    """Writes MANIFEST.sha256: every file of the folder but itself, as `sha256sum -c` reads it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "MANIFEST.sha256")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}\n" for p in files]
    (folder / "MANIFEST.sha256").write_text("".join(lines))


def _write(path: Path, values: dict) -> None:
    path.write_text(tomli_w.dumps(values))


def _json_time(line: str) -> datetime:
    return datetime.fromisoformat(json.loads(line)["time"])


def _nginx_time(line: str) -> datetime:
    return datetime.fromtimestamp(float(re.search(r'"msec":([0-9.]+)', line)[1]), UTC)  # type: ignore[index]


def _postgres_time(line: str) -> datetime:
    return datetime.fromisoformat(json.loads(line)["timestamp"].replace(" UTC", "+00:00"))


def _lines(source: Path, target: Path, time_of: Callable[[str], datetime], start: datetime, end: datetime) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(target, "wb", 9, mtime=0) as file:
        for line in _whole(source):
            if start <= time_of(line) < end:
                file.write(line.encode())


def _whole(path: Path) -> Iterator[str]:
    """The complete lines of a file that may still be written to."""
    if path.exists():
        with path.open(errors="surrogateescape") as file:
            yield from (line for line in file if line.endswith("\n"))


def _traces(folder: Path, target: Path, start: datetime, end: datetime) -> None:
    """One file of all exporters' lines in the order of their first span."""
    begin = lambda line: int(re.search(r'"startTimeUnixNano":"(\d+)"', line)[1])  # type: ignore[index]
    lines = [line for p in sorted(folder.glob("*.jsonl")) if not p.name.startswith("fraud-check") for line in _whole(p)]
    low, high = int(start.timestamp() * 1e9), int(end.timestamp() * 1e9)
    with gzip.GzipFile(target, "wb", 9, mtime=0) as file:
        for line in sorted((x for x in lines if low <= begin(x) < high), key=begin):
            file.write(line.encode())


def _changes(source: Path, target: Path, start: datetime, end: datetime, zone: str | None = None) -> None:
    """The feed's lines; with a zone as a tool writes them that knows of no other: local time, no offset."""
    kept = [line for line in _whole(source) if start <= _json_time(line) < end]
    target.write_text("".join(_local(line, ZoneInfo(zone)) if zone else line for line in kept))


def _local(line: str, zone: ZoneInfo) -> str:
    row = json.loads(line)
    for key in ("time", "until"):
        if row[key]:
            at = datetime.fromisoformat(row[key]).astimezone(zone)
            row[key] = at.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps(row) + "\n"


def _told(scenario: Scenario, folder: Path, seen: list[truth.Seen], told: dict) -> str:
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
    words = [f"{scenario.slug}: {size:.2f} MB"]
    if told["episodes"]:
        onset, back = told["episodes"][0]["onset"], told["episodes"][0]["recovered"].get("latest", seen[-1].end)
        began = onset["earliest"]
        parts = (
            ("before", [s for s in seen if s.end < began]),
            ("during", [s for s in seen if began <= s.end <= back]),
            ("after", [s for s in seen if s.end > back]),
        )
        words.append(f"onset {onset['earliest']:%H:%M:%S}–{onset['latest']:%H:%M:%S.%f}, recovered by {back:%H:%M:%S}")
        if "shows_within_s" not in scenario.truth and not any(s.broken(scenario.fails_from) for s in parts[1][1]):
            words.append(
                "REFUSED: nobody was hurt; make the fault stronger, or say shows_within_s for harm of another kind"
            )
    else:
        parts = (("all", seen),)
    words += [f"{name}: {truth.summary(part, scenario.fails_from)}" for name, part in parts]
    before = parts[0][1]
    failed = sum(s.failed(scenario.fails_from) for s in before) / max(1, len(before))
    slow = sum(s.took_s > LATENCY_LIMIT_S for s in before) / max(1, len(before))
    if failed > ERRORS_LIMIT / 2 or slow > 0.005:
        words.append(f"REFUSED: the healthy stretch is disturbed (failed {failed:.2%}, slow {slow:.2%})")
    if size > LIMIT_MB:
        words.append(f"REFUSED: larger than {LIMIT_MB} MB")
    return "\n  ".join(words)
