"""DSSE envelopes: the protocol's own example, strict parsing, and whose signature counts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from audit.verify.dsse import pae, parse_envelope, verify_envelope
from audit.verify.errors import BadSignature, Malformed
from audit.verify.publickey import PublicKey, load_spki_pem, public_key

TYPE, PAYLOAD = "http://example.com/HelloWorld", b"hello world"
ED, EC = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
ED_KEY, EC_KEY = public_key(ED.public_key()), public_key(EC.public_key())
SIGNED = {ED_KEY: ED.sign(pae(TYPE, PAYLOAD)), EC_KEY: EC.sign(pae(TYPE, PAYLOAD), ec.ECDSA(SHA256()))}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def envelope(*signers: PublicKey, **changes: Any) -> bytes:
    signatures = [{"keyid": each.keyid, "sig": b64(SIGNED[each])} for each in signers]
    return json.dumps({"payload": b64(PAYLOAD), "payloadType": TYPE, "signatures": signatures, **changes}).encode()


def test_the_pre_authentication_encoding_is_that_of_the_protocol() -> None:
    assert pae(TYPE, PAYLOAD) == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@pytest.mark.parametrize("key", [ED_KEY, EC_KEY])
def test_a_signature_of_either_algorithm_verifies(key: PublicKey) -> None:
    found = parse_envelope(envelope(key))
    assert found.payload == PAYLOAD
    assert verify_envelope(found, [ED_KEY, EC_KEY], payload_type=TYPE) == key


def test_the_keyid_is_only_a_hint() -> None:
    document = json.loads(envelope(ED_KEY))
    document["signatures"][0]["keyid"] = EC_KEY.keyid
    assert verify_envelope(parse_envelope(json.dumps(document).encode()), [ED_KEY], payload_type=TYPE) == ED_KEY
    del document["signatures"][0]["keyid"]
    assert verify_envelope(parse_envelope(json.dumps(document).encode()), [ED_KEY], payload_type=TYPE) == ED_KEY


def test_signatures_by_others_and_unknown_members_are_ignored() -> None:
    found = parse_envelope(envelope(EC_KEY, ED_KEY, unknown=1))
    assert verify_envelope(found, [ED_KEY], payload_type=TYPE) == ED_KEY


@pytest.mark.parametrize("trusted", [[], [EC_KEY]])
def test_an_envelope_that_nobody_trusted_signed_is_refused(trusted: list[PublicKey]) -> None:
    with pytest.raises(BadSignature, match="no trusted key"):
        verify_envelope(parse_envelope(envelope(ED_KEY)), trusted, payload_type=TYPE)


@pytest.mark.parametrize("change", [{"payload": b64(b"hello worle")}, {"payloadType": TYPE + "x"}])
def test_changed_content_is_refused(change: dict[str, str]) -> None:
    found = parse_envelope(envelope(ED_KEY, **change))
    with pytest.raises(BadSignature):
        verify_envelope(found, [ED_KEY], payload_type=found.payload_type)


def test_a_payload_of_another_type_is_refused() -> None:
    with pytest.raises(Malformed, match="expected 'application/json'"):
        verify_envelope(parse_envelope(envelope(ED_KEY)), [ED_KEY], payload_type="application/json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        envelope(ED_KEY)[:-1],
        envelope(ED_KEY).replace(b'{"payload"', b'{"payload": "", "payload"', 1),
        envelope(),
        envelope(*[ED_KEY] * 17),
        envelope(ED_KEY, payload=None),
        envelope(ED_KEY, payload=1),
        envelope(ED_KEY, payload="aGVsbG8gd29ybGQ"),
        envelope(ED_KEY, payload="aGVsbG8gd29ybGR="),
        envelope(ED_KEY, payload="aGVsbG8g\nd29ybGQ="),
        envelope(ED_KEY, payload="-_-_"),
        envelope(ED_KEY, payload="é"),
        envelope(ED_KEY, payloadType=None),
        envelope(ED_KEY, payloadType=""),
        envelope(ED_KEY, signatures={}),
        envelope(ED_KEY, signatures=["x"]),
        envelope(ED_KEY, signatures=[{"keyid": "x"}]),
        envelope(ED_KEY, signatures=[{"keyid": 1, "sig": "AAAA"}]),
    ],
)
def test_a_malformed_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_envelope(data)


@pytest.mark.parametrize("key", [ED_KEY, EC_KEY])
def test_a_public_key_survives_its_pem(key: PublicKey) -> None:
    assert load_spki_pem(key.pem).spki == key.spki


@pytest.mark.parametrize("pem", ["", "é", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_garbled_pem_is_refused(pem: str) -> None:
    with pytest.raises(Malformed):
        load_spki_pem(pem)
