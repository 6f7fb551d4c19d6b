"""Only verified bytes become tensors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from safetensors.numpy import save_file

from api.kserve.errors import ModelNotServable
from api.kserve.weights import load_tensors, verify_artifact
from audit.model_signature import public_key_pem, sign
from lineage.artifact import Artifact, ArtifactStore
from lineage.errors import ArtifactCorrupt, UnknownArtifact

PKCS8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "model.pem"
    path.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*PKCS8))
    return path


@pytest.fixture
def artifact(tmp_path: Path, key: Path) -> Artifact:
    model = tmp_path / "model"
    model.mkdir()
    save_file({"weight": np.ones(3, np.float32)}, model / "model.safetensors")
    sign(model, private_key=key)
    return ArtifactStore(tmp_path).put(model)


def test_a_whole_and_signed_artifact_gives_its_tensors(tmp_path: Path, key: Path, artifact: Artifact) -> None:
    verified = verify_artifact(tmp_path, artifact.digest, public_key=public_key_pem(key))
    assert load_tensors(verified.artifact)["weight"].tolist() == [1.0, 1.0, 1.0]


def test_a_changed_byte_is_found_by_the_digest(tmp_path: Path, key: Path, artifact: Artifact) -> None:
    flip_last_byte(artifact.path / "model.safetensors")
    with pytest.raises(ArtifactCorrupt, match="changed after they were recorded"):
        verify_artifact(tmp_path, artifact.digest, public_key=public_key_pem(key))


def test_a_signature_by_another_key_is_refused(tmp_path: Path, artifact: Artifact) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*PKCS8))
    with pytest.raises(ArtifactCorrupt, match="signature"):
        verify_artifact(tmp_path, artifact.digest, public_key=public_key_pem(other))


def test_an_artifact_that_is_not_there_is_unknown(tmp_path: Path, key: Path) -> None:
    with pytest.raises(UnknownArtifact):
        verify_artifact(tmp_path, f"oms1-sha256:{'0' * 64}", public_key=public_key_pem(key))


def test_bytes_that_changed_after_verification_do_not_become_tensors(artifact: Artifact) -> None:
    flip_last_byte(artifact.path / "model.safetensors")
    with pytest.raises(ArtifactCorrupt, match="while it was loaded"):
        load_tensors(artifact)


def test_an_artifact_without_safetensors_cannot_be_served(artifact: Artifact) -> None:
    with pytest.raises(ModelNotServable, match=r"no \.safetensors file"):
        load_tensors(dataclasses.replace(artifact, files=()))


def test_a_signed_file_that_is_not_safetensors_cannot_be_served(tmp_path: Path) -> None:
    model = tmp_path / "odd"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"no header")
    with pytest.raises(ModelNotServable, match="not a safetensors file"):
        load_tensors(ArtifactStore(tmp_path).put(model))


def flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
