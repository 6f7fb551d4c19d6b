"""What holds for every object store, on a disk and on S3."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.objects import INCOMPLETE, DirectoryObjects, Objects
from tests.lineage.object_stores import bucket_store


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "directory":
        return DirectoryObjects(tmp_path / "objects")
    return bucket_store(request.getfixturevalue("s3"))


def test_an_object_is_created_once_and_never_changed(store: Objects) -> None:
    assert store.create_bytes("a/b/c.json", b"first")
    assert not store.create_bytes("a/b/c.json", b"second")
    assert store.read("a/b/c.json") == b"first"
    assert store.exists("a/b/c.json")
    assert not store.exists("a/b")
    assert store.uri("a/b/c.json").startswith(("file:///", "s3://"))


def test_of_many_that_create_one_name_at_once_one_does(store: Objects) -> None:
    def create(number: int) -> bool:
        return store.create_bytes("a", bytes([number]) * 1000)

    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(create, range(16)))
    assert sorted(created) == [False] * 15 + [True]
    assert store.read("a") == bytes([created.index(True)]) * 1000


def test_what_is_staged_is_no_object_until_it_is_committed(store: Objects) -> None:
    with store.stage(lambda path: path.write_bytes(b"rows")):
        assert list(store.names("a")) == []
    with store.stage(lambda path: path.write_bytes(b"rows")) as staged:
        assert staged.commit("a/b")
        assert not staged.commit("a/b")
    assert store.read("a/b") == b"rows"


def test_names_are_sorted_and_those_below_the_folder_alone(store: Objects) -> None:
    for name in ("f/a/b", "f/a-b", "f/ä +%.json", "fg/x", "g/f/x"):
        assert store.create_bytes(name, b"")
    assert list(store.names("f")) == ["f/a-b", "f/a/b", "f/ä +%.json"]
    assert list(store.names("nothing")) == []


def test_a_missing_object_is_not_found(store: Objects) -> None:
    for ask in (store.read, store.open):
        with pytest.raises(FileNotFoundError):
            ask("a/b")


@pytest.mark.parametrize("name", ["../x", "a/../x", "/x", "", "a//b", "a/", "./a", "a\0b", f"{INCOMPLETE}/x"])
def test_a_name_that_leads_elsewhere_is_refused(store: Objects, name: str) -> None:
    for ask in (store.read, store.open, store.exists, lambda name: store.create_bytes(name, b"x")):
        with pytest.raises(ConfigurationError, match="no name of an object"):
            ask(name)


def test_an_open_object_is_read_here_and_there(store: Objects) -> None:
    store.create_bytes("a", bytes(range(200)))
    with store.open("a") as file:
        file.seek(-3, 2)
        assert file.read() == bytes([197, 198, 199])
        file.seek(5)
        assert file.read(2) == bytes([5, 6])
        assert file.tell() == 7


def test_parts_that_others_write_become_objects_together(store: Objects) -> None:
    with store.stage_parts() as staged:
        writer = pickle.loads(pickle.dumps(staged.writer))  # as an engine sends it to its workers
        writer.write("two", lambda path: path.write_bytes(b"an earlier try"))
        for part in ("one", "two"):
            writer.write(part, lambda path, part=part: path.write_bytes(part.encode()))
        assert staged.parts() == {"one", "two"}
        with staged.open("two") as file:
            assert file.read() == b"two"
        with pytest.raises(FileNotFoundError):
            staged.open("three")
        assert list(store.names("rows")) == []
        assert staged.commit("one", "rows/1")
        assert staged.commit("two", "rows/2")
        assert not staged.commit("one", "rows/2")
    assert [store.read(name) for name in store.names("rows")] == [b"one", b"two"]


def test_parts_that_are_not_committed_are_gone(store: Objects) -> None:
    with store.stage_parts() as staged:
        staged.writer.write("one", lambda path: path.write_bytes(b"1"))
        assert staged.parts() == {"one"}
    with pytest.raises((FileNotFoundError, ObjectsUnreachable)):
        staged.commit("one", "rows/1")
    assert list(store.names("rows")) == []
