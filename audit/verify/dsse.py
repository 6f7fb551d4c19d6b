"""DSSE envelopes: parsing and verification.

Source: https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md), version 1.0.0. Narrower than the source
in two points: Base64 is the standard alphabet in its canonical spelling only, and no JSON key may occur twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from audit.verify.canonical_base64 import decode_base64, encode_base64
from audit.verify.errors import BadSignature, Malformed
from audit.verify.publickey import PublicKey
from audit.verify.values import canonical, parse_json

MAX_SIGNATURES = 16


@dataclass(frozen=True)
class EnvelopeSignature:
    """One signature of an envelope."""

    keyid: str
    """a hint, not to be trusted; may be empty"""
    signature: bytes


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope; its payload is not to be believed before it was verified."""

    payload_type: str
    payload: bytes
    """the exact bytes that were signed"""
    signatures: tuple[EnvelopeSignature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_bytes(envelope: Envelope, *, by: PublicKey) -> bytes:
    """The one form of an envelope with one signature, by that key: RFC 8785, the key's own id."""
    signature = {"keyid": by.keyid, "sig": encode_base64(envelope.signatures[0].signature)}
    payload = encode_base64(envelope.payload)
    return canonical({"payload": payload, "payloadType": envelope.payload_type, "signatures": [signature]})


def parse_envelope(data: bytes) -> Envelope:
    """The envelope in the JSON ``data``. Raises Malformed."""
    document = parse_json(data, "the DSSE envelope")
    payload_type, signatures = document.get("payloadType"), document.get("signatures")
    if not isinstance(payload_type, str) or not payload_type:
        raise Malformed("the DSSE envelope has no payloadType")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise Malformed(f"the DSSE envelope must have a list of 1 to {MAX_SIGNATURES} signatures")
    payload = _decode(document.get("payload"), "the payload of the DSSE envelope")
    return Envelope(payload_type, payload, tuple(_parse_signature(each) for each in signatures))


def verify_envelope(envelope: Envelope, keys: Iterable[PublicKey], *, payload_type: str) -> PublicKey:
    """Check type and signature; the first of ``keys`` that signed. Raises BadSignature, Malformed for another type.

    One good signature of one trusted key is enough; signatures by others are ignored, as DSSE says.
    """
    if envelope.payload_type != payload_type:
        raise Malformed(f"the DSSE envelope has payloadType {envelope.payload_type!r}, expected {payload_type!r}")
    message, trusted = pae(envelope.payload_type, envelope.payload), tuple(keys)
    for key in trusted:
        if any(_verifies(key, each.signature, message) for each in envelope.signatures):
            return key
    hints = ", ".join(each.keyid or "(no keyid)" for each in envelope.signatures)
    expected = ", ".join(key.keyid for key in trusted)
    raise BadSignature(f"no trusted key has signed the envelope; it says {hints}; trusted: {expected or 'none'}")


def _verifies(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except BadSignature:
        return False
    return True


def _parse_signature(value: object) -> EnvelopeSignature:
    if not isinstance(value, dict) or not isinstance(keyid := value.get("keyid", ""), str):
        raise Malformed("a signature of the DSSE envelope is not an object with sig and keyid")
    return EnvelopeSignature(keyid, _decode(value.get("sig"), "a signature of the DSSE envelope"))


def _decode(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise Malformed(f"{what} is missing; expected a Base64 string")
    return decode_base64(value, what)
