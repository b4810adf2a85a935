"""Freeze a walked case into one bundle that anyone can check: staged, walked again, signed, packed."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib import metadata
from pathlib import Path

from connectors.answers import evidence_hash
from connectors.durable import copy_in_place, sweep, write_whole
from kit.bundle.archive import SUFFIXES, pack
from kit.bundle.bag import bag_hash, make_bag
from kit.bundle.contents import Staged, rows_told, stage
from kit.bundle.signature import sign
from kit.errors import BadCase, CheckFailed
from kit.incident import read_incident
from kit.progress import begun
from kit.walk import WALK, shipped_notebooks

_COUNT = ("numpy", "pandas", "pyarrow", "scipy", "duckdb", "plotly")
"""Libraries whose version can show in a number or a chart."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The bundle that was written. `bag` is its own hash, to be kept outside of it; `evidence` stands on its page."""

    path: Path
    bag: str
    evidence: str
    answers: int
    withheld: tuple[str, ...]


def write_bundle(
    case: Path,
    *,
    out: Path,
    with_rows: bool = False,
    key: Path | None = None,
    redaction: Mapping[str, str] | None = None,
    keep_until: date | None = None,
) -> Bundle:
    """Write this walked case as a bundle: a `.zip`, a `.tar.zst`, or else a folder.

    `case` holds what is to be passed on: for a share-ready bundle the redacted copy, and `redaction` says what was done
    to it, for `bag-info.txt` (`Redaction-Profile`, …). Without it the name must say `unredacted`. The walk is run again
    on what was staged, in a clean process, and nothing is written when that does not give the same. Raises
    `StaleFindings`, `BadCase` for a case that was not walked, `CheckFailed` with the first difference.
    """
    from kit.case import open_case
    from kit.export.page import UNREDACTED_BAND, build_page
    from kit.provenance import register
    from kit.rerun.clean import walk_again

    opened = open_case(case, offline=True)
    opened.findings.require_fresh()
    executed = [name for name in WALK if (case / "notebooks" / f"{name}.ipynb").is_file()]
    if not opened.findings.parts() or not executed:
        raise BadCase(f"{case} has not been walked yet: run `incident-kit run {case}` first.")
    if redaction is None and "unredacted" not in out.name:
        raise BadCase(f"{out.name} must say unredacted, so that nobody takes the bundle for a redacted one.")
    sweep(out.parent)
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        bag = Path(private) / "bag"
        payload = bag / "data"
        staged = stage(case, payload, with_rows=with_rows)
        notebooks = [payload / "notebooks" / f"{name}.ipynb" for name in executed]
        band = UNREDACTED_BAND if redaction is None else None
        about = read_incident(payload)
        page = build_page(payload, title=about.title, zone=about.tz, notebooks=notebooks, band=band)
        write_whole(payload / "index.html", page)
        write_whole(payload / "provenance.jsonl", register(payload).to_lines())
        begun("walking the bundle once more, in a process without network or secrets")
        again = walk_again(payload)
        faults = [*again.faults, *(f"{d.where}: {d.exported} ≠ {d.found}" for d in again.differences)]
        if faults:
            raise CheckFailed(
                f"The bundle would not verify ({faults[0]}"
                f"{f'; {len(faults) - 1} more' if len(faults) > 1 else ''}): run `incident-kit run {case}` again first."
            )
        told = dict(_info(about.id, staged, with_rows=with_rows, redaction=redaction, keep_until=keep_until))
        make_bag(bag, info=told)
        if key is not None:
            sign(bag, key=key)
        _put(bag, out)
        return Bundle(out, bag_hash(bag), evidence_hash(payload), len(staged.answers), staged.withheld)


def versions() -> str:
    """Which kit (its version, and a digest of its code), Python and libraries are at work here, in one line.

    >>> versions().startswith("incident-notebook-kit ")
    True
    """
    own = f"incident-notebook-kit {metadata.version('incident-notebook-kit')} (code {code_digest()})"
    named = [own, f"Python {platform.python_version()}"]
    return ", ".join([*named, *(f"{name} {metadata.version(name)}" for name in _COUNT), sys.platform])


@functools.cache
def code_digest() -> str:
    """Eight digits that tell one state of the kit's code, playbooks and notebooks from another of the same version."""
    import connectors

    digest = hashlib.sha256()
    for root in (Path(__file__).parents[1], Path(connectors.__file__).parent):
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml")):
            if not {"_notebooks", "_sample_incidents"} & set(path.relative_to(root).parts):
                digest.update(path.read_bytes())
    for path in sorted(shipped_notebooks().glob("*.ipynb")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _info(
    name: str, staged: Staged, *, with_rows: bool, redaction: Mapping[str, str] | None, keep_until: date | None
) -> Iterator[tuple[str, str]]:
    yield "Bagging-Date", f"{datetime.now().astimezone():%Y-%m-%d}"
    yield "External-Identifier", name
    yield "Bag-Software-Agent", versions()
    yield "Answers", f"{len(staged.answers)}"
    yield (
        "Rows",
        f"{rows_told(staged.rows)} ({'all that were kept' if with_rows else 'what findings and charts rest on'})",
    )
    yield "Row-Columns", ", ".join(sorted(_columns(staged))) or "none"
    yield "Withheld", "; ".join(staged.withheld) or "nothing"
    if keep_until is not None:
        yield "Keep-Until", keep_until.isoformat()
    if redaction is None:
        yield "Redaction-Profile", "none: everything is as it was recorded"
    else:
        yield from redaction.items()


def _columns(staged: Staged) -> set[str]:
    import orjson

    asked = (orjson.loads(entry.arguments).get("fields") for entry in staged.rows)
    return {str(name) for fields in asked for name in (fields or ["all columns of some"])}


def _put(bag: Path, out: Path) -> None:
    if out.name.endswith(SUFFIXES):
        pack(bag, out)
        return
    if out.exists() and not (out / "bagit.txt").is_file():
        raise BadCase(f"{out} is there and is no bundle: name another folder, or a file that ends in .zip or .tar.zst.")
    copy_in_place(bag, out)
