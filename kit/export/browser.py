"""A Chromium that is on this machine draws charts and prints pages; nothing is asked of any network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kit.errors import KitError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--mute-audio",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000",
)  # fmt: skip
_SECONDS = 180


def chromium() -> str | None:
    """Where is a Chromium: the one `INCIDENT_KIT_CHROMIUM` names, or the first on the path? None: there is none."""
    named = os.environ.get("INCIDENT_KIT_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def print_to_pdf(page: Path, *, to: Path) -> None:
    """Print a page that stands on its own as PDF. Raises `KitError` when there is no Chromium, or it does not print."""
    _run(f"--print-to-pdf={to}", "--no-pdf-header-footer", f"{page.resolve().as_uri()}#print")
    if not to.exists() or not to.read_bytes().startswith(b"%PDF"):
        raise KitError("Chromium did not print the page: export it with --to html and print it from a browser.")


def dumped(page: Path) -> str:
    """The page as it stands once its scripts have run, as HTML text."""
    return _run("--dump-dom", page.resolve().as_uri())


def _run(*arguments: str) -> str:
    program = chromium()
    if program is None:
        raise KitError(
            "There is no Chromium on this machine (looked for "
            f"{', '.join(NAMES[:3])} and INCIDENT_KIT_CHROMIUM): install one, or export with --to html."
        )
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as profile:
        flags = [*_FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if _is_root() else [])]
        try:
            done = subprocess.run(
                [program, *flags, *arguments], capture_output=True, timeout=_SECONDS, check=False, cwd=profile
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KitError(
                f"Chromium could not be run ({type(error).__name__}): export with --to html instead."
            ) from None
    if done.returncode:
        raise KitError(f"Chromium ended with status {done.returncode}: export with --to html instead.")
    return done.stdout.decode("utf-8", "replace")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
