"""Which texts are in a folder? Its files, and the members of zip and tar archives, read in place.

A text that is stored as it is can be read from any byte on. One that is compressed is unpacked in memory, within a
budget for the whole folder; past that only its beginning is looked at until all of it is asked for.
"""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from connectors.errors import BadInput, ConnectorError
from connectors.files.stream import Faults, compression, text_of

UNPACKED_BYTES = 512 << 20
"""So much text of compressed files is held in memory for one folder."""
RATIO = 10.0
"""Compressed logs hold about so many times their size, where nothing in them says how much."""


class Unpacked:
    """How much of the budget for unpacked text is left, for all the texts of a folder."""

    def __init__(self, most: int = UNPACKED_BYTES) -> None:
        self.most = most
        self.used = 0
        self.lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Is there room for so many bytes more? They are then taken."""
        with self.lock:
            if self.used + size > self.most:
                return False
            self.used += size
            return True


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes that a format's reader can read as if they were a file."""

    name: str
    data: bytes

    def open(self, mode: str = "rb") -> BinaryIO:
        """The bytes from their beginning."""
        return io.BytesIO(self.data)


@dataclass
class Text:
    """One text: a file, or a member of an archive.

    `label` names it: the path below the folder, a member after `!/`. `size` is its bytes, those of the text itself
    where it is `plain`, else as compressed. `data` holds what was unpacked.
    """

    path: Path
    label: str
    size: int
    plain: bool
    start: int = 0
    member: str | None = None
    data: bytes | None = None
    faults: Faults = field(default_factory=lambda: Faults(""))
    unread: bool = False
    """Too large to unpack: only its beginning is in `data`."""

    @property
    def length(self) -> int:
        """How many bytes of text can be read at any place."""
        return self.size if self.data is None else len(self.data)

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, fewer at its end."""
        start, end = max(start, 0), min(end, self.length)
        if end <= start:
            return b""
        if self.data is not None:
            return self.data[start:end]
        handle = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(handle, end - start, self.start + start)
        finally:
            os.close(handle)

    def read_into(self, buffer: bytearray, start: int, end: int) -> memoryview:
        """The same bytes in this buffer, which is large enough, as a view of it: no memory is asked for."""
        start, end = max(start, 0), min(end, self.length)
        view = memoryview(buffer)[: max(end - start, 0)]
        if self.data is not None:
            view[:] = self.data[start:end]
            return view
        handle = os.open(self.path, os.O_RDONLY)
        try:
            return view[: os.preadv(handle, [view], self.start + start)] if len(view) else view
        finally:
            os.close(handle)

    def open(self, mode: str = "rb") -> BinaryIO:
        """The text's bytes as they are stored, for a reader of whole files."""
        if self.member is None:
            return self.path.open("rb")
        if self.plain:
            return io.BytesIO(self.read(0, self.size))
        return _member(self.path, self.member)

    @property
    def name(self) -> str:
        """The last part of its label."""
        return self.label.rsplit("/", 1)[-1]

    def pieces(self) -> Iterator[bytes]:
        """All of the text, decompressed and as UTF-8, piece by piece, however large it is."""
        yield from text_of(self, Faults(self.label))  # type: ignore[arg-type]

    def unpack(self, room: Unpacked, head: int) -> None:
        """Hold the text in memory where it is compressed and there is room; else its first `head` bytes."""
        if self.plain or self.data is not None:
            return
        faults, parts, size = Faults(self.label), [], 0
        for piece in text_of(self, faults):  # type: ignore[arg-type]
            if size >= head and not room.take(len(piece)):
                self.unread = True
                break
            parts.append(piece)
            size += len(piece)
        self.data = b"".join(parts)
        self.faults = faults

    def expected(self) -> float:
        """About how many bytes of text it holds: known where it is plain or was unpacked, else told by its size."""
        return float(self.length) if not self.unread else max(self.size * RATIO, self.length)


def texts_below(place: Path) -> tuple[list[Text], list[str]]:
    """The texts of a file or folder, and what was left out, a sentence each. No links, nothing hidden."""
    root = place if place.is_dir() else place.parent
    paths = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file() and not p.is_symlink())
    found: list[Text] = []
    left_out: list[str] = []
    empty = [p for p in paths if not p.name.startswith(".") and p.stat().st_size == 0]
    if empty:
        named = ", ".join(str(p.relative_to(root)) for p in empty[:3]) + (" …" if len(empty) > 3 else "")
        left_out.append(f"{len(empty)} file{'s are' if len(empty) > 1 else ' is'} empty: {named}.")
    for path in paths:
        if path.name.startswith(".") or path.stat().st_size == 0:
            continue
        label = path.relative_to(root).as_posix()
        try:
            found += _texts_of(path, label)
        except (OSError, ConnectorError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            left_out.append(f"{label} cannot be read ({error}).")
    return found, left_out


def _texts_of(path: Path, label: str) -> list[Text]:
    size = path.stat().st_size
    with path.open("rb") as handle:
        head = handle.read(512)
    if head[:4] == b"PK\x03\x04":
        return _of_zip(path, label)
    if head[257:262] == b"ustar" or _is_packed_tar(path):
        return _of_tar(path, label)
    first = head[:4]
    wide = first[:2] in (b"\xff\xfe", b"\xfe\xff") or head[1:16:2] == b"\0" * 8 or head[0:16:2] == b"\0" * 8
    marked = first.startswith(b"\xef\xbb\xbf")
    return [Text(path, label, size, plain=compression(path) is None and not wide and not marked)]


def _is_packed_tar(path: Path) -> bool:
    if compression(path) is None:
        return False
    try:
        first = next(iter(text_of(path, Faults(path.name))), b"")
    except ConnectorError:
        return False
    return first[257:262] == b"ustar"


def _of_zip(path: Path, label: str) -> list[Text]:
    found = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir() or not info.file_size:
                continue
            if info.flag_bits & 1:
                raise BadInput(f"{info.filename} is encrypted: unpack it first")
            found.append(Text(path, f"{label}!/{info.filename}", info.compress_size, plain=False, member=info.filename))
    return found


def _of_tar(path: Path, label: str) -> list[Text]:
    found = []
    stored = compression(path) is None
    with tarfile.open(path) as archive:
        for info in archive:
            if not info.isfile() or not info.size:
                continue
            text = Text(path, f"{label}!/{info.name}", info.size, plain=stored, member=info.name)
            if stored:
                text.start = info.offset_data
                first = text.read(0, 4)
                text.plain = not first.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zX", b"BZh", b"\xff\xfe"))
            found.append(text)
    return found


def _member(path: Path, member: str) -> Any:
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path).open(member)
    handle = tarfile.open(path)  # noqa: SIM115 - the stream lives as long as its reader
    stream = handle.extractfile(member)
    if stream is None:
        raise BadInput(f"{member} of {path.name} is no file.")
    return stream
