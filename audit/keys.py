"""The operator's keys, from the ``keys:`` directory or from the environment; never from the database.

keys = Keys.open("data/keys")
keys.log_verifier("provender.example/national_health").vkey   # what an auditor puts into the trust file
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit import keydirectory
from audit.errors import KeysUnusable
from audit.keydirectory import LOG, MASTER, MASTER_SIZE, MODEL, STATEMENT
from audit.verify.canonical_base64 import decode_base64
from audit.verify.errors import Malformed
from audit.verify.note import SignatureType, Verifier, verifier
from audit.verify.publickey import PublicKey, public_key


@dataclass(frozen=True)
class Keys:
    """The four keys of an operator. Two openings of one source are equal keys."""

    log: Ed25519PrivateKey = field(repr=False)
    """Signs checkpoints."""
    statement: Ed25519PrivateKey = field(repr=False)
    """Signs statements and bundle manifests."""
    model: EllipticCurvePrivateKey = field(repr=False)
    """P-256; signs model directories."""
    model_path: Path
    """The PEM file of ``model``, for libraries that want a file."""
    master: bytes = field(repr=False)
    """32 bytes; pseudonyms come from it."""

    @classmethod
    def open(cls, source: str | Path, *, environ: Mapping[str, str] | None = None, create: bool = True) -> Keys:
        """The keys of ``source``: a directory or ``env:PREFIX``. Raises KeysUnusable.

        A directory is made on first use, unless ``create`` is false.

        ``env:PREFIX`` reads, from ``environ``, PREFIX_LOG and PREFIX_STATEMENT (PKCS8 PEM), PREFIX_MODEL_FILE (path of
        a PKCS8 PEM file of mode 0600) and PREFIX_MASTER (Base64 of 32 bytes).
        """
        kind, colon, rest = str(source).partition(":")
        if colon and kind == "pkcs11":
            raise KeysUnusable(
                f"`keys: {source}` asks for a PKCS#11 token, which is not available in this version."
                " Name a directory, or env:PREFIX."
            )
        if colon and kind == "env":
            return _from_environment(rest, environ or {})
        return _from_directory(Path(source), create=create)

    @property
    def statement_public(self) -> PublicKey:
        """The key that checks statements."""
        return public_key(self.statement.public_key())

    @property
    def model_public(self) -> PublicKey:
        """The key that checks model signatures."""
        return public_key(self.model.public_key())

    def log_verifier(self, origin: str) -> Verifier:
        """The key that checks checkpoints of the log called ``origin``."""
        return verifier(origin, SignatureType.ED25519, public_key(self.log.public_key()))

    def pseudonym(self, actor: str) -> str:
        """32 hex digits that stand for ``actor`` in leaves and statements; only the master key leads to them."""
        return hmac.new(self.master, b"actor\0" + actor.encode(), hashlib.sha256).hexdigest()[:32]


def _from_directory(directory: Path, *, create: bool) -> Keys:
    if create:
        keydirectory.prepare(directory)
    elif not directory.is_dir():
        raise KeysUnusable(
            f"There is no keys directory {directory}: nothing was ever recorded here, or the keys are gone. Check"
            " `--repo` and `governance: keys:`; a lost directory is restored from your backup."
        )
    log, statement, model, master = (keydirectory.read(directory / name) for name in (LOG, STATEMENT, MODEL, MASTER))
    return Keys(
        log=_ed25519(log, str(directory / LOG)),
        statement=_ed25519(statement, str(directory / STATEMENT)),
        model=_p256(model, str(directory / MODEL)),
        model_path=directory / MODEL,
        master=_master(master, str(directory / MASTER)),
    )


def _from_environment(prefix: str, environ: Mapping[str, str]) -> Keys:
    def value(name: str) -> str:
        if not (found := environ.get(f"{prefix}_{name}")):
            raise KeysUnusable(
                f"`keys: env:{prefix}` needs the environment variable {prefix}_{name}, which is not set."
                f" Set {prefix}_LOG, {prefix}_STATEMENT, {prefix}_MODEL_FILE and {prefix}_MASTER."
            )
        return found

    model = Path(value("MODEL_FILE"))
    try:
        master = decode_base64(value("MASTER"), f"{prefix}_MASTER")
    except Malformed as error:
        raise KeysUnusable(f"{error}. Expected the Base64 of {MASTER_SIZE} random bytes.") from error
    return Keys(
        log=_ed25519(value("LOG").encode(), f"{prefix}_LOG"),
        statement=_ed25519(value("STATEMENT").encode(), f"{prefix}_STATEMENT"),
        model=_p256(keydirectory.read(model), str(model)),
        model_path=model,
        master=_master(master, f"{prefix}_MASTER"),
    )


def _ed25519(pem: bytes, where: str) -> Ed25519PrivateKey:
    key = _private_key(pem, where, "Ed25519")
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysUnusable(_wrong_key(where, type(key).__name__, "Ed25519"))
    return key


def _p256(pem: bytes, where: str) -> EllipticCurvePrivateKey:
    key = _private_key(pem, where, "ECDSA P-256")
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeysUnusable(_wrong_key(where, type(key).__name__, "ECDSA P-256"))
    return key


def _private_key(pem: bytes, where: str, wanted: str) -> object:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: the key is encrypted
        raise KeysUnusable(_wrong_key(where, "something unreadable", wanted)) from error


def _wrong_key(where: str, found: str, wanted: str) -> str:
    return f"{where} holds {found}. Expected one unencrypted {wanted} key as PKCS8 PEM; restore it from your backup."


def _master(content: bytes, where: str) -> bytes:
    if len(content) != MASTER_SIZE:
        raise KeysUnusable(f"{where} has {len(content)} bytes. Expected {MASTER_SIZE}; restore it from your backup.")
    return content
