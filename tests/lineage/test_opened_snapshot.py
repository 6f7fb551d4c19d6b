"""An open snapshot gives no row that is not as it was recorded."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigurationError
from lineage.errors import SnapshotCorrupt, UnknownSnapshot
from lineage.objects import DirectoryObjects
from lineage.opened_snapshot import OpenSnapshot
from lineage.snapshot_parquet import write_rows
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import CHUNK_ROWS, digest_table
from tests.lineage.snapshot_tables import ROWS, manifest_of, opened, parquet, put, put_parts, rows_of

TABLE = rows_of()


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


@pytest.fixture
def store(objects: DirectoryObjects) -> SnapshotStore:
    return SnapshotStore(objects, min_rows=1)


@pytest.fixture(params=["put", "put_parts"], ids=["one file", "in parts"])
def snapshot(store: SnapshotStore, request: pytest.FixtureRequest) -> OpenSnapshot:
    kept = put(store, TABLE) if request.param == "put" else put_parts(store, TABLE)
    return opened(store, kept[0])


def test_it_gives_the_rows_in_every_form(snapshot: OpenSnapshot) -> None:
    assert snapshot.to_arrow().equals(TABLE)
    assert snapshot.schema.equals(TABLE.schema)
    assert (snapshot.rows, snapshot.chunks, snapshot.name) == (ROWS, 3, digest_table(TABLE).digest)
    assert snapshot.to_pandas(["n", "name"]).equals(TABLE.select(["n", "name"]).to_pandas())
    assert pa.Table.from_batches(snapshot.batches(["x"])).equals(TABLE.select(["x"]))
    assert snapshot.manifest["digest"] == snapshot.name
    assert snapshot.chunk(2).equals(TABLE.slice(2 * CHUNK_ROWS))
    snapshot.close()
    assert snapshot.chunk(0, ["flag", "n"]).equals(TABLE.slice(0, CHUNK_ROWS).select(["flag", "n"]))


def test_it_travels_to_another_process(snapshot: OpenSnapshot) -> None:
    snapshot.chunk(1)
    assert pickle.loads(pickle.dumps(snapshot)).to_arrow(["n"]).equals(TABLE.select(["n"]))


@pytest.mark.parametrize("number", [-1, 3])
def test_a_chunk_that_is_not_there_is_an_index_error(snapshot: OpenSnapshot, number: int) -> None:
    with pytest.raises(IndexError, match="has 3 chunks"):
        snapshot.chunk(number)


def test_an_unknown_column_is_told_with_those_that_are(snapshot: OpenSnapshot) -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'z'\. It has: n, x, gap"):
        snapshot.to_arrow(["n", "z"])


def test_a_streaming_reader_gets_the_sound_chunks_and_stops_before_the_changed_one(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    snapshot = opened(store, put(store, TABLE)[0])
    column = TABLE.column("x").to_pylist()
    column[CHUNK_ROWS + 5] += 1e-9
    write_rows(TABLE.set_column(1, "x", pa.array(column)), parquet(objects))
    batches = snapshot.batches()
    assert next(batches).num_rows == CHUNK_ROWS
    with pytest.raises(SnapshotCorrupt, match=r"Chunk 1 .*from row 65536 on.* other leaves in 'x'"):
        next(batches)
    assert snapshot.to_arrow(["n", "name"]).equals(TABLE.select(["n", "name"]))  # each column is verified alone
    assert snapshot.chunk(2).num_rows == 1000


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[SnapshotStore, Snapshot, Path, bytes]:
    objects = DirectoryObjects(tmp_path_factory.mktemp("objects"))
    store = SnapshotStore(objects, min_rows=1)
    snapshot, _ = put(store, TABLE.slice(0, CHUNK_ROWS + 3000).select(["n", "x", "name"]))
    return store, snapshot, parquet(objects), parquet(objects).read_bytes()


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_whatever_byte_is_changed_no_other_row_is_given(
    stored_once: tuple[SnapshotStore, Snapshot, Path, bytes], at: float, bits: int
) -> None:
    store, snapshot, path, good = stored_once
    place = int(at * len(good))
    path.write_bytes(good[:place] + bytes([good[place] ^ bits]) + good[place + 1 :])
    expected = TABLE.slice(0, CHUNK_ROWS + 3000).select(["n", "x", "name"])
    given_rows = 0
    try:
        for batch in opened(store, snapshot).batches():
            assert batch.equals(expected.slice(given_rows, batch.num_rows).combine_chunks().to_batches()[0])
            given_rows += batch.num_rows
    except SnapshotCorrupt:
        pass
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    "replacement",
    [
        TABLE.slice(0, ROWS - 1),
        pa.concat_tables([TABLE, TABLE.slice(0, 1)]),
        TABLE.set_column(0, "n", TABLE.column("n").cast(pa.uint64())),
        TABLE.rename_columns(["n", "y", *TABLE.column_names[2:]]),
        TABLE.drop_columns(["x"]),
    ],
    ids=["a row fewer", "a row more", "another type of the same bytes", "another name", "a column fewer"],
)
def test_replaced_rows_are_corrupt(store: SnapshotStore, objects: DirectoryObjects, replacement: pa.Table) -> None:
    kept, _ = put(store, TABLE)
    write_rows(replacement, parquet(objects))
    with pytest.raises(SnapshotCorrupt):
        opened(store, kept).to_arrow()


def test_rows_that_stand_in_other_row_groups_are_not_handed_out(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    kept, _ = put(store, TABLE)
    pq.write_table(TABLE, parquet(objects))
    with pytest.raises(SnapshotCorrupt, match="another number of rows"):
        next(opened(store, kept).batches())


def test_a_part_that_is_gone_is_corrupt(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot = opened(store, put_parts(store, TABLE)[0])
    parquet(objects, "part-00001.parquet").unlink()
    with pytest.raises(SnapshotCorrupt, match="cannot be read"):
        snapshot.to_arrow()


def test_rows_that_are_gone_are_unknown(store: SnapshotStore, objects: DirectoryObjects) -> None:
    kept, _ = put(store, TABLE)
    parquet(objects).unlink()
    with pytest.raises(UnknownSnapshot):
        opened(store, kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"leaves": {}},
        {"leaves": None},
        {"leaves": {"n": ["0" * 64] * 3}},
        {"rows": ROWS - 1},
        {"digest": "td1-sha256:" + "0" * 64},
    ],
    ids=["no leaves", "none at all", "other leaves", "other rows", "another digest"],
)
def test_a_manifest_that_does_not_give_its_digest_is_corrupt(store: SnapshotStore, changes: dict[str, object]) -> None:
    kept, document = put(store, TABLE)
    with pytest.raises(SnapshotCorrupt):
        OpenSnapshot(kept.id, store.rows(kept.id), {**json.loads(document), **changes})


def test_an_empty_snapshot_and_one_of_whole_chunks_are_read(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=0)
    for rows in (0, CHUNK_ROWS, 2 * CHUNK_ROWS):
        table = rows_of(rows)
        assert opened(store, put(store, table)[0]).to_arrow().equals(table)


def test_one_chunk_is_read_as_it_lies_for_who_compares_it(store: SnapshotStore) -> None:
    kept, _ = put(store, TABLE)
    assert store.chunk(kept.id, 1).equals(TABLE.select(sorted(TABLE.column_names)).slice(CHUNK_ROWS, CHUNK_ROWS))
    with pytest.raises(SnapshotCorrupt):
        store.chunk(kept.id, 3)


def test_the_manifest_says_what_wrote_it_and_what_keeps_it(store: SnapshotStore) -> None:
    said = json.loads(put(store, TABLE)[1])
    assert {"python", "pyarrow", "duckdb", "feast"} <= said["software"].keys()
    assert said["retention"] is None
    assert said["nulls"] == manifest_of(TABLE)["nulls"]


LONG = CHUNK_ROWS + 10
SAME_BITS = pa.table(
    {
        "x": pa.array(np.sqrt(np.arange(LONG)) + 0.5),
        "s": pa.array([f"{one}" for one in range(LONG)]),
        "d": pa.array(range(LONG), pa.date32()),
        "t": pa.array(range(LONG), pa.timestamp("us", "UTC")),
        "n": pa.array(range(LONG), pa.int64()),
    }
)
"""Each column has the same leaves as one of another type."""
OTHER_TYPES = {
    "x": SAME_BITS["x"].combine_chunks().view(pa.int64()),
    "s": SAME_BITS["s"].cast(pa.binary()),
    "d": SAME_BITS["d"].cast(pa.int32()),
    "t": SAME_BITS["t"].cast(pa.int64()),
    "n": SAME_BITS["n"].cast(pa.uint64()),
}


def retyped(column: str) -> pa.Table:
    return SAME_BITS.set_column(SAME_BITS.column_names.index(column), column, OTHER_TYPES[column])


@pytest.mark.parametrize("column", sorted(OTHER_TYPES))
def test_a_part_that_holds_the_same_bytes_as_another_type_is_not_handed_out(
    store: SnapshotStore, objects: DirectoryObjects, column: str
) -> None:
    kept, _ = put_parts(store, SAME_BITS)
    write_rows(retyped(column).slice(CHUNK_ROWS), parquet(objects, "part-00001.parquet"))
    snapshot = opened(store, kept)
    assert snapshot.chunk(0).equals(SAME_BITS.slice(0, CHUNK_ROWS))
    for columns in (None, [column]):
        with pytest.raises(SnapshotCorrupt, match=r"Chunk 1 .* columns of other types"):
            snapshot.chunk(1, columns)
    if column in ("x", "n"):
        with pytest.raises(SnapshotCorrupt, match="other types"):
            list(snapshot.to_torch([column]))


def closed(snapshot: OpenSnapshot) -> OpenSnapshot:
    snapshot.close()
    return snapshot


def travelled(snapshot: OpenSnapshot) -> OpenSnapshot:
    again: OpenSnapshot = pickle.loads(pickle.dumps(snapshot))
    return again


@pytest.mark.parametrize("reopen", [closed, travelled])
def test_rows_that_become_another_type_after_they_were_opened_are_not_handed_out(
    store: SnapshotStore, objects: DirectoryObjects, reopen: Callable[[OpenSnapshot], OpenSnapshot]
) -> None:
    snapshot = opened(store, put(store, SAME_BITS)[0])
    path = parquet(objects)
    path.unlink()
    write_rows(retyped("x"), path)
    with pytest.raises(SnapshotCorrupt, match="other types"):
        reopen(snapshot).to_arrow(["x"])


def test_nothing_but_values_is_taken_from_a_file(store: SnapshotStore, objects: DirectoryObjects) -> None:
    table = pa.table({"a": [1, 2], "b": [10, 20], "t": pa.array([0, 1], pa.timestamp("us", "UTC"))})
    kept, _ = put(store, table)
    names = [("b", "a"), ("a", "b"), ("t", "t")]
    columns = [
        {"name": name, "field_name": field, "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
        for name, field in names
    ]
    forged = {"pandas": json.dumps({"index_columns": [], "column_indexes": [], "columns": columns})}
    away = table.set_column(2, "t", table["t"].cast(pa.timestamp("us", "America/New_York")))
    away = away.cast(pa.schema([field.with_metadata({"says": "more"}) for field in away.schema]))
    pq.write_table(away.replace_schema_metadata(forged), parquet(objects))
    snapshot = opened(store, kept)
    assert snapshot.schema.equals(table.schema, check_metadata=True)
    assert snapshot.to_arrow().schema.equals(table.schema, check_metadata=True)
    frame = snapshot.to_pandas()
    assert frame[["a", "b"]].to_dict("list") == {"a": [1, 2], "b": [10, 20]}
    assert frame["t"].dt.hour.tolist() == [0, 0]
    assert all(batch.schema.metadata is None for batch in snapshot.batches())


def test_each_run_has_its_own_order_of_columns(store: SnapshotStore) -> None:
    table = rows_of(60)
    other = table.select(sorted(table.column_names, reverse=True))
    for one in (table, other):
        snapshot = opened(store, put(store, one)[0])
        assert snapshot.schema.equals(one.schema)
        assert snapshot.to_arrow().equals(one)


def test_a_manifest_of_before_says_no_order_and_is_read(store: SnapshotStore) -> None:
    kept, document = put(store, TABLE)
    before = {key: value for key, value in json.loads(document).items() if key != "columns"}
    assert OpenSnapshot(kept.id, store.rows(kept.id), before).to_arrow(["n", "x"]).equals(TABLE.select(["n", "x"]))


@pytest.mark.parametrize("columns", [["n"], ["n", *TABLE.column_names], "n", [1, 2], None])
def test_a_manifest_that_names_other_columns_is_corrupt(store: SnapshotStore, columns: object) -> None:
    kept, document = put(store, TABLE)
    with pytest.raises(SnapshotCorrupt, match="each of its columns once"):
        OpenSnapshot(kept.id, store.rows(kept.id), {**json.loads(document), "columns": columns})


def test_parts_of_runs_with_other_types_and_orders_complete_each_other(
    store: SnapshotStore, objects: DirectoryObjects, tmp_path: Path
) -> None:
    table = SAME_BITS.select(["x", "s", "n"])
    other = table.select(["s", "n", "x"]).set_column(0, "s", table["s"].cast(pa.large_string()))
    put_parts(store, table)
    shutil.move(parquet(objects, "part-00001.parquet"), tmp_path / "away")  # as if the first writer was killed
    kept, _ = put_parts(store, other)
    assert opened(store, kept).to_arrow().equals(table.select(["s", "n", "x"]))
    assert digest_table(store.read(kept.id)) == digest_table(table)


def test_files_of_before_with_the_types_of_their_writers_are_read(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    table = SAME_BITS.select(["x", "s", "n"])
    kept, _ = put_parts(store, table)
    old = table.set_column(1, "s", table["s"].cast(pa.large_string()).dictionary_encode())
    for number, part in enumerate((old.select(["s", "x", "n"]), table)):
        rows = part.slice(number * CHUNK_ROWS, CHUNK_ROWS)
        pq.write_table(rows, parquet(objects, f"part-0000{number}.parquet"), store_schema=True)
    assert opened(store, kept).to_arrow().equals(table)
