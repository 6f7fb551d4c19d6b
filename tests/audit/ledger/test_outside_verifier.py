"""Go's sumdb/note and sumdb/tlog accept our checkpoints and proofs, and refuse changed ones."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.audit.ledger.conftest import World

pytestmark = pytest.mark.system


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program beside this file, built from the distribution's packages, without modules and network."""
    built = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"],
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(built / "cache"),
        "GOFLAGS": "-buildvcs=false",
        "CGO_ENABLED": "0",
    }
    source = Path(__file__).with_name("outside_verifier.go")
    command = ["go", "build", "-o", str(built / "verifier"), str(source)]
    subprocess.run(command, env=environment, cwd=built, check=True, timeout=240)
    return built / "verifier"


@pytest.fixture
def evidence(world: World) -> dict[str, Any]:
    ids = world.record(5)
    old = world.ledger.sequence()
    ids += world.record(8)
    new = world.ledger.sequence()
    proofs = [world.ledger.prove(each) for each in ids]
    return {
        "vkey": world.ledger.vkey,
        "old": encoded(old.note),
        "new": encoded(new.note),
        "proof": [encoded(each) for each in world.ledger.consistency(old.size, new.size).hashes],
        "inclusion": [
            {"index": each.index, "leaf": encoded(each.leaf), "hashes": [encoded(one) for one in each.hashes]}
            for each in proofs
        ],
    }


def verify(program: Path, evidence: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program], input=json.dumps(evidence), capture_output=True, text=True, check=False, timeout=60
    )


def test_go_verifies_our_checkpoints_and_every_proof(program: Path, evidence: dict[str, Any]) -> None:
    found = verify(program, evidence)
    assert (found.stdout, found.stderr) == ("verified 13 of 13\n", "")


def test_go_refuses_what_was_changed(program: Path, evidence: dict[str, Any]) -> None:
    note = base64.b64decode(evidence["new"])
    for changed in (
        {**evidence, "new": encoded(note.replace(b"\n13\n", b"\n14\n"))},
        {**evidence, "proof": evidence["proof"][:-1]},
        {**evidence, "inclusion": [{**evidence["inclusion"][0], "index": 1}]},
        {**evidence, "inclusion": [{**evidence["inclusion"][0], "leaf": encoded(b"other")}]},
    ):
        assert verify(program, changed).returncode != 0
