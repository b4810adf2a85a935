"""Make a case folder: from a recorded sample, or by looking at what is in a folder or answers at an address."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from connectors.durable import write_whole
from connectors.window import iso
from kit.case import Case
from kit.errors import BadCase
from kit.incident import incident_id
from kit.looking import add_address, is_address, look, look_at_servers, own_names, services_of, users_requests
from kit.looking_at_metrics import look_at_metrics
from kit.looking_at_path import look_at_path
from kit.recognize_files import GIT, FoundFiles, recognize_files
from kit.walk import copy_notebooks
from kit.working_copy import working_copy


def new_from_sample(folder: Path, slug: str) -> list[str]:
    """A case on a recorded sample incident; says what it holds and what to do next.

    Raises `BadCase`, naming the samples there are, for an unknown slug, and when the folder is there already.
    """
    sample = sample_folder(slug)
    _must_be_new(folder)
    working_copy(sample, folder)
    copy_notebooks(folder / "notebooks", case_path="..")
    return [f"{folder} holds a copy of {slug}, without its truth.", *_next(folder)]


def new_case(
    folder: Path, data: Sequence[Path | str], *, at: str | None = None, authority: Path | None = None
) -> list[str]:
    """A case on these files, folders and addresses: finds out what each is and writes the configuration.

    Files are copied; those of no known format are left out and said. An address is asked what it is, with the user's
    own credential for it; `authority` is the file of the certificate to trust there. The look is the span of the data,
    or what is around `at`; of more than six hours only the last two, which is said. The log whose rows have a status
    and a duration is taken for the users' requests; golden signals are proposed from the names of metrics, the calls
    from traces. Raises `BadCase` when nothing could be read.
    """
    from kit.playbooks.own import bring_playbooks

    _must_be_new(folder)
    paths = [Path(given) for given in data if not is_address(given)]
    for source in paths:
        if not source.exists():
            raise BadCase(f"There is no {source}: give folders or files that hold logs, metrics, traces or changes.")
    folder.mkdir(parents=True)
    try:
        said, sources = _sources(folder, paths)
        for address in (str(given) for given in data if is_address(given)):
            said += add_address(address, sources, folder=folder, authority=authority)
        if not sources:
            raise BadCase(
                f"Nothing in {', '.join(map(str, data))} has a format that is known. {' '.join(said)}".strip()
            )
        write_whole(folder / "sources.toml", tomli_w.dumps({"sources": sources}))
        _incident(folder, start="1970-01-01T00:00:00Z", end="2100-01-01T00:00:00Z", services=())
        case = Case(folder)
        span = _span(case)
        start, end, chosen = look(*span, at=at) if span is not None else look_at_servers(at=at)
        _incident(folder, start=iso(start), end=iso(end), services=())
        _rename(Case(folder), sources)
        case = Case(folder)
        _incident(folder, start=iso(start), end=iso(end), services=services_of(case))
        said += [*chosen, *_signals(folder), *_path(folder)]
        shutil.rmtree(folder / "snapshots", ignore_errors=True)
        (folder / "evidence.jsonl").unlink(missing_ok=True)
        copy_notebooks(folder / "notebooks", case_path="..")
        said += bring_playbooks(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return [*said, *_next(folder)]


def _sources(folder: Path, data: Sequence[Path]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    found, left_out = recognize_files(data)
    said = [f"left out: {reason}" for reason in left_out]
    sources: dict[str, dict[str, Any]] = {}
    for files in found:
        key = _key(files, sources)
        sources[key] = _copied(folder, files, key)
        if files.format == GIT:
            sources[key] |= {"kind": "git", "table": "changes"}
            said.append(f"{files.name}: a git repository, changes")
            continue
        sources[key] |= {"kind": "files", "table": files.table, "format": files.format}
        if files.table == "logs":
            sources[key]["service"] = files.service
        many = f" in {len(files.paths)} files" if len(files.paths) > 1 else ""
        said.append(f"{files.name}: {files.format}, {files.table}{many}")
    return said, sources


def _rename(case: Case, sources: dict[str, dict[str, Any]]) -> None:
    """A log whose lines name its service is called so; its file's name was a guess."""
    names = own_names(case)
    for source, service in names.items():
        sources[source].pop("service")
        if service is not None:
            sources[source]["service"] = service
    if names:
        write_whole(case.folder / "sources.toml", tomli_w.dumps({"sources": sources}))


