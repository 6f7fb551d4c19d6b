"""Refs in a directory, on a real S3 and in SQLite. PostgreSQL: test_refs_postgresql.py."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.refs import Refs, open_refs
from tests.lineage.object_stores import access_to, new_bucket
from tests.seaweedfs import S3Server

Open = Callable[[], Refs]


@pytest.fixture(params=["directory", "s3", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens one place of refs, again at each call."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        location, access = f"s3://{new_bucket(server)}/a/prefix", access_to(server)
        return lambda: open_refs(location, base=tmp_path, access=access)
    location = "sqlite:///refs/refs.db" if request.param == "sqlite" else "refs"
    return lambda: open_refs(location, base=tmp_path)


def test_a_name_holds_nothing_until_it_is_given_something(opened: Open) -> None:
    assert opened().read("head.json") is None
    assert opened().swap("head.json", None, b"one")
    assert opened().read("head.json") == b"one"


def test_only_who_knows_what_is_there_may_change_it(opened: Open) -> None:
    refs = opened()
    assert not refs.swap("head.json", b"one", b"two")
    assert refs.swap("head.json", None, b"one")
    assert not refs.swap("head.json", None, b"two")
    assert not refs.swap("head.json", b"other", b"two")
    assert refs.read("head.json") == b"one"
    assert refs.swap("head.json", b"one", b"two")
    assert refs.read("head.json") == b"two"


def test_what_was_taken_away_may_be_given_again(opened: Open) -> None:
    refs = opened()
    assert refs.swap("versions/a.pb", None, b"\x00\xff")
    assert not refs.swap("versions/a.pb", b"other", None)
    assert refs.swap("versions/a.pb", b"\x00\xff", None)
    assert refs.read("versions/a.pb") is None
    assert refs.swap("versions/a.pb", None, None)
    assert refs.swap("versions/a.pb", None, b"again")
    assert opened().read("versions/a.pb") == b"again"


def test_of_many_writers_at_once_one_wins_each_round(opened: Open) -> None:
    won: list[bytes] = []
    start = threading.Barrier(4)

    def write() -> None:
        refs = opened()
        start.wait()
        for _ in range(5):
            old, new = refs.read("head.json"), uuid.uuid4().hex.encode()
            if refs.swap("head.json", old, (old or b"") + new):
                won.append(new)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = opened().read("head.json") or b""
    assert sorted(held[at : at + 32] for at in range(0, len(held), 32)) == sorted(won)
    assert len(won) >= 5


@pytest.mark.parametrize("name", ["../head.json", "/head.json", "a//b", ""])
def test_a_name_that_leads_elsewhere_is_refused(opened: Open, name: str) -> None:
    for act in (lambda: opened().read(name), lambda: opened().swap(name, None, b"x")):
        with pytest.raises(ConfigurationError, match="is no name of an object"):
            act()


def test_a_location_does_not_tell_a_password(tmp_path: Path) -> None:
    assert open_refs("refs", base=tmp_path).location == str(tmp_path / "refs")
    assert open_refs("s3://bucket/a/prefix/", base=tmp_path).location == "s3://bucket/a/prefix"
    assert open_refs("sqlite:///refs.db", base=tmp_path).location == f"sqlite:///{tmp_path}/refs.db"


@pytest.mark.parametrize("location", ["", "gs://bucket/prefix", "mysql://host/database"])
def test_another_kind_of_place_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`registry: path:` is .*\. Expected a directory"):
        open_refs(location, base=tmp_path)


def test_a_file_is_no_directory_of_refs(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"of plain Feast")
    with pytest.raises(ConfigurationError, match=r"registry\.db, which is a file\. Expected a directory"):
        open_refs("registry.db", base=tmp_path)


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ObjectsUnreachable, match=r"cannot be written: Not a directory"):
        open_refs("file/refs", base=tmp_path).swap("head.json", None, b"x")


def test_a_bucket_that_is_not_there_is_one_sentence(s3: S3Server, tmp_path: Path) -> None:
    refs = open_refs("s3://nowhere-at-all/x", base=tmp_path, access=access_to(s3))
    with pytest.raises(ObjectsUnreachable, match="There is no bucket 'nowhere-at-all'"):
        refs.swap("head.json", None, b"x")
