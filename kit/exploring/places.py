"""Which logs are there? A file, a folder, a case or an address, opened by looking and with no configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from connectors.base import answered
from connectors.errors import ConnectorError
from connectors.window import Window
from kit.errors import BadCase
from kit.looking import files_below, is_address

_EVERYTHING = Window.of("1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z")


def open_logs(place: str | Path, *, tz: str | None = None) -> tuple[list[Any], tuple[str, ...]]:
    """The log sources that are there, and what was left out and why, a sentence each.

    A case's folder gives its own log sources, recorded answers included. Of other folders every file whose format is
    known and whose rows are lines is one source, named after its path (which is where pod, container and host stand);
    rotated copies of one file are one source. `tz` is the zone of times written without one. Nothing is copied and
    nothing is read yet. Raises `BadCase` where there is no log at all.
    """
    if is_address(str(place)):
        return _at_address(str(place))
    folder = Path(place).expanduser()
    if not folder.exists():
        raise BadCase(f"There is no {place}: give a log file, a folder of logs, a case, or an http address.")
    if (folder / "sources.toml").is_file():
        return _of_case(folder)
    return _of_files(folder, tz)


def _at_address(address: str) -> tuple[list[Any], tuple[str, ...]]:
    import tempfile

    from connectors.credentials import credential_for
    from connectors.registry import connector
    from connectors.settings import Budget, Place
    from kit.recognize import recognize

    found = {name: entry for name, entry in recognize(address).items() if entry["table"] == "logs"}
    if not found:
        raise BadCase(f"What answers at {address} holds no logs: give the address of a log store.")
    sources = []
    for name, entry in found.items():
        kind = connector(entry["kind"])
        place = Place(Path(tempfile.gettempdir()), Budget(), credential_for)
        sources.append(kind.open_source(name, kind.Settings(**entry), place))
    return sources, ()


def _of_case(folder: Path) -> tuple[list[Any], tuple[str, ...]]:
    from kit.case import open_case

    case = open_case(folder)
    sources = case.sources("logs")
    if not sources:
        raise BadCase(f'{folder} has no log source: name one in its sources.toml with table = "logs".')
    return list(sources), ()


def _of_files(place: Path, tz: str | None) -> tuple[list[Any], tuple[str, ...]]:
    from connectors.files import open_files
    from connectors.files.formats import reader, sniff
    from connectors.files.options import FilesSpec, Options

    root = place if place.is_dir() else place.parent
    groups: dict[tuple[str, str], list[Path]] = {}
    left_out: list[str] = []
    for path in files_below([place]):
        try:
            name = sniff(path)
        except ConnectorError as error:
            left_out.append(str(error))
            continue
        if "LOGS" not in reader(name).TABLES:
            left_out.append(f"{path.relative_to(root)} holds {reader(name).TABLES[0].lower()}, not lines.")
            continue
        groups.setdefault((_without_rotation(path.relative_to(root)), name), []).append(path)
    if not groups:
        said = " ".join(left_out[:3]) or "it has no file."
        raise BadCase(f"{place} holds no log that can be read: {said}")
    sources = []
    for (stem, format_), paths in sorted(groups.items()):
        many = len(paths) > 1
        pattern = f"{_escaped(stem)}*" if many else _escaped(str(paths[0].relative_to(root)))
        service = re.split(r"[/.]", stem)[-2 if stem.endswith(".log") else -1] or stem
        spec = FilesSpec(root, pattern, "LOGS", format_, Options(tz=tz, service=service))
        sources.append(open_files(stem, spec))
    return sources, tuple(left_out)


def _without_rotation(path: Path) -> str:
    """`app.log` of `app.log`, `app.log.1`, `app.log.2.gz`, `app.log-20260301.zst`.

    >>> _without_rotation(Path("web/app.log.2.gz"))
    'web/app.log'
    """
    text = re.sub(r"\.(?:gz|zst|bz2|xz|lz4)$", "", str(path))
    return re.sub(r"(?:\.\d{1,4}|[-.]\d{8}(?:[-T]?\d{2,6})?)$", "", text)


def _escaped(pattern: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", pattern)


def span_of(source: Any) -> Window:
    """From when to when does this source speak? Raises `BadCase` where it has no line with a time."""
    from datetime import timedelta

    ends = []
    for order in ("time", "-time"):
        table = answered(source.rows(_EVERYTHING, order=order, limit=1)).table
        ends += [t for t in table.column("time").to_pylist() if t is not None]
    if not ends:
        raise BadCase("No line has a time that can be read: name the format or the zone of its times (tz = …).")
    return Window(min(ends), max(ends) + timedelta(microseconds=1))
