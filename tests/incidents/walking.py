"""Recorded incidents and how a test walks one: in this process, on a copy, without its truth."""

from __future__ import annotations

from pathlib import Path

from kit.case import Case, open_case
from kit.walk import run_in_process
from kit.working_copy import working_copy

SAMPLES = Path(__file__).parents[2] / "sample_incidents"


def recorded() -> list[str]:
    """The slugs of all recorded incidents."""
    return sorted(p.parent.name for p in SAMPLES.glob("*/truth.toml"))


def walk_copy(slug: str, to: Path) -> Case:
    """Walk a copy of a recording from its raw files and open what came of it, offline."""
    folder = working_copy(SAMPLES / slug, to)
    run_in_process(folder)
    return open_case(folder, offline=True)
