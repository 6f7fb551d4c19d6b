"""OpenSSF model signatures (``model-signing``, key mode with P-256) on model directories.

The signature ``model.sig`` is a Sigstore bundle: an in-toto statement in a DSSE envelope, over the SHA-256 of every
file. It is what other tools can check without knowing us. Its subject digest does not see file names, so
:func:`verify` also compares the signed names and digests with the directory one by one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from governance.errors import ConfigurationError
from lineage.artifact import SIGNATURE, ArtifactSignature, artifact_digest
from lineage.errors import ArtifactCorrupt


def sign(directory: Path, *, private_key: Path) -> ArtifactSignature:
    """Sign the model in ``directory`` and write ``model.sig`` into it, in place of an older one.

    :param private_key: a PEM file with an unencrypted P-256 key.

    Raises ConfigurationError for the key, ArtifactCorrupt for a directory that cannot be signed.
    """
    from model_signing import signing

    public = public_key_pem(private_key)
    artifact_digest(directory)  # refuses what has no place in a model directory, in our words
    signer = signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(_hashing())
    signer.sign(directory, directory / SIGNATURE)
    return verify(directory, public_key=public)


def verify(directory: Path, *, public_key: bytes) -> ArtifactSignature:
    """Check that ``model.sig`` is this key's signature over exactly the files of ``directory``.

    :param public_key: SubjectPublicKeyInfo in PEM, as a trust file holds it.

    Raises ArtifactCorrupt (signature missing, unreadable, by another key, or for other files), UnknownArtifact
    (no such directory), ConfigurationError (no P-256 key).
    """
    key = _key_fingerprint(public_key)
    files = artifact_digest(directory).files
    bundle = _signature_bytes(directory)
    subject, signed = _statement(directory, bundle)
    _verify_openssf(directory, public_key)
    present = sorted((file.path, f"sha256:{file.sha256}") for file in files)
    if signed != present:
        names = sorted({path for path, _digest in set(signed) ^ set(present)})
        raise ArtifactCorrupt(
            f"{directory / SIGNATURE} signs other files than those that lie beside it: {', '.join(names)}."
            " Restore the directory from the artifact store."
        )
    return ArtifactSignature(hashlib.sha256(bundle).hexdigest(), subject, key)


def openssf_subject(signature: bytes) -> str:
    """The hex digest of the whole model that a ``model.sig`` claims; nothing is verified here.

    Raises ArtifactCorrupt where the bytes are not such a signature.
    """
    return _statement(Path(), signature)[0]


def public_key_pem(private_key: Path) -> bytes:
    """The public half of a P-256 key file, as PEM. Raises ConfigurationError."""
    try:
        key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"The model key {private_key} cannot be read: {error}. Expected an unencrypted P-256 key in PEM (PKCS 8);"
            " check `governance: keys:`."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"The model key {private_key} is not a P-256 key, which model signatures need.")
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_fingerprint(public_key: bytes) -> str:
    try:
        key = serialization.load_pem_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"The public model key cannot be read: {error}. Expected a P-256 key in PEM."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigurationError("The public model key is not a P-256 key, which model signatures need.")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _hashing() -> Any:
    from model_signing import hashing

    # By itself the library leaves out .git and the like; here every file but the signature is part of the model.
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _signature_bytes(directory: Path) -> bytes:
    try:
        return (directory / SIGNATURE).read_bytes()
    except OSError as error:
        raise ArtifactCorrupt(
            f"The model in {directory} has no readable signature: {error}. Expected {SIGNATURE} beside the weights;"
            " restore the directory from the artifact store."
        ) from error


def _statement(directory: Path, bundle: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The subject digest and the signed (path, digest) pairs of a bundle, sorted."""
    try:
        payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"], validate=True)
        statement = json.loads(payload)
        (subject,) = statement["subject"]
        resources = statement["predicate"]["resources"]
        pairs = sorted((str(r["name"]), f"{r['algorithm']}:{r['digest']}") for r in resources)
        return str(subject["digest"]["sha256"]), pairs
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise ArtifactCorrupt(
            f"{directory / SIGNATURE} is not an OpenSSF model signature ({type(error).__name__}: {error})."
            " Restore the directory from the artifact store."
        ) from error


def _verify_openssf(directory: Path, public_key: bytes) -> None:
    from model_signing import verifying

    with tempfile.TemporaryDirectory() as scratch:  # the library reads keys from files only
        key_file = Path(scratch) / "key.pem"
        key_file.write_bytes(public_key)
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key_file).set_hashing_config(_hashing())
        try:
            verifier.verify(directory, directory / SIGNATURE)
        except (InvalidSignature, ValueError, KeyError, TypeError) as error:
            raise ArtifactCorrupt(
                f"The signature of the model in {directory} does not hold: {str(error) or 'it is not by this key'}."
                " The weights or the signature were changed, or another key signed them. Do not serve this model."
            ) from error
