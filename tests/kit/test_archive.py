"""A bundle's archive is packed whole and opened without trusting it."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest
import zstandard

from kit.bundle import archive
from kit.bundle.archive import pack, unpack
from kit.bundle.received import admitted
from kit.errors import BadCase, CheckFailed


@pytest.fixture
def bag(tmp_path):
    folder = tmp_path / "bag"
    (folder / "data" / "snapshots").mkdir(parents=True)
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    (folder / "data" / "index.html").write_text("<p>412</p>" * 1000)
    (folder / "data" / "snapshots" / "ev_0123456789abcdef.parquet").write_bytes(bytes(range(256)))
    return folder


@pytest.mark.parametrize("suffix", [".zip", ".tar.zst"])
def test_what_is_packed_is_unpacked_and_equal_folders_give_equal_bytes(bag, tmp_path, suffix):
    one, two = tmp_path / f"one{suffix}", tmp_path / "again" / f"one{suffix}"
    pack(bag, one)
    pack(bag, two)
    assert one.read_bytes() == two.read_bytes()
    (tmp_path / "to").mkdir()
    opened = unpack(one, tmp_path / "to")
    there = {p.relative_to(opened): p.read_bytes() for p in opened.rglob("*") if p.is_file()}
    assert there == {p.relative_to(bag): p.read_bytes() for p in bag.rglob("*") if p.is_file()}


def test_another_suffix_is_refused_with_those_there_are(bag, tmp_path):
    with pytest.raises(BadCase, match=r"\.zip or \.tar\.zst"):
        pack(bag, tmp_path / "bag.rar")


def zipped(tmp_path, *entries):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("bag/bagit.txt", "BagIt-Version: 1.0\n")
        for name, kind in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o777) << 16
            made.writestr(info, "/etc/passwd")
    return path


def tarred(tmp_path, *members):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as made:
        first = tarfile.TarInfo("bag/bagit.txt")
        made.addfile(first, io.BytesIO())
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            made.addfile(member)
    path = tmp_path / "evil.tar.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(plain.getvalue()))
    return path


def opened(path, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    unpack(path, to)


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "bag/../../out",
        "/out",
        "~/out",
        "bag\\..\\out",
        "C:/out",
        "bag//out",
        "bag/out\n",
        "bag/nul",
        "bag/a.",
    ],
)
@pytest.mark.parametrize("made", [zipped, tarred])
def test_a_name_that_leads_out_or_means_two_things_is_refused_and_nothing_is_written(tmp_path, name, made):
    kind = stat.S_IFREG if made is zipped else tarfile.REGTYPE
    with pytest.raises(CheckFailed, match="nothing of it was used"):
        opened(made(tmp_path, (name, kind)), tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(CheckFailed, match="link or device"):
        opened(tarred(tmp_path, ("bag/data/incident.toml", kind)), tmp_path)


def test_a_link_in_a_zip_is_refused(tmp_path):
    with pytest.raises(CheckFailed, match="link or device"):
        opened(zipped(tmp_path, ("bag/data/incident.toml", stat.S_IFLNK)), tmp_path)


def test_one_name_twice_or_below_a_file_is_refused(tmp_path):
    for names in (("bag/a", "bag/A"), ("bag/a", "bag/a/b")):
        with pytest.raises(CheckFailed, match=r"twice|below a file"):
            opened(tarred(tmp_path, *((n, tarfile.REGTYPE) for n in names)), tmp_path)
        (tmp_path / "to" / "bag" / "a").unlink()
        (tmp_path / "to" / "bag" / "bagit.txt").unlink()
        (tmp_path / "to" / "bag").rmdir()
        (tmp_path / "to").rmdir()


@pytest.mark.parametrize("suffix", [".zip", ".tar.zst"])
def test_too_many_entries_and_too_many_bytes_are_refused_whatever_the_archive_says(bag, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"bag{suffix}"
    pack(bag, path)
    monkeypatch.setattr(archive, "BYTES", 5_000)
    with pytest.raises(CheckFailed, match="unpacks to more"):
        opened(path, tmp_path)
    monkeypatch.setattr(archive, "ENTRIES", 1)
    (tmp_path / "more").mkdir()
    with pytest.raises(CheckFailed, match="more than 1 entries"):
        unpack(path, tmp_path / "more")


@pytest.mark.parametrize("suffix", [".zip", ".tar.zst"])
def test_a_half_written_archive_is_one_sentence(bag, tmp_path, suffix):
    path = tmp_path / f"bag{suffix}"
    pack(bag, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadCase, match="damaged or half-written"):
        opened(path, tmp_path)


def test_a_link_in_a_bundle_that_is_a_folder_is_refused(bag, tmp_path):
    (bag / "data" / "incident.toml").symlink_to("/etc/passwd")
    with pytest.raises(CheckFailed, match="link or device"), admitted(bag):
        pass
