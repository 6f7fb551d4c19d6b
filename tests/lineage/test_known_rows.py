"""Rows that are stored again: what lies there is read before it is recorded once more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineage.errors import SnapshotCorrupt
from lineage.objects import DirectoryObjects
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import CHUNK_ROWS, digest_table
from tests.lineage.snapshot_tables import files, opened, parquet, put, put_parts, rows_of

TABLE = rows_of(CHUNK_ROWS + 1000)
FOLDER = f"snapshots/{digest_table(TABLE).hex}"
LAST = "part-00001.parquet"
Put = Callable[[SnapshotStore, pa.Table], tuple[Snapshot, bytes]]


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


@pytest.fixture
def store(objects: DirectoryObjects) -> SnapshotStore:
    return SnapshotStore(objects, min_rows=1)


def flipped(file: Path) -> None:
    """One bit in the middle of it."""
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    _replace(file, bytes(data))


def emptied(file: Path) -> None:
    _replace(file, b"")


def of_other_rows(file: Path) -> None:
    table = pq.read_table(file)
    at = table.column_names.index("n")
    _replace(file, b"")
    pq.write_table(table.set_column(at, "n", pa.array(range(5, 5 + len(table)), pa.int64())), file)


def _replace(file: Path, data: bytes) -> None:
    file.unlink()
    file.write_bytes(data)


Damage = tuple[Put, str, Callable[[Path], None]]
DAMAGES = [
    pytest.param((put, "data.parquet", flipped), id="a bit of the file"),
    pytest.param((put, "data.parquet", emptied), id="an empty file"),
    pytest.param((put, "data.parquet", of_other_rows), id="other rows"),
    pytest.param((put_parts, LAST, flipped), id="a bit of a part"),
    pytest.param((put_parts, LAST, of_other_rows), id="a part of other rows"),
]


@pytest.mark.parametrize("again", [put, put_parts], ids=["again as one file", "again in parts"])
@pytest.mark.parametrize("damaged", DAMAGES)
def test_damaged_rows_are_not_recorded_again_and_can_be_healed(
    store: SnapshotStore, objects: DirectoryObjects, damaged: Damage, again: Put
) -> None:
    kept, name, damage = damaged
    snapshot, _ = kept(store, TABLE)
    damage(parquet(objects, name))
    before = files(objects)
    with pytest.raises(SnapshotCorrupt, match="something else lies already") as refused:
        again(store, TABLE)
    assert "patient" not in str(refused.value)
    assert FOLDER in str(refused.value)
    assert files(objects) == before
    for file in (objects.root / FOLDER).glob("*.parquet"):  # what the error says to do
        file.unlink()
    second, _ = again(store, TABLE)
    for one in (snapshot, second):
        assert opened(store, one).to_arrow().equals(TABLE)


def test_an_empty_file_that_somebody_put_there_is_not_recorded(store: SnapshotStore, objects: DirectoryObjects) -> None:
    objects.create_bytes(f"{FOLDER}/data.parquet", b"")
    for kept in (put, put_parts):
        with pytest.raises(SnapshotCorrupt, match="something else lies already"):
            kept(store, TABLE)
    assert store.names() == ()


def test_a_stray_file_that_hides_good_parts_is_told(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put_parts(store, TABLE)
    objects.create_bytes(f"{FOLDER}/data.parquet", b"stray")
    with pytest.raises(SnapshotCorrupt, match="something else lies already"):
        put_parts(store, TABLE)
    parquet(objects).unlink()
    put_parts(store, TABLE)
    assert opened(store, snapshot).to_arrow().equals(TABLE)


def test_parts_of_a_killed_writer_are_read_before_they_are_completed(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    objects.create_bytes(f"{FOLDER}/{LAST}", b"half of it, from another disk")
    with pytest.raises(SnapshotCorrupt, match="something else lies already"):
        put_parts(store, TABLE)
    assert store.names() == ()


def test_a_file_that_appears_while_the_rows_are_written_is_read_too(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = DirectoryObjects.link

    def late(self: DirectoryObjects, file: Path, name: str) -> bool:
        if name.endswith(".parquet"):
            other = file.with_name("other")
            other.write_bytes(b"")
            link(self, other, name)
        return link(self, file, name)

    monkeypatch.setattr(DirectoryObjects, "link", late)
    with pytest.raises(SnapshotCorrupt, match="something else lies already"):
        store.put(TABLE, run=str(uuid4()), manifest={})
    assert store.names() == ()
