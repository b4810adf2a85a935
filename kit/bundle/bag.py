"""A BagIt bag (RFC 8493): what it needs beside its payload, and which of its files are not what they were.

`sha256sum -c manifest-sha256.txt` checks a bag without the kit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.durable import write_whole
from kit.bundle.names import name_fault
from kit.errors import CheckFailed

MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = f"{TAG_MANIFEST}.sig"
TAG_FILES = ("bagit.txt", "bag-info.txt", MANIFEST)
_LINE = re.compile(r"([0-9a-fA-F]{64})  ?\*?(.+)")


def make_bag(folder: Path, *, info: Mapping[str, str]) -> str:
    """Make a bag of this folder, whose payload stands in `data/`; gives the bag's own hash.

    `info` goes into `bag-info.txt`; the payload's size is added (`Payload-Oxum`).
    """
    files = sorted(p for p in (folder / "data").rglob("*") if p.is_file())
    size = sum(p.stat().st_size for p in files)
    write_whole(folder / "bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    told = {**info, "Payload-Oxum": f"{size}.{len(files)}"}
    write_whole(folder / "bag-info.txt", "".join(f"{k}: {_one_line(v)}\n" for k, v in told.items()))
    write_whole(folder / MANIFEST, _manifest(folder, [p.relative_to(folder).as_posix() for p in files]))
    write_whole(folder / TAG_MANIFEST, _manifest(folder, TAG_FILES))
    return bag_hash(folder)


def bag_hash(folder: Path) -> str:
    """The sha256 of the tag manifest, which covers every byte of the bag; kept outside of it."""
    return file_hash(folder / TAG_MANIFEST)


def file_hash(path: Path) -> str:
    """The sha256 of a file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_info(folder: Path) -> dict[str, str]:
    """What `bag-info.txt` says, a later line of the same label added to the first; empty when it is not there."""
    path = folder / "bag-info.txt"
    found: dict[str, str] = {}
    label = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        if line[:1] in (" ", "\t") and label:
            found[label] += f" {line.strip()}"
            continue
        label, _, value = line.partition(":")
        label = label.strip()
        found[label] = f"{found[label]}; {value.strip()}" if label in found else value.strip()
    return found


def check_bag(folder: Path) -> list[str]:
    """Which files of this bag are not what they were? One sentence each; empty when all are whole.

    Named are those that are missing, changed, or there without being listed; and names that lead out of the bag.
    Raises `CheckFailed` when the folder is no bag at all.
    """
    if not (folder / "bagit.txt").is_file() or not (folder / MANIFEST).is_file():
        raise CheckFailed(f"{folder.name} is not a bundle: it lacks bagit.txt or {MANIFEST}.")
    faults: list[str] = []
    listed = dict(_listed(folder / MANIFEST, faults))
    tags = dict(_listed(folder / TAG_MANIFEST, faults)) if (folder / TAG_MANIFEST).is_file() else {}
    if not tags:
        faults.append(f"{TAG_MANIFEST} is missing, so bag-info.txt and the manifest cannot be checked.")
    faults += [f"{name} is not listed in {TAG_MANIFEST}." for name in TAG_FILES if tags and name not in tags]
    faults += [f"{MANIFEST} lists {name}, which is no payload." for name in listed if not name.startswith("data/")]
    for name, digest in {**listed, **tags}.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            faults.append(f"{name} is missing.")
        elif file_hash(path) != digest:
            faults.append(f"{name} was changed.")
    there = {p.relative_to(folder).as_posix() for p in (folder / "data").rglob("*") if p.is_symlink() or p.is_file()}
    faults += [f"{name} was added: {MANIFEST} does not list it." for name in sorted(there - set(listed))]
    return faults


def _listed(manifest: Path, faults: list[str]) -> Iterator[tuple[str, str]]:
    text = manifest.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(f"{manifest.name} line {number} is not a hash and a name.")
            continue
        name = match[2].replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
        fault = name_fault(name)
        if fault is not None:
            faults.append(f"{manifest.name} line {number} {fault}.")
            continue
        yield name, match[1].lower()


def _manifest(folder: Path, names: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return "".join(f"{file_hash(folder / name)}  {name.replace('%', '%25')}\n" for name in names)


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
