"""A bundle that somebody sent, as a case: its evidence and its words, nothing of its code; offline until trusted."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import tomli_w

from connectors.credentials import origin_of
from connectors.durable import folder_aside, sweep, write_whole
from kit.bundle.archive import BYTES, ENTRIES, SUFFIXES, unpack
from kit.bundle.bag import bag_hash, check_bag
from kit.bundle.contents import is_input, take
from kit.bundle.names import name_fault
from kit.errors import BadCase, CheckFailed
from kit.incident import read_incident
from kit.walk import copy_notebooks

MARK = "received.toml"
"""Written by this installation beside a case that came in a bundle; a bundle never carries one."""


@dataclass(frozen=True, slots=True)
class Received:
    """From which bundle a case came, and the origins that the user trusts it to ask."""

    bundle: str
    bag: str
    opened: str
    trusted: tuple[str, ...] = field(default=())


def is_bundle(path: Path) -> bool:
    """Is this an archive or a folder that holds a bag?"""
    return (path / "bagit.txt").is_file() if path.is_dir() else path.is_file() and path.name.endswith(SUFFIXES)


@contextmanager
def admitted(bundle: Path) -> Iterator[Path]:
    """The bag of this bundle in a private folder, opened safely, for the length of the block.

    Nothing is checked yet but names, links and sizes. Raises `CheckFailed` or `BadCase` in one sentence.
    """
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        to = Path(private)
        yield _copied(bundle, to / "bag") if bundle.is_dir() else unpack(bundle, to)


def open_bundle(bundle: Path, *, to: Path | None = None) -> Path:
    """The folder of the case that this bundle holds: made in `cases/<id>` (or `to`) when it is opened first.

    Its hashes must hold. Taken are the recorded answers, the configuration, what people wrote, and nothing else: the
    notebooks are this installation's own, the findings those of its own walk. Opened again, the same bundle is the
    same case, with what was worked out since. Raises `CheckFailed` when a hash does not hold, `BadCase` when another
    case stands there.
    """
    with admitted(bundle) as bag:
        faults = check_bag(bag)
        if faults:
            raise CheckFailed(
                f"{bundle.name} is not what it was: {faults[0]}"
                + (f" ({len(faults) - 1} more; `incident-kit verify` lists them.)" if len(faults) > 1 else "")
            )
        payload, own = bag / "data", bag_hash(bag)
        target = to or Path("cases") / read_incident(payload).id
        sweep(target.parent)
        if target.exists():
            known = read_received(target)
            if known is None or known.bag != own:
                raise BadCase(
                    f"{target} holds another case already: move it, or name another folder (--out) for {bundle.name}."
                )
            return target
        with folder_aside(target) as case:
            take(payload, case, wanted=lambda name: is_input(name) or name == "postmortem.md")
            copy_notebooks(case / "notebooks", case_path="..")
            opened = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            mark_received(case, Received(bundle.name, own, opened))
    return target


def read_received(folder: Path) -> Received | None:
    """From which bundle did this case come? None when it was made here. A mark that is not whole trusts nothing."""
    path = folder / MARK
    if not path.exists():
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        trusted = tuple(origin_of(str(o)) for o in values.get("trusted", ()))
        return Received(str(values["bundle"]), str(values["bag"]), str(values["opened"]), trusted)
    except (OSError, ValueError, KeyError, TypeError):
        return Received("unknown", "unknown", "unknown")


def mark_received(folder: Path, received: Received) -> None:
    """Write the mark that keeps a case offline."""
    values = {"bundle": received.bundle, "bag": received.bag, "opened": received.opened}
    write_whole(folder / MARK, tomli_w.dumps({**values, "trusted": list(received.trusted)}))


def trust(folder: Path, origin: str) -> str:
    """Let a case that came in a bundle ask this origin, with the user's own credential for it; gives the origin.

    Raises `BadCase` for a case that did not come in a bundle, or whose sources name no such origin.
    """
    from connectors.catalog import read_catalog

    received = read_received(folder)
    if received is None:
        raise BadCase(f"{folder} did not come in a bundle: its sources are asked anyway.")
    wanted = origin_of(origin)
    urls = [getattr(s, "url", None) for s in read_catalog(folder).sources.values()]
    origins = sorted({origin_of(u) for u in urls if isinstance(u, str)})
    if wanted not in origins:
        raise BadCase(
            f"{folder / 'sources.toml'} names no source at {wanted}: it names {', '.join(origins) or 'none'}."
        )
    trusted = tuple(dict.fromkeys((*received.trusted, wanted)))
    mark_received(folder, Received(received.bundle, received.bag, received.opened, trusted))
    return wanted


def _copied(bundle: Path, to: Path) -> Path:
    """A bag that is a folder, copied file by file: links are refused, sizes counted."""
    left, entries = BYTES, 0
    for folder, folders, files in os.walk(bundle, followlinks=False):
        for name in (*folders, *files):
            path = Path(folder) / name
            relative = path.relative_to(bundle).as_posix()
            fault = name_fault(relative)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                fault = f"holds {relative!r}, a link or device"
            entries += 1
            if fault is None and entries > ENTRIES:
                fault = f"has more than {ENTRIES:,} entries"
            if fault is not None:
                raise CheckFailed(f"{bundle.name} {fault}: it was not made by this kit; nothing of it was used.")
        for name in files:
            path = Path(folder) / name
            target = to / path.relative_to(bundle)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("rb") as source, target.open("xb") as out:
                while piece := source.read(1 << 20):
                    left -= len(piece)
                    if left < 0:
                        raise CheckFailed(f"{bundle.name} holds more than {BYTES >> 30} GiB: nothing of it was used.")
                    out.write(piece)
    return to
