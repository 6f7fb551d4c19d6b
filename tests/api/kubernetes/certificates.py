"""A certificate authority of a test's own, and a server certificate for loopback."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """PEM files."""

    authority: Path
    certificate: Path
    key: Path


def made(directory: Path) -> Certificates:
    """Valid for a day."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("test", "webhook"))
    now = dt.datetime.now(dt.UTC)

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        known, signer = (
            x509.SubjectKeyIdentifier.from_public_key(public),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
        )
        builder = x509.CertificateBuilder(root_name, subject, public, x509.random_serial_number())
        builder = (
            builder.not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(names, critical=False)
        )
        constraints = x509.BasicConstraints(ca=authority, path_length=None)
        builder = builder.add_extension(constraints, critical=True).add_extension(known, critical=False)
        return builder.add_extension(signer, critical=False).sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    files = {
        "ca.pem": signed(root_name, root_key.public_key(), authority=True).public_bytes(pem),
        "tls.pem": signed(name, key.public_key(), authority=False).public_bytes(pem),
        "tls.key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    }
    for file, content in files.items():
        (directory / file).write_bytes(content)
    return Certificates(*(directory / file for file in files))
