"""A folder, a file or an archive as one log source: found, told apart, copies left out, nothing read whole."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from connectors.errors import BadInput, ConnectorError, NotFound
from connectors.folder.copies import without_copies
from connectors.folder.logs import ROWS, FolderLogs
from connectors.folder.opened import HEAD_BYTES, Opened, opened
from connectors.folder.texts import Text, Unpacked, texts_below


def open_folder(
    place: Path, *, tz: str | Mapping[str, str] | None = None, rows: int = ROWS
) -> tuple[FolderLogs, tuple[str, ...]]:
    """The logs below this place as one source, and what was left out and why, a sentence each.

    `tz` is the zone of times that are written without one; a mapping gives one per pattern of names
    (`{"db/*": "Europe/Berlin"}`). Raises `NotFound` where there is nothing, `BadInput` where no log can be read.
    """
    if not place.exists():
        raise NotFound(f"There is no {place}: check the path.")
    texts, left_out = texts_below(place)
    room = Unpacked()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda text: _opened(text, room, tz), texts))
    good = [one for one in found if isinstance(one, Opened)]
    left_out += [one for one in found if isinstance(one, str)]
    if not good:
        said = " ".join(left_out[:3]) or "it has no file."
        raise BadInput(f"{place} holds no log that can be read: {said}")
    kept, copies = without_copies(sorted(good, key=lambda one: one.label))
    notes = [*copies]
    unread = [one for one in kept if one.text.unread]
    if unread:
        notes.append(
            f"{len(unread)} compressed file{'s are' if len(unread) > 1 else ' is'} too large to unpack in memory "
            f"({room.most >> 20} MB for a folder): their end is estimated"
        )
    return FolderLogs(place.name or str(place), kept, remarks=notes, rows=rows), tuple(left_out)


def _opened(text: Text, room: Unpacked, tz: str | Mapping[str, str] | None) -> Opened | str:
    zone = tz if isinstance(tz, str) or tz is None else next((z for p, z in tz.items() if fnmatch(text.label, p)), None)
    try:
        text.unpack(room, HEAD_BYTES * 32)
        return opened(text, tz=zone)
    except ConnectorError as error:
        return str(error)
    except OSError as error:
        return f"{text.label} cannot be read ({error.strerror or error})."
