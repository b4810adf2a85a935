"""A recorded sample is never written to: what is worked on is a copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit.sample_history import add_history


def working_copy(sample: Path, to: Path) -> Path:
    """A copy of a recorded sample to work on, without its truth; what was worked out there before is kept.

    It has the changes that the gallery's history knows from before the recording.
    """
    if (to / "incident.toml").exists():
        return to
    to.mkdir(parents=True, exist_ok=True)
    for item in sorted(sample.iterdir()):
        if item.name in ("MANIFEST.sha256", "truth.toml", "incident.toml"):
            continue
        if item.is_dir():
            shutil.copytree(item, to / item.name, dirs_exist_ok=True)
        else:
            shutil.copy2(item, to / item.name)
    shutil.copy2(sample / "incident.toml", to / "incident.toml")
    add_history(sample.resolve().parent, to)
    return to
