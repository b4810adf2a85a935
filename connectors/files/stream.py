"""What does this file hold, as bytes? Decompressed by its content, UTF-8, whole lines, and what was wrong with it.

gzip, zstd, xz and bzip2 are told by their first bytes, never by the name. A compressed file that breaks off gives
everything up to there. UTF-16 becomes UTF-8; bytes that are not UTF-8 are replaced, and counted.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.errors import BadInput, NotFound

CHUNK_BYTES = 16 << 20
"""Lines come in pieces of about this size, so that memory stays bounded."""
LINE_BYTES = 32 << 20
"""A line longer than this is not text that anybody wrote; it is cut there."""
_READ_BYTES = 1 << 20
_ZSTD_READ_BYTES = 8 << 10  # zstd expands up to 30,000 times: small reads keep a bomb's pieces small


@dataclass(slots=True)
class Faults:
    """What could not be read of one file, gathered while it is read; `sentences` is what a person is told.

    `missing` sentences mean that a part is not in the table; `notes` do not.
    """

    path: str
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bad_lines: int = 0
    first_bad_line: int | None = None
    bad_reason: str = ""
    replaced_lines: int = 0

    def bad(self, line: int, reason: str) -> None:
        """Notes one unreadable line; the first one is named in the sentence."""
        if self.first_bad_line is None:
            self.first_bad_line, self.bad_reason = line, reason
        self.bad_lines += 1

    def sentences(self) -> tuple[str, ...]:
        """Why the table lacks something, a sentence each; empty when it is whole."""
        said = list(self.missing)
        if self.bad_lines:
            what = "line was" if self.bad_lines == 1 else "lines were"
            said.append(
                f"{self.bad_lines:,} {what} left out of {self.path}, the first at line {self.first_bad_line} "
                f"({self.bad_reason})"
            )
        if self.replaced_lines:
            what = "line" if self.replaced_lines == 1 else "lines"
            said.append(
                f"{self.replaced_lines:,} {what} of {self.path} held bytes that are not UTF-8; they show as \ufffd"
            )
        return tuple(said)


@dataclass(frozen=True)
class Chunk:
    """Lines, each ended by a newline, as valid UTF-8; `first_line` is the number of the first one (from 1).

    `torn`: the file ended without a newline, so the last line may be half of one.
    """

    data: bytes
    first_line: int
    torn: bool = False

    @cached_property
    def lines(self) -> int:
        """How many lines there are."""
        return self.data.count(b"\n")


def chunks(path: Path, faults: Faults, *, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Which lines does this file hold, a bounded piece at a time?

    Raises `NotFound` when there is no such file. A file that breaks off (truncated gzip, a last line half-written)
    gives what is there; `faults` then says what is missing. A last line without newline is given like any other:
    only its reader can tell whether it is whole.
    """
    line, held, length = 1, [], 0
    for piece in text_of(path, faults):
        held.append(piece)
        length += len(piece)
        if length < size or (b"\n" not in piece and length < LINE_BYTES):
            continue
        data = b"".join(held)
        cut = data.rfind(b"\n") + 1
        if cut == 0:
            faults.bad(line, f"longer than {LINE_BYTES >> 20} MB")
            held, length = [], 0
            continue
        held, length = [data[cut:]], len(data) - cut
        chunk = Chunk(_valid(data[:cut], faults), line)
        yield chunk
        line += chunk.lines
    if rest := b"".join(held):
        torn = not rest.endswith(b"\n")
        yield Chunk(_valid(rest + b"\n" if torn else rest, faults), line, torn)


def whole(path: Path, faults: Faults, *, limit: int = 1 << 30) -> bytes:
    """The whole file as UTF-8 bytes; for formats that are one document. Raises `BadInput` past `limit` bytes."""
    parts, size = [], 0
    for piece in text_of(path, faults):
        parts.append(piece)
        size += len(piece)
        if size > limit:
            raise BadInput(
                f"{faults.path} is one document of more than {limit >> 20} MB: export it as one record a line instead."
            )
    return _valid(b"".join(parts), faults)


def head(path: Path, size: int = 65_536) -> bytes:
    """The first bytes of the file's text, decompressed, as UTF-8; for telling its format. Empty for an empty file."""
    text = b""
    for piece in text_of(path, Faults(str(path))):
        text += piece
        if len(text) >= size:
            break
    return text[:size].decode("utf-8", "replace").encode() if text else b""


