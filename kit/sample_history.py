"""What the gallery's history knows from before a recording: a working copy of a sample has it as one more source."""

from __future__ import annotations

import shutil
import tomllib
from datetime import datetime
from pathlib import Path

import orjson

from connectors.durable import write_whole
from connectors.window import utc

HISTORY = "history"
SOURCE = f"""
# what was changed before this recording, for the base rate of changes
[sources.{HISTORY}]
kind = "files"
table = "changes"
format = "changes_jsonl"
path = "raw/{HISTORY}/changes.jsonl"
history = true
"""


def add_history(gallery: Path, to: Path) -> bool:
    """Puts the gallery's earlier changes into this working copy; tells whether there were any.

    Only where the sample has a change log of its own (one that was left out stays left out) and something in the
    history is earlier than its look. What both tell is counted once, as the sample's own log has it.
    """
    log = gallery / HISTORY / "changes.jsonl"
    if not log.is_file() or not _has_changes(to):
        return False
    start = tomllib.loads((to / "incident.toml").read_text(encoding="utf-8"))["look"]["start"]
    if not any(_time(line) < utc(start) for line in log.read_bytes().splitlines() if line.strip()):
        return False
    place = to / "raw" / HISTORY
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(log, place / log.name)
    sources = to / "sources.toml"
    write_whole(sources, f"{sources.read_text(encoding='utf-8').rstrip()}\n{SOURCE}")
    return True


def _has_changes(folder: Path) -> bool:
    listed = tomllib.loads((folder / "sources.toml").read_text(encoding="utf-8")).get("sources", {})
    return any(spec.get("table") == "changes" and spec.get("kind") == "files" for spec in listed.values())


def _time(line: bytes) -> datetime:
    return utc(orjson.loads(line)["time"])
