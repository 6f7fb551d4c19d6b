"""The container of a bundle: strict in every byte."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verify.archive import read_archive, write_archive
from audit.verify.errors import Malformed

LONG = f"snapshots/{'a' * 64}/00000000-0000-4000-8000-000000000000.json"
MEMBERS = {"README.txt": b"read me\n", LONG: b"x" * 512, "b/empty": b"", "b/odd": b"y" * 513}

paths = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(paths, st.binary(max_size=1500), max_size=5))
def test_what_was_written_is_read_back(members: dict[str, bytes]) -> None:
    assert read_archive(write_archive(members)) == members


def test_other_tools_read_it_as_a_ustar_archive_with_fixed_metadata() -> None:
    with tarfile.open(fileobj=io.BytesIO(write_archive(MEMBERS)), mode="r:") as archive:
        found = archive.getmembers()
        contents = {member.name: archive.extractfile(member).read() for member in found}  # type: ignore[union-attr]  # all are files
    assert [member.name for member in found] == sorted(MEMBERS)
    assert contents == MEMBERS
    assert {(member.mode, member.uid, member.gid, member.mtime, member.uname) for member in found} == {
        (0o644, 0, 0, 0, "")
    }


def test_every_single_flipped_bit_is_found_or_is_content() -> None:
    data = write_archive(MEMBERS)
    for offset in range(len(data)):
        changed = data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
        try:
            members = read_archive(changed)
        except Malformed:
            continue
        assert members != MEMBERS, f"byte {offset} is free"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-512], "past the end|ends inside"),
        (lambda data: data + bytes(512), "is not what its members give"),
        (lambda data: data[:-1], "is not what its members give|past the end"),
        (lambda data: data[:0], "ends inside a header"),
        (lambda data: b"\x1f\x8b" + data, "size|name"),
    ],
)
def test_a_cut_or_longer_file_is_refused(change: object, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_archive(change(write_archive(MEMBERS)))  # type: ignore[operator]  # a lambda of the table above


@pytest.mark.parametrize("name", ["../up", "/root", "a//b", "a/./b", ".", "a\\b", "ü", "a b", "", "x" * 101, "a/.."])
def test_names_that_could_leave_the_directory_or_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(Malformed, match="member name"):
        write_archive({name: b""})


def test_unsorted_and_doubled_members_are_refused() -> None:
    first, second = write_archive({"a": b"1"})[:-1024], write_archive({"b": b"2"})[:-1024]
    with pytest.raises(Malformed, match="not what its members give"):
        read_archive(second + first + bytes(1024))
    with pytest.raises(Malformed, match="twice"):
        read_archive(first + first + bytes(1024))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE])
def test_links_and_directories_are_refused(kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/passwd" if kind != tarfile.DIRTYPE else ""
        archive.addfile(member)
    with pytest.raises(Malformed):
        read_archive(buffer.getvalue())


@given(st.binary(max_size=3000))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    if data != bytes(1024):
        with pytest.raises(Malformed):
            read_archive(data)
