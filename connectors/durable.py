"""Write so that nothing good is lost: aside, flushed to disk, renamed over the old; lines appended under a lock.

A process that is killed may leave its half-written file aside (`.NAME.….part`); nothing reads it, and `sweep` removes
it once nobody writes it any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO


def write_whole(path: Path, data: bytes | str) -> None:
    """Put the file there whole or not at all; a crash at any moment leaves the old one as it was."""
    content = data.encode() if isinstance(data, str) else data
    write_aside(path, lambda file: file.write(content))


def write_aside(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to disk, and rename it over `path` once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(aside).unlink()
        raise
    _sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add one line in a single write under a lock, so that two processes never interleave.

    What a crash tore off at the end of the file is cut away first; a whole JSON line that only lacks its end is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path), path.open("ab+") as file:
        ended = _end_whole(file)
        file.write((b"" if ended else b"\n") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _end_whole(file: IO[bytes]) -> bool:
    """Does the file end with a whole line? A torn one is cut off; one that lacks nothing but its end gives False."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return True
    file.seek(-1, os.SEEK_END)
    if file.read(1) == b"\n":
        return True
    file.seek(0)
    tail = file.read().rpartition(b"\n")[2]
    try:
        json.loads(tail)
    except ValueError:
        file.truncate(size - len(tail))
        return True
    return False


def sweep(folder: Path) -> list[str]:
    """Which half-written files and folders of processes that were killed lay here? They are removed, and named.

    Those that a living process still writes are left alone; an old folder whose successor did not come into its place
    is put back.
    """
    gone = []
    for path in sorted(folder.glob(".*.old.*.part")):
        name = path.name[1:].rpartition(".old.")[0]
        if (path / "was").exists() and not (folder / name).exists():
            (path / "was").rename(folder / name)
    for path in sorted(folder.glob(".*.part")):
        if path.is_symlink():
            continue
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone.append(path.name)
            finally:
                os.close(handle)
    return gone


@contextlib.contextmanager
def folder_aside(target: Path) -> Iterator[Path]:
    """A folder beside `target` to fill; it takes the target's place, whole, when the block ends well.

    A folder that stood there before is kept until then, and removed once the new one is in its place. When the block
    fails, nothing of the new one is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    handle = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield aside
        aside.chmod(0o755)
        _take_place(aside, target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def copy_in_place(folder: Path, target: Path) -> None:
    """Put a copy of the folder at `target`, whole or not at all; what stood there before gives way to it."""
    with folder_aside(target) as aside:
        shutil.copytree(folder, aside, dirs_exist_ok=True)


def _take_place(aside: Path, target: Path) -> None:
    if not target.exists():
        aside.rename(target)
        _sync_folder(target.parent)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old.", suffix=".part"))
    target.rename(old / "was")
    try:
        aside.rename(target)
    except OSError:
        (old / "was").rename(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that belongs to this file (a `.lock` beside it) for the length of the block."""
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
