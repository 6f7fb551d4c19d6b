"""Public keys as SPKI, and the two signature algorithms we read: Ed25519 and ECDSA P-256 with SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from audit.verify.errors import BadSignature, Malformed


@dataclass(frozen=True)
class PublicKey:
    """A key that can check signatures."""

    key: Ed25519PublicKey | EllipticCurvePublicKey = field(compare=False)  # the SPKI says it all, and can be hashed
    spki: bytes
    """DER SubjectPublicKeyInfo"""

    @property
    def keyid(self) -> str:
        """Hex SHA-256 of the SPKI: the name of a key in DSSE envelopes and in fingerprints."""
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def pem(self) -> str:
        """The key as ``-----BEGIN PUBLIC KEY-----``."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature (ECDSA: DER, over SHA-256). Raises BadSignature."""
        try:
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, message)
            else:
                self.key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature as error:
            raise BadSignature(f"the signature does not verify with key {self.keyid}") from error


def public_key(key: object) -> PublicKey:
    """Wrap a key of ``cryptography``. Raises Malformed for any algorithm but Ed25519 and ECDSA P-256."""
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return PublicKey(key, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    raise Malformed(f"a public key of type {type(key).__name__}; expected Ed25519 or ECDSA P-256")


def load_spki_pem(pem: str) -> PublicKey:
    """The key in an SPKI PEM. Raises Malformed."""
    try:
        return public_key(load_pem_public_key(pem.encode("ascii")))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(f"not a public key in SPKI PEM: {error}") from error


def load_spki_der(der: bytes) -> PublicKey:
    """The key in SPKI DER, spelled exactly as DER spells it. Raises Malformed."""
    try:
        found = public_key(load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(f"not a public key in SPKI DER: {error}") from error
    if found.spki != der:
        raise Malformed("the SPKI of a public key is not canonical DER with an uncompressed point")
    return found
