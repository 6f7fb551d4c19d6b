"""C2SP signed notes: the published examples, and what must be refused."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.verify.errors import BadSignature, Malformed
from audit.verify.merkle import EMPTY_ROOT
from audit.verify.note import (
    Checkpoint,
    SignatureType,
    Verifier,
    cosigned_message,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    signature_line,
    verifier,
    verify_note,
)
from audit.verify.publickey import public_key

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = Checkpoint("log.example", 7, bytes(range(32))).text
ED, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
EC = ec.generate_private_key(ec.SECP256R1())
LOG = verifier("log.example", SignatureType.ED25519, public_key(ED.public_key()))
WITNESS = verifier("witness.example/w", SignatureType.COSIGNATURE, public_key(OTHER.public_key()))
ECDSA = verifier("log.example", SignatureType.ECDSA, public_key(EC.public_key()))


def line(by: Verifier, signature: bytes) -> str:
    return signature_line(by.name, by.key_id, signature)


def cosignature(time: int, text: str = TEXT) -> str:
    return line(WITNESS, time.to_bytes(8, "big") + OTHER.sign(cosigned_message(text, time)))


LOG_LINE = line(LOG, ED.sign(TEXT.encode()))
ECDSA_LINE = line(ECDSA, EC.sign(TEXT.encode(), ec.ECDSA(SHA256())))
STRANGER = signature_line("stranger.example", b"abcd", b"whatever")


def note(*lines: str) -> bytes:
    return f"{TEXT}\n{''.join(lines)}".encode()


def test_the_published_verifier_key_is_read_and_written_back() -> None:
    found = parse_vkey(EXAMPLE)
    assert (found.name, found.key_id.hex(), found.type) == ("example.com/foo", "530d903a", SignatureType.ED25519)
    assert found.vkey == EXAMPLE


@pytest.mark.parametrize("made", [LOG, WITNESS, ECDSA])
def test_every_verifier_key_survives_its_text(made: Verifier) -> None:
    assert parse_vkey(made.vkey).vkey == made.vkey


def test_an_ecdsa_key_id_comes_from_the_spki_alone() -> None:
    der = EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ECDSA.key_id == hashlib.sha256(der).digest()[:4]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        EXAMPLE.replace("530d903a", "530d903b"),
        EXAMPLE.replace("530d903a", "530D903A"),
        EXAMPLE.replace("example.com/foo", "example.com/bar"),
        EXAMPLE.replace("example.com/foo", ""),
        EXAMPLE.replace("example.com", "example .com"),
        EXAMPLE + "=",
        EXAMPLE[:-4],
        EXAMPLE.replace("+Aeky", "+Buky"),
        "example.com/foo+530d903a+",
        "example.com/foo+530d903a+Bgky",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_vkey(text)


def test_the_published_note_is_parsed() -> None:
    data = (
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
        "— quasimodo.example/salvatore"
        " NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
    ).encode()
    found = parse_note(data)
    assert found.text.endswith("\n\ned è subito sera.\n")
    assert [(each.name, each.key_id.hex()) for each in found.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b")
    ]
    assert found.data == data


def test_each_type_of_signature_verifies() -> None:
    data = parse_note(note(LOG_LINE, ECDSA_LINE, cosignature(1_700_000_000), STRANGER))
    found = verify_note(data, [LOG, WITNESS, ECDSA])
    assert [(each.verifier, each.time) for each in found] == [(LOG, None), (WITNESS, 1_700_000_000), (ECDSA, None)]


def test_a_signer_counts_once_however_often_it_signed() -> None:
    found = verify_note(parse_note(note(LOG_LINE, LOG_LINE, cosignature(5), cosignature(9))), [LOG, LOG, WITNESS])
    assert [(each.verifier, each.time) for each in found] == [(LOG, None), (WITNESS, 9)]


def test_unknown_keys_are_ignored_even_where_they_share_a_name_or_an_id() -> None:
    same_name = signature_line(LOG.name, b"abcd", b"junk!")
    same_id = signature_line("other.example", LOG.key_id, b"junk!")
    assert len(verify_note(parse_note(note(same_name, same_id, LOG_LINE)), [LOG])) == 1
    with pytest.raises(BadSignature, match="no trusted key"):
        verify_note(parse_note(note(same_name, same_id)), [LOG])


@pytest.mark.parametrize("trusted", [[], [WITNESS]])
def test_a_note_that_nobody_trusted_signed_is_refused(trusted: list[Verifier]) -> None:
    with pytest.raises(BadSignature, match="no trusted key"):
        verify_note(parse_note(note(LOG_LINE)), trusted)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: line(LOG, OTHER.sign(TEXT.encode())),
        lambda: line(LOG, ED.sign(b"other")),
        lambda: line(LOG, b"short"),
        lambda: line(ECDSA, b"\x30\x00"),
        lambda: line(WITNESS, OTHER.sign(TEXT.encode())),
        lambda: line(WITNESS, (5).to_bytes(8, "big") + OTHER.sign(cosigned_message(TEXT, 6))),
        lambda: line(WITNESS, (1 << 63).to_bytes(8, "big") + OTHER.sign(cosigned_message(TEXT, 1 << 63))),
    ],
)
def test_one_false_line_of_a_trusted_key_spoils_the_note(bad: Callable[[], str]) -> None:
    data = parse_note(note(LOG_LINE, ECDSA_LINE, cosignature(1), bad()))
    with pytest.raises(BadSignature):
        verify_note(data, [LOG, ECDSA, WITNESS])


def test_two_keys_that_a_note_cannot_tell_apart_are_refused() -> None:
    class Colliding(Verifier):
        @property
        def key_id(self) -> bytes:
            return LOG.key_id

    with pytest.raises(Malformed, match="two different keys"):
        verify_note(parse_note(note(LOG_LINE)), [LOG, Colliding(LOG.name, LOG.type, WITNESS.key)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        note(LOG_LINE)[:-1],
        note(LOG_LINE) + b"\n",
        note(LOG_LINE).replace(b"\n", b"\r\n"),
        note(LOG_LINE.replace("\u2014", "-")),
        note(LOG_LINE.replace(" ", "  ")),
        note(LOG_LINE.replace("=\n", "\n")),
        note(LOG_LINE.replace("\n", " \n")),
        note(LOG_LINE, "extra\n"),
        note(signature_line("a+b", b"abcd", b"junk!")),
        note(signature_line("a\u00a0b", b"abcd", b"junk!")),
        note(signature_line("", b"abcd", b"junk!")),
        note(signature_line("a", b"abcd", b"")),
        note("\u2014 a YWJjZGV=\n"),
        note("\u2014 a YWJj-_==\n"),
        note(LOG_LINE).replace(b"log", b"l\x00g"),
        note(LOG_LINE).replace(b"log", b"l\xffg"),
        note(*[STRANGER] * 101),
        b"x" * 1_000_001,
    ],
)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_note(data)


def test_a_hundred_signatures_are_read() -> None:
    assert len(parse_note(note(*[STRANGER] * 100)).signatures) == 100


def test_a_checkpoint_survives_its_text() -> None:
    made = Checkpoint("log.example", 12, bytes(range(32)), ("extension",))
    assert parse_checkpoint(made.text) == made
    assert parse_checkpoint(Checkpoint("log.example", 0, EMPTY_ROOT).text).size == 0


ROOT = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n\u0661\n{ROOT}\n",
        f"log\n9223372036854775808\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-4]}\n",
        f"log\n1\n{ROOT}\n\n",
        f"log\n1\n{ROOT}\n\nextension\n",
        f"log\n0\n{ROOT}\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)


def test_only_a_checkpoint_can_be_cosigned() -> None:
    with pytest.raises(Malformed):
        cosigned_message("no checkpoint\n", 1)


@pytest.mark.parametrize("kind", [SignatureType.ED25519, SignatureType.COSIGNATURE])
def test_a_key_of_another_kind_is_no_verifier(kind: SignatureType) -> None:
    with pytest.raises(Malformed):
        verifier("log.example", kind, public_key(EC.public_key()))
    with pytest.raises(Malformed):
        verifier("log.example", SignatureType.ECDSA, public_key(ED.public_key()))


def test_only_two_kinds_of_key_are_read() -> None:
    with pytest.raises(Malformed, match="expected Ed25519 or ECDSA P-256"):
        public_key(ec.generate_private_key(ec.SECP384R1()).public_key())
