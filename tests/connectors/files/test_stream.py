"""What a file holds: compression told by content, cut-off files, encodings, lines across pieces."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from connectors.errors import BadInput, NotFound
from connectors.files.stream import Faults, chunks, head, whole

LINES = b"first\nsecond\nthird\n"


def lines_of(path: Path, faults: Faults | None = None, **more) -> list[tuple[int, bytes]]:
    found = []
    for chunk in chunks(path, faults or Faults(path.name), **more):
        found += list(enumerate(chunk.data.split(b"\n")[:-1], chunk.first_line))
    return found


@pytest.mark.parametrize(
    "packed",
    [LINES, gzip.compress(LINES), bz2.compress(LINES), lzma.compress(LINES), zstandard.compress(LINES)],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)
def test_compression_is_told_by_content_not_by_name(tmp_path, packed):
    path = tmp_path / "access.log"
    path.write_bytes(packed)
    faults = Faults("access.log")
    assert lines_of(path, faults) == [(1, b"first"), (2, b"second"), (3, b"third")]
    assert faults.sentences() == ()


def test_gzip_members_behind_one_another_are_one_file(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert [line for _, line in lines_of(path)] == [b"one", b"two"]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, zstandard.compress])
def test_a_file_cut_off_gives_what_is_there_and_says_so(tmp_path, pack):
    text = b"".join(b"line %d of many, with %d more\n" % (i, i * 7919) for i in range(20_000))
    packed = pack(text)
    path = tmp_path / "big"
    path.write_bytes(packed[: len(packed) // 2])
    faults = Faults("big")
    got = lines_of(path, faults)
    assert len(got) < 20_000
    assert all(line in text for _, line in got)
    assert len(faults.missing) == 1
    assert "cut off" in faults.missing[0]


def test_damaged_gzip_is_one_sentence(tmp_path):
    packed = bytearray(gzip.compress(b"".join(b"line %d\n" % (i * 7919) for i in range(50_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    path = tmp_path / "a.gz"
    path.write_bytes(bytes(packed))
    faults = Faults("a.gz")
    lines_of(path, faults)
    assert len(faults.missing) == 1
    assert faults.missing[0].startswith("a.gz is damaged")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read_with_and_without_its_mark(tmp_path, encoding):
    path = tmp_path / "win.log"
    path.write_bytes("grüße from the service\nsecond line\n".encode(encoding))
    faults = Faults("win.log")
    assert [line.decode() for _, line in lines_of(path, faults)] == ["grüße from the service", "second line"]
    assert "UTF-16" in faults.notes[0]
    assert faults.sentences() == ()


def test_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path):
    path = tmp_path / "latin.log"
    path.write_bytes(b"fine\ncaf\xe9\nfine again\n")
    faults = Faults("latin.log")
    assert [line.decode() for _, line in lines_of(path, faults)] == ["fine", "caf\ufffd", "fine again"]
    assert faults.sentences() == ("1 line of latin.log held bytes that are not UTF-8; they show as \ufffd",)


def test_valid_utf8_split_between_reads_is_left_alone(tmp_path):
    path = tmp_path / "long.log"
    path.write_bytes("ä".encode() * (1 << 20) + b"\n")
    faults = Faults("long.log")
    assert lines_of(path, faults)[0][1].decode() == "ä" * (1 << 20)
    assert faults.sentences() == ()


def test_line_numbers_run_on_over_pieces(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(b"%06d\n" % i for i in range(1, 400_000)))
    got = lines_of(path, size=1 << 20)
    assert all(int(line) == number for number, line in got)
    assert len(got) == 399_999


def test_a_last_line_without_newline_is_given_and_marked(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"whole\nhalf")
    (chunk,) = chunks(path, Faults("a.log"))
    assert chunk.data == b"whole\nhalf\n"
    assert chunk.torn


def test_an_empty_file_has_no_lines(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"")
    assert lines_of(path) == []
    assert head(path) == b""


def test_what_is_not_there_or_a_folder_is_one_sentence(tmp_path):
    with pytest.raises(NotFound, match=r"There is no file gone\.log"):
        whole(tmp_path / "gone.log", Faults("gone.log"))
    with pytest.raises(BadInput, match="is a folder"):
        whole(tmp_path, Faults("raw"))
