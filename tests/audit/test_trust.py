"""The exported trust file is one that the verifier reads, and its fingerprints can be read aloud."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from audit.keys import Keys
from audit.trust import fingerprints, trust_file
from audit.verify.errors import Malformed
from audit.verify.trust import parse_trust


def test_it_round_trips_with_the_public_keys_only(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "keys")
    data = trust_file(keys, origin="provender.example/test")
    trust = parse_trust(data)
    assert trust.statement_keys[0].spki == keys.statement_public.spki
    assert trust.model_keys[0].spki == keys.model_public.spki
    assert [log.name for log in trust.policy.logs] == ["provender.example/test"]
    assert b"PRIVATE" not in data


def test_fingerprints_are_sha256_of_the_keys_in_groups_of_four(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "keys")
    found = dict(fingerprints(parse_trust(trust_file(keys, origin="provender.example/test"))))
    assert set(found) == {"log provender.example/test", "statements", "models"}
    assert found["statements"].replace(" ", "") == hashlib.sha256(keys.statement_public.spki).hexdigest()
    assert len(found["statements"].split(" ")) == 16


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"statement_keys": []},
        {"statement_keys": "one"},
        {"model_keys": ["-----BEGIN PUBLIC KEY-----"]},
        {"tlog_policy": None},
        {"tlog_policy": "quorum nobody\n"},
        {"tsa_roots": [1]},
        {"more": 1},
    ],
)
def test_a_malformed_trust_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    document = json.loads(trust_file(Keys.open(tmp_path / "keys"), origin="provender.example/test"))
    with pytest.raises(Malformed):
        parse_trust(json.dumps({**document, **change}).encode())
