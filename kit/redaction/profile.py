"""How much is taken out: for colleagues, for a vendor, for everybody; and what the user's own file adds to that."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.configuration import configuration_folder
from kit.errors import BadCase

PROFILES = ("internal", "vendor", "public")
DEFAULT = "vendor"
_FILE = "redaction.toml"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is taken out. Secrets and personal data always; `vendor` every address and home folder; `public` also the
    names of hosts and tenants.

    `patterns` are the user's own, as name and regular expression; `personal` are more columns that hold persons;
    `keep` are values that stay whatever they look like.
    """

    name: str = DEFAULT
    patterns: tuple[tuple[str, str], ...] = ()
    personal: frozenset[str] = frozenset()
    keep: frozenset[str] = field(default_factory=frozenset)

    @property
    def private_addresses(self) -> bool:
        """Are addresses of private networks, MACs and home folders taken out too?"""
        return self.name != "internal"

    @property
    def hosts(self) -> bool:
        """Are the names of hosts, instances and tenants taken out too?"""
        return self.name == "public"


_HOST_COLUMNS_TEXT = (
    "host instance tenant host.name server.address client.address net.host.name net.peer.name k8s.node.name "
    "k8s.pod.name k8s.cluster.name nodename node pod upstream.address"
)
HOST_COLUMNS = frozenset(_HOST_COLUMNS_TEXT.split())


def read_profile(name: str, *, case: Path | None = None, environment: Mapping[str, str] | None = None) -> Profile:
    """The profile of this name with what `redaction.toml` adds: the user's own, and the case's.

    The file may have `personal = [names of columns]`, `[[pattern]] name, regex`, and — only the user's own, since a
    case may come from a stranger — `keep = [values]`. Raises `BadCase` naming what is wrong in which file.
    """
    if name not in PROFILES:
        raise BadCase(f"There is no redaction profile {name!r}: choose {', '.join(PROFILES)}.")
    environment = os.environ if environment is None else environment
    own = configuration_folder(environment) / _FILE
    files = [(own, True)] + ([(case / _FILE, False)] if case is not None else [])
    patterns: list[tuple[str, str]] = []
    personal: set[str] = set()
    keep: set[str] = set()
    for path, is_own in files:
        values = _read(path)
        personal |= {str(n).lower() for n in values.get("personal", [])}
        patterns += [_pattern(entry, path) for entry in values.get("pattern", [])]
        if values.get("keep") and not is_own:
            raise BadCase(f"{path} may not keep values from redaction: put `keep` into {own}.")
        keep |= {str(v) for v in values.get("keep", [])}
    return Profile(name, tuple(patterns), frozenset(personal), frozenset(keep))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadCase(f"{path} is not TOML ({error}): mend the file.") from None
    unknown = sorted(set(values) - {"personal", "pattern", "keep"})
    if unknown:
        raise BadCase(f"{path} has no key {', '.join(unknown)}: it may have personal, pattern and keep.")
    return values


def _pattern(entry: Any, path: Path) -> tuple[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    name, regex = (str(entry.get(k, "")) for k in ("name", "regex")) if isinstance(entry, dict) else ("", "")
    if not re.fullmatch(r"[A-Za-z][\w -]{0,40}", name) or not regex:
        raise BadCase(f"{path}: a [[pattern]] needs a name (letters) and a regex.")
    try:
        empty = pc.match_substring_regex(pa.array([""]), regex)[0].as_py()
    except pa.ArrowInvalid as error:
        raise BadCase(f"{path}: the pattern {name!r} is no RE2 expression ({str(error).splitlines()[0]}).") from None
    if empty:
        raise BadCase(f"{path}: the pattern {name!r} matches the empty text: make it say what it looks for.")
    return name, regex
