"""Which files does a path or glob name? Inside their folder only, oldest rotation first, copies of one file once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from connectors.errors import BadInput, NotFound
from connectors.files.stream import Faults, head, text_of

_ROTATED = re.compile(r"^(?P<stem>.*?)[.-](?P<number>\d{1,4})(?P<rest>(?:\.\w+)*)$")
_COMPRESSED = re.compile(r"\.(gz|zst|xz|bz2)$")


def gather(folder: Path, pattern: str) -> tuple[list[Path], list[str]]:
    """The files of a source, in the order in which they were written, and what there is to note.

    A file whose whole content is the beginning of another one's (a rotation's copy, the same log compressed) is left
    out and noted. Raises `BadInput` for a path that leads out of the folder, `NotFound` when no file is there.
    """
    root = folder.resolve()
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise BadInput(
            f"The path {pattern!r} leads out of the case's folder: copy the files into it and name them there."
        )
    try:
        found = sorted(p for p in folder.glob(pattern) if p.is_file())
    except (ValueError, NotImplementedError, OSError):
        raise BadInput(f"{pattern!r} is not a path or glob: write it like raw/checkout/*.jsonl.gz.") from None
    for path in found:
        if root not in path.resolve().parents:
            raise BadInput(f"{path.name} is a link that leads out of the case's folder: copy the file itself into it.")
    if not found:
        raise NotFound(f"There is no file {pattern} in {folder.name}: check the path in sources.toml.")
    ordered = sorted(found, key=_written)
    return without_copies(ordered)


def _written(path: Path) -> tuple[str, int, str]:
    """Rotations by falling number, then the file that is still written to."""
    name = _COMPRESSED.sub("", path.name)
    match = _ROTATED.match(name)
    if match is None:
        return f"{path.parent}/{name}", 1, name
    number = int(match["number"])
    return f"{path.parent}/{match['stem']}{match['rest']}", -number, name


def without_copies(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """The files without those that are a copy of another one's beginning, and a note for each left out."""
    if len(paths) < 2:
        return paths, []
    alike: dict[bytes, list[Path]] = {}
    for path in paths:
        if start := head(path, 4096):
            alike.setdefault(start.split(b"\n", 1)[0][:200], []).append(path)
    gone: dict[Path, Path] = {}
    for group in alike.values():
        for i, one in enumerate(group):
            for other in group[i + 1 :]:
                if one in gone or other in gone:
                    continue
                shorter = _beginning(one, other)
                if shorter is not None:
                    gone[shorter] = other if shorter is one else one
    notes = [f"{copy.name} holds the same lines as {of.name} and is read once" for copy, of in gone.items()]
    return [p for p in paths if p not in gone], notes


def _beginning(one: Path, other: Path) -> Path | None:
    """Which of the two is the beginning of the other (the second when they are equal)? None: they differ."""
    left, right = _pieces(one), _pieces(other)
    a = b = b""
    while True:
        a = a or next(left, b"")
        b = b or next(right, b"")
        if not b:
            return other
        if not a:
            return one
        size = min(len(a), len(b))
        if a[:size] != b[:size]:
            return None
        a, b = a[size:], b[size:]


def _pieces(path: Path) -> Iterator[bytes]:
    return (piece for piece in text_of(path, Faults(path.name)) if piece)
