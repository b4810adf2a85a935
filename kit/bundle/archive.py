"""A bag as one file, `.zip` or `.tar.zst`: packed in pieces, and opened without trusting it.

Opening never follows a link, never leaves the folder, and stops when there are too many entries or too many bytes,
whatever the archive says of itself.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from connectors.durable import write_aside
from kit.bundle.names import name_fault
from kit.errors import BadCase, CheckFailed

SUFFIXES = (".zip", ".tar.zst")
ENTRIES = 20_000
BYTES = 8 << 30
_PIECE = 1 << 20
_THEN = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, target: Path) -> None:
    """Write the folder as one archive, whole or not at all; equal folders give equal bytes.

    Raises `BadCase` for a name that ends neither in .zip nor in .tar.zst.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    named = [(f"{_stem(target)}/{p.relative_to(folder).as_posix()}", p) for p in files]
    write = _pack_zip if target.name.endswith(".zip") else _pack_tar
    write_aside(target, lambda file: write(named, file))


def _stem(target: Path) -> str:
    for suffix in SUFFIXES:
        if target.name.endswith(suffix):
            return target.name.removesuffix(suffix)
    raise BadCase(f"{target.name} is no name for a bundle: end it in .zip or .tar.zst, or name a new folder.")


def _pack_zip(files: list[tuple[str, Path]], out: IO[bytes]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, _THEN)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as to:
                while piece := source.read(_PIECE):
                    to.write(piece)


def _pack_tar(files: list[tuple[str, Path]], out: IO[bytes]) -> None:
    import zstandard

    with (
        zstandard.ZstdCompressor(level=9).stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in files:
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as source:
                archive.addfile(entry, source)


def unpack(archive: Path, to: Path) -> Path:
    """Open a bundle's archive into the empty folder `to`; gives the folder of the bag in it.

    Raises `CheckFailed` for an entry that leads out, is a link or a device, stands there twice, or is one too many;
    `BadCase` for a file that is no archive.
    """
    entries = _zip_entries if _is_zip(archive) else _tar_entries
    written: set[str] = set()
    left = BYTES
    try:
        for name, copy in entries(archive):
            _may_be_there(archive, name, written)
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                left -= copy(file, left)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadCase(f"{archive.name} is damaged or half-written ({error}): get the bundle again.") from None
    return _bag_in(to, archive)


def _may_be_there(archive: Path, name: str, written: set[str]) -> None:
    fault = name_fault(name)
    folded = name.casefold()
    if fault is None and folded in written:
        fault = f"has {name!r} twice"
    if fault is None and any(str(p) in written for p in PurePosixPath(folded).parents):
        fault = f"has {name!r} below a file"
    if fault is None and len(written) >= ENTRIES:
        fault = f"has more than {ENTRIES:,} entries"
    if fault is not None:
        raise CheckFailed(f"{archive.name} {fault}: it was not made by this kit; nothing of it was used.")
    written.add(folded)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


_Copy = Callable[[IO[bytes], int], int]


def _zip_entries(path: Path) -> Iterator[tuple[str, _Copy]]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > ENTRIES:
            raise CheckFailed(f"{path.name} has more than {ENTRIES:,} entries: nothing of it was used.")
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise CheckFailed(f"{path.name} holds {info.filename!r}, a link or device: nothing of it was used.")
            if info.filename != info.orig_filename:
                raise CheckFailed(f"{path.name} has a name with a NUL in it: nothing of it was used.")

            def copy(to: IO[bytes], left: int, info: zipfile.ZipInfo = info) -> int:
                with archive.open(info) as source:
                    return _copied(source, to, left, path)

            yield info.filename, copy


def _tar_entries(path: Path) -> Iterator[tuple[str, _Copy]]:
    import zstandard

    with path.open("rb") as raw:
        try:
            unpacked = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw, read_across_frames=True)
            with tarfile.open(fileobj=io.BufferedReader(_Readable(unpacked), _PIECE), mode="r|") as archive:
                for number, member in enumerate(archive):
                    if number > 2 * ENTRIES:
                        raise CheckFailed(f"{path.name} has more than {ENTRIES:,} entries: nothing of it was used.")
                    if member.isdir():
                        continue
                    if not member.isreg():
                        raise CheckFailed(f"{path.name} holds {member.name!r}, a link or device: nothing was used.")
                    source = archive.extractfile(member)
                    assert source is not None

                    def copy(to: IO[bytes], left: int, source: IO[bytes] = source) -> int:
                        return _copied(source, to, left, path)

                    yield member.name, copy
        except zstandard.ZstdError as error:
            raise tarfile.TarError(str(error)) from None


class _Readable(io.RawIOBase):
    """A decompressor as a plain stream."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _copied(source: IO[bytes], to: IO[bytes], left: int, path: Path) -> int:
    copied = 0
    while piece := source.read(_PIECE):
        copied += len(piece)
        if copied > left:
            raise CheckFailed(f"{path.name} unpacks to more than {BYTES >> 30} GiB: nothing of it was used.")
        to.write(piece)
    return copied


def _bag_in(folder: Path, archive: Path) -> Path:
    if (folder / "bagit.txt").is_file():
        return folder
    tops = [p for p in folder.iterdir() if p.is_dir() and (p / "bagit.txt").is_file()]
    if len(tops) != 1:
        raise BadCase(f"{archive.name} is not a bundle: it has no bagit.txt at its top.")
    return tops[0]
