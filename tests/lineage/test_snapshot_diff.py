"""Two snapshots compared: from their manifests alone, then by the rows of the chunks that differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.differing_rows import DifferingRow, differing_rows
from lineage.errors import SnapshotCorrupt
from lineage.objects import DirectoryObjects
from lineage.recorded_snapshots import RecordedManifest
from lineage.snapshot_diff import ChangedColumn, RetypedColumn, SnapshotDiff, TypedColumn, diff
from lineage.snapshots import SnapshotStore
from lineage.td1 import CHUNK_ROWS, digest_table
from tests.lineage.snapshot_tables import opened, put, rows_of
from tests.lineage.td1.tables import Column, columns


def manifest(table: pa.Table) -> RecordedManifest:
    """What a retrieval of ``table`` records of its content."""
    found = digest_table(table)
    document = {
        "digest": found.digest,
        "rows": found.rows,
        "descriptor": found.descriptor,
        "leaves": {column.name: list(column.leaves) for column in found.columns},
    }
    return RecordedManifest(found.digest, "run", "", document)


class Rows:
    """Chunks of a table in memory, and which of them were read."""

    def __init__(self, table: pa.Table) -> None:
        self.table, self.read = table, list[tuple[int, list[str]]]()

    def chunk(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        self.read.append((number, list(columns or ())))
        return self.table.slice(number * CHUNK_ROWS, CHUNK_ROWS).select(columns)


def compared(left: pa.Table, right: pa.Table) -> tuple[SnapshotDiff, list[DifferingRow]]:
    found = diff(manifest(left), manifest(right))
    return found, list(differing_rows(found, Rows(left), Rows(right)))


def with_value(table: pa.Table, name: str, row: int, value: Any) -> pa.Table:
    column = table[name]
    changed = pa.concat_arrays(
        [
            column.slice(0, row).combine_chunks(),
            pa.array([value], column.type),
            column.slice(row + 1).combine_chunks(),
        ]
    )
    return table.set_column(table.schema.get_field_index(name), name, changed)


TABLE = rows_of()


def test_one_changed_cell_is_found_by_column_chunk_and_row_and_nothing_else_is_read() -> None:
    row = CHUNK_ROWS + 18
    other = with_value(TABLE, "gap", row, None)
    found = diff(manifest(TABLE), manifest(other))
    assert (found.equal, found.added, found.removed, found.retyped) == (False, (), (), ())
    assert found.changed == (ChangedColumn("gap", (1,)),)
    assert found.ranges(found.changed[0]) == ((CHUNK_ROWS, 2 * CHUNK_ROWS - 1),)
    left, right = Rows(TABLE), Rows(other)
    expected = DifferingRow(row, "changed", {"gap": (float(row), None)})
    assert list(differing_rows(found, left, right)) == [expected]
    assert left.read == right.read == [(1, ["gap"])]


def test_cells_of_one_row_are_told_together_and_rows_in_order() -> None:
    other = with_value(with_value(with_value(TABLE, "name", 5, "é"), "n", 5, -1), "x", 3, 0.5)
    found, rows = compared(TABLE, other)
    assert [column.name for column in found.changed] == ["n", "name", "x"]
    assert [(row.row, sorted(row.cells)) for row in rows] == [(3, ["x"]), (5, ["n", "name"])]
    assert rows[1].cells == {"n": (5, -1), "name": ("patient 5", "é")}


def test_the_same_content_is_equal_whatever_it_is_stored_as() -> None:
    coded = TABLE.set_column(4, "name", TABLE["name"].dictionary_encode())
    found, rows = compared(TABLE, coded)
    assert found.equal
    assert (found.changed, rows) == ((), [])


def test_columns_that_one_side_lacks_or_has_as_another_type_are_told() -> None:
    left = pa.table({"a": pa.array([1], pa.int32()), "b": ["x"], "é": [1.0]})
    right = pa.table({"a": pa.array([1], pa.int64()), "c": pa.array([[1]], pa.list_(pa.int8())), "é": [1.0]})
    found, rows = compared(left, right)
    assert not found.equal
    assert found.removed == (TypedColumn("b", "utf8"),)
    assert found.added == (TypedColumn("c", ["list", "i8"]),)
    assert found.retyped == (RetypedColumn("a", "i32", "i64"),)
    assert (found.changed, rows) == ((), [])


def test_rows_at_the_end_of_the_longer_one_are_told() -> None:
    found, rows = compared(TABLE.slice(0, CHUNK_ROWS - 1), TABLE.slice(0, CHUNK_ROWS + 1))
    assert found.rows == (CHUNK_ROWS - 1, CHUNK_ROWS + 1)
    assert {column.chunks for column in found.changed} == {(0, 1)}
    assert {found.ranges(column) for column in found.changed} == {((0, CHUNK_ROWS),)}
    assert [(row.row, row.standing) for row in rows] == [(CHUNK_ROWS - 1, "only right"), (CHUNK_ROWS, "only right")]
    assert rows[0].cells["n"] == (None, CHUNK_ROWS - 1)
    _, back = compared(TABLE.slice(0, CHUNK_ROWS + 1), TABLE.slice(0, CHUNK_ROWS - 1))
    assert [(row.row, row.standing, row.cells["n"][0]) for row in back] == [
        (CHUNK_ROWS - 1, "only left", CHUNK_ROWS - 1),
        (CHUNK_ROWS, "only left", CHUNK_ROWS),
    ]


def test_a_row_taken_out_moves_all_rows_after_it_and_only_what_is_asked_for_is_read() -> None:
    shorter = pa.concat_tables([TABLE.slice(0, 7), TABLE.slice(8)])
    found = diff(manifest(TABLE), manifest(shorter))
    assert found.changed[0] == ChangedColumn("flag", (0, 1, 2))
    left, right = Rows(TABLE), Rows(shorter)
    assert next(differing_rows(found, left, right)).row == 7
    assert [number for number, _ in left.read] == [0]


def test_tables_without_rows_or_columns_are_compared_too() -> None:
    empty = TABLE.slice(0, 0)
    assert diff(manifest(empty), manifest(empty)).equal
    found, rows = compared(empty, TABLE.slice(0, 2).select(["n"]))
    assert (len(found.removed), [row.standing for row in rows]) == (6, ["only right", "only right"])
    bare = [pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([]))) for count in (2, 3)]
    found, rows = compared(*(pa.Table.from_batches([one]) for one in bare))
    assert (found.equal, found.rows, found.changed, rows) == (False, (2, 3), (), [])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_of_any_type_exactly_the_rows_with_another_meaning_differ(data: st.DataObject) -> None:
    left = data.draw(columns(rows=9))
    others = [data.draw(columns(st.just(left.stored), rows=9)).values for _ in range(2)]
    right = Column(left.stored, [data.draw(st.sampled_from(found)) for found in zip(left.values, *others, strict=True)])
    _, rows = compared(pa.table({"a": left.array}), pa.table({"a": right.array}))
    alone = [
        row
        for row in range(9)
        if digest_table(pa.table({"a": left.array.slice(row, 1)}))
        != digest_table(pa.table({"a": right.array.slice(row, 1)}))
    ]
    assert [one.row for one in rows] == alone
    json.dumps([dict(one.cells) for one in rows], allow_nan=False)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        pytest.param("leaves", {"a": ["0" * 64], "b": ["0" * 64]}, id="other leaves"),
        pytest.param("leaves", {"a": ["0" * 64]}, id="a column is missing"),
        pytest.param("leaves", None, id="no leaves"),
        pytest.param("descriptor", "{}", id="no descriptor"),
        pytest.param("rows", 2, id="another number of rows"),
    ],
)
def test_a_manifest_that_does_not_give_its_digest_is_not_compared(member: str, value: Any) -> None:
    good = manifest(pa.table({"a": [1], "b": [2]}))
    bad = RecordedManifest(good.snapshot, good.run, "", {**good.document, member: value})
    with pytest.raises(SnapshotCorrupt):
        diff(good, bad)


def test_stored_snapshots_are_compared(tmp_path: Path) -> None:
    store = SnapshotStore(DirectoryObjects(tmp_path), min_rows=1)
    kept = [put(store, table) for table in (TABLE, with_value(TABLE, "t", 3, None))]
    stated = [
        RecordedManifest(one.id, one.run_id, sha256(document).hexdigest(), json.loads(document))
        for one, document in kept
    ]
    found = diff(*stated)
    sides = [opened(store, one) for one, _ in kept]
    (row,) = differing_rows(found, *sides)
    assert (row.row, row.cells) == (3, {"t": ("1970-01-01 00:00:00.000003+00:00", None)})
