"""Who may ask this origin? Credentials of the user's own, each bound to one origin and given to no other.

Looked for in `INCIDENT_KIT_*` variables, in the user's configuration file (which nobody else may read), and in the
keyring when that is installed. A case's files never hold any.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from connectors.configuration import configuration_folder
from connectors.errors import BadInput

PREFIX = "INCIDENT_KIT_"
_SECRETS = ("token", "api_key", "password")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credential:
    """How to introduce oneself to one origin: a bearer token, an API key, or user and password.

    Printing it shows the origin and the kind, never the secret.

    >>> Credential("https://logs.example:443", token="s3cret")
    Credential(https://logs.example:443, token)
    """

    origin: str
    token: str | None = None
    api_key: str | None = None
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        kind = "token" if self.token else "API key" if self.api_key else f"user {self.user}"
        return f"Credential({self.origin}, {kind})"

    __str__ = __repr__

    def headers(self) -> dict[str, str]:
        """The `Authorization` header for this origin."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.api_key:
            return {"Authorization": f"ApiKey {self.api_key}"}
        import base64

        both = f"{self.user or ''}:{self.password or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}


def origin_of(url: str) -> str:
    """Scheme, host and port of an address: what a credential is bound to.

    >>> origin_of("https://Logs.example/kibana?x=1"), origin_of("http://127.0.0.1:9200/")
    ('https://logs.example:443', 'http://127.0.0.1:9200')
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise BadInput("An address is not one: write it like https://logs.example:9200.") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadInput(f"{url[:60]!r} is no http address: write it like https://logs.example:9200.")
    if parts.username or parts.password:
        raise BadInput(
            f"The address of {parts.hostname} holds a user name or password: put them into your own configuration "
            f"file or {PREFIX}* variables, never into a case."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def credential_for(
    origin: str, *, environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Credential | None:
    """The user's credential for this origin; None when there is none.

    Variables: `INCIDENT_KIT_ORIGIN_X` with `INCIDENT_KIT_TOKEN_X`, `INCIDENT_KIT_API_KEY_X`, or `…_USER_X` and
    `…_PASSWORD_X`; X is any word of yours. The file is `incident-kit/credentials.toml` in the user's
    configuration folder: a `[[credential]]` per origin with the same keys in small letters. Raises `BadInput` when
    others may read it.
    """
    wanted = origin_of(origin)
    environment = os.environ if environment is None else environment
    return (
        _from_environment(wanted, environment)
        or _from_file(wanted, file or default_file(environment))
        or _from_keyring(wanted)
    )


def default_file(environment: Mapping[str, str]) -> Path:
    """Where the user's own credentials are."""
    return configuration_folder(environment) / "credentials.toml"


def _from_environment(wanted: str, environment: Mapping[str, str]) -> Credential | None:
    for name, value in environment.items():
        if not name.startswith(f"{PREFIX}ORIGIN_") or origin_of(value) != wanted:
            continue
        word = name.removeprefix(f"{PREFIX}ORIGIN_")
        keys = {key: environment.get(f"{PREFIX}{key.upper()}_{word}") for key in (*_SECRETS, "user")}
        if any(keys[key] for key in _SECRETS):
            return Credential(wanted, **keys)
    return None


def _from_file(wanted: str, file: Path) -> Credential | None:
    try:
        mode = file.stat().st_mode
    except OSError:
        return None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInput(f"{file.name} may be read by others than you: chmod 600 {file}.")
    try:
        listed = tomllib.loads(file.read_text()).get("credential", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise BadInput(f"{file.name} in your configuration folder is not TOML: mend it.") from None
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("origin") and origin_of(str(entry["origin"])) == wanted:
            keys = {key: str(entry[key]) for key in (*_SECRETS, "user") if entry.get(key)}
            return Credential(wanted, **keys)
    return None


def _from_keyring(wanted: str) -> Credential | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        found = keyring.get_credential("incident-kit", None) and keyring.get_password("incident-kit", wanted)
    except Exception:
        return None
    return Credential(wanted, token=found) if found else None
