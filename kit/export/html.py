"""Write the exported page of a walked case, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from connectors.durable import write_whole
from kit.errors import BadCase
from kit.export.page import build_page
from kit.walk import WALK


def export_html(folder: Path, *, out: Path | None = None) -> Path:
    """Where does the page of this case stand now? Writes it; not redacted, so its name must end in `.unredacted.html`.

    Raises `StaleFindings` when a notebook must be run again first, `BadCase` when the walk has not been run.
    """
    from kit.case import open_case

    case = open_case(folder, offline=True)
    case.findings.require_fresh()
    notebooks = [p for name in WALK if (p := case.folder / "notebooks" / f"{name}.ipynb").exists()]
    if not case.findings.parts() or not notebooks:
        raise BadCase(f"{folder} has not been walked yet: run `incident-kit run {folder}` first.")
    target = out or case.folder / "exports" / f"{case.about.id}.unredacted.html"
    if not target.name.endswith(".unredacted.html"):
        raise BadCase(f"{target.name} must end in .unredacted.html, so that nobody takes the page for a redacted one.")
    write_whole(target, build_page(case.folder, title=case.about.title, zone=case.zone, notebooks=notebooks))
    return target
