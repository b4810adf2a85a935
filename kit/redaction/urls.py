"""What an address carries beside the address: user and password, secret parameters, somebody's home folder."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit
from kit.redaction.keyed import is_placeholder
from kit.redaction.names import PERSONAL, SECRET, told_by_name

_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,30})://(?P<user>[^\s/?#@\"'<>:\x1e]*)(?::(?P<password>[^\s/?#\"'<>\x1e]*))?@"
)
_PARAMETER = re.compile(
    r"(?:[?&;]|&amp;|%26|%3[Ff])(?P<name>[A-Za-z_][\w.\-]{0,63})(?:=|%3[Dd])(?P<value>[^\s&#;\"'<>\x1e]+)"
)
_SIGNED_TEXT = (
    "x-amz-signature x-amz-credential x-amz-security-token x-goog-signature x-goog-credential sig se code key state "
    "hash invite ticket samlresponse assertion"
)
_SIGNED = frozenset(_SIGNED_TEXT.split())
_HOME = re.compile(
    r"(?P<before>(?:(?<=[\s\"'=(:,@])|(?<=://)|^)(?:/home/|/Users/|[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}))(?P<user>[\w.-]+)",
    re.M,
)
_LOGS_IN = frozenset(
    {"http", "https", "ftp", "sftp", "ssh", "smb", "ldap", "ldaps", "imap", "smtp", "mongodb", "redis"}
)
_NOBODY = frozenset({"shared", "public", "default", "runner", "ubuntu", "app", "node", "jovyan", "git", "user"})


def find_in_urls(text: str) -> Iterator[Hit]:
    """Which user infos and secret parameters stand in addresses?

    >>> [h.value for h in find_in_urls("postgres://shop:hunter2@db/orders https://a.b/c?page=2&sig=Zm9v")]
    ['shop', 'hunter2', 'Zm9v']
    """
    if "://" in text:
        for match in _USERINFO.finditer(text):
            for part, kind in (("user", "user"), ("password", "secret")):
                if match[part] and not is_placeholder(match[part]) and (match["password"] or _logs_in(match)):
                    yield Hit(match.start(part), match.end(part), kind, "URL user info", match[part])
    for match in _PARAMETER.finditer(text):
        told = told_by_name(match["name"])
        if (
            told in (SECRET, PERSONAL) or (match["name"].lower() in _SIGNED and len(match["value"]) > 3)
        ) and not is_placeholder(match["value"]):
            kind = "user" if told == PERSONAL else "secret"
            yield Hit(match.start("value"), match.end("value"), kind, "URL parameter", match["value"])


def find_home_folders(text: str) -> Iterator[Hit]:
    """Whose home folder is named by a path?

    >>> [h.value for h in find_home_folders("open('/home/alice/notes.txt')")]
    ['alice']
    """
    for match in _HOME.finditer(text):
        if match["user"].lower() not in _NOBODY:
            yield Hit(match.start("user"), match.end("user"), "user", "home folder", match["user"])


def _logs_in(match: re.Match[str]) -> bool:
    """Is a name without a password that of somebody who logs in? `git` is nobody's."""
    return match["scheme"].lower() in _LOGS_IN and match["user"] != "git"
