"""Every score of the diagnosis on public fault data: `python -m tests.benchmarks.diagnosis --data DIR [--only PART]`.

DIR holds the sets, each as a folder or as `NAME.tar.zst`, unpacked to a temporary folder. What is not there is
said and skipped. A part is a module of this package with `report(data: Path) -> list[str]`, Markdown lines.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import zstandard

PARTS = ("onset", "false_alarms", "localize", "templates", "difference", "speed")


def unpacked(data: Path, into: Path) -> Path:
    """A folder in which every set of `data` is a folder: existing ones are linked, archives are unpacked."""
    for entry in sorted(data.iterdir()):
        if entry.is_dir():
            (into / entry.name).symlink_to(entry.resolve())
        elif entry.name.endswith(".tar.zst"):
            _unpack(entry, into)
    return into


def _unpack(archive: Path, into: Path) -> None:
    reader = zstandard.ZstdDecompressor(max_window_size=2**27)
    with ExitStack() as open_files:
        raw = open_files.enter_context(archive.open("rb"))
        stream = open_files.enter_context(reader.stream_reader(raw))
        open_files.enter_context(tarfile.open(fileobj=stream, mode="r|")).extractall(into, filter="data")


def main() -> None:
    """Print the report of every part, or of the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets, unpacked or as archives")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = unpacked(options.data, Path(folder))
        for part in (options.only,) if options.only else PARTS:
            print("\n".join(import_module(f"tests.benchmarks.{part}").report(data)), flush=True)


if __name__ == "__main__":
    main()
