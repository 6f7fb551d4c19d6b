from __future__ import annotations

import hashlib
import os
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