def raw_head(path: Path, faults: Faults, size: int = 65_536) -> bytes:
    """The file's first bytes as they are, decompressed; for formats that are no text."""
    first = b""
    for piece in raw_of(path, Faults(faults.path)):
        first += piece
        if len(first) >= size:
            break
    return first[:size]


def raw_of(path: Path, faults: Faults) -> Iterator[bytes]:
    """The file's bytes, decompressed, piece by piece. Raises `NotFound` or `BadInput` when it cannot be opened."""
    try:
        handle = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file {faults.path}: check the path in sources.toml.") from None
    except IsADirectoryError:
        raise BadInput(f"{faults.path} is a folder: name its files, like {faults.path}/*.jsonl.") from None
    except PermissionError:
        raise BadInput(f"{faults.path} may not be read by this user: give it read permission.") from None
    with handle:
        first = handle.read(_READ_BYTES)
        kind = _compression(first)
        if kind is None:
            while first:
                yield first
                first = handle.read(_READ_BYTES)
            return
        step = _ZSTD_READ_BYTES if kind == "zstd" else _READ_BYTES
        pieces = _again(first, handle, step)
        yield from _decompressed(kind, pieces, faults)


def _again(first: bytes, handle: Any, step: int) -> Iterator[bytes]:
    for at in range(0, len(first), step):
        yield first[at : at + step]
    while piece := handle.read(step):
        yield piece


def compression(path: Path) -> str | None:
    """How is this file compressed, by its first bytes? None: it is not."""
    with path.open("rb") as handle:
        return _compression(handle.read(8))


def _compression(first: bytes) -> str | None:
    for magic, kind in (
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"BZh", "bzip2"),
    ):
        if first.startswith(magic):
            return kind
    return None


def _decompressor(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    if kind == "xz":
        return lzma.LZMADecompressor()
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


def _decompressed(kind: str, pieces: Iterator[bytes], faults: Faults) -> Iterator[bytes]:
    decoder: Any = _decompressor(kind)
    started = False
    try:
        for piece in pieces:
            while piece:
                if decoder.eof:
                    piece = piece.lstrip(b"\0") if kind in ("gzip", "xz") else piece
                    if not piece:
                        break
                    if _compression(piece[:8]) != kind and len(piece) >= 8:
                        faults.missing.append(f"{faults.path} holds bytes that are not {kind} after its end")
                        return
                    decoder, started = _decompressor(kind), False
                started = True
                out = decoder.decompress(piece)
                piece = decoder.unused_data if decoder.eof else b""
                if out:
                    yield out
        if kind == "gzip" and not decoder.eof and (tail := decoder.flush()):
            yield tail
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("zlib", "zstandard", "_lzma", "lzma") and not isinstance(
            error, OSError | EOFError | ValueError
        ):
            raise
        faults.missing.append(f"{faults.path} is damaged: its {kind} data breaks off inside ({error})")
        return
    if started and not decoder.eof:
        faults.missing.append(f"{faults.path} is cut off: the {kind} data ends before its end mark")


def text_of(path: Path, faults: Faults) -> Iterator[bytes]:
    """The file decompressed and as UTF-8, piece by piece; invalid bytes are still in it."""
    pieces = raw_of(path, faults)
    first = next(pieces, b"")
    while 0 < len(first) < 4 and (more := next(pieces, b"")):
        first += more
    encoding = _encoding(first)
    if encoding is None:
        if first:
            yield first.removeprefix(codecs.BOM_UTF8)
        yield from pieces
        return
    faults.notes.append(f"{faults.path} is {encoding.upper()}")
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = decoder.decode(first).removeprefix("\ufeff")
    yield text.encode("utf-8", "replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _encoding(first: bytes) -> str | None:
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if first.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    sample = first[:4096]
    if len(sample) >= 8:
        even, odd = sample[0::2].count(0) / len(sample[0::2]), sample[1::2].count(0) / len(sample[1::2])
        if odd > 0.7 and even < 0.1:
            return "utf-16-le"
        if even > 0.7 and odd < 0.1:
            return "utf-16-be"
    return None


def _valid(data: bytes, faults: Faults) -> bytes:
    if data.isascii():
        return data
    try:
        data.decode()
        return data
    except UnicodeDecodeError:
        mended = []
        for line in data.split(b"\n"):
            try:
                line.decode()
            except UnicodeDecodeError:
                faults.replaced_lines += 1
                line = line.decode("utf-8", "replace").encode()
            mended.append(line)
        return b"\n".join(mended)
