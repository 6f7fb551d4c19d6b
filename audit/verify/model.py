"""A model's files, the digest that names them, and their OpenSSF model signature.

``model.sig`` is a Sigstore bundle (v0.3) around a DSSE envelope, whose in-toto statement lists the files
(https://github.com/sigstore/model-transparency, docs/model_signing_format.md); key mode with ECDSA P-256 here.
Its own subject digest is blind to file names; ours (oms1) is not. Both are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audit.verify.dsse import parse_envelope, verify_envelope
from audit.verify.errors import Malformed
from audit.verify.members import sha256
from audit.verify.publickey import PublicKey
from audit.verify.statement import PAYLOAD_TYPE, STATEMENT_TYPE, Statement
from audit.verify.values import canonical, find, is_hex, objects, parse_json, text

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE_PREDICATE = "https://model_signing/signature/v1.0"
Files = Sequence[tuple[str, int, str]]
"""(path, size in bytes, SHA-256 hex) of each file of a model, signature file left out"""


def oms1(files: Files) -> str:
    """Hex of the oms1 digest: SHA-256 of the canonical JSON of the files, sorted by UTF-8 path."""
    return sha256(canonical([list(file) for file in sorted(files, key=lambda file: file[0].encode())]))


def artifact_files(artifact: Statement) -> list[tuple[str, int, str]]:
    """The files that an artifact's record lists, which must give its subject digest. Raises Malformed."""
    listed = find(artifact.predicate, "files")
    files = [tuple(entry) for entry in listed if isinstance(entry, list)] if isinstance(listed, list) else []
    for entry in files:
        if len(entry) != 3 or not isinstance(entry[0], str) or type(entry[1]) is not int or not is_hex(entry[2]):
            raise Malformed("an entry of the artifact's file list is not [path, size, sha256]")
    if not files or len(files) != len(listed) or oms1(files) != artifact.digest("oms1-sha256"):
        raise Malformed(
            f"the artifact's file list does not give its digest oms1-sha256:{artifact.digest('oms1-sha256')}"
        )
    return files


def check_model(artifact: Statement, signature: bytes, keys: Sequence[PublicKey]) -> None:
    """That ``signature`` is the recorded one, by a trusted key, over exactly the recorded files. Raises Malformed."""
    files, signed = artifact_files(artifact), find(artifact.predicate, "signature")
    if sha256(signature) != text(signed, "sha256"):
        raise Malformed("model.sig is not the one whose SHA-256 the artifact's record states")
    bundle = parse_json(signature, "model.sig")
    hint = text(bundle, "verificationMaterial", "publicKey", "hint")
    key = next((key for key in keys if sha256(key.pem.encode()) == hint), None)
    if text(bundle, "mediaType") != BUNDLE_TYPE or key is None:
        raise Malformed(f"model.sig is no {BUNDLE_TYPE} by a model key of the trust file (its key hint is {hint!r})")
    if text(signed, "key") != key.keyid:
        raise Malformed(f"model.sig is by key {key.keyid}, the artifact's record says {text(signed, 'key')!r}")
    _resources(_payload(bundle, key), files, text(signed, "openssf_subject"))


def _payload(bundle: dict[str, Any], key: PublicKey) -> dict[str, Any]:
    envelope = parse_envelope(canonical(find(bundle, "dsseEnvelope")))
    verify_envelope(envelope, [key], payload_type=PAYLOAD_TYPE)
    return parse_json(envelope.payload, "the statement in model.sig")


def _resources(document: dict[str, Any], files: Files, subject: str) -> None:
    if (text(document, "_type"), text(document, "predicateType")) != (STATEMENT_TYPE, SIGNATURE_PREDICATE):
        raise Malformed(f"the statement in model.sig is not a {SIGNATURE_PREDICATE}")
    method = find(document, "predicate", "serialization")
    resources = objects(document, "predicate", "resources")
    if (text(method, "method"), text(method, "hash_type")) != ("files", "sha256") or not resources:
        raise Malformed("model.sig does not sign whole files by SHA-256")
    signed = sorted((text(resource, "name"), text(resource, "digest")) for resource in resources)
    recorded = sorted((path, digest) for path, _size, digest in files)
    if signed != recorded:
        path = next((name for name, _digest in sorted(set(signed) ^ set(recorded))), "(one listed twice)")
        raise Malformed(f"model.sig and the artifact's record disagree about the file {path!r}")
    digests = b"".join(bytes.fromhex(text(resource, "digest")) for resource in resources)
    found = [text(item, "digest", "sha256") for item in objects(document, "subject")]
    if found != [sha256(digests)] or found != [subject]:
        raise Malformed("the subject digest of model.sig is not that of its files, or not the recorded one")
