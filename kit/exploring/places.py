"""Which logs are there? A file, a folder, a case or an address, opened by looking and with no configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.base import answered
from connectors.errors import ConnectorError
from connectors.window import Window
from kit.errors import BadCase
from kit.looking import is_address

_EVERYTHING = Window.of("1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z")


def open_logs(place: str | Path, *, tz: str | Mapping[str, str] | None = None) -> tuple[list[Any], tuple[str, ...]]:
    """The log sources that are there, and what was left out and why, a sentence each.

    A case's folder gives its own log sources, recorded answers included. Any other folder, file or archive is one
    source over all texts in it whose lines have a time (`connectors.folder`). `tz` is the zone of times written
    without one, or one per pattern of names. Nothing is copied. Raises `BadCase` where there is no log at all.
    """
    if is_address(str(place)):
        return _at_address(str(place))
    folder = Path(place).expanduser()
    if not folder.exists():
        raise BadCase(f"There is no {place}: give a log file, a folder of logs, a case, or an http address.")
    if (folder / "sources.toml").is_file():
        return _of_case(folder)
    from connectors.folder.opening import open_folder

    try:
        logs, left_out = open_folder(folder, tz=tz)
    except ConnectorError as error:
        raise BadCase(str(error)) from None
    return [logs], (*left_out, *logs.remarks)


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


def span_of(source: Any) -> Window:
    """From when to when does this source speak? Raises `BadCase` where it has no line with a time."""
    from datetime import timedelta

    if isinstance(own := getattr(source, "window", None), Window):
        return own
    ends = []
    for order in ("time", "-time"):
        table = answered(source.rows(_EVERYTHING, order=order, limit=1)).table
        ends += [t for t in table.column("time").to_pylist() if t is not None]
    if not ends:
        raise BadCase("No line has a time that can be read: name the format or the zone of its times (tz = …).")
    return Window(min(ends), max(ends) + timedelta(microseconds=1))
