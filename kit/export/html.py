"""Write the exported page of a walked case, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kit.errors import BadCase
from kit.export.page import build_page
from kit.walk import WALK


def page_of(folder: Path, *, band: str | None, notes: Sequence[str] = ()) -> str:
    """The page of this case as it stands now. `notes` are said beside the evidence: what redaction did.

    Raises `StaleFindings` when a notebook must be run again first, `BadCase` when the walk has not been run.
    """
    from kit.case import open_case

    case = open_case(folder, offline=True)
    return build_page(
        case.folder, title=case.about.title, zone=case.zone, notebooks=walked(folder), band=band, notes=notes
    )


def walked(folder: Path) -> list[Path]:
    """The executed notebooks of a case. Raises `StaleFindings` or `BadCase` when they cannot be shown as they are."""
    from kit.findings import Findings

    findings = Findings(folder)
    findings.require_fresh()
    notebooks = [p for name in WALK if (p := folder / "notebooks" / f"{name}.ipynb").exists()]
    if not findings.parts() or not notebooks:
        raise BadCase(f"{folder} has not been walked yet: run `incident-kit run {folder}` first.")
    return notebooks
