"""What do the log lines that are new or louder speak of: a certificate, a full disk, a pool?"""

from __future__ import annotations

import re

import pandas as pd

from kit.signs.sign import Sign

CERTIFICATE = re.compile(
    r"certificate (has )?expired|certificate is not yet valid|CERTIFICATE_VERIFY_FAILED|SSLCertVerification|x509"
    r"|certificate verify failed|tls.*(handshake|alert).*(expired|certificate)|notAfter",
    re.I,
)
DISK = re.compile(r"no space left|disk (is )?full|ENOSPC|could not extend file|disk quota exceeded", re.I)
POOL = re.compile(
    r"pool ?(timeout|exhausted|is full|limit)|QueuePool|too many (clients|connections)|connection slots"
    r"|(get|acquir\w+|wait\w+ for|no (free|available)) (a )?connection|connection from the pool",
    re.I,
)
LOCK = re.compile(
    r"still waiting for \w*Lock|lock wait timeout|deadlock detected|waiting for .{0,40}metadata lock", re.I
)


def lock_sign(templates: pd.DataFrame | None) -> Sign:
    """Does a line that is new or louder say that statements wait for a lock, which is not that they are slow?"""
    return _spoken_sign(
        "lock_says", templates, LOCK, yes="statements wait for a lock", no="no line speaks of waiting for a lock"
    )


def certificate_sign(templates: pd.DataFrame | None) -> Sign:
    """Does a line that is new or louder speak of a certificate?"""
    return _spoken_sign(
        "certificate_says", templates, CERTIFICATE, yes="new lines", no="no line speaks of a certificate"
    )


def _spoken_sign(name: str, templates: pd.DataFrame | None, pattern: re.Pattern[str], *, yes: str, no: str) -> Sign:
    said = lines_that_say(templates, pattern)
    return Sign(name, None if templates is None else bool(said), f"{yes}: {said[0]}" if said else no)


def lines_that_say(templates: pd.DataFrame | None, pattern: re.Pattern[str]) -> list[str]:
    """Which templates that are new or more frequent speak of it?"""
    if templates is None or not len(templates):
        return []
    louder = templates["class"].astype(str).isin(["new", "changed"])
    if "ratio" in templates:
        louder &= ~(templates["ratio"] < 1)
    return [t for t in templates.loc[louder, "template"].astype(str) if pattern.search(t)]
