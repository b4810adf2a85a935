"""Where does a person keep what is theirs on this machine: credentials, the key of pseudonyms, profiles, playbooks?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def configuration_folder(environment: Mapping[str, str]) -> Path:
    """The person's own folder, by the XDG base directories; it need not be there.

    >>> configuration_folder({"XDG_CONFIG_HOME": "/home/a/.config"}).as_posix()
    '/home/a/.config/incident-kit'
    """
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "incident-kit"
