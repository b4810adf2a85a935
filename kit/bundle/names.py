"""Which names may a file of a bundle have? Relative ones that stay inside, on every system."""

from __future__ import annotations

from pathlib import PurePosixPath

LONGEST_NAME = 400
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def name_fault(name: str) -> str | None:
    """What is wrong with this name of a file in a bundle? None when nothing is.

    >>> name_fault("data/snapshots/ev_0123456789abcdef.parquet")
    >>> name_fault("data/../../.bashrc")
    "names '../' in 'data/../../.bashrc'"
    """
    shown = name if len(name) <= 80 else f"{name[:77]}…"
    if not name or len(name) > LONGEST_NAME:
        return f"has a name that is empty or too long ({shown!r})"
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        return f"has a control character in {shown!r}"
    if "\\" in name or ":" in name:
        return f"names a path of another system in {shown!r}"
    if name.startswith(("/", "~")):
        return f"names a place outside, {shown!r}"
    parts = name.rstrip("/").split("/")
    if ".." in parts:
        return f"names '../' in {shown!r}"
    if any(p in ("", ".") or p != p.strip() or p.endswith(".") for p in parts):
        return f"has an unclear name, {shown!r}"
    if any(PurePosixPath(p).stem.casefold() in _RESERVED for p in parts):
        return f"has a name that some systems reserve, {shown!r}"
    return None
