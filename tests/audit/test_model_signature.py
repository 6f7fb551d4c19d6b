"""A model's OpenSSF signature holds for exactly its files and exactly its key."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from audit.model_signature import openssf_subject, public_key_pem, sign, verify
from governance.errors import ConfigurationError
from lineage.artifact import ArtifactSignature
from lineage.errors import ArtifactCorrupt


def key_file(path: Path, key: PrivateKeyTypes) -> Path:
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, pkcs8, plain))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path / "model.pem", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "w").write_bytes(b"weights")
    (folder / "sub" / "x").write_bytes(b"more")
    (folder / ".gitignore").write_bytes(b"part of the model here")
    return folder


def test_what_was_signed_verifies_wherever_it_is_moved(model: Path, key: Path, tmp_path: Path) -> None:
    signed = sign(model, private_key=key)

    moved = model.rename(tmp_path / "elsewhere")

    assert verify(moved, public_key=public_key_pem(key)) == signed
    bundle = (moved / "model.sig").read_bytes()
    assert signed.sha256 == hashlib.sha256(bundle).hexdigest()
    assert signed.openssf_subject == openssf_subject(bundle)


def test_the_key_is_named_by_its_spki(model: Path, key: Path) -> None:
    der = base64.b64decode("".join(public_key_pem(key).decode().splitlines()[1:-1]))

    assert sign(model, private_key=key).key == hashlib.sha256(der).hexdigest()


def flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


@pytest.mark.parametrize("file", ["w", "sub/x", ".gitignore"])
def test_a_flipped_bit_in_any_file_is_detected(model: Path, key: Path, file: str) -> None:
    sign(model, private_key=key)
    flip(model / file)

    with pytest.raises(ArtifactCorrupt, match=r"does not hold"):
        verify(model, public_key=public_key_pem(key))


def test_an_added_removed_or_renamed_file_is_detected(model: Path, key: Path) -> None:
    sign(model, private_key=key)
    (model / ".git").write_bytes(b"hidden from other tools")
    with pytest.raises(ArtifactCorrupt):
        verify(model, public_key=public_key_pem(key))
    (model / ".git").unlink()
    (model / "w").rename(model / "v")
    with pytest.raises(ArtifactCorrupt):
        verify(model, public_key=public_key_pem(key))


def test_another_key_does_not_verify(model: Path, key: Path, tmp_path: Path) -> None:
    sign(model, private_key=key)
    other = key_file(tmp_path / "other.pem", ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(ArtifactCorrupt, match="does not hold"):
        verify(model, public_key=public_key_pem(other))


def test_every_flipped_character_of_the_signed_statement_is_detected(model: Path, key: Path) -> None:
    sign(model, private_key=key)
    bundle = json.loads((model / "model.sig").read_bytes())
    payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for position in range(0, len(payload), 97):
        payload[position] ^= 1
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
        (model / "model.sig").write_text(json.dumps(bundle))
        with pytest.raises(ArtifactCorrupt):
            verify(model, public_key=public_key_pem(key))
        payload[position] ^= 1


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"dsseEnvelope": {"payload": "e30="}}'])
def test_a_missing_or_broken_signature_is_named(model: Path, key: Path, content: bytes | None) -> None:
    if content is not None:
        (model / "model.sig").write_bytes(content)

    with pytest.raises(ArtifactCorrupt, match=r"model\.sig"):
        verify(model, public_key=public_key_pem(key))


def test_only_p256_keys_are_taken(model: Path, tmp_path: Path) -> None:
    keys: list[PrivateKeyTypes] = [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())]
    for number, wrong in enumerate(keys):
        with pytest.raises(ConfigurationError, match="P-256"):
            sign(model, private_key=key_file(tmp_path / f"{number}.pem", wrong))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        sign(model, private_key=tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        verify(model, public_key=b"nonsense")


def test_a_second_signature_replaces_the_first(model: Path, key: Path) -> None:
    first, second = sign(model, private_key=key), sign(model, private_key=key)

    assert isinstance(second, ArtifactSignature)
    assert (first.openssf_subject, first.key) == (second.openssf_subject, second.key)
