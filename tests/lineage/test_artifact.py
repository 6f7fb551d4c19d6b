"""An artifact is its files: their names, sizes and bytes, and nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from governance.canonical import canonical_json
from lineage.artifact import ArtifactStore, artifact_digest
from lineage.errors import ArtifactCorrupt, UnknownArtifact


def model(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in (files or {"w": b"weights", "config": b"{}"}).items():
        (folder / name).write_bytes(content)
    return folder


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_digest_is_that_of_the_sorted_list_without_the_signature(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", b=b"two", a=b"one")
    (folder / "sub").mkdir()
    (folder / "sub" / "model.sig").write_bytes(b"not at the top, so content")
    (folder / "model.sig").write_bytes(b"signature")

    listed = [
        ["a", 3, sha256(b"one")],
        ["b", 3, sha256(b"two")],
        ["sub/model.sig", 26, sha256(b"not at the top, so content")],
    ]
    assert artifact_digest(folder).digest == "oms1-sha256:" + sha256(canonical_json(listed))


def test_paths_are_sorted_by_their_utf8_bytes(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", **{"\U0001f600": b"", "\ufb00": b"", "z": b""})  # UTF-16 would put the emoji before

    assert [file.path for file in artifact_digest(folder).files] == ["z", "\ufb00", "\U0001f600"]


def test_a_renamed_file_is_another_artifact(tmp_path: Path) -> None:
    assert artifact_digest(model(tmp_path / "1", a=b"x")) != artifact_digest(model(tmp_path / "2", b=b"x"))


def test_links_devices_and_empty_directories_are_refused(tmp_path: Path) -> None:
    linked, piped, empty = model(tmp_path / "1"), model(tmp_path / "2"), tmp_path / "3"
    (linked / "more").symlink_to(linked / "w")
    os.mkfifo(piped / "more")
    (empty / "sub").mkdir(parents=True)

    for folder, said in ((linked, "symbolic link"), (piped, "device"), (empty, "holds no file")):
        with pytest.raises(ArtifactCorrupt, match=said):
            artifact_digest(folder)
    with pytest.raises(UnknownArtifact):
        artifact_digest(tmp_path / "missing")


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"")

    with pytest.raises(ArtifactCorrupt, match="not UTF-8"):
        artifact_digest(folder)


def test_what_was_put_can_be_opened_with_its_signature(tmp_path: Path) -> None:
    folder, store = model(tmp_path / "m"), ArtifactStore(tmp_path / "objects")
    (folder / "model.sig").write_bytes(b"signature")

    artifact = store.put(folder)

    assert artifact == store.open(artifact.digest)
    assert artifact.path == tmp_path / "objects" / "artifacts" / artifact.digest.removeprefix("oms1-sha256:")
    assert (artifact.path / "model.sig").read_bytes() == b"signature"


def test_the_first_copy_stays_when_the_same_model_is_put_again(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "objects")
    first, second = model(tmp_path / "1"), model(tmp_path / "2")
    (first / "model.sig").write_bytes(b"first")
    (second / "model.sig").write_bytes(b"second")

    assert store.put(first) == store.put(second)
    assert (store.put(second).path / "model.sig").read_bytes() == b"first"
    assert [path.name for path in (tmp_path / "objects" / "artifacts").glob(".*")] == []


@pytest.mark.parametrize("change", ["flip", "add", "remove"])
def test_a_changed_artifact_does_not_open(tmp_path: Path, change: str) -> None:
    store = ArtifactStore(tmp_path / "objects")
    artifact = store.put(model(tmp_path / "m"))
    if change == "flip":
        (artifact.path / "w").write_bytes(b"weighty")
    elif change == "add":
        (artifact.path / "more").write_bytes(b"")
    else:
        (artifact.path / "w").unlink()

    with pytest.raises(ArtifactCorrupt, match="were changed after they were recorded"):
        store.open(artifact.digest)
    with pytest.raises(ArtifactCorrupt):
        store.put(tmp_path / "m")


@pytest.mark.parametrize("digest", ["oms1-sha256:" + "0" * 64, "oms1-sha256:../..", "sha256:" + "0" * 64])
def test_an_unknown_artifact_is_named(tmp_path: Path, digest: str) -> None:
    with pytest.raises(UnknownArtifact, match=digest):
        ArtifactStore(tmp_path).open(digest)


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)

    with pytest.raises(KeyboardInterrupt):
        ArtifactStore(tmp_path / "objects").put(model(tmp_path / "m"))
    assert list((tmp_path / "objects" / "artifacts").iterdir()) == []
