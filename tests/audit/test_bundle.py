"""Writing a bundle: complete, whole or not at all, and checkable by hand."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from audit.bundle import BundleIncomplete, BundleRefused, check_own_bundle, write_bundle
from lineage.objects import DirectoryObjects
from tests.audit.chain_fixture import DEPLOYMENT, ENDPOINT, ORIGIN, SyntheticChain

PARTS = ("tar", "sha256sum", "openssl", "python3", "bash")


def commands(readme: str) -> str:
    """What stands between the lines of tildes."""
    return "\n".join(re.findall(r"^~~~\n(.*?)^~~~$", readme, re.DOTALL | re.MULTILINE))


def by_hand(chain: SyntheticChain, bundle: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    shutil.copy(bundle, folder / "bundle.tar")
    shutil.copy(chain.trust, folder / "trust.json")
    with tarfile.open(bundle) as archive:
        member = archive.extractfile("README.txt")
        assert member is not None
        script = f"set -e -o pipefail\n{commands(member.read().decode())}"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # the python3 that runs this test
    command = ["bash", "-c", script]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not all(map(shutil.which, PARTS)), reason=f"needs {', '.join(PARTS)}")
def test_the_commands_of_the_readme_verify_a_bundle(chain: SyntheticChain, tmp_path: Path) -> None:
    done = by_hand(chain, chain.write_bundle(tmp_path / "b"), tmp_path / "hand")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BAD" not in done.stdout
    assert done.stdout.count("Signature Verified Successfully") == 1 + 6 + 1
    assert {"members OK", "proofs OK", "Verified OK"} <= set(done.stdout.splitlines())


@pytest.mark.skipif(not all(map(shutil.which, PARTS)), reason=f"needs {', '.join(PARTS)}")
@pytest.mark.parametrize("part", ["salt", "leaf.json", "proof.json"])
def test_the_commands_of_the_readme_find_a_change(chain: SyntheticChain, tmp_path: Path, part: str) -> None:
    members = chain.members()
    one, other = sorted(name for name in members if name.endswith(part))[:2]
    bundle = chain.reseal(tmp_path / "b", {**members, one: members[other], other: members[one]})
    done = by_hand(chain, bundle, tmp_path / "hand")
    assert done.returncode != 0 or "BAD" in done.stdout


def test_it_holds_the_members_of_the_format_and_nothing_else(chain: SyntheticChain) -> None:
    names = set(chain.members())
    model, snapshot = chain.artifact.digest.partition(":")[2], chain.snapshot.id.partition(":")[2]
    assert {"README.txt", "checkpoint", "manifest.json", "manifest.dsse", "report.html", "report.json"} <= names
    assert f"artifacts/{model}/model.sig" in names
    assert [name for name in names if name.startswith(f"snapshots/{snapshot}/")]
    assert len([name for name in names if name.startswith("records/")]) == 4 * 6
    assert ENDPOINT in chain.members()["README.txt"].decode()


def test_a_lost_manifest_is_an_error_and_no_bundle(chain: SyntheticChain, tmp_path: Path) -> None:
    with pytest.raises(BundleIncomplete, match="Restore it from a backup"):
        dataclasses.replace(chain, objects=DirectoryObjects(tmp_path)).members()


def test_a_write_that_fails_leaves_the_old_bundle_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b"
    write_bundle(path, {"a": b"old"})
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bundle(path, {"a": b"new"})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_deployment_of_the_bundle_is_the_recorded_one(chain: SyntheticChain) -> None:
    deployment = chain.evidence.chain.deployment
    assert deployment is not None
    assert deployment.predicate["deployment"] == DEPLOYMENT


def test_a_bundle_that_would_not_verify_takes_no_name(chain: SyntheticChain, tmp_path: Path) -> None:
    def check(file: Path) -> None:
        check_own_bundle(file, keys=chain.keys, origin=ORIGIN)

    path, members = tmp_path / "b", chain.members()
    write_bundle(path, members, check=check)
    good = path.read_bytes()
    with pytest.raises(BundleRefused, match="members: "):
        write_bundle(path, {**members, "README.txt": b"another"}, check=check)
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]
