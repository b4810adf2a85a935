"""A git repository or bundle, read without trusting it.

Only its objects and refs are looked at, through a bare repository of our own in a temporary folder: its configuration,
hooks, attributes and filters never take part, whoever wrote them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from connectors.errors import BadInput, NotFound, SourceUnavailable

SAFE = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false",
    "-c", "core.attributesFile=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "--no-pager",
)  # fmt: skip
SECONDS = 60
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{7,64}(?![0-9a-zA-Z])")
_REF = re.compile(r"refs/(?:heads|tags|remotes)/[^\s~^:?*\[\\\x00-\x1f]+")


class Repository:
    """A repository by its path: a bundle, a bare repository, or a folder with `.git`. Nothing is run in it.

    Raises `NotFound` when nothing is there, `BadInput` when it is no repository, `SourceUnavailable` when git is not
    installed or takes too long.
    """

    def __init__(self, path: Path, label: str) -> None:
        self.path = path
        self.label = label

    @cached_property
    def _own(self) -> tempfile.TemporaryDirectory[str]:
        if shutil.which("git") is None:
            raise SourceUnavailable(f"git is not installed, so {self.label} cannot be read: install git.")
        if not self.path.exists():
            raise NotFound(f"There is no repository {self.label}: check the path in sources.toml.")
        folder = tempfile.TemporaryDirectory(prefix="incident-kit-git-")
        try:
            self._git(["init", "--quiet", "--bare", folder.name], at=None)
            if self.path.is_file():
                self._unbundle(folder.name)
            else:
                self._borrow(Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise
        return folder

    def _unbundle(self, own: str) -> None:
        with self.path.open("rb") as handle:
            if not handle.read(20).startswith((b"# v2 git bundle", b"# v3 git bundle")):
                raise BadInput(f"{self.label} is no git bundle: make one with git bundle create FILE --all.")
        done = self._git(
            ["fetch", "--quiet", "--no-auto-gc", str(self.path.resolve()), "+refs/*:refs/*"], at=own, check=False,
            allow="file",
        )  # fmt: skip
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace")
            if "lacks these prerequisite" in words or "prerequisite" in words:
                raise BadInput(
                    f"{self.label} is a part of a history: bundle it whole, with git bundle create FILE --all."
                )
            raise BadInput(f"{self.label} is damaged or half-written: make the bundle again.")

    def _borrow(self, own: Path) -> None:
        theirs = self._git_folder()
        (own / "objects" / "info").mkdir(exist_ok=True)
        (own / "objects" / "info" / "alternates").write_text(f"{(theirs / 'objects').resolve()}\n")
        if (theirs / "shallow").is_file():
            shutil.copyfile(theirs / "shallow", own / "shallow")
        lines = ["# pack-refs with: peeled fully-peeled sorted"]
        refs = _refs_of(theirs)
        head = _head_of(theirs, refs)
        lines += [f"{sha} {name}" for name, sha in sorted(refs.items())]
        (own / "packed-refs").write_text("\n".join(lines) + "\n")
        (own / "HEAD").write_text(f"{head}\n")

    def _git_folder(self) -> Path:
        for candidate in (self.path / ".git", self.path):
            if candidate.is_dir() and (candidate / "objects").is_dir() and (candidate / "HEAD").is_file():
                return candidate
        raise BadInput(f"{self.label} is no git repository: name a bundle, a bare repository or a folder with .git.")

    @property
    def shallow(self) -> bool:
        """Does the history begin in the middle (a shallow clone)?"""
        return (Path(self._own.name) / "shallow").exists()

    def run(self, *arguments: str) -> str:
        """What a git command says about this repository. Raises `BadInput` when objects that it needs are missing."""
        done = self._git(list(arguments), at=self._own.name, check=False)
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise BadInput(f"git could not read {self.label} ({words[-1] if words else 'no reason given'}).")
        return done.stdout.decode("utf-8", "replace")

    def resolve(self, name: str) -> str | None:
        """Which commit does this name: a tag, a branch, or text that holds a commit's first digits? None: none.

        "v2.7.4 (b4a708e750)" names the commit b4a708e750….
        """
        for candidate in (name, *_SHORT.findall(name)):
            if not candidate or candidate.startswith("-") or ".." in candidate or "@{" in candidate:
                continue
            done = self._git(
                ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"],
                at=self._own.name,
                check=False,
            )
            sha = done.stdout.decode().strip()
            if done.returncode == 0 and _SHA.fullmatch(sha):
                return sha
        return None

    def _git(
        self, arguments: Sequence[str], *, at: str | None, check: bool = True, allow: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": tempfile.gettempdir(), "LC_ALL": "C", "TZ": "UTC",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1", "GIT_ALLOW_PROTOCOL": allow or "none", "GIT_ASKPASS": "false",
            "GIT_PAGER": "cat",
        }  # fmt: skip
        where = [f"--git-dir={at}"] if at else []
        try:
            done = subprocess.run(
                ["git", *SAFE, *where, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=SECONDS, cwd=at or tempfile.gettempdir(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise SourceUnavailable(
                f"git took more than {SECONDS} s over {self.label}: ask about a shorter window."
            ) from None
        if check and done.returncode:
            raise SourceUnavailable(
                f"git could not prepare to read {self.label}: check that {tempfile.gettempdir()} has room."
            )
        return done


def _refs_of(folder: Path) -> dict[str, str]:
    """All branches and tags with the objects they name, from the repository's own files."""
    refs: dict[str, str] = {}
    packed = folder / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(errors="replace").splitlines():
            sha, _, name = line.partition(" ")
            if _SHA.fullmatch(sha) and _REF.fullmatch(name):
                refs[name] = sha
    for kind in ("heads", "tags", "remotes"):
        for path in sorted((folder / "refs" / kind).rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            name = path.relative_to(folder).as_posix()
            text = path.read_text(errors="replace").strip()
            if _SHA.fullmatch(text) and _REF.fullmatch(name):
                refs[name] = text
    return refs


def _head_of(folder: Path, refs: dict[str, str]) -> str:
    """What HEAD points to, as our own HEAD may say it."""
    text = (folder / "HEAD").read_text(errors="replace").strip()
    if _SHA.fullmatch(text):
        return text
    name = text.removeprefix("ref:").strip()
    return f"ref: {name}" if name in refs else "ref: refs/heads/main"
