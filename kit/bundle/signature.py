"""Who says that this bundle is theirs? An SSH signature over the bag's tag manifest, which covers every byte.

A bundle without one is *intact*, never *authentic*; one whose key this installation was not told of neither.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kit.bundle.bag import SIGNATURE, TAG_MANIFEST
from kit.errors import KitError

NAMESPACE = "incident-kit"
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of who signed: `principal` when the key is among the allowed ones, `key` its fingerprint."""

    good: bool
    says: str
    principal: str | None = None


def sign(folder: Path, *, key: Path) -> None:
    """Sign the bag with this SSH key; a passphrase or an agent is ssh-keygen's own matter.

    Raises `KitError` when ssh-keygen is not installed or cannot use the key.
    """
    if not key.is_file():
        raise KitError(f"There is no key {key}: name an SSH key, for example ~/.ssh/id_ed25519.")
    (folder / SIGNATURE).unlink(missing_ok=True)
    done = _keygen(
        "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(folder / TAG_MANIFEST), environment=dict(os.environ)
    )
    if done.returncode or not (folder / SIGNATURE).is_file():
        raise KitError(f"ssh-keygen could not sign with {key} ({_last(done.stderr)}): try another key.")


def read_signature(folder: Path, *, signers: Path | None = None) -> Signature | None:
    """Is the bag's signature good, and whose is it? None when it has none.

    `signers` is a file of allowed signers as ssh-keygen reads it (`NAME KEYTYPE KEY` a line); without it the signature
    is checked, but whose key it is remains unknown.
    """
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file():
        return None
    content = (folder / TAG_MANIFEST).read_bytes()
    common = ("-n", NAMESPACE, "-s", str(path))
    if signers is not None:
        if not signers.is_file():
            raise KitError(f"There is no file of allowed signers {signers}: write a line NAME KEYTYPE KEY for each.")
        found = _keygen("-Y", "find-principals", "-f", str(signers), "-s", str(path))
        names = found.stdout.decode(errors="replace").split()
        if found.returncode == 0 and names:
            done = _keygen("-Y", "verify", "-f", str(signers), "-I", names[0], *common, content=content)
            if done.returncode == 0:
                return Signature(True, f"signed by {names[0]}, a key that you allow: authentic", names[0])
            return Signature(False, f"the signature does not fit the bundle ({_last(done.stderr)})")
    done = _keygen("-Y", "check-novalidate", *common, content=content)
    if done.returncode:
        return Signature(False, f"the signature does not fit the bundle ({_last(done.stderr)})")
    fingerprint = next((w for w in done.stdout.decode(errors="replace").split() if w.startswith("SHA256:")), "unknown")
    whose = "not among the signers that you allow" if signers is not None else "whose it is, nobody here was told"
    return Signature(True, f"signed with the key {fingerprint}; {whose}: intact, not authentic")


def _keygen(
    *arguments: str, content: bytes = b"", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("ssh-keygen") is None:
        raise KitError("ssh-keygen is not installed, so nothing can be signed or checked: install OpenSSH.")
    bare = {"PATH": os.environ.get("PATH", ""), "HOME": tempfile.gettempdir(), "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=content, capture_output=True, env=environment or bare, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KitError(
            f"ssh-keygen took more than {_SECONDS} s: unlock the key first, for example with an agent."
        ) from None


def _last(words: bytes) -> str:
    lines = [line for line in words.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
