"""Make a case from an alert: what fired gives the title and the moment, and the case stays open while it fires."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from connectors.durable import write_whole
from connectors.window import iso, utc
from kit.errors import BadCase
from kit.incident import incident_id
from kit.looking import AFTER, BEFORE, is_address

SETUP = ("sources.toml", "signals.toml", "path.toml")
"""What a folder that describes the sources may hold; a case is one, too."""


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert: its name, its service when it says one, when it began (UTC) and ended; None: it still fires."""

    name: str
    service: str | None
    time: datetime
    until: datetime | None


def new_from_alert(
    folder: Path, alert: str, data: Sequence[Path | str], *, at: str | None = None, authority: Path | None = None
) -> list[str]:
    """A case on what fired, with the sources of `data`; says what it holds and what to do next.

    `alert`: a file of Alertmanager, Grafana or PagerDuty (JSON), or its address (that of an Alertmanager itself, too).
    `data`: as for `new_case`; or one folder with a `sources.toml`, whose configuration (and `raw/`) is taken as it is.
    The look begins an hour before the first alert that still fires, else before the last one. It stays open
    (`end = "now"`) while that fires and a source can still grow; otherwise it ends with the data. `at` ends it there,
    as if it were now. Raises `BadCase` when no alert is found, or no data is given.
    """
    if folder.exists():
        raise BadCase(f"{folder} is there already: give the new case another name.")
    if not data:
        raise BadCase(
            "An alert alone has no data: name its sources with --from DIR or URL, or a folder with sources.toml."
        )
    content, name = _content(alert, authority)
    fired = first_alert(content, name=name)
    setup = next((Path(d) for d in data if not is_address(d) and (Path(d) / "sources.toml").is_file()), None)
    try:
        said = _from_setup(folder, setup) if setup is not None else _from_data(folder, data, fired, authority)
        _add_alerts(folder, content, name)
        end = _end(folder, fired, at)
        _rewrite(folder, fired, end)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shown = "it is open" if end == "now" else f"it ends {iso(end)}"
    about = f"{fired.name}{f' ({fired.service})' if fired.service else ''} fired at {iso(fired.time)}; {shown}."
    return [about, *said, f"Next: incident-kit now {folder} · incident-kit run {folder} · incident-kit lab {folder}"]


def first_alert(content: bytes, *, name: str) -> Fired:
    """Which alert does the case start from? The first of those that still fire; of none, the last.

    Raises `BadInput` when the content holds no alert that is known.
    """
    import tempfile

    from connectors.files import alert_feeds
    from connectors.files.options import Options

    with tempfile.TemporaryDirectory(prefix="ik-") as place:
        path = Path(place) / "alerts.json"
        path.write_bytes(content)
        rows = alert_feeds.read(path, Options(), label=name).table.to_pylist()
    if not rows:
        raise BadCase(f"{name} holds no alert: nothing fires there.")
    firing = [r for r in rows if r["until"] is None and r["state"] not in ("resolved", "inactive")]
    row = min(firing, key=lambda r: r["time"]) if firing else max(rows, key=lambda r: r["time"])
    over = None if row in firing else (row["until"] or row["time"])
    return Fired(str(row["name"]), row["service"], row["time"], over)


def _content(alert: str, authority: Path | None) -> tuple[bytes, str]:
    if not is_address(alert):
        path = Path(alert)
        if not path.is_file():
            raise BadCase(f"There is no {alert}: give the file, or the address, of the alert.")
        return path.read_bytes(), path.name
    from connectors.credentials import credential_for, origin_of
    from connectors.http import Http

    parts = urlsplit(alert)
    path = parts.path.strip("/") or "api/v2/alerts"
    origin = origin_of(alert)
    http = Http(
        origin, credential=credential_for(origin), authority=str(authority) if authority else None, deadline_s=20
    )
    try:
        reply = http.send("GET", path + (f"?{parts.query}" if parts.query else ""))
        if not reply.good:
            raise http.refusal(reply)
        return reply.content, f"{parts.hostname}-alerts.json"
    finally:
        http.close()


def _from_setup(folder: Path, setup: Path) -> list[str]:
    from kit.playbooks.own import bring_playbooks
    from kit.walk import copy_notebooks

    folder.mkdir(parents=True)
    for name in SETUP:
        if (setup / name).is_file():
            shutil.copy2(setup / name, folder / name)
    if (setup / "raw").is_dir():
        shutil.copytree(setup / "raw", folder / "raw")
    if (setup / "incident.toml").is_file():
        shutil.copy2(setup / "incident.toml", folder / "incident.toml")
    copy_notebooks(folder / "notebooks", case_path="..")
    return [f"The sources are those of {setup.name}.", *bring_playbooks(folder)]


def _from_data(folder: Path, data: Sequence[Path | str], fired: Fired, authority: Path | None) -> list[str]:
    from kit.new import new_case

    return new_case(folder, data, at=iso(fired.time), authority=authority)[:-1]


def _add_alerts(folder: Path, content: bytes, name: str) -> None:
    """Put the alerts among the case's sources, as they came; a source of alerts that is there already stays."""
    sources = _read(folder / "sources.toml")
    key = next(k for k in ("alert", "alert-file", "alert-that-fired") if k not in sources.get("sources", {}))
    target = folder / "raw" / key / f"{Path(name).stem}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    entry = {"kind": "files", "table": "alerts", "format": "alert_feeds", "path": f"raw/{key}/{target.name}"}
    sources.setdefault("sources", {})[key] = entry
    write_whole(folder / "sources.toml", tomli_w.dumps(sources))


def _end(folder: Path, fired: Fired, at: str | None) -> datetime | str:
    if at is not None:
        moment = utc(at)
        if moment <= fired.time - BEFORE:
            raise BadCase(f"--at {iso(moment)} lies more than an hour before the alert ({iso(fired.time)}).")
        return moment
    kinds = {spec["kind"] for spec in _read(folder / "sources.toml")["sources"].values()}
    if kinds - {"files", "git"}:
        return "now" if fired.until is None else fired.until + AFTER
    known = _read(folder / "incident.toml").get("look", {}).get("end")
    return utc(known) if isinstance(known, datetime) else (fired.until or fired.time) + AFTER


def _rewrite(folder: Path, fired: Fired, end: datetime | str) -> None:
    path = folder / "incident.toml"
    old = _read(path) if path.is_file() else {}
    values = {
        "id": incident_id(folder.name),
        "title": f"{fired.name}{f' ({fired.service})' if fired.service else ''}",
        "tz": old.get("tz", "UTC"),
        "services": old.get("services", []),
        "noticed": fired.time,
        "look": {"start": fired.time - BEFORE, "end": end},
        "mark": [{"kind": "detected", "time": fired.time}],
        **{k: old[k] for k in ("objective",) if k in old},
    }
    known = old.get("look", {}).get("start")
    if isinstance(known, datetime) and fired.time - BEFORE < known < fired.time:
        values["look"]["start"] = known  # the data begin there
    write_whole(path, tomli_w.dumps(values))


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
