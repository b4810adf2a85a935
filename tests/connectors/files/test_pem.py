"""Certificates in PEM files are changes at their end; a broken block is said, a key is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import BadInput
from connectors.files import pem
from connectors.files.formats import sniff
from connectors.files.options import Options

END = datetime(2026, 3, 1, 2, 14, tzinfo=UTC)
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def made() -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(7).not_valid_before(END - timedelta(days=90)).not_valid_after(END)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


def test_its_end_is_the_change(made, tmp_path):
    path = tmp_path / "chain.pem"
    path.write_bytes(made[1] + made[0])
    assert sniff(path) == "pem"
    (row,) = pem.read(path, Options(table="CHANGES")).table.to_pylist()
    assert (row["time"], row["kind"], row["service"], row["takes_effect"]) == (END, "certificate", "bank", "expiry")
    assert row["before"] == "valid from 2025-12-01"
    assert "PRIVATE" not in str(row)


def test_a_broken_one_beside_it_is_said(made, tmp_path):
    path = tmp_path / "chain.pem"
    path.write_bytes(BROKEN + made[0])
    found = pem.read(path, Options(table="CHANGES", service="payments"))
    assert found.table.column("service").to_pylist() == ["payments"]
    assert found.faults == ("1 certificates in chain.pem cannot be read and were left out",)


def test_a_file_without_any_is_refused(tmp_path):
    path = tmp_path / "only.pem"
    path.write_bytes(BROKEN)
    with pytest.raises(BadInput, match="holds no certificate"):
        pem.read(path, Options())
