"""Make a case folder: from a recorded sample, or by looking at what the files of a folder are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from connectors.durable import write_whole
from connectors.errors import ConnectorError
from connectors.files.formats import reader, sniff
from connectors.window import iso
from kit.case import Case, working_copy
from kit.errors import BadCase
from kit.walk import copy_notebooks

TABLE_OF = {"LOGS": "logs", "METRICS": "metrics", "SPANS": "spans", "CHANGES": "changes", "ALERTS": "alerts"}
REQUEST_FIELDS = frozenset({"duration_s", "http.response.status_code"})


def new_from_sample(folder: Path, slug: str) -> list[str]:
    """A case on a recorded sample incident; says what it holds and what to do next.

    Raises `BadCase`, naming the samples there are, for an unknown slug, and when the folder is there already.
    """
    sample = sample_folder(slug)
    _must_be_new(folder)
    working_copy(sample, folder)
    copy_notebooks(folder / "notebooks", case_path="..")
    return [f"{folder} holds a copy of {slug}, without its truth.", *_next(folder)]


def new_case(folder: Path, data: Sequence[Path]) -> list[str]:
    """A case on the files of these folders: copies them, finds out what each is, writes the configuration.

    Files of no known format are left out and said. The look is the span of what was read; the log whose rows have a
    status and a duration is taken for the users' requests. Raises `BadCase` when nothing could be read.
    """
    _must_be_new(folder)
    for source in data:
        if not source.exists():
            raise BadCase(f"There is no {source}: give folders or files that hold logs, metrics, traces or changes.")
    folder.mkdir(parents=True)
    try:
        said, sources = _sources(folder, data)
        if not sources:
            raise BadCase(
                f"Nothing in {', '.join(map(str, data))} has a format that is known. {' '.join(said)}".strip()
            )
        write_whole(folder / "sources.toml", tomli_w.dumps({"sources": sources}))
        _incident(folder, start="1970-01-01T00:00:00Z", end="2100-01-01T00:00:00Z", services=())
        first, last, services = _span(Case(folder))
        _incident(folder, start=first, end=last, services=services)
        said += _signals(folder)
        shutil.rmtree(folder / "snapshots", ignore_errors=True)
        (folder / "evidence.jsonl").unlink(missing_ok=True)
        copy_notebooks(folder / "notebooks", case_path="..")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return [*said, *_next(folder)]


def _sources(folder: Path, data: Sequence[Path]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    said: list[str] = []
    sources: dict[str, dict[str, Any]] = {}
    roots = {*data, *(p.parent for p in data)}
    for path in _files(data):
        if path.suffix == ".bundle":
            key = _key(path, sources)
            sources[key] = _copied(folder, path, key) | {"kind": "git", "table": "changes"}
            said.append(f"{path.name}: a git repository, changes")
            continue
        try:
            name = sniff(path)
        except ConnectorError as error:
            said.append(f"left out: {error}")
            continue
        table = TABLE_OF[reader(name).TABLES[0]]
        key = _key(path, sources)
        sources[key] = _copied(folder, path, key) | {"kind": "files", "table": table, "format": name}
        if table == "logs":
            sources[key]["service"] = key if path.parent in roots else path.parent.name
        said.append(f"{path.name}: {name}, {table}")
    return said, sources


def _copied(folder: Path, path: Path, key: str) -> dict[str, Any]:
    target = folder / "raw" / key / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
    return {"path": f"raw/{key}/{path.name}"}


def _files(data: Sequence[Path]) -> list[Path]:
    found = []
    for path in data:
        found += [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in found if p.stat().st_size and not p.name.startswith(".")]


def _key(path: Path, taken: dict[str, Any]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "source"
    key, n = stem, 2
    while key in taken:
        key, n = f"{stem}-{n}", n + 1
    return key


def _span(case: Case) -> tuple[str, str, tuple[str, ...]]:
    """From when to when do the sources speak, and which services are named in them?"""
    firsts, lasts, services = [], [], dict[str, None]()
    for name, spec in case.catalog.sources.items():
        source = case.source(name)
        if spec.table == "logs":
            if spec.service:
                services[spec.service] = None
            for order, ends in (("time", firsts), ("-time", lasts)):
                row = case.ask("logs", lambda s=source, o=order: s.rows(case.look, order=o, limit=1))
                ends += row.table.column("time").to_pylist() if row is not None else []
        elif spec.table == "metrics":
            listed = case.ask("metrics", lambda s=source: s.catalogue(case.look))
            if listed is not None and listed.table.num_rows:
                firsts += [t for t in listed.table.column("first").to_pylist() if t]
                lasts += [t for t in listed.table.column("last").to_pylist() if t]
    if not firsts:
        reasons = " ".join(case.gaps) or "no log and no metric has a row with a time."
        raise BadCase(f"From when to when to look cannot be told: {reasons}")
    return iso(min(firsts)), iso(max(lasts)), tuple(services)


def _incident(folder: Path, *, start: str, end: str, services: Sequence[str]) -> None:
    from connectors.window import utc

    values = {
        "id": re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.name).strip("-.") or "case",
        "title": folder.name.replace("-", " ").replace("_", " "),
        "tz": "UTC",
        "services": list(services),
        "look": {"start": utc(start), "end": utc(end)},
    }
    write_whole(folder / "incident.toml", tomli_w.dumps(values))


def _signals(folder: Path) -> list[str]:
    """Which log has the users' requests? The one with status and duration and the most rows; written, and said."""
    from kit.questions import field_names

    case = Case(folder)
    counted = []
    for source in case.sources("logs"):
        if field_names(case, source) >= REQUEST_FIELDS:
            total = source.count(case.look).table.column("n").to_pylist()
            counted.append((sum(total), source.name))
    if not counted:
        return ["No log has a status and a duration per line: name the users' requests in signals.toml by hand."]
    name = max(counted)[1]
    requests = {"requests": {"source": name, "service": case.catalog.sources[name].service or name}}
    write_whole(folder / "signals.toml", tomli_w.dumps(requests))
    return [f"{name} is taken for the log of users' requests; change signals.toml if it is another."]


def sample_folder(slug: str) -> Path:
    """Where is the recorded sample of this name? Raises `BadCase` naming the ones there are."""
    import difflib

    samples = _samples()
    known = sorted(p.parent.name for p in samples.glob("*/incident.toml")) if samples else []
    if samples is None or slug not in known:
        near = difflib.get_close_matches(slug, known, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none here'}."
        raise BadCase(f"There is no sample {slug!r}: {hint}")
    return samples / slug


def _samples() -> Path | None:
    beside, checkout = Path(__file__).parent / "_sample_incidents", Path(__file__).parent.parent / "sample_incidents"
    return next((p for p in (checkout, beside) if p.is_dir()), None)


def _must_be_new(folder: Path) -> None:
    if folder.exists():
        raise BadCase(
            f"{folder} is there already: give the new case another name, or work on it with `incident-kit lab`."
        )


def _next(folder: Path) -> list[str]:
    return [f"Next: incident-kit check {folder} · incident-kit run {folder} · incident-kit lab {folder}"]
