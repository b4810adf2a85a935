"""The git repository that is being deployed: a tag per release, a folder per deployed tag."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sample_incidents.lab.layout import FIRST_VERSIONS, Places
from sample_incidents.lab.scenario import BadScenario, Release

SOURCE = Path(__file__).parent / "shop"
WHO = {
    "GIT_AUTHOR_NAME": "shop", "GIT_AUTHOR_EMAIL": "shop@example.org", "GIT_COMMITTER_NAME": "shop",
    "GIT_COMMITTER_EMAIL": "shop@example.org", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class Releases:
    """Commits, tags and checked-out releases."""

    def __init__(self, places: Places):
        self.places = places
        self.tree = places.repository

    def make(self) -> None:
        """The repository's first commits: the services as they stand, and a tag for each."""
        shutil.copytree(SOURCE, self.tree, ignore=shutil.ignore_patterns("__pycache__"))
        self._git("init", "-q", "-b", "main")
        for path, summary in (
            (["common", "README.md"], "Common parts: log lines, spans, pools, calls"),
            (["migrations"], "The orders database"),
            (["payments", "fraud_check"], "payments: charges after the fraud check"),
            (["worker"], "worker: sends receipts"),
            (["checkout"], "checkout: catalogue, orders, cart, payment"),
        ):
            self._git("add", *path)
            self._git("commit", "-q", "-m", summary)
        for service, version in FIRST_VERSIONS.items():
            self._git("tag", f"{service}-{version}")

    def commit(self, release: Release) -> None:
        """Makes the release on top of main. Raises `BadScenario` where an edit does not fit."""
        for edit in release.edits:
            path = self.tree / edit["file"]
            text = path.read_text()
            if (times := text.count(edit["find"])) != 1:
                raise BadScenario(f"Release {release.name}: {edit['find']!r} occurs {times} times in {edit['file']}.")
            path.write_text(text.replace(edit["find"], edit["replace"]))
        for write in release.writes:
            path = self.tree / write["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(write["text"])
        self._git("add", "-A")
        self._git("commit", "-q", "-m", release.summary)
        self._git("tag", release.name)

    def revert(self, name: str) -> None:
        """Takes a release's commit back on main, so that what is made later does not hold its fault."""
        self._git("revert", "--no-edit", f"{name}^{{commit}}")

    def check_out(self, tag: str) -> Path:
        """The folder that holds this release."""
        folder = self.places.releases / tag
        if not folder.exists():
            self._git("worktree", "add", "-q", "--detach", str(folder), tag)
        return folder

    def commit_of(self, tag: str) -> str:
        return self._git("rev-parse", "--short=10", f"{tag}^{{commit}}").strip()

    def bundle(self, path: Path, tags: list[str]) -> None:
        """The history up to these tags as one file."""
        self._git("bundle", "create", "-q", str(path), *tags)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.tree, env=os.environ | WHO, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout
