from __future__ import annotations

import hashlib
import mmap
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import SourceUnreadable
from lineage.sources import digests
from lineage.sources.digests import FileKey, file_key, observe_source
from lineage.sources.state import unobserved_source

YEAR_2020 = 1_577_836_800


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of these tests count as old at once, unless a test says otherwise."""
    monkeypatch.setattr(digests, "SETTLED", -1)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_is_hashed_once_while_it_stands_still(tmp_path: Path) -> None:
    cache: dict[FileKey, str] = {}
    path = write(tmp_path / "a", b"abc")
    first = observe_source("labs", "file:///a", [path], cache)
    second = observe_source("labs", "file:///a", [path], cache)
    assert (first.state, second.state) == ("computed", "cached")
    assert first.files == second.files
    assert (first.files[0].path, first.files[0].size) == (str(path), 3)
    assert first.files[0].sha256 == sha256(b"abc").hexdigest()
    assert first.as_json()["files"] == [{"path": str(path), "size": 3, "sha256": sha256(b"abc").hexdigest()}]


def test_a_changed_file_is_hashed_again_even_with_its_old_size_and_time(tmp_path: Path) -> None:
    cache: dict[FileKey, str] = {}
    path = write(tmp_path / "a", b"abc")
    os.utime(path, (YEAR_2020, YEAR_2020))
    observe_source("labs", "", [path], cache)
    while write(path, b"xyz").stat().st_ctime_ns == next(iter(cache))[4]:
        os.utime(path, (YEAR_2020, YEAR_2020))
    os.utime(path, (YEAR_2020, YEAR_2020))
    again = observe_source("labs", "", [path], cache)
    assert again.state == "computed"
    assert again.files[0].sha256 == sha256(b"xyz").hexdigest()


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED", 10**12)
    cache: dict[FileKey, str] = {}
    path = write(tmp_path / "a", b"abc")
    assert [observe_source("labs", "", [path], cache).state for _ in range(2)] == ["computed", "computed"]
    assert cache == {}


def test_a_change_through_a_mapping_is_seen_after_the_file_was_remembered(tmp_path: Path) -> None:
    """The first write through a mapping moves the times, and no further one before the page is written back."""
    path = write(tmp_path / "a", b"A" * 4096)
    cache: dict[FileKey, str] = {}
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as page:
        page[0:1] = b"B"
        observe_source("labs", "", [path], cache)
        time.sleep(0.05)  # past the present tick of the file system's clock
        page[0:1] = b"C"
        if not _writes_back(tmp_path):
            pytest.skip("this file system never moves the times for a mapping, as docs/sources.md says")
        again = observe_source("labs", "", [path], cache)
    assert again.files[0].sha256 == sha256(path.read_bytes()).hexdigest()
    assert again.state == "computed"


def _writes_back(directory: Path) -> bool:
    """Whether a page that was written back and changes again moves the times of its file."""
    path = write(directory / "probe", b"A" * 4096)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as page:
        page[0:1] = b"B"
        os.fsync(file.fileno())
        before = file_key(path)
        time.sleep(0.05)
        page[0:1] = b"C"
    return file_key(path) != before


def test_a_change_while_a_slow_reading_goes_on_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is how old the last change was when the reading began: later ones may hide in its tick."""
    monkeypatch.setattr(digests, "SETTLED", 3 * 10**8)
    digest = hashlib.file_digest

    def read_slowly(file: Any, name: str) -> object:
        time.sleep(0.4)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", read_slowly)
    cache: dict[FileKey, str] = {}
    observe_source("labs", "", [write(tmp_path / "a", b"abc")], cache)
    assert cache == {}


def test_one_remembered_file_makes_the_source_cached(tmp_path: Path) -> None:
    cache: dict[FileKey, str] = {}
    old, new = write(tmp_path / "old", b"1"), write(tmp_path / "new", b"2")
    observe_source("labs", "", [old], cache)
    both = observe_source("labs", "", [old, new, old], cache)
    assert both.state == "cached"
    assert [file.path for file in both.files] == [str(new), str(old)]


@pytest.mark.parametrize("how", ["appended", "replaced"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = write(tmp_path / "a", b"abc")
    digest = hashlib.file_digest

    def read_slowly(file: Any, name: str) -> object:
        found = digest(file, name)
        if how == "appended":
            with path.open("ab") as more:
                more.write(b"d")
        else:
            write(tmp_path / "b", b"xyz").replace(path)
        return found

    monkeypatch.setattr(hashlib, "file_digest", read_slowly)
    cache: dict[FileKey, str] = {}
    with pytest.raises(SourceUnreadable, match="changed while"):
        observe_source("labs", "", [path], cache)
    assert cache == {}


def test_missing_files_folders_pipes_and_no_files_at_all_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceUnreadable, match="cannot be read"):
            observe_source("labs", "", [path], {})
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        file_key(tmp_path / "absent")
    with pytest.raises(SourceUnreadable, match="no files"):
        observe_source("labs", "file:///nothing", [], {})


def test_a_source_that_is_no_files_is_unknown() -> None:
    found = unobserved_source("labs", "sqlsource://labs")
    assert (found.state, found.files) == ("unknown", ())
