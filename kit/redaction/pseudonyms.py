"""What stands in place of a value: the same for the same value everywhere, and without the key nobody's.

A pseudonym is the kind of value and 64 bits of an HMAC-SHA256 as 13 base-32 characters, so that joins across logs,
traces and metrics survive. 64 bits: among a million values two share one with a chance of 1 in 37 million.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from connectors.configuration import configuration_folder
from kit.errors import BadCase

KINDS = ("secret", "token", "key", "user", "email", "phone", "ssn", "ip", "mac", "card", "iban", "host", "match")
STARTS = re.compile(rf"(?:{'|'.join(KINDS)})_[a-z2-7]{{13}}")
FORM = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(KINDS)})_[a-z2-7]{{13}}(?![A-Za-z0-9])")


class Pseudonyms:
    """Pseudonyms made with one key.

    >>> made = Pseudonyms(b"k" * 32)
    >>> made.of("email", "ada@example.org") == made.of("email", "ada@example.org")
    True
    >>> made.of("email", "ada@example.org") == Pseudonyms(b"other key" * 4).of("email", "ada@example.org")
    False
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.issued: set[str] = set()

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of a value: `email_` and 13 characters, at least one of them a digit."""
        content = value.encode("utf-8", "surrogatepass")
        for turn in range(64):  # a digit in it makes it a variable to whoever mines templates; one draw in 15 has none
            digest = hmac.digest(self._key, turn.to_bytes(1, "big") + content, hashlib.sha256)
            code = base64.b32encode(digest[:8]).decode().rstrip("=").lower()
            if any(c.isdigit() for c in code):
                break
        made = f"{kind}_{code}"
        self.issued.add(made)
        return made

    def number_of(self, value: int) -> int:
        """The pseudonym of a number, where a column holds numbers: 63 bits, so that it stays a 64-bit integer."""
        digest = hmac.digest(self._key, b"number" + str(value).encode(), hashlib.sha256)
        return int.from_bytes(digest[:8], "big") >> 1


def key_file(environment: Mapping[str, str]) -> Path:
    """Where the user's own key is kept."""
    return configuration_folder(environment) / "redaction.key"


def user_key(*, file: Path | None = None) -> bytes:
    """The user's key for pseudonyms; made on first use, readable by the user alone.

    Raises `BadCase` when others may read it, or it is no key.
    """
    path = file or key_file(os.environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise BadCase(
            f"The key for pseudonyms cannot be kept in {path} ({error.strerror}): make the folder writable, or set "
            "XDG_CONFIG_HOME to one that is."
        ) from None
    with os.fdopen(handle, "w") as file_:
        file_.write(secrets.token_hex(32) + "\n")
    return _read(path)


def _read(path: Path) -> bytes:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadCase(f"{path.name} may be read by others than you: chmod 600 {path}.")
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) < 32:
        raise BadCase(f"{path} is no key for pseudonyms (64 hexadecimal digits): remove it, and a new one is made.")
    return key
