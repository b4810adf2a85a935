"""Certificates in PEM files as changes to come: each is one whose instant is its end. Keys are never read."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.options import Options, Reading

NAME = "pem"
TABLES = ("CHANGES",)

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
_MOST_BYTES = 16 * 1024 * 1024


def sniff(head: bytes, name: str) -> bool:
    """Does it hold a certificate?

    >>> sniff(b"-----BEGIN CERTIFICATE-----", "ca.crt")
    True
    """
    return b"-----BEGIN CERTIFICATE-----" in head


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """When does each certificate of this file end? CHANGES of kind certificate, `time` being its notAfter (UTC).

    The service is `options.service`, else the certificate's common name, else the file's. Of a chain every link
    counts: the first to end breaks it. Raises `BadInput` when none of its blocks is a certificate.
    """
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    name = label or path.name
    rows, broken = [], 0
    with path.open("rb") as file:
        blocks = _BLOCK.findall(file.read(_MOST_BYTES))
    for block in blocks:
        try:
            found = x509.load_pem_x509_certificate(block)
            names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except ValueError:
            broken += 1
            continue
        whose = options.service or (str(names[0].value) if names else path.stem)
        rows.append(
            {
                "id": f"certificate {found.serial_number:x} of {whose}",
                "time": found.not_valid_after_utc,
                "kind": "certificate",
                "service": whose,
                "summary": f"the certificate of {whose} expired",
                "ref": f"certificate of {whose}",
                "before": f"valid from {found.not_valid_before_utc:%Y-%m-%d}",
                "after": "expired",
                "takes_effect": "expiry",
            }
        )
    if not rows:
        raise BadInput(f"{name} holds no certificate that can be read: give the PEM file of the certificate itself.")
    faults = (f"{broken} certificates in {name} cannot be read and were left out",) if broken else ()
    columns = {}
    for field in schema.CHANGES:
        type_ = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns[field.name] = pa.array([row.get(field.name) for row in rows], type_)
    return Reading(schema.conform(pa.table(columns), "CHANGES").sort_by("time"), faults, ())
