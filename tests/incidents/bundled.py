"""Walked once a session: the small case, and its bundle as a folder that tests copy and harm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from kit.bundle.bag import MANIFEST, SIGNATURE, TAG_MANIFEST, make_bag, read_info


def copied(bundle: Path, to: Path, harm: Callable[[Path], object] = lambda payload: None, *, remade: bool) -> Path:
    """A copy of the bundle with harm done to its payload; `remade`: its manifests then fit again, as a forger would."""
    shutil.copytree(bundle, to)
    harm(to / "data")
    if remade:
        info = read_info(to)
        for name in (MANIFEST, TAG_MANIFEST, SIGNATURE):
            (to / name).unlink(missing_ok=True)
        make_bag(to, info={k: v for k, v in info.items() if k != "Payload-Oxum"})
    return to
