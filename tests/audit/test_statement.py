"""Sealing: envelope, salt and commitment, as the outbox takes them."""

import hashlib
import hmac

import pytest

from audit.errors import LeafTooLarge
from audit.keys import Keys
from audit.leaf import leaf_bytes
from audit.statement import PAYLOAD_TYPE, StatementSeal
from audit.verify.dsse import parse_envelope, verify_envelope
from governance.canonical import canonical_json
from lineage.outbox import Seal

STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicate": {"é": 1.0}}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.open(tmp_path_factory.mktemp("seal") / "keys")


def test_the_payload_is_the_canonical_statement_signed_by_the_statement_key(keys: Keys) -> None:
    seal: Seal = StatementSeal(keys)
    envelope = parse_envelope(seal(STATEMENT, actor="alice").envelope)
    assert envelope.payload == canonical_json(STATEMENT)
    assert verify_envelope(envelope, [keys.statement_public], payload_type=PAYLOAD_TYPE) == keys.statement_public
    assert [each.keyid for each in envelope.signatures] == [hashlib.sha256(keys.statement_public.spki).hexdigest()]


def test_the_commitment_binds_salt_and_envelope(keys: Keys) -> None:
    sealed = StatementSeal(keys)(STATEMENT, actor="alice")
    digest = hashlib.sha256(sealed.envelope)
    assert sealed.envelope_sha256 == digest.hexdigest()
    assert len(sealed.salt) == 32
    assert sealed.commitment == hmac.new(sealed.salt, digest.digest(), "sha256").hexdigest()


def test_the_same_statement_has_another_salt_and_commitment_each_time(keys: Keys) -> None:
    seal = StatementSeal(keys)
    one, other = seal(STATEMENT, actor="alice"), seal(STATEMENT, actor="alice")
    assert one.envelope == other.envelope
    assert one.salt != other.salt
    assert one.commitment != other.commitment


def test_the_actor_is_only_a_pseudonym(keys: Keys) -> None:
    seal = StatementSeal(keys)
    sealed = seal(STATEMENT, actor="alice")
    assert sealed.actor == seal.pseudonym("alice") == keys.pseudonym("alice")
    assert b"alice" not in sealed.envelope


def test_a_leaf_is_the_canonical_json_of_its_six_members() -> None:
    found = leaf_bytes(id="i", kind="decision", time="t", actor="a", commitment="00")
    assert found == b'{"actor":"a","c":"00","id":"i","kind":"decision","time":"t","v":1}'


def test_a_leaf_fits_into_an_entry_of_the_log() -> None:
    room = 65_535 - len(leaf_bytes(id="", kind="", time="", actor="", commitment=""))
    assert len(leaf_bytes(id="", kind="k" * room, time="", actor="", commitment="")) == 65_535
    with pytest.raises(LeafTooLarge, match="65536 bytes"):
        leaf_bytes(id="", kind="k" * (room + 1), time="", actor="", commitment="")
