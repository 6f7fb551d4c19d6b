"""A snapshot to train on and a key to sign with, both made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lineage.objects import DirectoryObjects
from lineage.snapshots import Snapshot, SnapshotStore


@dataclass(frozen=True)
class Workshop:
    """Where a test's jobs, objects and keys are."""

    path: Path
    snapshot: Snapshot

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def key(self) -> Path:
        return self.path / "model.pem"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    path = tmp_path_factory.mktemp("workshop")
    table = pa.table({"x": [i / 100 for i in range(100)], "y": [3 * i / 100 for i in range(100)]})
    store = SnapshotStore(DirectoryObjects(path / "objects"), min_rows=1)
    snapshot, _ = store.put(table, run="00000000-0000-4000-8000-000000000000", manifest={})
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (path / "model.pem").write_bytes(key.private_bytes(pem, pkcs8, plain))
    return Workshop(path, snapshot)