def _copied(folder: Path, files: FoundFiles, key: str) -> dict[str, Any]:
    place = folder / "raw" / key
    place.mkdir(parents=True, exist_ok=True)
    for path in files.paths:
        shutil.copy2(path, place / path.name)
    return {"path": f"raw/{key}/{files.paths[0].name if len(files.paths) == 1 else '*'}"}


def _key(files: FoundFiles, taken: dict[str, Any]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", Path(files.name).name.split(".")[0].lower()).strip("-") or "source"
    key, n = stem, 2
    while key in taken:
        key, n = f"{stem}-{n}", n + 1
    return key


def _span(case: Case) -> tuple[datetime, datetime] | None:
    """From when to when do the sources speak, up to the second after their last word?

    None: only servers are there, and none of them has logs to tell it.
    """
    firsts, lasts = [], []
    for name, spec in case.catalog.sources.items():
        source = case.source(name)
        if spec.table == "logs":
            for order, ends in (("time", firsts), ("-time", lasts)):
                row = case.ask("logs", lambda s=source, o=order: s.rows(case.look, fields=["time"], order=o, limit=1))
                ends += row.table.column("time").to_pylist() if row is not None else []
        elif spec.table == "metrics" and not hasattr(spec, "url"):
            listed = case.ask("metrics", lambda s=source: s.catalogue(case.look))
            if listed is not None and listed.table.num_rows:
                firsts += [t for t in listed.table.column("first").to_pylist() if t]
                lasts += [t for t in listed.table.column("last").to_pylist() if t]
    if not firsts and not case.gaps and any(hasattr(spec, "url") for spec in case.catalog.sources.values()):
        return None
    if not firsts:
        reasons = " ".join(case.gaps) or "no log and no metric has a row with a time."
        raise BadCase(f"From when to when to look cannot be told: {reasons}")
    return min(firsts), max(lasts).replace(microsecond=0) + timedelta(seconds=1)


def _incident(folder: Path, *, start: str, end: str, services: Sequence[str]) -> None:
    from connectors.window import utc

    values = {
        "id": incident_id(folder.name),
        "title": folder.name.replace("-", " ").replace("_", " "),
        "tz": "UTC",
        "services": list(services),
        "look": {"start": utc(start), "end": utc(end)},
    }
    write_whole(folder / "incident.toml", tomli_w.dumps(values))


def _signals(folder: Path) -> list[str]:
    """Which log has the users' requests, which golden signals have the metrics? Written, and said."""
    case = Case(folder)
    requests, said = users_requests(case)
    noted = _noted(case)
    rows, intervals, more = look_at_metrics(case)
    written = ({"requests": requests} if requests is not None else {}) | ({"signal": rows} if rows else {})
    if written:
        write_whole(folder / "signals.toml", tomli_w.dumps(written))
    if intervals:
        sources = tomllib.loads((folder / "sources.toml").read_text(encoding="utf-8"))
        for name, interval in intervals.items():
            sources["sources"][name]["interval"] = interval
        write_whole(folder / "sources.toml", tomli_w.dumps(sources))
    return [*noted, said, *more]


def _noted(case: Case) -> list[str]:
    """What the readers of log files took for granted."""
    files = [s for s in case.sources("logs") if case.catalog.sources[s.name].kind == "files"]
    return [note for source in files for note in getattr(source.source, "notes", ())]


def _path(folder: Path) -> list[str]:
    """Who calls whom, by the traces? Written, and said; by the users' requests that `signals.toml` names."""
    rows, said = look_at_path(Case(folder))
    if rows:
        write_whole(folder / "path.toml", tomli_w.dumps({"edge": rows}))
    return said


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
