from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.objects import INCOMPLETE, DirectoryObjects, replace_bytes

Spawn = Callable[[str], "Popen[str]"]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


def everything(store: DirectoryObjects) -> list[str]:
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file())


def test_an_object_is_created_once_and_never_changed(store: DirectoryObjects) -> None:
    assert store.create_bytes("a/b/c.json", b"first")
    assert not store.create_bytes("a/b/c.json", b"second")
    assert store.read("a/b/c.json") == b"first"
    assert everything(store) == ["a/b/c.json"]


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "a/../b", "/etc/passwd", "", ".", "a//b", "a/", "./a", "a\0b", "..", f"{INCOMPLETE}/x"],
)
def test_a_name_that_leads_elsewhere_is_refused(store: DirectoryObjects, name: str) -> None:
    with pytest.raises(ConfigurationError):
        store.create_bytes(name, b"x")
    with pytest.raises(ConfigurationError):
        store.read(name)
    assert not (store.root.parent / "x").exists()


def test_a_symbolic_link_is_not_followed(store: DirectoryObjects, tmp_path: Path) -> None:
    store.create_bytes("a/real", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (store.root / "a" / "file").symlink_to(tmp_path / "secret")
    (store.root / "a" / "dangling").symlink_to(tmp_path / "nowhere")
    (store.root / "folder").symlink_to(tmp_path)
    (store.root / "inside").symlink_to(store.root / "a")
    for name in ("a/file", "a/dangling", "folder/secret", "inside/real"):
        with pytest.raises(ConfigurationError, match="symbolic link"):
            store.read(name)
        with pytest.raises(ConfigurationError, match="symbolic link"):
            store.create_bytes(name, b"mine")
    assert list(store.names("a")) == ["a/real"]
    assert not (tmp_path / "nowhere").exists()


def test_the_root_itself_may_be_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "objects").symlink_to(tmp_path / "disk")
    store = DirectoryObjects(tmp_path / "objects")
    store.create_bytes("a/b", b"x")
    assert store.read("a/b") == b"x"
    assert list(store.names("a")) == ["a/b"]


def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = DirectoryObjects(Path("objects"))
    monkeypatch.chdir("/")
    store.create_bytes("a", b"x")
    assert (tmp_path / "objects" / "a").read_bytes() == b"x"


def test_names_are_sorted_as_text_and_missing_folders_are_empty(store: DirectoryObjects) -> None:
    for name in ("f/a/b", "f/a-b", "f/.hidden", "g/x"):
        store.create_bytes(name, b"")
    assert list(store.names("f")) == ["f/.hidden", "f/a-b", "f/a/b"]
    assert list(store.names("nothing")) == []


def test_a_failing_writer_leaves_nothing(store: DirectoryObjects) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "what a library says")

    with pytest.raises(ObjectsUnreachable, match="No space left on device"), store.stage(write):
        pass
    assert everything(store) == []
    assert store.create_bytes("a/b", b"whole")


def test_what_a_killed_writer_left_is_no_object_and_is_swept_by_the_next(store: DirectoryObjects, spawn: Spawn) -> None:
    code = f"""
from pathlib import Path
import time
from lineage.objects import DirectoryObjects
def write(path):
    path.write_bytes(b"half of it")
    print("writing", flush=True)
    time.sleep(600)
with DirectoryObjects(Path({str(store.root)!r})).stage(write):
    pass
"""
    killed, alive = spawn(code), spawn(code)
    for process in (killed, alive):
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert list(store.names("a")) == []
    assert len(everything(store)) == 2
    assert store.create_bytes("a/b", b"whole")
    assert store.read("a/b") == b"whole"
    assert len(everything(store)) == 2  # the object, and the file of the one that is still writing


def _link(stray: Path) -> None:
    stray.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_link, Path.mkdir, os.mkfifo], ids=["link", "directory", "pipe"])
def test_what_strays_where_files_are_written_is_left_alone(
    store: DirectoryObjects, make: Callable[[Path], None]
) -> None:
    store.create_bytes("a", b"1")
    stray = store.root / INCOMPLETE / ".incomplete-x"
    make(stray)
    assert store.create_bytes("b", b"2")
    assert os.path.lexists(stray)


def test_a_changing_file_is_whole_or_as_before(tmp_path: Path) -> None:
    head = tmp_path / "folder" / "head.json"
    replace_bytes(head, b"1")
    replace_bytes(head, b"2")
    assert head.read_bytes() == b"2"
    assert list(head.parent.iterdir()) == [head]
